"""The demo: a workspace of its own, whose jobs end as their names promise."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from quarterdeck import config, wiring
from quarterdeck.demo.filling import fill
from quarterdeck.demo.folder import TABLES, DemoFolder, claim
from quarterdeck.demo.running import run_all
from quarterdeck.demo.samples import samples, with_tables
from tests.support.quarterdeck import Answer, Quarterdeck

NAME = 'it\'s a "demo" %20'  # what a path may hold, and SQL must not trip over


class Demo(Quarterdeck):
    """The command line over the demo's store; `demo` commands name its folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, init=False)
        self.path = folder / NAME
        self.store = self.path / "store"

    def demo(self, *args: str) -> Answer:
        return self.call("demo", "--path", str(self.path), *args)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Demo, dict[str, Any]]:
    """A demo whose jobs all ran once, from nothing."""
    demo = Demo(tmp_path_factory.mktemp("demo"))
    answer = demo.demo("--headless", "--json")
    assert answer.code == 0, (answer.out, answer.err)
    return demo, answer.document


@pytest.mark.row("H6")
def test_headless_ends_each_job_as_its_name_promises(ran: tuple[Demo, dict[str, Any]]) -> None:
    _, report = ran
    assert report["ok"] is True
    assert report["seconds"] < 60
    rows = {(row["job"], row["draft"]): row for row in report["jobs"]}
    assert len({name for name, _ in rows}) >= 8
    assert all(row["state"] == row["expected"] for row in rows.values())
    assert {row["expected"] for row in rows.values()} == {"succeeded", "failed", "cancelled"}
    assert rows["revenue-by-quarter", False]["first_result"].startswith("quarter 1, items")
    assert rows["order-report.py", False]["first_result"] == "Orders of 1996"
    assert rows["customer-wheel", False]["first_result"] == "AUTOMOBILE: 3013 customers"
    assert rows["parquet-export", False]["first_result"].endswith("orders 150000")
    assert rows["three-versions", True]["first_result"] == "year 1992, customers 8717"


@pytest.mark.row("H6")
def test_failures_say_where(ran: tuple[Demo, dict[str, Any]]) -> None:
    demo, report = ran
    runs = {row["job"]: row["run"] for row in report["jobs"]}
    failed = demo.ok("run-show", runs["fails-in-sql"])
    assert (failed["reason"], failed["object"]) == ("user_error", "statement 2 of 2")
    assert failed["failure"]["place"]["line"] == 4
    assert failed["failure"]["lines"][-1]["number"] == 4
    raised = demo.ok("run-show", runs["fails-in-python"])
    assert any("collect it before this report" in line for line in raised["evidence"])
    cancelled = demo.ok("run-show", runs["slow-to-cancel"])
    assert "running" in [entry["state"] for entry in cancelled["timeline"]]


@pytest.mark.row("H6")
def test_it_opens_again_as_it_was_and_says_what_to_type(ran: tuple[Demo, dict[str, Any]]) -> None:
    demo, _ = ran
    before = demo.ok("store", "stats")["documents"]
    again = demo.demo()
    assert again.code == 0
    assert str(demo.path) in again.out
    assert "no terminal here" in again.out
    assert "quarterdeck --store " in again.out
    assert demo.ok("store", "stats")["documents"] == before
    assert [one["number"] for one in demo.ok("job", "versions", "three-versions")] == [3, 2, 1]
    assert demo.ok("job", "draft", "three-versions")["based_on"] == 3
    document = demo.demo("--json").document
    assert document["store"] == str(demo.store)
    assert len(document["jobs"]) >= 8


@pytest.mark.row("H6")
def test_any_other_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    demo = Demo(tmp_path)
    demo.path.mkdir()
    (demo.path / "demo.json").write_text('{"mine": 1}')
    assert demo.demo().code == 5
    assert [entry.name for entry in demo.path.iterdir()] == ["demo.json"]
    shutil.rmtree(demo.path)
    demo.path.write_text("a file")
    refused = demo.demo("--json")
    assert (refused.code, refused.out) == (5, "")
    assert demo.path.read_text() == "a file"
    assert demo.call("demo", "--path", "", "--json").paths == ["path"]
    assert demo.call("demo", "--store", str(tmp_path / "s"), "--json").paths == ["store"]


def test_a_making_that_was_cut_off_is_gone_on_with(ran: tuple[Demo, dict[str, Any]]) -> None:
    demo, _ = ran
    (demo.path / "demo.json").write_text(json.dumps({"quarterdeck": "demo", "ready": False}))
    (demo.path / "files").rename(demo.path / "gone")
    before = demo.ok("store", "stats")["documents"]
    assert demo.demo().code == 0
    assert demo.ok("store", "stats")["documents"] == before
    assert claim(demo.path).is_ready
    assert claim(demo.path).wheel.is_file()


def test_a_job_that_was_deleted_is_told_and_not_ok(ran: tuple[Demo, dict[str, Any]]) -> None:
    demo, _ = ran
    settings = config.load({"store": str(demo.store)}, {"QUARTERDECK_ACTOR": "ana"})
    services = wiring.open_services(settings)
    try:
        fill(services, claim(demo.path))
        services.jobs.delete("pricing-summary")
        told: list[tuple[str, str]] = []
        every = samples(DemoFolder(demo.path))
        gone = [one for one in every if one.name == "pricing-summary"]
        [row] = run_all(services, gone, lambda label, state: told.append((label, state)))
    finally:
        services.close()
    assert told == [("pricing-summary", "deleted")]
    assert (row["ok"], row["run"]) == (False, None)


def test_a_view_for_each_table_that_the_text_names(tmp_path: Path) -> None:
    text = with_tables(lambda name: tmp_path / name, "SELECT * FROM orders, nation")
    assert text.count("CREATE TEMPORARY VIEW") == 2
    assert {line.split()[3] for line in text.splitlines()[:2]} == {"orders", "nation"}
    assert set(TABLES) > {"orders", "nation"}
