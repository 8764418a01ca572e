"""A question of the command line binds what it showed: somebody else acts between question and answer.

Each race is done as often as `tests.support.again` says, over a store on disk.
"""

from __future__ import annotations

import shlex
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.model.errors import ConflictError, NotFoundError
from quarterdeck.model.ids import RunId
from quarterdeck.model.receipt import attempt_id
from quarterdeck.service.bundle import Services
from tests.support.again import again
from tests.support.door import Door
from tests.support.quarterdeck import Quarterdeck, job, sql
from tests.support.terminal import typed

SMALL: dict[str, Any] = {"mode": "standalone", "driver": {"disk_gib": 5}}


@again
@pytest.mark.row("B10", "I47", "F-40")
@pytest.mark.parametrize("how", ["publish", "activate"])
def test_activate_is_refused_when_another_version_went_live_meanwhile(
    door: Door, how: str, turn: int
) -> None:
    for text in ("SELECT 2", "SELECT 3"):
        door.publish(door.ana, text)

    def meanwhile() -> None:
        if how == "publish":
            door.publish(door.ben, "SELECT 'ben'")
        else:
            door.ben.publishing.activate("daily", 2)

    said = door.asked("job", "activate", "daily", "1", meanwhile=meanwhile)
    now = 4 if how == "publish" else 2
    assert said.code == 5
    assert f"ben made version {now} of daily live at 2026-11-22T06:00:00" in said.words
    assert "version 3 was shown as live" in said.words
    assert f"job diff daily 3 {now}" in said.words
    assert door.live() == now
    again = door.asked("job", "activate", "daily", "1", meanwhile=lambda: None)
    assert (again.code, door.live()) == (0, 1)


@again
@pytest.mark.row("D6", "F-40")
def test_delete_is_refused_when_more_would_go_by_then(door: Door, turn: int) -> None:
    said = door.asked(
        "job", "delete", "daily", meanwhile=lambda: door.save(door.ben, "SELECT 'ben'")
    )
    assert said.code == 5
    assert "Job daily is not deleted: ben saved a draft at" in said.words
    assert door.ana.drafts.show("daily")["author"] == "ben"
    assert "daily goes with 1 version;" in said.words
    ended = door.asked("job", "delete", "daily", meanwhile=door.ended)  # one run more has ended
    assert (ended.code, "daily was deleted" in ended.words) == (0, True)
    assert "and the draft by ben" in ended.words


@pytest.mark.row("D6")
def test_delete_does_not_take_the_job_that_got_the_name_meanwhile(door: Door) -> None:
    def meanwhile() -> None:
        door.ben.jobs.delete("daily")
        door.ben.jobs.create([job("daily", source=sql("SELECT 'another'"))])

    said = door.asked("job", "delete", "daily", meanwhile=meanwhile)
    assert said.code == 4
    assert door.ana.jobs.show("daily")["spec"]["source"]["text"] == "SELECT 'another'"


@again
@pytest.mark.row("C3", "F-40")
@pytest.mark.parametrize("kind", ["profile", "query", "cluster", "catalog", "team"])
def test_delete_of_a_definition_is_refused_when_it_was_edited_meanwhile(
    door: Door, kind: str, turn: int
) -> None:
    documents: dict[str, dict[str, Any]] = {
        "profile": SMALL, "query": {"id": "spare", "text": "SELECT 1"}, "cluster": {"kind": "local"},
        "catalog": {"kind": "memory"}, "team": {"members": ["ben"]},
    }  # fmt: skip
    door.ana.definitions.create(kind, {"name": "spare", **documents[kind]})
    changed: dict[str, dict[str, Any]] = {
        "profile": {"env": {"A": "b"}}, "query": {"text": "SELECT 2"}, "cluster": {"name": "spare2"},
        "catalog": {"initial_database": ["x"]}, "team": {"members": ["ben", "cy"]},
    }  # fmt: skip
    edit = changed[kind]

    def meanwhile() -> None:
        Services(door.ports, "ana").definitions.edit(kind, "spare", edit)

    said = door.asked(kind, "delete", "spare", meanwhile=meanwhile)
    assert said.code == (4 if kind == "cluster" else 5), said.words
    if kind != "cluster":
        assert f"{kind} spare is at revision 2, saved by ana" in said.words
        assert "revision 1 was shown" in said.words
    name = "spare2" if kind == "cluster" else "spare"
    assert door.ana.definitions.show(kind, name)["revision"] == 2


