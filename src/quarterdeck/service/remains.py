"""What the store keeps of a run beside its document, each held against the hash that names it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import DamagedDocumentError, NotFoundError
from quarterdeck.service import freezing
from quarterdeck.versions.freeze import digest

if TYPE_CHECKING:
    from quarterdeck.service.context import Context

Kept = tuple[dict[str, Any] | None, tuple[str, ...]]
"""What is kept, if it is there and as it was; else why not, as notes."""


def frozen_spec(context: Context, sha256: str | None) -> Kept:
    """Return the frozen spec of this hash."""
    if sha256 is None:
        return None, ()
    try:
        return freezing.frozen_spec(context, sha256), ()
    except (NotFoundError, DamagedDocumentError) as error:
        return None, (f"its frozen spec is lost: {error.message}",)


def result(context: Context, sha256: str | None, read_file: Callable[[str], bytes]) -> Kept:
    """Return the result that is the artifact of this hash."""
    if sha256 is None:
        return None, ()
    try:
        content = read_file(context.ports.store.artifact_path(sha256))
    except NotFoundError as error:
        return None, (f"its result is lost: {error.message}",)
    found = digest(content)
    if found != sha256:
        name = f"artifacts/{sha256[:2]}/{sha256}"
        return None, (f"its result is lost: {name} was changed, its SHA-256 is {found}",)
    return json.loads(content), ()
