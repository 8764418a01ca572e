"""Wheels: what is read from good ones, and each flaw in its own words."""

from __future__ import annotations

import io
import itertools
import stat
import time
import zipfile
from collections.abc import Mapping
from types import MappingProxyType

import pytest

from quarterdeck.ports.files import UnreadableError
from quarterdeck.sources import LocalFiles, wheel

NAME = "tiny-1.0-py3-none-any.whl"
METADATA = "Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: attrs>=20\n"
HEAD = "Name: tiny\nVersion: 1.0\n"
SCRIPTS = "[console_scripts]\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n"


def a_wheel(
    files: Mapping[str, str] | None = None,
    *,
    name: str = "tiny",
    version: str = "1.0",
    tag: str = "py3-none-any",
    entry_points: str = "[console_scripts]\ntiny = tiny.main:run\n",
    without: tuple[str, ...] = (),
    parts: Mapping[str, str] = MappingProxyType({}),
) -> bytes:
    """Return a wheel's bytes; `files` are its modules; of its metadata, `without` lack and `parts` differ."""
    info = f"{name}-{version}.dist-info"
    content = {
        **(files or {"tiny/__init__.py": "", "tiny/main.py": "def run():\n    print('tiny')\n"}),
        f"{info}/METADATA": METADATA.format(name=name, version=version),
        f"{info}/WHEEL": WHEEL.format(tag=tag),
        f"{info}/entry_points.txt": entry_points,
        f"{info}/RECORD": "",
        **{f"{info}/{part}": text for part, text in parts.items()},
    }
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in content.items():
            if path.rpartition("/")[2] not in without:
                archive.writestr(path, text)
    return target.getvalue()


