"""What a job executes: the variants of a source, one class for each kind. Reading what is outside: `sources`."""

import keyword
import re
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, BeforeValidator, Field

from quarterdeck.model.base import Frozen, Text, kind_word, longest, pattern
from quarterdeck.model.limits import FILE_BYTES, ORIGIN_LENGTH
from quarterdeck.model.text import control, shown

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_PACKAGE: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
QUERY_ID: Final = re.compile(r"[a-z0-9-]{1,63}")


def has_password(address: str) -> bool:
    """Whether a URL names a user or password; what cannot be read counts as one that does."""
    try:
        return "@" in urlsplit(address).netloc
    except ValueError:
        return "@" in address


def _argument(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(f"is {kind_word(value)}; write it in quotes")  # noqa: TRY004
    return value


def _location(suffix: str) -> AfterValidator:
    """Return the check of a path or `s3://` address that ends in `suffix`; each fault has its own text."""

    def check(value: str) -> str:
        scheme = value.partition("://")[0] if "://" in value else ""
        if not value.strip():
            raise ValueError(f"is empty; give a path or s3:// address that ends in {suffix}")
        if scheme and scheme != "s3":
            raise ValueError(f"{shown(scheme)} is no scheme that is read; give a path or s3://…")
        if value.endswith(("/", "/.", "/..")) or value in (".", ".."):
            raise ValueError(f"is a folder; name one file that ends in {suffix}")
        if not value.endswith(suffix):
            raise ValueError(f"must end in {suffix}")
        if scheme and not re.fullmatch(r"s3://[^/]+/.+", value):
            raise ValueError(f"must name bucket and object: s3://bucket/name{suffix}")
        if found := control(value):
            raise ValueError(found)
        return value

    return AfterValidator(check)


def _origin_path(value: str) -> str:
    if value.startswith(("/", "~")) or re.match(r"[A-Za-z]:|\\", value):
        raise ValueError("is absolute; write it from the repository's root: queries/daily.sql")
    if ".." in re.split(r"[/\\]", value):
        raise ValueError("holds `..`; write it from the repository's root: queries/daily.sql")
    if not value.strip() or control(value):
        raise ValueError(control(value) or "is empty; write it from the repository's root")
    return value


def _repo(value: str) -> str:
    address = value.partition("://")[1] and has_password(value)
    if address and not value.startswith("ssh://"):
        raise ValueError(
            "holds a user name or password; leave it out, it would be kept with the job"
        )
    return value


def _version(value: str) -> str:
    try:
        Version(value)
    except InvalidVersion:
        raise ValueError(f"{shown(value)} is no version; write it as in 1.4.2") from None
    return value


def _entry_point(value: str) -> str:
    module, colon, function = value.partition(":")
    parts = [*module.split("."), *function.split(".")]
    if not colon or not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise ValueError(
            f"{shown(value)} is no entry point; write module:function, as in sales.main:run"
        )
    return value


def _script(value: str) -> str:
    size = len(value.encode())
    if not value.strip():
        raise ValueError("is empty; write the script, or give its path as uri")
    if size > FILE_BYTES:
        raise ValueError(f"has {size:,} bytes; at most {FILE_BYTES:,} are allowed: use a wheel")
    return value


Arguments = list[Annotated[Text, BeforeValidator(_argument)]]
OriginText = Annotated[Text, longest(ORIGIN_LENGTH)]


class Origin(Frozen):
    """Where a snapshot's text was taken from, to see it drift; `path` counts from the repository's root."""

    repo: Annotated[OriginText, AfterValidator(_repo)] | None = None
    path: Annotated[OriginText, AfterValidator(_origin_path)]
    ref: OriginText | None = None
    sha256: Annotated[Text, pattern(_SHA256, "a SHA-256: 64 characters of 0-9 and a-f")]


class SavedQuery(Frozen):
    """SQL that stands in the workspace under an id; each run takes its newest revision."""

    kind: Literal["saved_query"]
    query_id: Annotated[
        Text, pattern(QUERY_ID, "the id of a saved query: a-z, 0-9 and -, at most 63")
    ]


class Snapshot(Frozen):
    """SQL text of this job alone, kept byte for byte. Its statements are checked in `problems`."""

    kind: Literal["snapshot"]
    text: str
    origin: Origin | None = None


class Wheel(Frozen):
    """A function of a Python package; without `wheel_uri` the package index has it."""

    kind: Literal["wheel"]
    package: Annotated[
        Text, pattern(_PACKAGE, "the name of a package: letters, digits, - _ and .")
    ]
    version: Annotated[Text, AfterValidator(_version)] | None = None
    entry_point: Annotated[Text, AfterValidator(_entry_point)]
    wheel_uri: Annotated[Text, _location(".whl")] | None = None
    args: Arguments = Field(default_factory=list)


class PyFile(Frozen):
    """One script: its `text`, or where it lies (`uri`). That it is just one of them: `problems`."""

    kind: Literal["py_file"]
    text: Annotated[Text, AfterValidator(_script)] | None = None
    uri: Annotated[Text, _location(".py")] | None = None
    args: Arguments = Field(default_factory=list)


Source = Annotated[SavedQuery | Snapshot | Wheel | PyFile, Field(discriminator="kind")]
SOURCES: Final[dict[str, type[Frozen]]] = {
    "saved_query": SavedQuery, "snapshot": Snapshot, "wheel": Wheel, "py_file": PyFile,
}  # fmt: skip
JOB_TYPES: Final = {
    "saved_query": "sql", "snapshot": "sql", "wheel": "python", "py_file": "python",
}  # fmt: skip
RESERVED_KINDS: Final = frozenset({"file"})
