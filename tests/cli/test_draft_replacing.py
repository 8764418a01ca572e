"""What takes the place of a draft by command: nobody's is replaced unseen, and what is replaced comes back."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.config import Settings
from quarterdeck.model.draft import Bound
from quarterdeck.model.errors import StaleError
from quarterdeck.service.bundle import Services
from quarterdeck.wiring import open_services
from tests.support.quarterdeck import Answer, Quarterdeck, job, sql
from tests.support.services import workspace
from tests.support.terminal import typed


@pytest.fixture
def deck(tmp_path: Path) -> Quarterdeck:
    """A workspace whose team has two members; the job `daily`."""
    made = Quarterdeck(tmp_path)
    made.ok("team", "edit", "ana", "-f", "-", text=json.dumps({"members": ["ana", "ben"]}))
    made.create("daily")
    return made


def spec(text: str) -> dict[str, Any]:
    return {"spec": job("daily", source=sql(text))["spec"]}


def edit(who: Quarterdeck, text: str, *args: str) -> Answer:
    return who.json("job", "edit", "daily", "-f", "-", *args, text=json.dumps(spec(text)))


def text_of(deck: Quarterdeck) -> str:
    return str(deck.ok("job", "draft", "daily")["spec"]["source"]["text"])


@pytest.mark.row("B7")
@pytest.mark.row("B2")
def test_a_draft_that_somebody_else_saved_is_not_replaced_by_a_file(deck: Quarterdeck) -> None:
    ben = deck.as_actor("ben")
    assert edit(ben, "SELECT 'ben'").code == 0
    before = ben.ok("job", "draft", "daily")
    refused = edit(deck, "SELECT 'ana'")
    assert (refused.code, refused.error["code"]) == (5, "conflict")
    conflict = refused.error["conflict"]
    assert conflict == {"actor": "ben", "at": before["at"], "rev": before["rev"]}
    assert "--replace-draft" in refused.error["advice"]
    assert f"--expect-rev {before['rev']}" in refused.error["advice"]
    assert text_of(deck) == "SELECT 'ben'"
    assert deck.ok("job", "bring-back", "daily") == []
    # what is not of the draft acts at once, whoever saved that
    told = json.dumps({"description": "hers"})
    deck.ok("job", "edit", "daily", "-f", "-", text=told)
    assert text_of(deck) == "SELECT 'ben'"
    rev = deck.ok("job", "show", "daily")["rev"]
    assert edit(deck, "SELECT 'ana'", "--expect-rev", str(before["rev"])).code == 5
    assert edit(deck, "SELECT 'ana'", "--expect-rev", str(rev)).code == 0
    assert text_of(deck) == "SELECT 'ana'"
    [dropped] = deck.ok("job", "bring-back", "daily")
    assert (dropped["author"], dropped["dropped_by"]) == ("ben", "ana")
    deck.ok("job", "bring-back", "daily", "1")
    assert text_of(deck) == "SELECT 'ben'"


@pytest.mark.row("B6")
@pytest.mark.row("B7")
def test_a_draft_is_replaced_on_purpose_and_kept(deck: Quarterdeck) -> None:
    ben = deck.as_actor("ben")
    assert edit(ben, "SELECT 'ben'").code == 0
    assert edit(deck, "SELECT 'ana'", "--replace-draft").code == 0
    assert edit(deck, "SELECT 'again'").code == 0  # her own
    assert text_of(deck) == "SELECT 'again'"
    dropped = deck.ok("job", "bring-back", "daily")
    assert [one["author"] for one in dropped] == ["ana", "ben"]
    deck.ok("job", "bring-back", "daily", str(dropped[-1]["number"]))
    assert text_of(deck) == "SELECT 'ben'"


@pytest.mark.row("B6")
def test_one_s_own_draft_is_replaced_once_for_each_text(deck: Quarterdeck) -> None:
    for text in ("SELECT 1", "SELECT 2", "SELECT 2", "SELECT 3"):
        assert edit(deck, text).code == 0
    assert len(deck.ok("job", "bring-back", "daily")) == 2
    deck.ok("job", "discard", "daily")
    assert len(deck.ok("job", "bring-back", "daily")) == 3
    assert deck.json("job", "draft", "daily").code == 4


def hands(deck: Quarterdeck, first: str, then: str) -> str:
    """Return an editor that lets a command be typed elsewhere, as ben, before it edits."""
    quarterdeck = shlex.join([sys.executable, "-m", "quarterdeck"])
    editor = deck.folder / "other.sh"
    editor.write_text(
        "#!/bin/sh\n"
        f"QUARTERDECK_ACTOR=ben {quarterdeck} {first} > {deck.folder}/said 2>&1 || exit 9\n"
        f"sed -i '{then}' \"$1\"\n"
    )
    editor.chmod(0o700)
    return f"EDITOR={editor} quarterdeck job edit daily"


@pytest.mark.row("T4")
@pytest.mark.row("B7")
def test_an_editor_s_text_does_not_replace_what_was_saved_meanwhile(deck: Quarterdeck) -> None:
    assert edit(deck, "SELECT 'mine'").code == 0
    theirs = deck.folder / "theirs.json"
    theirs.write_text(json.dumps(spec("SELECT 'ben'")))
    command = hands(deck, f"job edit daily -f {theirs} --replace-draft", "s/mine/more/")
    code, shown = typed(deck, command)
    assert code == 5, shown
    assert "ben" in shown
    assert text_of(deck) == "SELECT 'ben'"
    path = shown.split("What you typed is kept in ")[1].split()[0]
    assert "SELECT 'more'" in Path(path).read_text()
    again = deck.json("job", "edit", "daily", "-f", path, "--replace-draft")
    assert again.code == 0
    assert text_of(deck) == "SELECT 'more'"


@pytest.mark.row("T4")
def test_an_editor_s_text_may_replace_the_draft_that_was_handed_out(deck: Quarterdeck) -> None:
    ben = deck.as_actor("ben")
    assert edit(ben, "SELECT 'ben'").code == 0
    code, shown = typed(deck, "quarterdeck job edit daily", edit="s/ben/ana/")
    assert code == 0, shown
    assert text_of(deck) == "SELECT 'ana'"
    assert [one["author"] for one in deck.ok("job", "bring-back", "daily")] == ["ben"]


@pytest.mark.row("T4")
def test_what_does_not_touch_the_text_that_was_handed_out_refuses_nothing(
    deck: Quarterdeck,
) -> None:
    """A draft that is dropped and comes back is another revision of the same."""
    assert edit(deck, "SELECT 'mine'").code == 0
    deck.ok("job", "discard", "daily")
    deck.ok("job", "bring-back", "daily", "1")
    rev = deck.ok("job", "show", "daily")["rev"]
    first = "job discard daily && quarterdeck job bring-back daily 2"
    code, shown = typed(deck, hands(deck, first, "s/mine/more/"))
    assert code == 0, shown
    assert deck.ok("job", "show", "daily")["rev"] > rev + 1
    assert text_of(deck) == "SELECT 'more'"


# --- a publish


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return workspace(tmp_path)[0]


def shown(services: Services) -> Bound:
    """Return what a dialog of a publish is bound to now."""
    found = services.drafting.open("daily")
    assert found is not None
    return found.bound


@pytest.mark.row("B4")
@pytest.mark.row("B7")
def test_a_publish_is_refused_where_the_draft_is_not_the_one_that_was_shown(
    services: Services,
) -> None:
    services.jobs.edit("daily", spec("SELECT 2"))
    was = shown(services)
    services.jobs.edit("daily", spec("SELECT 3"))
    with pytest.raises(StaleError, match="draft of daily was changed by ana"):
        services.publishing.publish("daily", shown=was)
    services.drafts.discard("daily")
    with pytest.raises(StaleError, match="draft of daily was changed by ana"):
        services.publishing.publish("daily", shown=was)
    assert services.jobs.show("daily")["live_version"] == 1


@pytest.mark.row("B4")
@pytest.mark.row("B7")
def test_a_publish_is_refused_where_another_version_is_live_than_was_shown(
    services: Services,
) -> None:
    services.jobs.edit("daily", spec("SELECT 2"))
    services.publishing.publish("daily")
    services.jobs.edit("daily", spec("SELECT 3"))
    was = shown(services)
    services.publishing.activate("daily", 1)
    with pytest.raises(StaleError, match="live version of daily was changed by ana"):
        services.publishing.publish("daily", shown=was)
    services.publishing.activate("daily", 2)  # it is as it was shown again
    assert services.publishing.publish("daily", shown=was)["live_version"] == 3


@pytest.mark.row("B4")
@pytest.mark.row("B16")
def test_what_a_publish_does_not_show_does_not_refuse_it(services: Services) -> None:
    services.jobs.edit("daily", spec("SELECT 2"))
    was = shown(services)
    services.definitions.create("team", {"name": "others", "members": ["carl"]})
    schedule = {"cron": "0 6 * * *", "timezone": "UTC"}
    changes: dict[str, Any] = {
        "description": "x", "shared_teams": ["others"], "schedule": schedule, "name": "nightly",
    }  # fmt: skip
    for key, value in changes.items():
        services.jobs.edit("nightly" if key == "x" else "daily", {key: value})
    found = services.publishing.publish("nightly", shown=was)
    assert (found["live_version"], found["spec"]["source"]["text"]) == (2, "SELECT 2")


@pytest.mark.row("B6", "T4")
def test_own_drafts_that_gave_way_push_no_other_out(deck: Quarterdeck) -> None:
    assert edit(deck.as_actor("ben"), "SELECT 'ben'").code == 0
    assert edit(deck, "SELECT 'first'", "--replace-draft").code == 0
    services = open_services(Settings(deck.store, "test", deck.actor))
    for number in range(60):
        services.jobs.edit("daily", spec(f"SELECT {number}"))
    services.close()
    kept = deck.ok("job", "bring-back", "daily")
    assert len(kept) == 51
    assert [kept[0]["number"], kept[-1]["number"]] == [61, 1]
    assert [one["author"] for one in kept].count("ben") == 1
