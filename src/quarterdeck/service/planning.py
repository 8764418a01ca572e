"""What a run would be now: frozen spec, what its cluster would be given, what preflight says. Makes nothing."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from quarterdeck.model.codec import to_document
from quarterdeck.model.errors import PrerequisiteError, Problem, UnreachableError
from quarterdeck.model.ids import RunId
from quarterdeck.model.observation import Refused
from quarterdeck.model.run import Trigger
from quarterdeck.ports.executor import Check
from quarterdeck.service import choosing, freezing
from quarterdeck.service.context import Context
from quarterdeck.versions import freeze

if TYPE_CHECKING:
    from quarterdeck.service.runs import Runs

RUN: Final = RunId("rplan0000000")
"""Stands for the id of the run that was not made."""


class Planning:
    """One use case: look before a run."""

    def __init__(self, context: Context, runs: Runs) -> None:
        self._context = context
        self._runs = runs

    def plan(
        self, name: str, *, draft: bool = False, version: int | None = None
    ) -> dict[str, Any]:
        """Return frozen spec, documents, checks and problems, and what would come of a run: `would`.

        start; wait (no room now); refuse (something must be mended); unanswered (the cluster does not say).
        """
        context = self._context
        job, chosen = choosing.chosen(context, name, draft=draft, version=version)
        run = replace(
            self._runs.made(job, chosen.spec, Trigger.MANUAL, version=chosen.version),
            id=RUN, draft=draft,
        )  # fmt: skip
        found: list[Problem] = list(self._runs.prerequisites(run.spec))
        files: dict[str, bytes] = {}

        def put(content: bytes) -> None:
            files[freeze.digest(content)] = content

        kept = context.ports.store.definitions.find(run.cluster)
        cluster = None if kept is None else kept.value
        shown: dict[str, Any] = {
            "job": job.name, "version": run.version, "draft": draft,
            "cluster": cluster.name if cluster else str(run.cluster),
            "kind": cluster.body["kind"] if cluster else None,
            "frozen_sha256": None, "frozen": None, "documents": [],
        }  # fmt: skip
        checks: list[Check] = []
        try:
            frozen = freezing.frozen(context, run, put)
            if isinstance(frozen, Refused):
                known = {one.path for one in found}
                found += [one for one in frozen.problems if one.path not in known]
            elif cluster is not None:
                content, sha256 = frozen
                launch = freezing.launch_of(context, run, content, _opener(files))
                shown |= {"frozen_sha256": sha256, "frozen": json.loads(content)}
                executor = context.ports.executor(cluster)
                shown["documents"] = executor.plan(launch)
                checks = executor.check(launch)
        except UnreachableError as error:
            checks = [Check("reachable", "failed", error.message, error.advice, code=error.code)]
        except PrerequisiteError as error:
            found.append(Problem("spec.cluster", f"{error.message} {error.advice}".strip()))
        shown["problems"] = [{"path": one.path, "message": one.message} for one in found]
        shown["checks"] = [to_document(check) for check in checks]
        return shown | {"would": _would(found, checks)}


def _opener(files: Mapping[str, bytes]) -> Callable[[str], Callable[[], BinaryIO]]:
    return lambda sha256: lambda: io.BytesIO(files[sha256])


def _would(problems: list[Problem], checks: list[Check]) -> str:
    failed = [check for check in checks if check.level == "failed"]
    codes = {check.code for check in failed}
    denied = [check for check in failed if check.code == "denied"]
    if problems or "prerequisite" in codes or not all(check.doubt for check in denied):
        return "refuse"
    if codes & {"unreachable", "denied"}:
        return "unanswered"
    return "wait" if "quota" in codes else "start"