def encrypted(content: bytes) -> bytes:
    """Return the archive with the mark of an encrypted file at its first one, in both places."""
    changed = bytearray(content)
    changed[6] |= 1
    changed[changed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def test_a_wheel_says_what_it_is() -> None:
    facts = LocalFiles().wheel(a_wheel(), NAME)
    assert (facts.name, facts.version, facts.tags) == ("tiny", "1.0", ("py3-none-any",))
    assert facts.entry_points == {"tiny": "tiny.main:run"}
    assert facts.requires == ("attrs>=20",)
    assert facts.modules == ("tiny", "tiny.main")
    assert "py3-none-any" in LocalFiles().tags()


def test_compressed_tag_sets_and_extension_modules() -> None:
    files = dict.fromkeys(
        (
            "a/_x.cpython-311-x86_64-linux-gnu.so",
            "b.abi3.so",
            "tiny-1.0.data/purelib/c/d.py",
            "a/not-a-module.py",
            "a/data.txt",
        ),
        "",
    )
    facts = wheel.read(a_wheel(files, tag="py2.py3-none-any"), "tiny-1.0-py2.py3-none-any.whl")
    assert facts.tags == ("py2-none-any", "py3-none-any")
    assert facts.modules == ("a._x", "b", "c.d")


@pytest.mark.parametrize(
    ("content", "file_name", "words"),
    [
        (a_wheel(), "tiny.whl", "not named like a wheel"),
        (a_wheel(), "other-1.0-py3-none-any.whl", "says the name is tiny"),
        (a_wheel(), "tiny-2.0-py3-none-any.whl", "says the version is 1.0"),
        (a_wheel(), "tiny-1.0-cp311-cp311-linux_x86_64.whl", "is for py3-none-any"),
        (a_wheel(without=("RECORD",)), NAME, "RECORD is missing"),
        (a_wheel(without=("METADATA",)), NAME, "METADATA is missing"),
        (a_wheel(entry_points="nonsense"), NAME, "line 1: a section such as .console_scripts. must come first"),
        (a_wheel(entry_points="[console_scripts]\na\n"), NAME, "line 2 is not name = module:function"),
        (a_wheel(entry_points=f"{SCRIPTS}a = b:c\na = b:d\n"), NAME, "line 3: a stands in .* twice"),
        (a_wheel(entry_points=f"{SCRIPTS}a = b:c\n{SCRIPTS}"), NAME, "line 3: .* stands there twice"),
        (a_wheel(parts={"RECORD": "tiny/gone.py,,\n"}), NAME, "gone.py is missing, which RECORD lists"),
        (a_wheel(parts={"RECORD": "tiny/main.py,sha256=AAAA,1\n"}), NAME, "main.py is not what RECORD says"),
        (a_wheel(parts={"RECORD": "tiny/main.py,sha256=?,1\n"}), NAME, "line 1: . is no hash"),
        (a_wheel(parts={"RECORD": "tiny/main.py,md5=AAAA,1\n"}), NAME, "hash md5 is not read; use sha256"),
        (a_wheel(parts={"RECORD": "x" * 200_000}), NAME, "is no list of files"),
        (a_wheel(parts={"METADATA": f"{HEAD}Requires-Python: soon\n"}), NAME, "soon, which is no range"),
        (encrypted(a_wheel()), NAME, "is encrypted"),
        (a_wheel(entry_points="[console_scripts]\na = b\n"), NAME, "is not module:function"),
        (b"", NAME, "no ZIP archive ends here"),
        (b"PK\x03\x04 hello", NAME, "no ZIP archive ends here"),
        (a_wheel()[:-30], NAME, "no ZIP archive ends here"),
        (a_wheel()[200:], NAME, "damaged"),
        (a_wheel({"../x.py": ""}), NAME, "leads out of the wheel"),
        (a_wheel({"/x.py": ""}), NAME, "leads out of the wheel"),
        (a_wheel({"a\\..\\x.py": ""}), NAME, "leads out of the wheel"),
        (a_wheel({"C:/x.py": ""}), NAME, "leads out of the wheel"),
        (a_wheel({"other-1.dist-info/METADATA": ""}), NAME, "needs one .dist-info folder"),
        (a_wheel({f"m{n}.py": "" for n in range(20_001)}), NAME, "at most 20,000 are taken"),
    ],
    ids=itertools.count(),
)  # fmt: skip
def test_flaws_have_their_own_words(content: bytes, file_name: str, words: str) -> None:
    with pytest.raises(UnreadableError, match=words) as caught:
        wheel.read(content, file_name)
    assert str(caught.value).startswith(file_name)


def test_a_byte_order_mark_and_odd_line_ends_are_read() -> None:
    content = a_wheel(entry_points="\ufeff[console_scripts]\r\na = b:c [more]\r\n")
    assert wheel.read(content, NAME).entry_points == {"a": "b:c"}


def test_no_words_of_the_parts_inside_are_passed_on() -> None:
    for content in (a_wheel()[200:], a_wheel()[:40] + b"\0" * 20 + a_wheel()[60:]):
        with pytest.raises(UnreadableError) as caught:
            wheel.read(content, NAME)
        words = str(caught.value)
        assert not any(one in words for one in ("magic", "zlib", "Error", "decompress")), words


def test_a_flipped_bit_is_found() -> None:
    content = bytearray(a_wheel({"tiny.py": "abcdefgh" * 5}))
    at = content.index(b"tiny.py") + len("tiny.py") + 2
    content[at] ^= 0xFF
    with pytest.raises(UnreadableError, match="damaged"):
        wheel.read(bytes(content), NAME)


def test_links_bombs_and_odd_packing_are_refused_soon() -> None:
    def packed(
        name: str, content: bytes, how: int = zipfile.ZIP_DEFLATED, mode: int = 0o644
    ) -> bytes:
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            member = zipfile.ZipInfo(name)
            member.compress_type, member.external_attr = how, mode << 16
            archive.writestr(member, content)
        return target.getvalue()

    def bomb() -> bytes:
        content = bytearray(packed("a", b"x"))
        at = content.index(b"PK\x01\x02") + 24  # the size that the table of contents says
        content[at : at + 4] = (600 * 1024 * 1024).to_bytes(4, "little")
        return bytes(content)

    start = time.monotonic()
    for content, words in [
        (packed("a", b"/etc/passwd", mode=stat.S_IFLNK | 0o777), "is a link"),
        (bomb(), "at most 536,870,912"),
        (packed("a", b"x", zipfile.ZIP_LZMA), "packed in way 14"),
    ]:
        with pytest.raises(UnreadableError, match=words):
            wheel.read(content, NAME)
    assert time.monotonic() - start < 10
