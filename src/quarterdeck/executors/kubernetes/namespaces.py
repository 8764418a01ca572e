"""A namespace that is being deleted takes all in it along: then it is what was deleted, not the pod or the Job."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import Final

from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.failure import Reason
from quarterdeck.model.observation import Observation, Phase

_DELETED: Final = Reason.DELETED_EXTERNALLY


def look(client: Client, name: str) -> None:
    """Raise UnreachableError unless an empty answer is an answer: a missing namespace lists as empty, too."""
    with suppress(ApiError):
        client.get(f"/api/v1/namespaces/{name}")


def told(client: Client, name: str, seen: Observation) -> Observation:
    """Return what was seen; what others deleted went with its namespace if that is going."""
    word = seen.last_word
    by_others = word["reason"] == _DELETED if word is not None else seen.failure is _DELETED
    if not by_others and seen.phase is not Phase.GONE:
        return seen
    try:
        meta = client.get(f"/api/v1/namespaces/{name}")["metadata"]
    except ApiError as error:
        if not error.is_gone:  # without the right it stays what it is
            return seen
        meta = {"deletionTimestamp": "gone"}
    if not meta.get("deletionTimestamp"):
        return seen
    because = f"namespace {name} was deleted, and all in it"
    if word is not None:
        told_of = {"object": f"namespace {name}", "message": because}
        return replace(
            seen, last_word={**word, **told_of}, evidence=(seen.because, *seen.evidence)
        )
    return replace(
        seen, because=because, failure=_DELETED, object=f"namespace {name}",
        evidence=(seen.because, *seen.evidence),
    )  # fmt: skip
