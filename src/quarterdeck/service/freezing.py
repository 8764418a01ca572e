"""Read everything that a run refers to, at dispatch, and freeze it; what cannot be resolved refuses the run."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, BinaryIO

from quarterdeck.model.errors import (
    DamagedDocumentError,
    NotFoundError,
    PrerequisiteError,
    Problem,
)
from quarterdeck.model.failure import Reason
from quarterdeck.model.job import version_id
from quarterdeck.model.observation import Frozen, Refused
from quarterdeck.model.text import named
from quarterdeck.ports.executor import InputFile, Launch, Place
from quarterdeck.ports.files import UnreadableError
from quarterdeck.service import outside
from quarterdeck.service.context import WORKSPACE_ID
from quarterdeck.versions import freeze

if TYPE_CHECKING:
    from quarterdeck.model.job import Definition
    from quarterdeck.model.run import Run
    from quarterdeck.ports.store import Collection
    from quarterdeck.service.context import Context

PAYLOAD = "payload.py"


def resolve(context: Context, run: Run) -> Frozen | Refused:
    """Freeze the run's spec and keep the frozen spec and its files in the store, durably.

    Refused lists everything that could not be resolved, by path.
    """
    try:
        found = frozen(context, run, context.ports.store.artifact_put)
        if isinstance(found, Refused):
            return found
        content, sha256 = found
        keep(context, content, sha256)
    except DamagedDocumentError as error:
        problem = Problem(error.facts["document"], error.message)
        return Refused(Reason.CONFIG_ERROR, (problem,))
    return Frozen(sha256=sha256, timeout_s=run.spec["timeout"])


def frozen(
    context: Context, run: Run, put: Callable[[bytes], object]
) -> tuple[bytes, str] | Refused:
    """Return the frozen spec's bytes and their SHA-256; `put` gets each file. Writes nothing itself."""
    found = unsound(context, run, to_freeze=True)
    if found:
        return Refused(Reason.CONFIG_ERROR, tuple(found))
    spec = run.spec
    profile = _definition(context, "profile", spec["profile"], "spec.profile", found)
    cluster = _definition(context, "cluster", spec["cluster"], "spec.cluster", found)
    catalogs = [
        _definition(context, "catalog", known, f"spec.catalogs[{place}]", found)
        for place, known in enumerate(spec["catalogs"])
    ]
    source = _source(context, spec["source"], cluster, found, put)
    if profile is not None and cluster is not None:
        found += _not_yet(profile, cluster, spec)
    place = _place(context, cluster, found)
    if found or profile is None or cluster is None or source is None or place is None:
        return Refused(Reason.CONFIG_ERROR, tuple(found))
    content, sha256 = freeze.freeze(
        freeze.Resolved(
            job=run.job,
            version=run.version,
            spec=spec,
            source=source,
            profile=profile,
            cluster=cluster,
            catalogs=tuple(c for c in catalogs if c is not None),
            place=place,
        )
    )
    too_large = freeze.problems(content)
    return Refused(Reason.CONFIG_ERROR, tuple(too_large)) if too_large else (content, sha256)


def unsound(context: Context, run: Run, *, to_freeze: bool = False) -> list[Problem]:
    """Return which documents that the run takes are not as they were written, each with both hashes.

    Those that a launch reads, or `to_freeze` all that its frozen spec is made of.
    """
    taken = [("runs", run.id), ("workspace", WORKSPACE_ID)]
    used = [run.team, run.cluster]
    if to_freeze:
        spec = run.spec
        used += [spec["profile"], *spec["catalogs"]]
        if spec["source"]["kind"] == "saved_query":
            used.append(spec["source"]["query_id"])
        if run.version is not None:
            taken.append(("versions", version_id(run.job, run.version)))
        elif run.draft:
            taken.append(("drafts", run.job))
    taken += [("definitions", known) for known in used]
    found = [Problem(*finding) for finding in context.ports.store.unsound(*taken)]
    named = {one.path for one in found}
    return found + [
        one
        for table, known in taken
        if f"{table}/{known}" not in named and (one := _doubt(context, table, known))
    ]