@pytest.mark.row("C3")
def test_a_check_of_a_cluster_meanwhile_is_no_edit_of_it(door: Door) -> None:
    door.ana.definitions.create("cluster", {"name": "spare", "kind": "local"})
    said = door.asked(
        "cluster", "delete", "spare", meanwhile=lambda: door.ben.clusters.check("spare")
    )
    assert said.code == 0, said.words


@pytest.mark.row("D6", "T5")
def test_a_cluster_that_was_checked_meanwhile_is_edited_by_hand(deck: Quarterdeck) -> None:
    quarterdeck = shlex.join([sys.executable, "-m", "quarterdeck"])
    editor = deck.folder / "other.sh"
    editor.write_text(
        f"#!/bin/sh\n{quarterdeck} cluster check local > {deck.folder}/said || exit 9\n"
        "sed -i 's/name: local/name: here/' \"$1\"\n"
    )
    editor.chmod(0o700)
    code, shown = typed(deck, f"EDITOR={editor} quarterdeck cluster edit local")
    assert code == 0, shown
    assert [one["name"] for one in deck.ok("cluster", "list")] == ["here"]


@again
@pytest.mark.row("F16", "F-27", "T5")
def test_only_the_leftovers_that_were_listed_are_removed(door: Door, turn: int) -> None:
    run = door.ana.runs.dispatch(door.ana.runs.start("daily")["id"])["id"]
    [mine] = [name for name in door.ports.fake.attempts if name.startswith(run)]

    def forget(number: int) -> str:
        other = RunId(f"rforgotten{number:08d}")
        one = door.ports.fake.attempts[mine]
        name = attempt_id(other, 1)
        door.ports.fake.attempts[name] = replace(one, receipt=replace(one.receipt, run=other))
        return name

    shown, later = forget(1), attempt_id(RunId(f"rforgotten{2:08d}"), 1)
    said = door.asked("doctor", "--leftovers", "--remove", meanwhile=lambda: forget(2))
    assert (said.code, shown in said.words) == (0, True)
    assert set(door.ports.fake.attempts) == {mine, later}


@pytest.mark.row("D2")
def test_a_job_that_is_called_like_another_ones_id_is_not_taken_for_it(door: Door) -> None:
    shown = str(door.ana.jobs.show("daily")["id"])
    door.ben.jobs.create([job(shown, source=sql("SELECT 'impostor'"))])
    said = door.asked("job", "delete", "daily", meanwhile=lambda: None)
    assert (said.code, "daily was deleted" in said.words) == (0, True)
    assert [row["name"] for row in door.ana.lists.jobs()] == [shown]


ACTS: dict[str, Callable[[Services, int], object]] = {
    "activate": lambda w, n: w.publishing.activate("daily", 1 + n % 2, expect_live=3),
    "publish": lambda w, n: w.publishing.publish("daily", note=str(n)),
    "delete": lambda w, n: w.jobs.delete("daily"),
    "discard": lambda w, n: w.drafts.discard("daily"),
    "bring back": lambda w, n: w.drafts.bring_back("daily", 1),
    "delete a profile": lambda w, n: w.definitions.delete("profile", "spare"),
}


