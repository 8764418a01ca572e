"""Reads what a wheel says of itself, within limits; nothing of it is unpacked or run.

Whether it fits a job and this Python: `service.outside`.
"""

from __future__ import annotations

import base64
import configparser
import csv
import hashlib
import io
import re
import stat
import zipfile
import zlib
from collections.abc import Sequence
from email.message import Message
from email.parser import HeaderParser
from functools import cache
from typing import Final

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, parse_tag, sys_tags
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from quarterdeck.model.limits import WHEEL_BYTES
from quarterdeck.ports.files import UnreadableError, WheelFacts

MEMBERS: Final = 20_000
DIRECTORY_BYTES: Final = 8 * 1024 * 1024  # of the archive's table of contents
UNPACKED_BYTES: Final = 512 * 1024 * 1024
_HASHES: Final = ("sha256", "sha384", "sha512")
_PART: Final = 1024 * 1024
_SHOWN: Final = 60  # characters of a value that a message repeats
TEXT_BYTES: Final = 8 * 1024 * 1024  # of one file of metadata

_END: Final = b"PK\x05\x06"
_END64: Final = b"PK\x06\x07"
_END_SIZE: Final = 22
_DRIVE: Final = re.compile(r"[A-Za-z]:")
_DATA: Final = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_MODULE: Final = re.compile(r"((?:[^\W\d]\w*/)*[^\W\d]\w*)(?:\.py|(?:\.[\w-]+)?\.(?:so|pyd))")
_TARGET: Final = re.compile(r"([\w.]+)\s*:\s*([\w.]+)\s*(?:\[.*\])?")


@cache
def tags() -> Sequence[str]:
    """Return the tags that this Python takes, best first."""
    return tuple(str(tag) for tag in sys_tags())


def read(content: bytes, file_name: str) -> WheelFacts:
    """Return the facts of the wheel; UnreadableError names the file and what is wrong with it."""
    try:
        name, version, _, file_tags = parse_wheel_filename(file_name)
    except InvalidWheelFilename as error:
        form = "name-version-python-abi-platform.whl"
        raise UnreadableError(
            f"{file_name} is not named like a wheel: {form}, the version as in 1.4.2"
        ) from error
    try:
        _check_end(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive)
            folder = _info_folder(archive)
            metadata = _headers(archive, f"{folder}/METADATA")
            wheel = _headers(archive, f"{folder}/WHEEL")
            _agree(metadata, wheel, name, str(version), file_tags)
            _check_content(archive, f"{folder}/RECORD")
            return WheelFacts(
                name=str(metadata["Name"]),
                version=str(metadata["Version"]),
                tags=tuple(sorted(map(str, file_tags))),
                entry_points=_entry_points(archive, f"{folder}/entry_points.txt"),
                requires=tuple(metadata.get_all("Requires-Dist", [])),
                modules=_modules(archive),
                requires_python=_requires_python(metadata),
            )
    except _FlawError as flaw:
        raise UnreadableError(f"{file_name}: {flaw}") from flaw
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        text = "is damaged: what is in it cannot be unpacked; build or copy it again"
        raise UnreadableError(f"{file_name} {text}") from error


class _FlawError(Exception):
    """What is wrong with this wheel."""


def _check_end(content: bytes) -> None:
    """Refuse by the archive's last record, before anything is built from its table of contents."""
    if len(content) > WHEEL_BYTES:
        raise _FlawError(f"it has {len(content):,} bytes; at most {WHEEL_BYTES:,} are taken")
    at = content.rfind(_END, max(0, len(content) - _END_SIZE - 0xFFFF))
    if at < 0 or len(content) < at + _END_SIZE:
        raise _FlawError("it is damaged or cut off: no ZIP archive ends here")
    if content[max(0, at - 20) : at].startswith(_END64):
        raise _FlawError("it is a ZIP64 archive, which no wheel of this size needs")
    size = int.from_bytes(content[at + 12 : at + 16], "little")
    if size > DIRECTORY_BYTES:
        raise _FlawError(
            f"its table of contents has {size:,} bytes; at most {DIRECTORY_BYTES:,} are taken"
        )


def _check_members(archive: zipfile.ZipFile) -> None:
    members = archive.infolist()
    if len(members) > MEMBERS:
        raise _FlawError(f"it holds {len(members):,} files; at most {MEMBERS:,} are taken")
    size = sum(member.file_size for member in members)
    if size > UNPACKED_BYTES:
        raise _FlawError(f"unpacked it has {size:,} bytes; at most {UNPACKED_BYTES:,} are taken")
    seen: set[str] = set()
    for member in members:
        name = member.orig_filename
        if name in seen:
            raise _FlawError(f"{name!r} is in it twice")
        seen.add(name)
        _check_member(member, name)


def _check_member(member: zipfile.ZipInfo, name: str) -> None:
    parts = name.rstrip("/").split("/")
    if "\0" in name or "\\" in name or _DRIVE.match(name) or {"", ".", ".."} & set(parts):
        raise _FlawError(f"{name!r} leads out of the wheel or is no plain path")
    if stat.S_ISLNK(member.external_attr >> 16):
        raise _FlawError(f"{name!r} is a link")
    if member.flag_bits & 1:
        raise _FlawError(f"{name!r} is encrypted")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _FlawError(f"{name!r} is packed in way {member.compress_type}; pack it with deflate")


