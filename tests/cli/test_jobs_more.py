"""Jobs, drafts and definitions where two people, broken references or several documents meet, as a process."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.quarterdeck import ENDED, Quarterdeck, job, sql
from tests.support.terminal import typed


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarterdeck]:
    """One workspace for all: ana is its org admin, ben is in a team of his own."""
    made = Quarterdeck(tmp_path_factory.mktemp("more"))
    made.ok("team", "create", "-f", "-", text=json.dumps({"name": "others", "members": ["ben"]}))
    yield made
    made.end()


@pytest.fixture(scope="module")
def ben(deck: Quarterdeck) -> Quarterdeck:
    return deck.as_actor("ben")


def several(*documents: dict[str, Any]) -> str:
    return "\n---\n".join(json.dumps(one) for one in documents)


def spec(text: str, **changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = job("x", source=sql(text), **changes)["spec"]
    return {"spec": found}


def test_paths_of_a_file_with_several_documents_count_as_the_file_does(deck: Quarterdeck) -> None:
    profile = {"type": "profile", "name": "pp", "mode": "standalone", "driver": {"disk_gib": -5}}
    text = several(job("m1", profile="pp", timeout="0s"), profile, job("m1"))
    answer = deck.json("job", "create", "-f", "-", text=text)
    assert answer.code == 2
    assert answer.paths == [
        "documents[0].spec.timeout", "documents[1].driver.disk_gib", "documents[2].name",
    ]  # fmt: skip
    twice = deck.json("job", "validate", "-", text=several(job("d1"), job("d1")))
    assert (twice.code, twice.document["fields"][0]["path"]) == (2, "documents[1].name")
    assert deck.json("job", "show", "m1").code == 4


def test_a_file_may_bring_the_cluster_and_the_query_that_its_job_uses(deck: Quarterdeck) -> None:
    cluster = {"type": "cluster", "name": "second", "kind": "local"}
    query = {"type": "query", "name": "Daily X", "text": "SELECT 1"}
    source = {"kind": "saved_query", "query_id": "daily-x"}
    text = several(job("brings", cluster="second", source=source), cluster, query)
    assert deck.json("job", "validate", "-", text=text).code == 0
    assert deck.ok("job", "create", "-f", "-", text=text)["live_version"] == 1
    assert deck.ok("cluster", "show", "second")["status"] == "active"


@pytest.mark.row("A1")
def test_everything_that_is_missing_is_told_at_once_and_a_draft_is_kept(
    tmp_path: Path,
) -> None:
    deck = Quarterdeck(tmp_path)
    deck.create("there", catalogs=[])
    deck.ok("catalog", "delete", "main", "--yes")
    away = {"name": "away", "kind": "kubernetes", "context": "none", "image": "x/y:1"}
    made = deck.ok("cluster", "create", "-f", "-", text=json.dumps(away))
    assert made["status"] != "active"
    assert made["checks"][0]["advice"]
    stranger = deck.as_actor("zoe").json(
        "job", "create", "-f", "-", text=json.dumps(job("none", cluster="away"))
    )
    assert stranger.code == 6
    assert stranger.paths == ["team", "spec.cluster", "spec.catalogs"]
    assert "org admin" in stranger.error["fields"][0]["message"]
    named = deck.json(
        "job", "edit", "there", "-f", "-", text=json.dumps(spec("SELECT 2", catalogs=["main"]))
    )
    assert (named.code, named.paths) == (2, ["spec.catalogs[0]"])
    edited = deck.edit("there", spec("SELECT 2", cluster="away", catalogs=[]))
    assert edited["draft_version"] == 2
    assert [one["path"] for one in edited["warnings"]] == ["spec.cluster", "spec.catalogs"]
    assert all(one["message"].startswith("cannot be published: ") for one in edited["warnings"])
    refused = deck.json("job", "publish", "there")
    assert (refused.code, refused.paths) == (6, ["spec.cluster", "spec.catalogs"])
    assert deck.ok("job", "show", "there")["live_version"] == 1
    assert {one["level"] for one in deck.json("doctor").document["checks"]} >= {"ok", "failed"}


def test_what_stands_beside_a_broken_spec_can_be_edited(deck: Quarterdeck, tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("print(1)\n")
    document = job("broken", source={"kind": "py_file", "uri": "a.py"})
    (tmp_path / "job.yaml").write_text(json.dumps(document))
    made = deck.ok("job", "create", "-f", str(tmp_path / "job.yaml"))
    assert made["spec"]["source"]["uri"] == str(tmp_path / "a.py")
    (tmp_path / "a.py").unlink()
    assert deck.edit("broken", {"description": "its file is away"})["changed_now"] == [
        "description"
    ]
    assert deck.json("job", "edit", "broken", "-f", str(tmp_path / "job.yaml")).code == 2


@pytest.mark.row("Q3", "R2", "B7")
def test_one_revision_tells_of_a_change_to_job_or_draft(deck: Quarterdeck) -> None:
    made = deck.create("revs")
    deck.edit("revs", spec("SELECT 2"))
    stale = ("--expect-rev", str(made["rev"]))
    text = json.dumps(spec("SELECT 3"))
    unseen = deck.json("job", "edit", "revs", "-f", "-", *stale, text=text)
    assert (unseen.code, unseen.error["conflict"]["actor"]) == (5, "ana")
    draft = deck.ok("job", "draft", "revs")
    assert draft["spec"]["source"]["text"] == "SELECT 2"
    assert draft["rev"] == deck.ok("job", "show", "revs")["rev"]
    assert deck.json("job", "discard", "revs", *stale).code == 5
    published = deck.ok("job", "publish", "revs", "--expect-rev", str(draft["rev"]))
    assert (published["live_version"], published["previous"]) == (2, 1)


@pytest.mark.row("B7", "B10", "I47")
def test_a_draft_on_an_older_live_is_a_conflict_that_says_who(deck: Quarterdeck) -> None:
    deck.create("based")
    deck.edit("based", spec("SELECT 2"))
    deck.ok("job", "publish", "based")
    deck.edit("based", spec("SELECT 3"))
    assert deck.ok("job", "activate", "based", "1", "--yes")["stale_draft"] is True
    assert deck.ok("job", "draft", "based")["stale"] is True
    answer = deck.json("job", "publish", "based")
    assert (answer.code, answer.error["code"]) == (5, "conflict")
    assert answer.error["conflict"] | {"actor": "ana", "base": 2} == answer.error["conflict"]
    assert deck.ok("job", "reset", "based")["stale"] is False
    deck.ok("job", "discard", "based")
    deck.edit("based", spec("SELECT 4"))
    assert deck.ok("job", "publish", "based")["live_version"] == 3


def test_a_note_has_a_limit(deck: Quarterdeck) -> None:
    deck.create("noted")
    deck.edit("noted", spec("SELECT 2"))
    answer = deck.json("job", "publish", "noted", "--note", "x" * 1024)
    assert (answer.code, answer.paths) == (2, ["note"])
    assert "1,023" in answer.error["fields"][0]["message"]
    assert deck.ok("job", "publish", "noted", "--note", "x" * 1023)["live_version"] == 2


@pytest.mark.row("B9")
def test_a_diff_shows_paths_and_lines(deck: Quarterdeck) -> None:
    deck.create("differs", source=sql("SELECT 1,\n  2\n"))
    deck.edit("differs", spec("SELECT 1,\r\n  3\n", timeout="5m"))
    found = deck.ok("job", "diff", "differs", "1", "draft")["differences"]
    assert [one["path"] for one in found] == ["source.text", "timeout"]
    assert {"-SELECT 1,", "+SELECT 1,\r", "+  3"} <= set(found[0]["lines"])
    assert (found[1]["a"], found[1]["b"]) == (3600.0, 300.0)
    assert deck.ok("job", "diff", "differs", "1", "1")["differences"] == []


@pytest.mark.row("D1")
def test_what_is_in_use_stays_and_is_listed_as_far_as_one_may_see(
    deck: Quarterdeck, ben: Quarterdeck
) -> None:
    body = {"mode": "standalone", "driver": {"disk_gib": 5}}
    ben.ok("profile", "create", "-f", "-", text=json.dumps({"name": "pben", **body}))
    team = deck.json("team", "delete", "others", "--yes")
    assert (team.code, team.error["used_by"]) == (5, ["profile pben"])
    deck.create("not-for-ben", profile="pben")
    answer = ben.json("profile", "delete", "pben", "--yes")
    assert answer.code == 5
    assert (answer.error["used_by"], answer.error["hidden"]) == ([], 1)
    assert "not-for-ben" not in answer.err
    impact = ben.ok("profile", "impact", "pben")
    assert (impact["jobs"], impact["hidden"]) == ([], 1)
    deck.edit("not-for-ben", spec("SELECT 1"))
    deck.ok("job", "publish", "not-for-ben")
    assert deck.ok("profile", "impact", "pben")["jobs"] == []  # no live version, no draft
    assert deck.json("profile", "delete", "pben", "--yes").error["used_by"] == ["not-for-ben"]


def test_the_id_of_a_query_is_for_good(deck: Quarterdeck) -> None:
    deck.ok("query", "create", "-f", "-", text=json.dumps({"name": "Fixed", "text": "SELECT 1"}))
    text = json.dumps({"id": "other", "text": "SELECT 2"})
    answer = deck.json("query", "edit", "fixed", "-f", "-", text=text)
    assert (answer.code, answer.paths) == (2, ["id"])
    assert deck.ok("query", "show", "fixed")["revision"] == 1


@pytest.mark.row("D4", "D5", "D2")
def test_refusals_say_the_rule_and_are_recorded_for_those_who_may_see(
    deck: Quarterdeck, ben: Quarterdeck
) -> None:
    deck.create("shared", shared_teams=["others"])
    deck.create("closed")
    refused = [
        ben.json("job", "edit", "shared", "-f", "-", text=json.dumps({"description": "x"})),
        ben.json("job", "delete", "shared", "--yes"),
        ben.json("job", "create", "-f", "-", text=json.dumps(job("mine", team="ana"))),
        ben.json("cluster", "delete", "local", "--yes"),
        ben.json("workspace", "edit", "-f", "-", text=json.dumps({"name": "his"})),
    ]
    for answer in refused:
        assert answer.code == 3
        assert answer.error["rule"].startswith("only ")
        assert answer.error["your_teams"] == ["others"]
        assert "org admins" in answer.error["allowed"]
    records = [one for one in deck.ok("audit", "--limit", "6") if one["outcome"] == "refused"]
    assert [(one["actor"], one["action"]) for one in reversed(records)] == [
        ("ben", "job.edit"), ("ben", "job.delete"), ("ben", "job.create"),
        ("ben", "cluster.delete"), ("ben", "workspace.edit"),
    ]  # fmt: skip
    seen = ben.ok("audit", "--limit", "1000")
    assert "shared" in {one["subject_name"] for one in seen}
    assert "closed" not in {one["subject_name"] for one in seen}
    assert len(ben.ok("audit", "--limit", "4")) == 4  # a page is full while there is more to see
    assert deck.ok("store", "verify")["ok"] is True


def test_a_deleted_job_leaves_its_trail_and_nothing_else(deck: Quarterdeck) -> None:
    before = deck.ok("store", "stats")["documents"]
    deck.create("gone")
    deck.edit("gone", spec("SELECT 2"))
    deck.ok("job", "delete", "gone", "--yes")
    after = deck.ok("store", "stats")["documents"]
    assert after | {"audit": before["audit"]} == before
    actions = [one["action"] for one in deck.ok("audit", "--subject", "job/gone")]
    assert actions == ["job.delete", "draft.save", "job.create"]
    assert deck.ok("store", "verify")["ok"] is True


def test_name_team_and_sharing_change_at_once(deck: Quarterdeck, ben: Quarterdeck) -> None:
    deck.create("before", shared_teams=["others"])
    moved = {"name": "after", "team": "others", "shared_teams": ["ana"]}
    changed = deck.edit("before", moved)
    assert changed["changed_now"] == ["name", "team", "shared_teams"]
    assert (changed["name"], changed["team"], changed["shared_teams"]) == (
        "after", "others", ["ana"],
    )  # fmt: skip
    assert deck.json("job", "show", "before").code == 4
    assert ben.edit("after", {"description": "mine now"})["description"] == "mine now"
    own = deck.json("job", "edit", "after", "-f", "-", text=json.dumps({"team": "ana"}))
    assert (own.code, own.paths) == (2, ["shared_teams[0]"])


def test_as_takes_a_team_of_ones_own(deck: Quarterdeck) -> None:
    deck.ok("team", "create", "-f", "-", text=json.dumps({"name": "two", "members": ["ana"]}))
    open_ = deck.json("job", "create", "-f", "-", text=json.dumps(job("teams")))
    assert (open_.code, open_.paths) == (2, ["team"])
    text = json.dumps(job("teams"))
    assert deck.ok("job", "create", "-f", "-", "--as", "two", text=text)["team"] == "two"
    assert deck.json("job", "list", "--as", "others").code == 3
    assert deck.json("job", "list", "--as", "nobody").code == 3
    deck.ok("team", "edit", "two", "-f", "-", text=json.dumps({"members": ["cy"]}))


@pytest.mark.parametrize("kind", ["foo", "workspace"])
def test_a_kind_that_has_no_create_is_not_advised(deck: Quarterdeck, kind: str) -> None:
    answer = deck.json("job", "create", "-f", "-", text=json.dumps({"type": kind, "name": "x"}))
    assert (answer.code, answer.paths) == (2, ["type"])
    assert f"{kind} create" not in answer.err


def test_lists_of_jobs_show_where_the_last_run_really_stands(deck: Quarterdeck) -> None:
    deck.create("stands")
    deck.ok("run", "stands")
    end = time.monotonic() + 60
    state = ""
    row: dict[str, Any] = {}
    while state not in ENDED and time.monotonic() < end:
        [row] = [one for one in deck.ok("job", "list") if one["name"] == "stands"]
        state = row["last_run"]["state"]
    assert state == "succeeded"
    assert deck.ok("job", "show", "stands")["last_run"] == row["last_run"]


@pytest.mark.row("T5", "T6", "B10")
def test_an_editor_a_question_and_hostile_text_at_a_terminal(deck: Quarterdeck) -> None:
    (deck.folder / "typed.py").write_text("print(1)\n")
    document = job("hand", source={"kind": "py_file", "text": "print(2)"})
    document["description"] = "red \x1b[31m \u202e [bold]"
    deck.ok("job", "create", "-f", "-", text=json.dumps(document))
    code, shown = typed(deck, "quarterdeck job edit hand", edit="s/text: .*/uri: typed.py/")
    assert code == 0, shown
    assert "not live" in shown
    uri = deck.ok("job", "draft", "hand")["spec"]["source"]["uri"]
    assert uri == str(deck.folder / "typed.py")  # typed: from the current folder
    _, shown = typed(deck, "quarterdeck job show hand")
    assert "red \\x1b[31m \\u202e [bold]" in shown
    deck.ok("job", "publish", "hand")
    code, shown = typed(deck, "quarterdeck job activate hand 1", says="no")
    assert (code, "goes back" in shown, "Nothing was changed" in shown) == (1, True, True)
    code, shown = typed(deck, "quarterdeck job delete hand", says="")
    assert (code, "2 versions" in shown, "draft" in shown) == (1, True, False)
    assert deck.ok("job", "show", "hand")["live_version"] == 2
    code, shown = typed(
        deck, "quarterdeck workspace edit", edit="s/max_workers: 20/max_workers: 19/"
    )
    assert code == 0, shown
    assert deck.ok("workspace", "show")["ceilings"]["max_workers"] == 19


def test_a_parameter_is_read_as_the_type_of_its_default(deck: Quarterdeck) -> None:
    deck.create("typed", parameters={"f": 1.5, "n": 3, "b": True, "s": "x"})
    for given in ("f=nan", "f=1e999", "f=x", "n=1.5", "b=TRUE", "x=1", "n"):
        answer = deck.json("run", "typed", "--param", given)
        assert (answer.code, answer.paths) == (2, [f"parameters.{given[0]}"]), given
    assert deck.ok("runs", "--job", "typed") == []


@pytest.mark.row("C4")
def test_impact_of_a_file_says_what_changes_in_each_job(deck: Quarterdeck) -> None:
    deck.create("takes-it")
    deck.create("sets-it", settings={"env": {"TZ": "CET"}})
    edit = json.dumps({"env": {"TZ": "UTC"}})
    found = deck.ok("profile", "impact", "small", "-f", "-", text=edit)
    changes = {one["job"]: one["changes"] for one in found["jobs"]}
    assert changes["takes-it"] == [{"path": "env.TZ", "a": None, "b": "UTC", "set_by": "profile"}]
    assert changes["sets-it"] == [{"path": "env.TZ", "a": "CET", "b": "CET", "set_by": "job"}]
    said = deck.call("profile", "impact", "small", "-f", "-", text=edit)
    assert "Taken by the NEXT run of " in said.out
    assert "none: the job sets CET itself" in said.out
    assert deck.ok("profile", "show", "small")["revision"] == 1