@again
@pytest.mark.row("F-40", "B10", "D6")
@pytest.mark.parametrize("act", ACTS)
def test_of_many_who_do_it_at_once_one_wins(door: Door, act: str, turn: int) -> None:
    for text in ("SELECT 2", "SELECT 3"):
        door.publish(door.ana, text)
    door.save(door.ana, "SELECT 'dropped'")
    door.ana.drafts.discard("daily")
    door.save(door.ana, "SELECT 'draft'")
    door.ana.definitions.create("profile", {"name": "spare", **SMALL})
    start, done, refused = threading.Barrier(6), [], []

    def one(number: int) -> None:
        who = Services(door.ports, "ben")
        start.wait()
        try:
            done.append(ACTS[act](who, number))
        except (ConflictError, NotFoundError) as error:
            refused.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(done), len(refused)) == (1, 5), refused
    assert door.ports.store.verify() == []


# --- at a real terminal


@pytest.fixture
def deck(tmp_path: Path) -> Quarterdeck:
    return Quarterdeck(tmp_path)


@pytest.mark.row("B10", "D6", "T5")
def test_the_questions_at_a_terminal_bind_what_they_showed(deck: Quarterdeck) -> None:
    deck.create("walk")
    for number in (2, 3):
        deck.edit("walk", {"spec": job("walk", source=sql(f"SELECT {number}"))["spec"]})
        deck.ok("job", "publish", "walk")
    code, shown = typed(
        deck, "quarterdeck job activate walk 1",
        meanwhile=lambda: deck.ok("job", "activate", "walk", "2", "--yes"),
    )  # fmt: skip
    assert (code, "version 3 was shown as live" in " ".join(shown.split())) == (5, True)
    assert deck.ok("job", "show", "walk")["live_version"] == 2
    spec = {"spec": job("walk", source=sql("SELECT 4"))["spec"]}
    code, shown = typed(
        deck, "quarterdeck job delete walk", meanwhile=lambda: deck.edit("walk", spec)
    )
    assert (code, "ana saved a draft" in " ".join(shown.split())) == (5, True)
    code, shown = typed(deck, "quarterdeck job delete walk", meanwhile=lambda: None)
    assert (code, "walk was deleted" in shown) == (0, True)


@pytest.mark.row("H8", "T5", "F-40")
def test_restore_is_refused_when_file_or_store_changed_since_they_were_shown(
    deck: Quarterdeck,
) -> None:
    deck.create("kept")
    file = Path(deck.ok("store", "backup", str(deck.folder / "backup"))["path"])
    deck.create("later")
    other = Path(deck.ok("store", "backup", str(deck.folder / "other"))["path"])
    restore = f"quarterdeck store restore {file}"

    code, shown = typed(deck, restore, meanwhile=lambda: deck.create("meanwhile"))
    text = " ".join(shown.split())
    assert code == 5, text
    assert "ana wrote" in text
    assert "and was shown at" in text
    names = [one["name"] for one in deck.ok("job", "list")]
    assert names == ["kept", "later", "meanwhile"]

    whole = file.read_bytes()
    code, shown = typed(deck, restore, meanwhile=lambda: file.write_bytes(other.read_bytes()))
    text = " ".join(shown.split())
    assert (code, "is another file by now" in text) == (5, True), text
    assert [one["name"] for one in deck.ok("job", "list")] == names
    file.write_bytes(whole)

    def exchange() -> None:
        deck.ok("store", "restore", str(other), "--yes")

    code, shown = typed(deck, restore, meanwhile=exchange)
    assert (code, "Another store than was shown" in shown) == (5, True), shown
    assert [one["name"] for one in deck.ok("job", "list")] == ["kept", "later"]

    def upkeep() -> None:
        """What a scheduler writes of itself: its lease, and now and then what a check of a cluster found."""
        deck.ok("scheduler", "--once")
        assert deck.ok("cluster", "check", "local")["status"] == "active"

    code, shown = typed(deck, restore, meanwhile=upkeep)
    assert code == 0, shown
    assert [one["name"] for one in deck.ok("job", "list")] == ["kept"]


# --- `--dry-run`, `--yes` and what scripts expect


