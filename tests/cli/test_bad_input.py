"""Bad input through the command line: exit code and path as promised, nothing written."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.door import Door
from tests.support.quarterdeck import Quarterdeck, job, python, sql


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path_factory.mktemp("bad"))
    made.create("taken")
    before = made.ok("store", "stats")["documents"]
    yield made
    assert made.ok("store", "stats")["documents"] == before
    assert made.ok("store", "verify")["ok"]


def spec(**changes: Any) -> dict[str, Any]:
    return job("x", **changes)


def case(row: str, document: Any, path: str, *words: str, code: int = 2) -> Any:
    return pytest.param(
        document, path, words, code, marks=pytest.mark.row(row), id=f"{row}-{path}"
    )


WHEEL = {"kind": "wheel", "package": "tiny", "entry_point": "a:b", "wheel_uri": "/none.whl"}
CASES = [
    case("I1", job(" "), "name", "255"),
    case("I4", job("taken"), "name", "taken is in use"),
    case("I6", job("x", team="nobody"), "team", "nobody"),
    case("I6", job("x", team=""), "team"),
    case("I7", job("x", shared_teams=["ana"]), "shared_teams[0]", "owning"),
    case("I7", job("x", shared_teams=["nobody"]), "shared_teams[0]", "nobody"),
    case("I8", spec(source={}), "spec.source.kind", "saved_query"),
    case("I8", spec(source={"kind": "stored"}), "spec.source.kind", "snapshot"),
    case("I8", spec(source={"text": "SELECT 1", "query_id": "q"}), "spec.source.kind"),
    case("I8", spec(source=None), "spec.source.kind", "is missing; use one of saved_query"),
    case("I8", spec(source={"kind": None}), "spec.source.kind", "is missing; use one of"),
    case("I8", spec(source={"kind": 5}), "spec.source.kind", "5 is not allowed; use one of"),
    case("I8", spec(source={"kind": ["snapshot", "wheel"]}), "spec.source.kind", "use one of"),
    case("I8", spec(source={"kind": "WHEEL"}), "spec.source.kind", "did you mean wheel?"),
    case("I8", spec(source={"kind": "file"}), "spec.source.kind", "reserved, not supported yet"),
    case("I8", spec(source="SELECT 1"), "spec.source", "must be a mapping, not text"),
    case("I8", spec(source=[]), "spec.source", "must be a mapping, not a list"),
    case("I10", spec(source={"kind": "saved_query", "query_id": "no"}), "spec.source.query_id", "no"),
    case("I11", spec(source=sql("")), "spec.source.text", "no statement"),
    case("I11", spec(source=sql(" -- x\n/* y */ ;")), "spec.source.text", "no statement"),
    case("I12", spec(source=sql("SELECT\n  'a")), "spec.source.text", "line 2, column 3"),
    case("I12", spec(source=sql("SELECT /* a")), "spec.source.text", "line 1, column 8"),
    case("I12", spec(source=sql("SELECT 1;\r\nSELECT \"é")), "spec.source.text", "line 2, column 8"),
    case("I12", spec(source=sql("SELECT `a")), "spec.source.text", "A quoted name begins here"),
    case("I12", spec(source=sql("SELECT /* a /* b */")), "spec.source.text", "line 1, column 8"),
    case("I12", spec(source=sql("SELECT $$ a")), "spec.source.text", "A dollar-quoted string"),
    case("I12", spec(source=sql("SELECT r'a")), "spec.source.text", "never closed"),
    case("I15", spec(source=sql("SELECT '\0'")), "spec.source.text", "8"),
    case("I16", spec(source=sql("SELECT 1", origin={"path": "/etc/x", "sha256": "0" * 64})),
         "spec.source.origin.path"),
    case("I16", spec(source=sql("SELECT 1", origin={"path": "a/../../x", "sha256": "0" * 64})),
         "spec.source.origin.path"),
    case("I17", spec(source=sql("SELECT 1", origin={"path": "a.sql", "sha256": "xyz"})),
         "spec.source.origin.sha256"),
    case("I18", spec(source={"kind": "wheel", "wheel_uri": "/none.whl"}), "spec.source.package"),
    case("I18", spec(source={**WHEEL, "entry_point": "main"}), "spec.source.entry_point", "module:"),
    case("I18", spec(source={**WHEEL, "package": ""}), "spec.source.package", "'' is not the name"),
    case("I18", spec(source={**WHEEL, "package": "a b"}), "spec.source.package", "is not the name"),
    *(
        case("I18", spec(source={**WHEEL, "entry_point": one}), "spec.source.entry_point", "module:")
        for one in ("", ":", "a:", ":b", "a:b:c", "a.:b", "a:b()", "a b:c", "a:class", "1a:b")
    ),
    case("I18", spec(source={**WHEEL, "entry_point": None}), "spec.source.entry_point", "is empty"),
    case("I19", spec(source={**WHEEL, "wheel_uri": "/a.zip"}), "spec.source.wheel_uri", ".whl"),
    case("I19", spec(source=WHEEL), "spec.source.wheel_uri", "/none.whl"),
    case("I20", spec(source={"kind": "py_file", "uri": "http://x/a.py"}), "spec.source.uri"),
    case("I21", spec(source={**python("1"), "args": ["a", 2]}), "spec.source.args[1]"),
    case("I21", spec(source={**python("1"), "args": "a"}), "spec.source.args"),
    case("I22", spec(source={**sql("SELECT 1"), "entry_point": "a:b"}), "spec.source.entry_point",
         "not a field of snapshot"),
    case("I23", {**job("x"), "descripton": "x"}, "descripton", "description"),
    case("I23", spec(profil="small"), "spec.profil", "profile"),
    case("I33", spec(settings={"env": {"1A": "x"}}), "spec.settings.env.1A"),
    case("I33", spec(settings={"env": {"SAIL_MODE": "x"}}), "spec.settings.env.SAIL_MODE", "reserved"),
    case("I33", spec(settings={"env": {"A": "x\0"}}), "spec.settings.env.A"),
    case("I41", spec(timeout="0s"), "spec.timeout"),
    case("I41", spec(timeout="5 parsecs"), "spec.timeout", "30m"),
    case("I41", spec(timeout="25h"), "spec.timeout", "1d"),
    case("I41", spec(limits={"max_workers": 0}), "spec.limits.max_workers"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "path", "words", "code"), CASES)
def test_a_wrong_field_is_told_by_its_path(
    deck: Quarterdeck, document: Any, path: str, words: tuple[str, ...], code: int
) -> None:
    answer = deck.json("job", "create", "-f", "-", text=json.dumps(document))
    assert answer.code == code, (answer.out, answer.err)
    found = {field["path"]: field["message"] for field in answer.error["fields"]}
    assert path in found
    for word in words:
        assert word in found[path]


@pytest.mark.row("I6", "A1")
def test_an_actor_of_no_team_is_told_whom_to_ask(deck: Quarterdeck) -> None:
    answer = deck.as_actor("ben").json("job", "create", "-f", "-", text=json.dumps(job("x")))
    assert answer.code == 6
    assert "team" in [field["path"] for field in answer.error["fields"]]


FILES = [
    pytest.param("name: a\nname: b\n", "job.yaml:2", marks=pytest.mark.row("I24"), id="twice"),
    pytest.param('{"a": 1,\n "a": 2}', "job.yaml:2", marks=pytest.mark.row("I24"), id="twice-json"),
    pytest.param("a:\n  b: 1\n  'b': 2\n", "job.yaml:3", marks=pytest.mark.row("I24"), id="quoted"),
    pytest.param("a: {b: 1, b: 2}\n", "the key b", marks=pytest.mark.row("I24"), id="flow"),
    pytest.param("a: &a [*a]\n", "*a stands for", marks=pytest.mark.row("I24"), id="itself"),
    pytest.param("a: *b\n", "no &b before it", marks=pytest.mark.row("I24"), id="nothing"),
    pytest.param("a: !x 1\n", "the tag !x", marks=pytest.mark.row("I24"), id="own-tag"),
    pytest.param("a: " + "[" * 5_000, "job.yaml:1", marks=pytest.mark.row("I24"), id="deep"),
    pytest.param("a: !!python/object:os.x {}\n", "job.yaml:1", marks=pytest.mark.row("I24"), id="tag"),
    pytest.param(
        "a: &a [x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
        ),
        "", marks=pytest.mark.row("I24"), id="aliases",
    ),
    pytest.param("", "empty", marks=pytest.mark.row("I25"), id="empty"),
    pytest.param("a: [1\n", "job.yaml:2", marks=pytest.mark.row("I25"), id="no-yaml"),
    pytest.param("x" * (10 * 1024 * 1024 + 1), "10,485,76", marks=pytest.mark.row("I25"), id="large"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "word"), FILES)
def test_a_file_that_cannot_be_read(
    deck: Quarterdeck, tmp_path: Path, text: str, word: str
) -> None:
    file = tmp_path / "job.yaml"
    file.write_text(text)
    answer = deck.json("job", "create", "-f", str(file))
    assert answer.code == 2, answer.err
    assert word in answer.err
    assert str(file) in answer.err or "job.yaml" in answer.err


@pytest.mark.row("I15", "I25")
def test_a_folder_nothing_and_bytes_that_are_no_text(deck: Quarterdeck, tmp_path: Path) -> None:
    file = tmp_path / "bytes.yaml"
    file.write_bytes(b"name: x\xff\n")
    for path, word in ((tmp_path, "folder"), (tmp_path / "none", "none"), (file, "7")):
        answer = deck.json("job", "create", "-f", str(path))
        assert answer.code == 2
        assert word in answer.err


@pytest.mark.row("I51")
@pytest.mark.parametrize(
    "args",
    [
        ("--since", "yesterdayish"),
        ("--since", "2099-01-01"),
        ("--since", "2026-01-02", "--until", "2026-01-01"),
        ("--limit", "0"),
        ("--limit", "1000000"),
        ("--state", "gone"),
    ],
)
def test_what_a_list_cannot_be_asked(deck: Quarterdeck, args: tuple[str, ...]) -> None:
    answer = deck.json("runs", *args)
    assert answer.code == 2
    assert args[-2] in answer.err


@pytest.mark.row("I55")
def test_without_home_term_and_locale(deck: Quarterdeck) -> None:
    environ = {
        "PATH": "/usr/bin:/bin",
        "LANG": "C",
        "TERM": "dumb",
        "QUARTERDECK_STORE": str(deck.store),
    }
    for extra in ({}, {"QUARTERDECK_ACTOR": "ana"}):
        done = subprocess.run(
            deck.command("job", "list"), env={**environ, **extra}, capture_output=True, timeout=60,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (b"taken" in done.stdout) == bool(extra)


NO_VERSIONS = ["0", "-1", "-12", "latest", "1" + "0" * 30, "1.0", "+1", "01", "v1", "\u0661", ""]


@pytest.mark.row("I46")
@pytest.mark.parametrize("number", NO_VERSIONS)
def test_what_is_no_number_of_a_version_is_refused_wherever_one_is_taken(
    door: Door, number: str
) -> None:
    for command in (
        ("job", "show", "daily", f"--version={number}"),
        ("job", "plan", "daily", f"--version={number}"),
        ("run", "daily", f"--version={number}"),
        ("job", "activate", "daily", number, "--yes"),
        ("job", "diff", "daily", number, "1"),
        ("job", "diff", "daily", "1", number),
    ):
        answer = door.call(*command, "--json")
        assert (answer.code, answer.paths) == (2, ["version"])
        assert f"{number} is not a version's number" in answer.words


@pytest.mark.row("I46")
def test_a_version_that_is_not_there_is_not_found(door: Door) -> None:
    for command in ("job show daily --version 77", "job activate daily 77 --yes", "job diff daily 1 77",
                    "run daily --version 77"):  # fmt: skip
        assert door.call(*command.split()).code == 4
    assert door.call("job", "activate", "daily", "-x", "--yes").code == 2
