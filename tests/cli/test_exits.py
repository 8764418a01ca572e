"""Exit codes and refusals of the command line: every class of error, and the defect that nobody foresaw."""

import json
import re
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import click
import pytest

from quarterdeck.cli import exits
from quarterdeck.cli.main import main
from quarterdeck.model import errors
from quarterdeck.model.errors import EXIT_CODES, Problem, QuarterdeckError
from quarterdeck.ports.bundle import Ports
from tests.support.quarterdeck import Quarterdeck, job


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Quarterdeck:
    """A workspace with one job, for tests that change nothing."""
    made = Quarterdeck(tmp_path_factory.mktemp("exits"))
    made.create("one")
    return made


def tree(error: type[QuarterdeckError]) -> list[type[QuarterdeckError]]:
    return [error, *(one for child in error.__subclasses__() for one in tree(child))]


def test_the_whole_tree_of_errors_has_codes() -> None:
    for kind in tree(errors.QuarterdeckError):
        assert EXIT_CODES[kind.code] == kind.exit_code


def test_facts_and_fields_are_in_the_refusal() -> None:
    error = errors.NotAllowedError(
        "No.", advice="Ask.", allowed=["team x"], rule="r", your_teams=["y"]
    )
    assert exits.explain(error) == {
        "code": "denied", "message": "No.", "advice": "Ask.", "fields": [], "rule": "r",
        "your_teams": ["y"], "allowed": ["team x"],
    }  # fmt: skip
    with pytest.raises(QuarterdeckError) as raised:
        errors.raise_problems([Problem("a", "x"), Problem("b", "y", "not_found")])
    found = exits.explain(raised.value)
    assert (found["code"], [one["path"] for one in found["fields"]]) == ("not_found", ["a", "b"])
    assert "problems" not in found
    json.dumps(found)


@pytest.mark.row("P3")
def test_a_missing_optional_package_says_what_to_install() -> None:
    found = exits.explain(ModuleNotFoundError("no", name="pysail.spark"))
    assert found["code"] == "prerequisite"
    assert "pip install 'quarterdeck[local]'" in found["advice"]