def _stale_live(door: Door) -> None:
    door.publish(door.ben, "SELECT 'ben'")


def _gone_profile(door: Door) -> None:
    with door.ports.store.transaction("ana") as tx:
        for kept in tx.definitions.page(limit=50):
            if kept.value.kind == "profile":
                tx.definitions.put(replace(kept.value, deleted=True), seen=kept.rev)


def _run_under_way(door: Door) -> None:
    door.ports.fake.auto = False
    door.ana.runs.dispatch(door.ana.runs.start("daily")["id"])


def _shared_only(door: Door) -> None:
    door.ana.definitions.create("team", {"name": "bi", "members": ["eve"]})
    door.ana.jobs.edit("daily", {"shared_teams": ["bi"]})
    door.as_actor("eve")


def _nothing(_: Door) -> None:
    pass


ACTIVATE, DELETE = ("job", "activate", "daily", "1"), ("job", "delete", "daily")
DRY_RUNS: dict[str, tuple[tuple[str, ...], Callable[[Door], None], int]] = {
    "activate": (ACTIVATE, _nothing, 0),
    "activate, not there": (("job", "activate", "daily", "77"), _nothing, 4),
    "activate, no number": (("job", "activate", "daily", "0"), _nothing, 2),
    "activate, no job": (("job", "activate", "nobody", "1"), _nothing, 4),
    "activate, no right": (ACTIVATE, _shared_only, 3),
    "activate, something gone": (ACTIVATE, _gone_profile, 6),
    "activate, another live": ((*ACTIVATE, "--expect-live", "2"), _stale_live, 5),
    "activate, another revision": ((*ACTIVATE, "--expect-rev", "1"), _nothing, 5),
    "activate, read-only": ((*ACTIVATE, "--read-only"), _nothing, 3),
    "delete": (DELETE, _nothing, 0),
    "delete, no job": (("job", "delete", "nobody"), _nothing, 4),
    "delete, no right": (DELETE, _shared_only, 3),
    "delete, under way": (DELETE, _run_under_way, 5),
    "delete, another revision": ((*DELETE, "--expect-rev", "1"), _nothing, 5),
    "delete, read-only": ((*DELETE, "--read-only"), _nothing, 3),
}


@pytest.mark.row("B10", "D6", "I46", "I47", "I48")
@pytest.mark.parametrize("case", DRY_RUNS)
def test_a_dry_run_is_refused_for_what_the_act_is_refused_for_and_writes_nothing(
    door: Door, case: str
) -> None:
    argv, prepare, code = DRY_RUNS[case]
    door.publish(door.ana, "SELECT 2")
    prepare(door)
    before = [one for one in door.ports.store.changes(0) if one.table != "audit"]
    dry = door.call(*argv, "--dry-run", "--json")
    after = [one for one in door.ports.store.changes(0) if one.table != "audit"]
    assert (dry.code, after) == (code, before), dry.err
    act = door.call(*argv, "--yes", "--json")
    assert act.code == code
    if code:
        assert act.error == dry.error
        assert door.ana.jobs.show("daily")


@pytest.mark.row("I48")
def test_delete_of_a_job_with_runs_under_way_says_their_state(door: Door) -> None:
    _run_under_way(door)
    said = door.call("job", "delete", "daily", "--yes", "--json")
    [run] = door.ports.store.runs.page()
    assert said.error["active"] == [run.value.id]
    assert f"{run.value.id} ({run.value.state})" in said.error["message"]


@pytest.mark.row("B10", "F1")
def test_a_script_says_which_version_it_looked_at(door: Door) -> None:
    door.publish(door.ben, "SELECT 2")
    refused = door.call("run", "daily", "--expect-live", "1", "--json")
    assert (refused.code, refused.error["conflict"]) == (
        5,
        {
            "actor": "ben", "at": "2026-11-22T06:00:00.000000Z", "live_version": 2, "live_shown": 1,
        },
    )  # fmt: skip
    assert door.ports.store.runs.count() == 0
    assert door.call("run", "daily", "--expect-live", "2", "--json").document["version"] == 2
    assert door.call("job", "activate", "daily", "1", "--expect-live", "1", "--yes").code == 5
    assert door.live() == 2
    assert door.call("job", "activate", "daily", "1", "--yes").code == 0  # takes what is there


