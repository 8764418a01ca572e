"""Names through the command line: what is one name, what is none, and in which form one is found."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from quarterdeck.model.ids import JobId
from quarterdeck.model.job import version_id
from quarterdeck.model.text import name_key
from tests.support.door import Door
from tests.support.quarterdeck import Quarterdeck, job

NFC, NFD = "caf\u00e9", "cafe\u0301"
CLUSTER = {"kind": "local"}
CATALOG = {"kind": "memory"}
PROFILE = {
    "team": "ana",
    "mode": "standalone",
    "driver": {"cpu": 1, "memory": "1Gi", "disk_gib": 1},
}
QUERY = {"team": "ana", "text": "SELECT 1"}


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path_factory.mktemp("names"))
    yield made
    assert made.ok("store", "verify") == {"ok": True, "findings": []}


def refused(door: Door, kind: str, document: dict[str, Any], command: str = "create") -> str:
    """Return what is said of the name of a document that is refused."""
    file = door.folder / "one.json"
    file.write_text(json.dumps(document))
    answer = door.call(kind, *command.split(), "-f", str(file), "--json")
    assert answer.code == 2, answer
    return {one["path"]: str(one["message"]) for one in answer.error["fields"]}["name"]


@pytest.mark.row("I3", "I1")
@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("\u3164", "U+3164 at position 1"),
        (" \u2800\u2800", "U+2800 at position 2"),
        ("\u115f\u1160", "U+115F at position 1"),
        ("\uffa0", "U+FFA0"),
        ("\ufe0f", "U+FE0F"),
        ("\u180e", "U+180E"),
        ("\u17b4", "U+17B4"),
        ("\u0301\u0308", "U+0301"),
        ("\u200b\u2060\u00ad", "U+200B"),
        ("\U000e0041", "U+E0041"),
        ("\U0001d159", "U+1D159"),
        ("day\ufffe", "U+FFFE at position 4, which is no character"),
        ("\ufdd0", "U+FDD0"),
        ("a\U0010ffff", "U+10FFFF at position 2"),
        ("a\x07", "U+0007 at position 2"),
        ("a\u202eb", "U+202E at position 2"),
    ],
)
def test_a_name_that_cannot_be_seen_is_refused_for_every_kind(
    door: Door, name: str, where: str
) -> None:
    for kind, rest in (
        ("job", job("x")), ("query", QUERY), ("profile", PROFILE), ("cluster", CLUSTER),
        ("catalog", CATALOG), ("team", {"members": ["ana"]}),
    ):  # fmt: skip
        assert where in refused(door, kind, {**rest, "name": name})
    door.ana.jobs.create([job("seen")])
    assert where in refused(door, "job", {"name": name}, "edit seen")


@pytest.mark.row("I3")
@pytest.mark.parametrize("name", ["日報", "é", "o\u0301", "🚢", "\ue000", "a\u200db", "-"])
def test_other_names_are_taken(deck: Quarterdeck, name: str) -> None:
    deck.create(name)
    assert deck.ok("job", "show", name)["name"] == name


@pytest.mark.row("I4")
@pytest.mark.parametrize(
    ("first", "second"),
    [(NFC, NFD), (NFD, NFC), ("Nightly", "nightly"), ("straße", "STRASSE"), (NFC, "CAFE\u0301")],
)
def test_case_and_unicode_form_make_no_other_name(door: Door, first: str, second: str) -> None:
    for kind, rest in (
        ("job", job("x")), ("query", QUERY), ("profile", PROFILE), ("catalog", CATALOG),
        ("cluster", CLUSTER), ("team", {"members": ["ana"]}),
    ):  # fmt: skip
        file = door.folder / "one.json"
        file.write_text(json.dumps({**rest, "name": first}))
        assert door.call(kind, "create", "-f", str(file)).code == 0
        words = refused(door, kind, {**rest, "name": second})
        assert words.startswith(f"{second} is in use")
        assert words.endswith(f" as {first}; case and Unicode form do not count")
        if kind != "query":
            file.write_text(
                json.dumps({"name": second})
            )  # but a thing may take its own other form
            assert door.call(kind, "edit", first, "-f", str(file)).code == 0
    two = "\n---\n".join(json.dumps(job(name)) for name in ("Ein", "EIN"))
    (door.folder / "two.yaml").write_text(two)
    answer = door.call("job", "create", "-f", str(door.folder / "two.yaml"))
    assert answer.code == 2
    assert "stands in the file twice" in answer.words


@pytest.mark.row("I4", "I10")
def test_a_name_is_found_in_either_unicode_form(deck: Quarterdeck) -> None:
    for kind, rest in (("team", {"members": ["ana"]}), ("profile", PROFILE), ("catalog", CATALOG)):
        deck.ok(kind, "create", "-f", "-", text=json.dumps({**rest, "name": NFD}))
        assert deck.ok(kind, "show", NFC)["name"] == NFD
    deck.create(NFC, team=NFC, shared_teams=["ana"], profile=NFC, catalogs=[NFC])
    assert deck.ok("job", "show", NFD)["spec"]["catalogs"] == [NFD]
    assert deck.ok("job", "edit", NFD, "--description", "found")["name"] == NFC
    assert deck.ok("job", "validate", "-", text=json.dumps(job(NFD, team=NFD)))["ok"]
    assert deck.ok("runs", "--job", NFD) == []
    assert deck.ok("whoami", "--as", NFC)["acting_as"] == NFD
    assert {one["action"] for one in deck.ok("audit", "--subject", f"job/{NFD}")} >= {"job.edit"}
    twice = deck.json(
        "job", "validate", "-", text=json.dumps(job("x", team="ana", catalogs=[NFC, NFD]))
    )
    assert twice.code == 2
    assert [one["path"] for one in twice.document["fields"]] == ["spec.catalogs[1]"]
    both = job("x", team=NFC, shared_teams=[NFD])
    owner = deck.json("job", "validate", "-", text=json.dumps(both))
    assert "owning team already" in owner.words
    deck.ok("job", "delete", NFD, "--yes")
    gone = deck.ok("audit", "--subject", f"job/{NFD}")
    assert "job.delete" in {one["action"] for one in gone}


@pytest.mark.row("I4")
def test_two_that_are_there_stay_are_told_and_need_another_name_to_be_saved(door: Door) -> None:
    """Such a pair may come from a version that took both."""
    store = door.ports.store
    made = door.ana.jobs.show("daily")
    kept = store.jobs.get(made["id"])
    with store.transaction("ana") as tx:
        other = replace(kept.value, id=JobId("j-other"), name="Daily", name_key=name_key("Daily"))
        live = door.ana.context.get_version(kept.value, 1)
        tx.jobs.put(other, seen=None)
        tx.versions.put(replace(live, id=version_id(other.id, 1), job=other.id), seen=None)
    for name, known in (("daily", made["id"]), ("Daily", "j-other")):
        assert json.loads(door.call("job", "show", name, "--json").out)["id"] == known
    told = door.call("store", "verify")
    assert told.code == 0
    assert "warning: job/Daily (j-other): is called as job/daily" in told.words
    refused_ = door.call("job", "edit", "Daily", "--description", "x", "--json")
    assert refused_.code == 2
    assert refused_.error["fields"][0]["path"] == "name"
    assert door.call("job", "edit", "Daily", "--name", "weekly").code == 0
    assert "warning" not in door.call("store", "verify").words
