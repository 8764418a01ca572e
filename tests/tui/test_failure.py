"""From the landing screen to the line that failed: the sentence, the place, and `e` with the cursor there."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.service.bundle import Services
from quarterdeck.tui.place import Place
from quarterdeck.tui.widgets.editor import CodeEditor
from tests.support.quarterdeck import job, sql
from tests.support.services import FakePorts, workspace
from tests.tui.pages import Ui, running
from tests.tui.test_run import begin, end

Deck = tuple[Services, FakePorts]
TEXT = "SELECT 1 AS ok;\n\nSELECT o_orderpriority,\n       sum(o_totalprise) AS value\n  FROM orders\n"
PLACE = {
    "what": "statement", "number": 2, "of": 2, "line": 4, "column": 12, "file": None,
    "text": "       sum(o_totalprise) AS value",
}  # fmt: skip
SENTENCE = "There is no column o_totalprise"


@pytest.fixture
def deck(tmp_path: Path) -> Deck:
    services, ports = workspace(tmp_path)
    save(services, TEXT)
    services.publishing.publish("daily")
    return services, ports


def save(services: Services, text: str) -> None:
    services.jobs.edit("daily", {"spec": {**job("daily")["spec"], "source": sql(text)}})


def fail(services: Services, ports: FakePorts) -> str:
    run = begin(services, ports, "one line")
    end(
        services, ports, run, "failed", reason="user_error", exit_code=1, object="statement 2 of 2",
        headline=f"{SENTENCE}.", place=PLACE,
        message='AnalysisException: attribute ObjectName([Identifier("o_totalprise")]) is missing at 27:28',
    )  # fmt: skip
    return run


def editor(ui: Ui) -> CodeEditor:
    return ui.page.query_one(CodeEditor)


@pytest.mark.row("T9")
async def test_the_list_says_what_happened_and_where_and_the_next_key(deck: Deck) -> None:
    services, ports = deck
    fail(services, ports)
    async with running(services) as ui:
        await ui.until(f"{SENTENCE}, statement 2 of 2, line 4, col")
        assert "e edit here" in ui.status
        assert "27:28" not in ui.screen


@pytest.mark.row("T9")
@pytest.mark.parametrize("size", [(120, 40), (200, 50)])
async def test_beside_the_list_stand_the_sentence_and_the_line(
    deck: Deck, size: tuple[int, int]
) -> None:
    services, ports = deck
    fail(services, ports)
    async with running(services, size=size) as ui:
        shown = await ui.until("sum(o_totalprise) AS value")
        assert SENTENCE in shown


@pytest.mark.row("G5")
async def test_the_run_shows_sentence_place_and_line_with_a_caret(deck: Deck) -> None:
    services, ports = deck
    run = fail(services, ports)
    async with running(services, places=[Place("run", run)]) as ui:
        await ui.until("sum(o_totalprise) AS value")
        first, second, before, line, caret = ui.page.query_one("#banner").text.split("\n")[:5]  # type: ignore[attr-defined]
        assert SENTENCE in first
        assert "statement 2 of 2, line 4, column 12" in second
        assert "SELECT o_orderpriority," in before
        assert line[caret.index("^") :].startswith("o_totalprise")
        assert "27:28" not in ui.screen
        await ui.press("y")
        assert SENTENCE in ui.app.clipboard
        assert "line 4, column 12" in ui.app.clipboard


async def test_e_opens_the_draft_with_the_cursor_where_it_failed(deck: Deck) -> None:
    services, ports = deck
    run = fail(services, ports)
    async with running(services, places=[Place("run", run)]) as ui:
        await ui.until(SENTENCE)
        await ui.press("e")
        await ui.until("based on v2")
        assert editor(ui).place == (4, 12)
        assert not editor(ui).read_only


async def test_e_from_the_list_goes_to_the_place_too(deck: Deck) -> None:
    services, ports = deck
    fail(services, ports)
    async with running(services) as ui:
        await ui.until(SENTENCE)
        await ui.press("e")
        await ui.until("based on v2")
        assert editor(ui).place == (4, 12)


async def test_a_draft_that_differs_elsewhere_opens_at_the_same_line(deck: Deck) -> None:
    services, ports = deck
    run = fail(services, ports)
    save(services, TEXT.replace("AS ok", "AS fine"))
    async with running(services, places=[Place("run", run)]) as ui:
        await ui.until(SENTENCE)
        await ui.press("e")
        await ui.until("AS fine")
        assert editor(ui).place == (4, 12)


async def test_where_the_draft_differs_there_the_text_that_ran_is_shown(deck: Deck) -> None:
    services, ports = deck
    run = fail(services, ports)
    save(services, TEXT.replace("sum(o_totalprise)", "max(o_totalprice)"))
    async with running(services, places=[Place("run", run)]) as ui:
        await ui.until(SENTENCE)
        await ui.press("e")
        await ui.until("the draft differs")
        shown = ui.dialog.text
        assert "4 |        sum(o_totalprise) AS value" in shown
        await ui.press("escape")
        assert ui.page.opened.kind == "run"


async def test_after_the_job_is_gone_the_text_that_ran_is_shown(deck: Deck) -> None:
    services, ports = deck
    run = fail(services, ports)
    async with running(services, places=[Place("run", run)]) as ui:
        await ui.until(SENTENCE)
        services.jobs.delete("daily")
        await ui.press("e")
        await ui.until("the job was deleted")
        assert "sum(o_totalprise)" in ui.dialog.text


async def test_a_run_that_failed_at_no_known_place_opens_the_draft_as_ever(deck: Deck) -> None:
    services, ports = deck
    run = begin(services, ports, "x")
    end(services, ports, run, "failed", reason="oom_driver", exit_code=1)
    async with running(services, places=[Place("run", run)]) as ui:
        await ui.until("ran out of memory")
        await ui.press("e")
        await ui.until("based on v2")
        assert editor(ui).place == (1, 1)