def _check_content(archive: zipfile.ZipFile, record: str) -> None:
    """Refuse what is not as its checksum in the archive, or its hash in RECORD, says."""
    wanted = _recorded(_text(archive, record), record)
    there = set(archive.namelist())
    if lost := sorted(wanted.keys() - there):
        raise _FlawError(f"{lost[0]} is missing, which RECORD lists")
    for name in archive.namelist():
        how, digest = wanted.get(name, ("", ""))
        found = hashlib.new(how) if how else None
        try:
            with archive.open(name) as file:
                while part := file.read(_PART):
                    if found is not None:
                        found.update(part)
        except (zipfile.BadZipFile, zlib.error, EOFError):
            raise _FlawError(f"{name} is damaged: it cannot be unpacked") from None
        if found is not None and found.digest() != digest:
            raise _FlawError(
                f"{name} is not what RECORD says: the wheel was changed or is damaged"
            )


def _recorded(text: str, record: str) -> dict[str, tuple[str, bytes]]:
    """Return the hashes that RECORD lists, by file: the algorithm and the digest, empty for none."""
    found: dict[str, tuple[str, bytes]] = {}
    try:
        rows = list(csv.reader(io.StringIO(text)))
    except csv.Error:
        raise _FlawError(f"{record} is no list of files") from None
    for line, row in enumerate(rows, 1):
        if not row or row[0] == record:
            continue
        how, _, digest = row[1].partition("=") if len(row) > 1 else ("", "", "")
        try:
            padded = digest + "=" * (-len(digest) % 4)
            found[row[0]] = how, base64.b64decode(padded, altchars="-_", validate=True)
        except ValueError:
            raise _FlawError(f"{record}, line {line}: {digest[:_SHOWN]} is no hash") from None
        if how and how not in _HASHES:
            raise _FlawError(f"{record}, line {line}: hash {how[:_SHOWN]} is not read; use sha256")
    return found


def _info_folder(archive: zipfile.ZipFile) -> str:
    tops = {name.partition("/")[0] for name in archive.namelist() if "/" in name}
    found = sorted(top for top in tops if top.endswith(".dist-info"))
    if len(found) != 1:
        raise _FlawError(f"it needs one .dist-info folder and has {', '.join(found) or 'none'}")
    return found[0]


def _text(archive: zipfile.ZipFile, name: str) -> str:
    try:
        with archive.open(name) as file:
            content = file.read(TEXT_BYTES + 1)
    except KeyError:
        raise _FlawError(f"{name} is missing") from None
    if len(content) > TEXT_BYTES:
        raise _FlawError(f"{name} has more than {TEXT_BYTES:,} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _FlawError(f"{name} is not UTF-8: byte {error.start}") from error


def _headers(archive: zipfile.ZipFile, name: str) -> Message:
    return HeaderParser().parsestr(_text(archive, name))


def _agree(
    metadata: Message, wheel: Message, name: str, version: str, file_tags: frozenset[Tag]
) -> None:
    """Refuse a wheel whose file name says something else than its metadata."""
    says_name, says_version = metadata["Name"], metadata["Version"]
    if not says_name or not says_version:
        raise _FlawError("its METADATA lacks Name or Version")
    if canonicalize_name(says_name) != name:
        raise _FlawError(f"its METADATA says the name is {says_name}")
    if canonicalize_version(says_version) != canonicalize_version(version):
        raise _FlawError(f"its METADATA says the version is {says_version}")
    if not str(wheel["Wheel-Version"] or "").startswith("1."):
        raise _FlawError(f"its WHEEL file says format {wheel['Wheel-Version']}; 1.x is taken")
    inside = {tag for text in wheel.get_all("Tag", []) for tag in parse_tag(text.strip())}
    if inside != file_tags:
        says = ", ".join(sorted(map(str, inside))) or "nothing"
        raise _FlawError(f"its WHEEL file says it is for {says}")


def _requires_python(metadata: Message) -> str:
    text = str(metadata["Requires-Python"] or "").strip()
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise _FlawError(
            f"its METADATA says Requires-Python: {text[:_SHOWN]}, which is no range of versions such as >=3.11"
        ) from None
    return text


def _entry_points(archive: zipfile.ZipFile, name: str) -> dict[str, str]:
    """Return console and GUI scripts as `name -> module:function`."""
    if name not in archive.namelist():
        return {}
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their case
    text = _text(archive, name).removeprefix("\ufeff")
    try:
        parser.read_string(text)
    except configparser.DuplicateOptionError as error:
        raise _FlawError(
            f"{name}, line {error.lineno}: {error.option} stands in [{error.section}] twice; keep one"
        ) from None
    except configparser.DuplicateSectionError as error:
        raise _FlawError(
            f"{name}, line {error.lineno}: [{error.section}] stands there twice; put both in one"
        ) from None
    except configparser.MissingSectionHeaderError as error:
        raise _FlawError(
            f"{name}, line {error.lineno}: a section such as [console_scripts] must come first"
        ) from None
    except configparser.ParsingError as error:
        line = error.errors[0][0] if error.errors else 1
        raise _FlawError(f"{name}, line {line} is not name = module:function") from None
    found = {}
    for section in ("console_scripts", "gui_scripts"):
        for script, target in parser[section].items() if parser.has_section(section) else ():
            match = _TARGET.fullmatch(target)
            if match is None:
                raise _FlawError(f"{name}: {script} = {target!r} is not module:function")
            found[script] = f"{match[1]}:{match[2]}"
    return found


def _modules(archive: zipfile.ZipFile) -> tuple[str, ...]:
    found = set()
    for name in archive.namelist():
        if match := _MODULE.fullmatch(_DATA.sub("", name, count=1)):
            found.add(match[1].removesuffix("/__init__").replace("/", "."))
    return tuple(sorted(found))