def _doubt(context: Context, table: str, known: str) -> Problem | None:
    """Return that it cannot be read, or that a repair kept it though it was changed, and nobody saved it since."""
    documents: dict[str, Collection[Any]] = {
        "versions": context.ports.store.versions,
        "drafts": context.ports.store.drafts,
        "definitions": context.ports.store.definitions,
    }
    try:
        kept = documents[table].find(known) if table in documents else None
    except DamagedDocumentError as error:
        return Problem(f"{table}/{known}", error.message)
    if kept is None or not kept.value.doubt:
        return None
    text = f"{kept.value.doubt}: look at it, and save what is right"
    return Problem(f"{table}/{known}", text)


def keep(context: Context, content: bytes, sha256: str) -> None:
    """Keep a frozen spec under its hash; one that is kept already is left as it is."""
    if context.ports.store.frozen.find(sha256) is None:
        with context.transaction("dispatching a run") as tx:
            if tx.frozen.find(sha256) is None:
                tx.frozen.put({"id": sha256, "spec": content.decode()}, seen=None)


def frozen_bytes(context: Context, sha256: str) -> bytes:
    """Return the exact bytes of a frozen spec; DamagedDocumentError if they are not what its name says."""
    text: str = context.ports.store.frozen.get(sha256).value["spec"]
    content = text.encode()
    found = freeze.digest(content)
    if found != sha256:
        raise DamagedDocumentError(
            f"frozen/{sha256} was changed after it was written: its SHA-256 is {found}.",
            advice="See `quarterdeck store verify`.",
            document=f"frozen/{sha256}",
        )
    return content


def frozen_spec(context: Context, sha256: str) -> dict[str, Any]:
    """Return a frozen spec as data."""
    document: dict[str, Any] = json.loads(frozen_bytes(context, sha256))
    return document


def launch(context: Context, run: Run) -> Launch:
    """Return what an executor is given for the attempt under way."""
    if run.frozen_sha256 is None:
        raise AssertionError(f"{run.id} is not frozen")

    def opener(sha256: str) -> Callable[[], BinaryIO]:
        path = str(context.ports.store.artifact_path(sha256))
        return lambda: io.FileIO(path)

    return launch_of(context, run, frozen_bytes(context, run.frozen_sha256), opener)


def changed_files(launch: Launch) -> list[Problem]:
    """Return which files of the launch are not what was frozen any more, each with both hashes."""
    found = []
    for file in launch.files:
        where = f"artifacts/{file.sha256[:2]}/{file.sha256}"
        try:
            with file.open() as content:
                sha256 = freeze.digest_of(content)
        except OSError as error:
            found.append(Problem(where, f"cannot be read: {error.strerror}"))
            continue
        if sha256 != file.sha256:
            text = f"was changed: its SHA-256 is {sha256}, it was kept with {file.sha256}"
            found.append(Problem(where, text))
    return found


def launch_of(
    context: Context, run: Run, content: bytes, opener: Callable[[str], Callable[[], BinaryIO]]
) -> Launch:
    """Return the launch of these frozen bytes; `opener` gives what opens the file with a SHA-256."""
    source = json.loads(content)["source"]
    files = []
    if "file" in source:
        sha256 = source["sha256"]
        files.append(InputFile(source["file"], sha256, source["size"], opener(sha256)))
    workspace = context.workspace().value
    wait = (run.queue_deadline - context.now_of(run)).total_seconds()
    place = _place_of_team(context, run)
    return Launch(
        workspace=workspace.name,
        run=run.id,
        attempt=max(1, len(run.attempts)),
        actor=run.actor,
        trigger=run.trigger.value,
        tick=run.tick,
        frozen=content,
        frozen_sha256=freeze.digest(content),
        wait_s=max(60.0, wait),
        files=tuple(files),
        labels={"job": run.job, "team": run.team, "version": str(run.version or "draft")},
        namespace=place.get("namespace") or "",
        service_account=place.get("service_account") or "",
        start_s=run.start_deadline_s,
    )


def _place_of_team(context: Context, run: Run) -> Mapping[str, Any]:
    """Return where the team's runs go on the run's cluster; empty: where the cluster says."""
    team = context.ports.store.definitions.find(run.team)
    places = team.value.body.get("clusters", {}) if team is not None else {}
    cluster = context.ports.store.definitions.find(run.cluster)
    known = named(places, cluster.value.name if cluster else "", str)
    place: Mapping[str, Any] = places.get(known) or {}
    return place