@pytest.mark.row("Q1", "Q2")
@pytest.mark.parametrize("flags", [(), ("--json",)])
def test_a_defect_is_one_line_and_a_file_without_secrets(
    flags: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LAKE_TOKEN", "s3cr3t-value")

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise KeyError("s3cr3t-value")

    broken = cast("Ports", SimpleNamespace(store=Broken()))
    assert main(["job", "list", *flags], broken) == 70
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    path = (
        json.loads(said.err)["error"]["trace"]
        if flags
        else re.findall(r"saved in (\S+)\.$", said.err, re.M)[0]
    )
    kept = Path(path)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "KeyError" in kept.read_text()
    assert "s3cr3t-value" not in kept.read_text() + said.err


@pytest.mark.row("I50", "I51", "Q1")
@pytest.mark.parametrize(
    ("args", "path", "words"),
    [
        (("jbo", "list"), "", "Did you mean job?"),
        (("job", "shwo", "one"), "", "Did you mean show?"),
        (("job", "list", "--jsn"), "--jsn", "--json"),
        (("runs", "--state", "broken"), "state", "succeeded"),
        (("runs", "--trigger", "x"), "trigger", "manual"),
        (("runs", "--limit", "0"), "limit", "--limit 100"),
        (("runs", "--limit", "1000000"), "limit", "--limit 100"),
        (("runs", "--limit", "many"), "limit", "--limit 100"),
        (("runs", "--since", "yesterday"), "since", "--since 2h"),
        (("runs", "--since", "2999-01-01"), "since", "future"),
        (("runs", "--since", "1h", "--until", "2h"), "since", "not before"),
        (("runs", "--since", "2026-01-01T00:00:00"), "since", "2026-11-22T06:00:00Z"),
        (("audit", "--since", "99999999999999d"), "since", "--since 2h"),
        (("run", "one", "--draft", "--version", "1"), "", "exclude"),
        (("run", "one", "--param", "day"), "parameters.day", "--param day=2026-11-22"),
        (("run", "one", "--param", "a=1", "--param", "a=2"), "parameters.a", "twice"),
        (("run", "one", "--version", "-1"), "version", "for example 3"),
        (("run", "one", "--version", "1" + "0" * 30), "version", "for example 3"),
        (("job", "activate", "one", "latest"), "version", "for example 3"),
        (("job", "diff", "one", "1", "newest"), "version", "draft"),
        (("job", "edit", "one", "--description", "x", "--expect-rev", "0"), "expect_rev", "--expect-rev 4"),
        (("rerun", "r0000000000000000"), "", "--exact"),
        (("logs", "r0000000000000000", "--origin", "moon"), "origin", "payload"),
        (("job", "create"), "file", "--file"),
        (("--json",), "", "--help"),
    ],
)  # fmt: skip
def test_usage_is_exit_2_with_the_option_and_an_example(
    deck: Quarterdeck, args: tuple[str, ...], path: str, words: str
) -> None:
    answer = deck.json(*args)
    assert (answer.code, answer.out) == (2, "")
    error = answer.error
    assert error["code"] == "invalid"
    assert error["fields"][0]["path"] == path
    assert words in error["message"]


@pytest.mark.row("I56")
def test_a_name_that_begins_with_a_dash_works_behind_dashes(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("--json")
    answer = deck.json("job", "show", "-x")
    assert answer.code == 2
    assert "-- -x" in answer.error["advice"]
    assert deck.call("job", "show", "--json", "--", "--json").document["name"] == "--json"
    assert deck.call("job", "show", "--", "--json").out.startswith("--json")


def test_a_file_of_another_kind_is_refused_at_type(deck: Quarterdeck) -> None:
    profile = json.dumps(
        {"type": "profile", "name": "p", "mode": "standalone", "driver": {"disk_gib": 1}}
    )
    for args in (("query", "create"), ("job", "create"), ("job", "edit", "one")):
        answer = deck.json(*args, "-f", "-", text=profile)
        assert (answer.code, answer.paths) == (2, ["type"])


def test_bad_news_that_was_asked_for_is_the_document(deck: Quarterdeck) -> None:
    good = deck.json("job", "validate", "-", text=json.dumps(job("new")))
    assert (good.code, good.document) == (0, {"ok": True, "fields": [], "warnings": []})
    bad = deck.json("job", "validate", "-", text=json.dumps({"name": ""}))
    assert (bad.code, bad.document["ok"], bad.err) == (2, False, "")
    assert bad.document["fields"][0]["path"] == "name"


@pytest.mark.row("Q4")
@pytest.mark.parametrize(
    "args",
    [
        ("init",), ("job", "create", "-f", "-"), ("job", "delete", "one"), ("job", "delete", "one", "--yes"),
        ("job", "edit", "one", "--description", "x"), ("job", "activate", "one", "1"), ("run", "one"),
        ("profile", "delete", "small", "--yes"), ("cluster", "check", "local"), ("scheduler", "--once"),
        ("store", "restore", "x", "--yes"), ("doctor", "--leftovers", "--remove", "--yes"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_read_only_refuses_with_the_rule_and_writes_nothing(
    deck: Quarterdeck, args: tuple[str, ...]
) -> None:
    before = deck.ok("store", "stats")
    answer = deck.json(*args, "--read-only", text=json.dumps(job("new")))
    if args[0] != "doctor":  # nothing was left behind: nothing is to be removed
        assert answer.code == 3, answer.err
        assert "--read-only" in answer.error["rule"]
        assert answer.out == ""
    assert deck.ok("store", "stats") == before


@pytest.mark.row("Q3", "I47")
def test_a_stale_edit_says_who_wrote(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path)
    made = deck.create("one")
    deck.edit("one", {"description": "first"}, "--expect-rev", str(made["rev"]))
    answer = deck.json(
        "job", "edit", "one", "--description", "second", "--expect-rev", str(made["rev"])
    )
    assert answer.code == 5
    assert answer.error["conflict"] == {
        "actor": "ana",
        "at": answer.error["conflict"]["at"],
        "rev": made["rev"] + 1,
    }


def test_words_of_click_never_end_in_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(click.UsageError("x"), click.ClickException)
    assert main(["job", "show"]) == 2
    assert "Missing argument 'NAME'" in capsys.readouterr().err