@pytest.mark.row("B6")
def test_a_dropped_draft_keeps_its_number_and_one_that_gives_way_is_told(door: Door) -> None:
    for text in ("SELECT 'one'", "SELECT 'two'", "SELECT 'three'"):
        door.save(door.ana, text)
        door.call("job", "discard", "daily")
    assert door.call("job", "bring-back", "daily", "1", "--json").code == 0
    door.call("job", "discard", "daily")
    rows = door.call("job", "bring-back", "daily", "--json").document
    assert [row["number"] for row in rows] == [4, 3, 2]
    assert door.call("job", "bring-back", "daily", "1", "--json").code == 4
    back = door.call("job", "bring-back", "daily", "2", "--json").document
    assert (back["spec"]["source"]["text"], back["dropped"]) == ("SELECT 'two'", None)
    door.save(door.ben, "SELECT 'ben'")
    stale = door.call(
        "job", "bring-back", "daily", "3", "--expect-rev", str(back["rev"]), "--json"
    )
    assert stale.code == 5
    said = door.call("job", "bring-back", "daily", "3")
    assert "the draft by ben of 2026-11-22" in said.words
    assert "quarterdeck job bring-back daily 6 brings it back" in said.words
    door.save(door.ben, "SELECT 'ben again'")
    said = door.call("job", "discard", "daily")
    assert "the draft by ben of 2026-11-22 06:00:00 UTC is gone" in said.words
    assert "quarterdeck job bring-back daily 8 brings it back" in said.words


@pytest.mark.row("B6", "R4")
def test_drafts_that_were_dropped_before_there_were_numbers_keep_their_places(door: Door) -> None:
    for text in ("SELECT 'one'", "SELECT 'two'"):
        door.save(door.ana, text)
        door.call("job", "discard", "daily")
    with door.ports.store.transaction("ana") as tx:
        [kept] = tx.jobs.page()
        older = tuple(replace(one, number=0) for one in kept.value.dropped)
        tx.jobs.put(replace(kept.value, dropped=older, drops=0), seen=kept.rev)
    rows = door.call("job", "bring-back", "daily", "--json").document
    assert [row["number"] for row in rows] == [2, 1]
    door.call("job", "bring-back", "daily", "1")
    door.save(door.ana, "SELECT 'three'")
    door.call("job", "discard", "daily")
    rows = door.call("job", "bring-back", "daily", "--json").document
    assert [row["number"] for row in rows] == [4, 3, 2]  # 3 gave way to the new text


@pytest.mark.row("B4", "B6", "H8")
def test_a_publish_says_where_the_text_beside_the_draft_is(door: Door) -> None:
    began = door.ana.drafting.open("daily")
    assert began is not None
    spec = {**job("daily")["spec"], "source": sql("SELECT 2")}
    door.ana.drafting.save("daily", spec, seen=began.seen, aside="print('beside')")
    made = door.call("job", "publish", "daily", "--json").document
    assert (made["live_version"], made["dropped"]["number"]) == (2, 1)
    assert door.call("store", "verify", "--json").document == {"ok": True, "findings": []}
    back = door.call("job", "bring-back", "daily", "1", "--json").document
    assert back["spec"]["source"]["text"] == "SELECT 2"
    again = door.ana.drafting.open("daily")
    assert again is not None
    assert again.aside == "print('beside')"
    door.call("job", "discard", "daily")
    door.save(door.ana, "SELECT 3")
    said = door.call("job", "publish", "daily")
    assert "job bring-back" not in said.words