def differs(context: Context, frozen: Mapping[str, Any], cluster: Definition) -> list[Problem]:
    """Return what of a frozen spec cannot be had any more for an exact re-run, each with its path."""
    found: list[Problem] = []
    place = _place(context, cluster, found)
    if place is None:
        return found
    for name, was in frozen["place"].items():
        now = getattr(place, name)
        if now != was:
            text = f"was {was or 'nothing'}, is {now or 'nothing'} now"
            found.append(Problem(f"frozen.place.{name}", text, "prerequisite"))
    source = frozen["source"]
    if "file" in source:
        try:
            context.ports.store.artifact_path(source["sha256"])
        except NotFoundError as error:
            found.append(Problem("frozen.source", error.message, "prerequisite"))
    return found


def _definition(
    context: Context, kind: str, known: str, path: str, found: list[Problem]
) -> Definition | None:
    kept = context.ports.store.definitions.find(known)
    if kept is not None and not kept.value.deleted:
        return kept.value
    name = kept.value.name if kept is not None else known
    last = f"; its last revision was {kept.value.revision}" if kept is not None else ""
    found.append(Problem(path, f"{kind} {name} is gone{last}"))
    return None


def _source(
    context: Context,
    source: Mapping[str, Any],
    cluster: Definition | None,
    found: list[Problem],
    put: Callable[[bytes], object],
) -> dict[str, Any] | None:
    kind = source["kind"]
    if kind == "snapshot":
        text = source["text"]
        return {"kind": kind, "text": text, "sha256": freeze.digest(text.encode())}
    if kind == "saved_query":
        query = _definition(context, "query", source["query_id"], "spec.source.query_id", found)
        if query is None:
            return None
        text = query.body["text"]
        return {
            "kind": kind, "query_id": query.id, "name": query.name, "revision": query.revision,
            "text": text, "sha256": freeze.digest(text.encode()),
        }  # fmt: skip
    return _file_source(context, source, cluster, found, put)


def _file_source(
    context: Context,
    source: Mapping[str, Any],
    cluster: Definition | None,
    found: list[Problem],
    put: Callable[[bytes], object],
) -> dict[str, Any] | None:
    if source["kind"] == "py_file" and source["text"] is not None:
        content = source["text"].encode()
        file = outside.Outside(PAYLOAD, content, freeze.digest(content))
    else:
        name = "uri" if source["kind"] == "py_file" else "wheel_uri"
        try:
            read = outside.read(context, source)
        except UnreadableError as error:
            found.append(Problem(f"spec.source.{name}", str(error)))
            return None
        if read is None:
            text = "a wheel of a package index cannot be had yet; give wheel_uri"
            found.append(Problem(f"spec.source.{name}", text))
            return None
        file = read
    if source["kind"] == "wheel":
        problems, _ = outside.wheel_problems(context, source, file, cluster)
        found += problems
        if problems:
            return None
    put(file.content)
    known = {key: value for key, value in source.items() if key != "text"}
    return {**known, "file": file.name, "sha256": file.sha256, "size": len(file.content)}


def _place(context: Context, cluster: Definition | None, found: list[Problem]) -> Place | None:
    if cluster is None:
        return None
    try:
        return context.ports.executor(cluster).place()
    except PrerequisiteError as error:
        found.append(Problem("spec.cluster", f"{error.message} {error.advice}", "prerequisite"))
        return None


def _not_yet(profile: Definition, cluster: Definition, spec: Mapping[str, Any]) -> list[Problem]:
    """Return what the spec asks for and no part of this program does yet; silence would be a lie."""
    found = []
    if profile.body["libraries"]:
        text = f"libraries of profile {profile.name} cannot be installed yet; take them out"
        found.append(Problem("spec.profile", text))
    if cluster.body["kind"] == "kubernetes":
        return found
    for path, env in (
        ("spec.settings.env", spec["settings"]["env"]),
        ("spec.profile", profile.body["env"]),
    ):
        for name, value in env.items():
            if value.startswith("secret://"):
                text = (
                    f"{value} of {name} cannot be resolved on cluster {cluster.name}: only clusters of kind"
                    " kubernetes have Secrets yet"
                )
                found.append(Problem(path, text))
    return found
