"""Whose code is imported by whom, with the real engine: names of files and modules of wheels steer nobody."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest

from tests.support import imports
from tests.support.quarterdeck import Quarterdeck, python
from tests.support.wheels import make_wheel


def run_each(deck: Quarterdeck, names: tuple[str, ...]) -> None:
    """Run a body under each of these names, all at once; each ran once, as `__main__`, after the word."""
    runs = {}
    for number, name in enumerate(names):
        folder = deck.folder / f"{name} {number}"
        folder.mkdir()
        (folder / name).write_text(imports.BODY)
        source = {"kind": "py_file", "uri": str(folder / name), "args": ["a b"]}
        settings = {"env": {"MARKS": str(folder / "marks")}}
        deck.create(f"job-{number}", source=source, settings=settings)
        runs[name] = deck.ok("run", f"job-{number}")["id"], folder / "marks"
    ends, marks = {}, {}
    for name, (run, file) in runs.items():
        ended = deck.until(run)
        ends[name] = (ended["state"], ended["reason"])
        marks[name] = (
            [tuple(line.split()) for line in file.read_text().splitlines()]
            if file.exists()
            else []
        )
    assert ends == dict.fromkeys(names, ("succeeded", None))
    seen = {name: tuple(mark[0] for mark in found) for name, found in marks.items()}
    assert seen == dict.fromkeys(names, ("__main__",))
    for name, (run, _) in runs.items():
        lines = deck.ok("logs", run, "--events")
        [began] = [
            e
            for e in map(json.loads, (o["text"] for o in lines if o["stream"] == "event"))
            if e["event"] == "began"
        ]
        assert int(marks[name][0][1]) >= began["deadline_ms"] - began["timeout_s"] * 1000
        assert f"main True {name} ['a b']" in [
            line["text"] for line in lines if line["origin"] == "payload"
        ]


@pytest.mark.row("A7", "F13", "X2")
@pytest.mark.parametrize("time", imports.TIMES)
def test_a_file_of_any_name_runs_once_as_main(tmp_path: Path, time: int) -> None:
    run_each(Quarterdeck(tmp_path), imports.FEW)


@pytest.mark.long
@pytest.mark.row("A7", "F13", "X2")
@pytest.mark.parametrize("time", imports.TIMES)
@pytest.mark.parametrize("first", range(0, len(imports.MANY), 6))
def test_a_file_of_each_of_many_names_runs_once_as_main(
    tmp_path: Path, first: int, time: int
) -> None:
    run_each(Quarterdeck(tmp_path), imports.MANY[first : first + 6])


@pytest.mark.row("A6", "F13", "X2")
def test_a_wheel_steers_neither_runner_nor_engine_and_its_functions_are_found_by_both(
    tmp_path: Path,
) -> None:
    deck, marks = Quarterdeck(tmp_path), tmp_path / "marks"
    make_wheel(tmp_path, module=imports.JOBS, more=imports.GREEDY)
    source = {
        "kind": "wheel", "package": "tiny", "entry_point": "tiny.jobs:main",
        "wheel_uri": "tiny-1.0-py3-none-any.whl",
    }  # fmt: skip
    settings = {"env": {"MARKS": str(marks)}}
    deck.create("wheel", source=source, settings=settings)
    run = deck.run("wheel")
    lines = deck.ok("logs", run["id"])
    assert run["state"] == "succeeded", lines
    said = {}
    for line in lines:
        who, _, text = line["text"].partition(" ")
        if line["origin"] == "payload" and text:
            said[who] = json.loads(text)
    standard = str(Path(json.__file__).parents[1])
    for who, seen in said.items():
        assert {
            seen["files"][name].rpartition("/")[0].removesuffix("/email")
            for name in ("email", "queue")
        } == {standard}, who
        assert "/scratch/wheels/tiny/" in seen["files"]["tiny"]
        assert not [
            each
            for each in seen["path"]
            if not each or each.endswith(("/payload", "/work", "/site"))
        ]
    assert set(said) == {"payload", "child", "engine"}
    assert said["engine"]["path"][-1].endswith("/scratch/wheels")
    assert said["engine"]["loaded"] == []
    path = said["payload"]["path"]
    assert [each.endswith("/wheels") for each in path].index(True) < path.index(
        sysconfig.get_path("purelib")
    )
    assert path.index(standard) < [each.endswith("/wheels") for each in path].index(True)
    assert (
        said["payload"]["loaded"] == said["child"]["loaded"] == ["sitecustomize", "tiny_at_start"]
    )
    assert set(marks.read_text().splitlines()) == {f"{name} payload" for name in imports.AT_START}
    [double] = [line["text"] for line in lines if line["origin"] == "runner"]
    assert double.startswith("pysail is in the wheel and in ")


@pytest.mark.row("F13", "X2")
def test_what_a_shell_says_to_python_steers_commands_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, marks = tmp_path / "mine", tmp_path / "marks"
    mine.mkdir()
    text = f"import sys\nopen({str(marks)!r}, 'a').write(' '.join(sys.orig_argv[1:3]) + chr(10))\n"
    (mine / "sitecustomize.py").write_text(text)
    monkeypatch.setenv("PYTHONPATH", str(mine))
    monkeypatch.setenv("PYTHONSTARTUP", str(mine / "sitecustomize.py"))
    deck = Quarterdeck(tmp_path)
    deck.create("py", source=python("import sitecustomize; print(sitecustomize.__file__)"))
    run = deck.run("py")
    assert str(mine) not in " ".join(line["text"] for line in deck.ok("logs", run["id"]))
    assert set(marks.read_text().splitlines()) == {"-m quarterdeck"}
