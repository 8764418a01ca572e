"""What a source keeps outside the store: `.py` files and wheels by path, and origins, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import PrerequisiteError, Problem
from quarterdeck.model.limits import FILE_BYTES, WHEEL_BYTES
from quarterdeck.ports.files import EntryFacts, UnreadableError
from quarterdeck.versions import freeze

if TYPE_CHECKING:
    from quarterdeck.model.job import Definition
    from quarterdeck.ports.files import WheelFacts
    from quarterdeck.service.context import Context


@dataclass(frozen=True, slots=True)
class Outside:
    """A file that was read: its base name, bytes and SHA-256."""

    name: str
    content: bytes
    sha256: str


def uri_of(source: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key and value of what the source reads from outside, or None."""
    for key in ("wheel_uri", "uri"):
        if source.get(key):
            return key, source[key]
    return None


def placed(document: Mapping[str, Any], folder: str) -> dict[str, Any]:
    """Return a job's document with relative paths made absolute: they count from the file's folder."""
    whole = dict(document)
    spec = whole.get("spec")
    source = spec.get("source") if isinstance(spec, Mapping) else None
    if not folder or not isinstance(spec, Mapping) or not isinstance(source, Mapping):
        return whole
    moved = dict(source)
    for key in ("wheel_uri", "uri"):
        value = source.get(key)
        if isinstance(value, str) and value and "://" not in value and value[0] not in "/~":
            moved[key] = str(PurePath(folder) / value)
    whole["spec"] = {**spec, "source": moved}
    return whole


def read(context: Context, source: Mapping[str, Any]) -> Outside | None:
    """Return the file that the source names; UnreadableError says why it cannot be had."""
    found = uri_of(source)
    if found is None:
        return None
    key, uri = found
    if "://" in uri:
        raise UnreadableError(f"{uri}: object storage is not read yet; give a path")
    limit = WHEEL_BYTES if key == "wheel_uri" else FILE_BYTES
    roots = context.workspace().value.file_roots
    content = context.ports.files.read(uri, roots=roots, limit=limit)
    return Outside(PurePath(uri).name, content, freeze.digest(content))


def problems(
    context: Context, spec: Mapping[str, Any], cluster: Definition | None
) -> tuple[list[Problem], list[Problem]]:
    """Return problems and warnings of what the spec's source names outside, for a run on this cluster."""
    source = spec.get("source")
    if not isinstance(source, Mapping):
        return [], []
    found = uri_of(source)
    if found is None:
        if source.get("kind") == "wheel":
            text = "a wheel of a package index cannot be had yet; give wheel_uri"
            return [Problem("spec.source.wheel_uri", text)], []
        return [], []
    path = f"spec.source.{found[0]}"
    try:
        file = read(context, source)
        if file is not None and source["kind"] == "wheel":
            return wheel_problems(context, source, file, cluster)
    except UnreadableError as error:
        return [Problem(path, str(error))], []
    return [], []


def wheel_problems(
    context: Context, source: Mapping[str, Any], file: Outside, cluster: Definition | None
) -> tuple[list[Problem], list[Problem]]:
    """Return why this wheel cannot run on the cluster, what was found and what is needed; and warnings."""
    from packaging.utils import canonicalize_name, canonicalize_version  # only for wheels

    path = "spec.source.wheel_uri"
    try:
        facts = context.ports.files.wheel(file.content, file.name)
    except UnreadableError as error:
        return [Problem(path, str(error))], []
    found = []
    package, version = source.get("package"), source.get("version")
    if package and canonicalize_name(package) != canonicalize_name(facts.name):
        found.append(Problem("spec.source.package", f"the wheel is {facts.name}, not {package}"))
    if version and canonicalize_version(version) != canonicalize_version(facts.version):
        text = f"the wheel is version {facts.version}, not {version}"
        found.append(Problem("spec.source.version", text))
    here = context.ports.files.tags()
    if not set(facts.tags) & set(here):
        text = (
            f"the wheel is for {', '.join(facts.tags)}; this Python takes {here[0]} and the like"
        )
        found.append(Problem(path, text))
    if facts.requires_python and (python := _python_of(context, cluster)):
        found += _python_problems(facts.requires_python, python, cluster)
    entry = source.get("entry_point")
    about = _entry(context, entry, facts, file) if isinstance(entry, str) else EntryFacts()
    path = "spec.source.entry_point"
    found += [Problem(path, about.flaw)] if about.flaw else []
    return found, [Problem(path, about.doubt)] if about.doubt else []


def _python_of(context: Context, cluster: Definition | None) -> str:
    """Return the version of the Python that runs there, or nothing where it is not known."""
    if cluster is None:
        return ""
    try:
        return context.ports.executor(cluster).place().python.rpartition(" ")[2]
    except PrerequisiteError:
        return ""


def _python_problems(wanted: str, python: str, cluster: Definition | None) -> list[Problem]:
    from packaging.specifiers import SpecifierSet

    if cluster is None or SpecifierSet(wanted).contains(python, prereleases=True):
        return []
    text = f"the wheel needs Python {wanted}; cluster {cluster.name} has {python}"
    return [Problem("spec.source.wheel_uri", text)]


def _entry(context: Context, entry: str, facts: WheelFacts, file: Outside) -> EntryFacts:
    module, colon, _ = entry.partition(":")
    if not colon:
        target = facts.entry_points.get(entry)
        text = f"{entry} is a script of the wheel; write what it calls: {target}"
        return EntryFacts(text if target else "")
    if module in facts.modules:
        return context.ports.files.entry(file.content, entry)
    if entry in facts.entry_points.values():  # of another package that it requires
        return EntryFacts()
    has = ", ".join(sorted(set(facts.entry_points.values()))) or "none"
    return EntryFacts(f"the wheel has no module {module}; its entry points: {has}")


def seen(context: Context, spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the spec (ids inside) refers to right now, kept with a version when it is published."""
    source = spec["source"]
    found: dict[str, Any] = {}
    if source["kind"] == "saved_query":
        query = context.find_definition("query", source["query_id"])
        if query is not None:
            found["query_revision"] = query.value.revision
    profile = context.ports.store.definitions.find(spec["profile"])
    if profile is not None:
        found["profile_revision"] = profile.value.revision
    try:
        file = read(context, source)
    except UnreadableError:
        return found
    if file is not None:
        found["sha256"] = file.sha256
    return found
