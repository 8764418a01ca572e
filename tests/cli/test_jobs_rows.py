"""Jobs, drafts and versions through the command line, as a newcomer's scripts would use them."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.quarterdeck import Quarterdeck, job, python, sql


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Quarterdeck:
    """A workspace with one job, for tests that change nothing."""
    made = Quarterdeck(tmp_path_factory.mktemp("one"))
    made.create("one")
    return made


def refused(deck: Quarterdeck, document: Any, *, code: int = 2) -> dict[str, str]:
    """Create must refuse; returns messages by path and checks that nothing was written."""
    before = deck.ok("store", "stats")["documents"]
    answer = deck.json("job", "create", "-f", "-", text=json.dumps(document))
    assert answer.code == code, (answer.out, answer.err)
    assert answer.out == ""
    assert deck.ok("store", "stats")["documents"] == before
    return {field["path"]: field["message"] for field in answer.error["fields"]}


@pytest.mark.row("A2", "B1")
def test_first_save_is_version_1_and_live(deck: Quarterdeck) -> None:
    name = "ß" * 255
    made = deck.create(name, description="d" * 1023)
    assert (made["live_version"], made["draft_version"], made["team"]) == (1, None, "ana")
    shown = deck.ok("job", "show", name)
    assert (shown["name"], shown["description"]) == (name, "d" * 1023)
    assert any(w["path"] == "description" for w in made["warnings"])
    [version] = deck.ok("job", "versions", name)
    assert (version["number"], version["live"], version["author"]) == (1, True, "ana")
    assert version["note"]


@pytest.mark.row("A2", "A9", "I1", "I2", "I3", "I5", "I6")
def test_every_field_says_its_own_message_at_once(deck: Quarterdeck) -> None:
    found = refused(deck, job("x" * 256, team="", description="d" * 1024))
    assert list(found) == ["name", "team", "description"]
    assert "256" in found["name"]
    assert "255" in found["name"]
    assert "1,024" in found["description"]
    assert "255" in refused(deck, job("   "))["name"]
    assert "U+0007" in refused(deck, job("a\x07b"))["name"]


@pytest.mark.row("A9", "A17", "I22", "I23")
def test_all_errors_in_the_order_of_the_form(deck: Quarterdeck) -> None:
    document = job(
        "", shared_teams=["ana"], profile="smal", timeout="10", cluter="local",
        source={**sql("SELECT 'open"), "entry_point": "a:b"},
    )  # fmt: skip
    answer = deck.json("job", "validate", "-", text=json.dumps(document))
    assert answer.code == 2
    found = {field["path"]: field["message"] for field in answer.document["fields"]}
    assert list(found)[:2] == ["name", "shared_teams[0]"]
    assert "not a field of snapshot" in found["spec.source.entry_point"]
    assert "line 1, column 8" in found["spec.source.text"]
    assert "small" in found["spec.profile"]
    assert "cluster" in found["spec.cluter"]
    assert "unit" in found["spec.timeout"]


@pytest.mark.row("A8", "I9")
def test_sql_file_is_reserved(deck: Quarterdeck) -> None:
    found = refused(deck, job("f", source={"kind": "file", "path": "x.sql"}))
    assert "reserved, not supported yet" in found["spec.source.kind"]


@pytest.mark.row("A17")
def test_create_help_says_when_each_source_fits(deck: Quarterdeck) -> None:
    text = deck.call("job", "create", "--help").out
    for kind in ("saved_query", "snapshot", "wheel", "py_file"):
        assert kind in text
    assert not re.search(r"^ *file\b", text, re.MULTILINE)


@pytest.mark.row("A4", "X2")
@pytest.mark.parametrize(
    "text",
    ["SELECT 1 AS v  \r\n-- end \t\n", "SELECT '$(touch x)' -- {{ a }}\n\n", "SELECT 'é\u2028x'"],
)
def test_a_snapshot_comes_back_byte_for_byte(deck: Quarterdeck, text: str) -> None:
    deck.create("bytes", source=sql(text))
    assert deck.ok("job", "show", "bytes")["spec"]["source"]["text"] == text


@pytest.mark.row("B2", "B8", "B9", "B10")
def test_draft_publish_history_activate(deck: Quarterdeck) -> None:
    deck.create("walk")
    changed = deck.edit("walk", {"spec": job("walk", source=sql("SELECT 2 AS v"))["spec"]})
    assert changed["draft_changed"] == ["source.text"]
    assert (changed["live_version"], changed["draft_version"]) == (1, 2)
    assert deck.ok("job", "show", "walk")["spec"]["source"]["text"] == "SELECT 1 AS v"
    draft = deck.ok("job", "draft", "walk")
    assert (draft["based_on"], draft["author"]) == (1, "ana")
    assert draft["spec"]["source"]["text"] == "SELECT 2 AS v"
    human = deck.call("job", "edit", "walk", "-f", "-", text=json.dumps({"spec": draft["spec"]}))
    assert human.code == 2  # seconds are no file's way to write a timeout
    published = deck.ok("job", "publish", "walk", "--note", "two it is")
    assert (published["live_version"], published["previous"]) == (2, 1)
    assert published["draft_version"] is None
    rows = deck.ok("job", "versions", "walk", "--search", "two it")
    assert [row["number"] for row in rows] == [2]
    assert rows[0]["note"] == "two it is"
    assert [
        row["number"] for row in deck.ok("job", "versions", "walk", "--search", "SELECT 1")
    ] == [1]
    [changed] = deck.ok("job", "diff", "walk", "1", "2")["differences"]
    assert (changed["path"], changed["a"], changed["b"]) == (
        "source.text",
        "SELECT 1 AS v",
        "SELECT 2 AS v",
    )
    before = deck.ok("job", "show", "walk")
    back = deck.ok("job", "activate", "walk", "1", "--yes")
    assert (back["from"], back["to"], back["changed"]) == (2, 1, True)
    assert [row["number"] for row in deck.ok("job", "versions", "walk")] == [2, 1]
    last = deck.ok("job", "show", "walk")["activations"][-1]
    assert (last["actor"], last["from"], last["to"]) == ("ana", 2, 1)
    assert before["schedule"] == back["schedule"]
    again = deck.ok("job", "activate", "walk", "1", "--yes")
    assert again["changed"] is False
    assert deck.json("job", "activate", "walk", "9", "--yes").code == 4
    preview = deck.ok("job", "activate", "walk", "2", "--dry-run")
    assert preview["goes_back"][0]["path"] == "source.text"
    assert "owning and shared teams" in preview["stays"]


@pytest.mark.row("B10")
def test_activate_refuses_what_is_gone_and_live_stays(deck: Quarterdeck) -> None:
    deck.ok("query", "create", "-f", "-", text=json.dumps({"name": "Gone", "text": "SELECT 1"}))
    deck.create("gone", source={"kind": "saved_query", "query_id": "gone"})
    deck.edit("gone", {"spec": job("gone")["spec"]})
    deck.ok("job", "publish", "gone")
    assert deck.json("query", "delete", "gone", "--yes").code == 5
    deck.edit("gone", {"spec": job("gone", source=sql("SELECT 3"))["spec"]})
    stale = deck.ok("job", "activate", "gone", "1", "--yes")
    assert stale["stale_draft"] is True


@pytest.mark.row("I46", "I45", "I50")
@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("run", "one", "--version", "0"), 2),
        (("run", "one", "--version", "-1"), 2),
        (("run", "one", "--version", "latest"), 2),
        (("run", "one", "--version", "1" + "0" * 30), 2),
        (("run", "one", "--version", "77"), 4),
        (("run", "one", "--draft", "--version", "1"), 2),
        (("run", "one", "--draft"), 4),
        (("run", "nobody"), 4),
        (("job", "show", "nobody"), 4),
        (("job", "activate", "one", "77", "--yes"), 4),
        (("job", "diff", "one", "1", "77"), 4),
        (("run-show", "r0000000000000000"), 4),
        (("query", "show", "nobody"), 4),
        (("profile", "show", "nobody"), 4),
        (("jbo", "list"), 2),
        (("job", "list", "--nope"), 2),
    ],
)
def test_what_is_not_there_and_what_is_no_number(
    one: Quarterdeck, args: tuple[str, ...], code: int
) -> None:
    answer = one.json(*args)
    assert answer.code == code, answer.err
    assert answer.error["code"] == {2: "invalid", 4: "not_found"}[code]
    if args[0] == "run":
        assert one.ok("runs") == []


@pytest.mark.row("I45", "I49", "D2")
def test_who_may_not_see_gets_the_words_of_what_is_not_there(deck: Quarterdeck) -> None:
    deck.create("secret-plan", shared_teams=[])
    team = {"name": "others", "members": ["ben"]}
    deck.ok("team", "create", "-f", "-", text=json.dumps(team))
    ben = deck.as_actor("ben")
    unseen = ben.json("job", "show", "secret-plan")
    nothing = ben.json("job", "show", "no-such-job")
    assert (unseen.code, nothing.code) == (4, 4)
    assert unseen.error["message"] == nothing.error["message"].replace(
        "no-such-job", "secret-plan"
    )
    assert ben.ok("job", "list") == []
    deck.edit("secret-plan", {"shared_teams": ["others"]})
    assert ben.ok("job", "show", "secret-plan")["shared_teams"] == ["others"]
    denied = ben.json(
        "job", "edit", "secret-plan", "-f", "-", text=json.dumps({"description": "x"})
    )
    assert denied.code == 3
    assert "only members of ana and org admins may edit" in denied.error["rule"]
    assert denied.error["your_teams"] == ["others"]
    assert ben.json("job", "publish", "secret-plan").code == 3


@pytest.mark.row("I47", "Q3", "R2")
def test_a_stale_revision_is_a_conflict_that_says_who(deck: Quarterdeck) -> None:
    made = deck.create("stale")
    deck.edit("stale", {"description": "first"})
    text = json.dumps({"description": "second"})
    answer = deck.json(
        "job", "edit", "stale", "-f", "-", "--expect-rev", str(made["rev"]), text=text
    )
    assert answer.code == 5
    conflict = answer.error["conflict"]
    assert (conflict["actor"], conflict["rev"]) == ("ana", made["rev"] + 1)
    assert deck.ok("job", "show", "stale")["description"] == "first"
    deck.edit("stale", {"spec": job("stale", source=sql("SELECT 2"))["spec"]})
    draft = deck.ok("job", "draft", "stale")
    deck.edit("stale", {"spec": job("stale", source=sql("SELECT 3"))["spec"]})
    answer = deck.json("job", "publish", "stale", "--expect-rev", str(draft["rev"]))
    assert answer.code == 5
    assert answer.error["conflict"]["actor"] == "ana"


@pytest.mark.row("B8")
def test_three_hundred_versions_are_searched_in_half_a_second(deck: Quarterdeck) -> None:
    deck.create("many")
    script = (
        "import os\n"
        "from quarterdeck import config, wiring\n"
        "s = wiring.open_services(config.load({}, os.environ))\n"
        "for n in range(2, 301):\n"
        "    s.jobs.edit('many', {'spec': {'source': {'kind': 'snapshot', 'text': f'SELECT {n} AS v'},"
        " 'profile': 'small', 'cluster': 'local', 'catalogs': ['main']}})\n"
        "    s.publishing.publish('many', note=f'note {n}')\n"
    )
    subprocess.run(  # our own interpreter
        [deck.command()[0], "-c", script], env=deck.environ(), check=True, timeout=120
    )
    begun = time.monotonic()
    found = deck.ok("job", "versions", "many", "--search", "note 4")[-1]
    spent = time.monotonic() - begun
    assert found["note"].startswith("note 4")
    oldest = deck.ok("job", "show", "many", "--version", "1")
    assert oldest["spec"]["source"]["text"] == "SELECT 1 AS v"
    idle = time.monotonic()
    deck.ok("whoami")
    assert spent - (time.monotonic() - idle) < 0.5


@pytest.mark.row("A18", "I14")
def test_saved_queries_have_revisions(deck: Quarterdeck) -> None:
    query = {"name": "Daily sales", "text": "SELECT 1 AS v"}
    made = deck.ok("query", "create", "-f", "-", text=json.dumps(query))
    assert (made["id"], made["revision"], made["author"]) == ("daily-sales", 1, "ana")
    edited = {"text": "SELECT 2 AS v"}
    assert (
        deck.ok("query", "edit", "daily-sales", "-f", "-", text=json.dumps(edited))["revision"]
        == 2
    )
    history = deck.ok("query", "history", "daily-sales")
    assert [(r["revision"], r["text"]) for r in history] == [
        (2, "SELECT 2 AS v"),
        (1, "SELECT 1 AS v"),
    ]
    assert deck.ok("query", "show", "daily-sales")["text"] == "SELECT 2 AS v"
    long = {"name": "Long", "text": "SELECT 1 -- " + "x" * 8180}
    answer = deck.json("query", "create", "-f", "-", text=json.dumps(long))
    assert (answer.code, answer.paths) == (2, ["text"])
    message = answer.error["fields"][0]["message"]
    assert "8,192" in message
    assert "8,191" in message
    assert deck.create("long", source=sql("SELECT 1 -- " + "x" * 8180))["warnings"]
    huge = refused(deck, job("huge", source=sql("SELECT 1 -- " + "x" * 524288)))
    assert "524,288" in huge["spec.source.text"]


@pytest.mark.row("C1", "C2", "I26", "I27", "I28", "I29")
def test_profiles(deck: Quarterdeck) -> None:
    worker = {
        "instance_type": "m7i.xlarge",
        "disk_gib": 50,
        "max_nodes": 2,
        "capacity_type": "spot",
    }
    two = {"name": "two", "mode": "cluster", "driver": {"disk_gib": 20}, "worker": worker}
    made = deck.ok("profile", "create", "-f", "-", text=json.dumps(two))
    assert made["worker"]["max_nodes"] == 2
    small = deck.ok("profile", "show", "small")
    assert (small["mode"], small["revision"]) == ("standalone", 1)
    assert not small.get("worker")
    edited = deck.ok(
        "profile", "edit", "small", "-f", "-", text=json.dumps({"env": {"TZ": "UTC"}})
    )
    assert edited["revision"] == 2
    history = deck.ok("profile", "history", "small")
    assert [row["revision"] for row in history] == [2, 1]
    assert history[0]["author"] == "ana"
    bad = [
        ({**two, "name": "b", "mode": "both"}, ["mode"]),
        ({**two, "name": "b", "mode": "standalone"}, ["worker"]),
        ({"name": "b", "mode": "cluster", "driver": {"disk_gib": 1}}, ["worker"]),
        ({**two, "name": "b", "worker": {**worker, "max_nodes": 0}}, ["worker.max_nodes"]),
        ({**two, "name": "b", "worker": {**worker, "max_nodes": 21}}, ["worker.max_nodes"]),
        ({**two, "name": "b", "driver": {"disk_gib": -1}}, ["driver.disk_gib"]),
        ({**two, "name": "b", "driver": {"disk_gib": 1, "memory": "4GB"}}, ["driver.memory"]),
        ({**two, "name": "b", "worker": {**worker, "capacity_type": "free"}}, ["worker.capacity_type"]),
        ({**two, "name": "b", "driver": {"disk_gib": 1, "instance_type": "a b"}}, ["driver.instance_type"]),
    ]  # fmt: skip
    for document, paths in bad:
        answer = deck.json("profile", "create", "-f", "-", text=json.dumps(document))
        assert (answer.code, answer.paths) == (2, paths), document
    assert len(deck.ok("profile", "list")) == 2
    without = job("none")
    del without["spec"]["profile"]
    assert "spec.profile" in refused(deck, without)


@pytest.mark.row("C2")
def test_a_file_that_brings_its_profile_saves_both_or_neither(deck: Quarterdeck) -> None:
    profile = {"type": "profile", "name": "mine", "mode": "standalone", "driver": {"disk_gib": 5}}
    wrong = "\n---\n".join(
        json.dumps(one) for one in (profile, job("both", profile="mine", timeout="0s"))
    )
    assert deck.json("job", "create", "-f", "-", text=wrong).code == 2
    assert [one["name"] for one in deck.ok("profile", "list")] == ["small"]
    right = "\n---\n".join(json.dumps(one) for one in (profile, job("both", profile="mine")))
    assert deck.ok("job", "create", "-f", "-", text=right)["name"] == "both"
    assert deck.ok("job", "show", "both")["spec"]["profile"] == "mine"


@pytest.mark.row("A7", "I20")
def test_a_python_file_that_cannot_be_had(deck: Quarterdeck, tmp_path: Path) -> None:
    missing = str(tmp_path / "none.py")
    found = refused(deck, job("p", source={"kind": "py_file", "uri": missing}))
    assert missing in found["spec.source.uri"]
    large = tmp_path / "large.py"
    large.write_bytes(b"#" * (10 * 1024 * 1024 + 1))
    found = refused(deck, job("p", source={"kind": "py_file", "uri": str(large)}))
    assert "10,485,76" in found["spec.source.uri"]
    for source in (
        {"kind": "py_file"},
        {"kind": "py_file", "text": "1", "uri": "a.py"},
        {"kind": "py_file", "uri": "ftp://x/a.py"},
        {"kind": "py_file", "uri": str(tmp_path)},
        {"kind": "py_file", "uri": str(tmp_path / "a.txt")},
    ):
        assert "spec.source.uri" in refused(deck, job("p", source=source)), source


@pytest.mark.row("X2", "I56")
def test_names_are_never_options_or_paths(deck: Quarterdeck) -> None:
    for name in ("-rf", "../../etc/passwd", "$(touch owned)", "a'b\"; DROP", "job/x y", "{{ x }}"):
        deck.ok("job", "create", "-f", "-", text=json.dumps(job(name)))
        assert deck.call("--json", "job", "show", "--", name).document["name"] == name
    answer = deck.json("job", "show", "-rf")
    assert answer.code == 2
    assert "--" in answer.error["message"] + answer.error["advice"]
    assert not (deck.folder / "owned").exists()


@pytest.mark.row("X2")
def test_arguments_reach_the_payload_as_they_are(deck: Quarterdeck) -> None:
    args = ["a b", "$(touch owned)", "; rm -rf x", "'\"", "-c", "ü\t"]
    deck.create("args", source=python("import sys, json\nprint(json.dumps(sys.argv[1:]))", *args))
    run = deck.run("args")
    assert run["state"] == "succeeded"
    lines = [line["text"] for line in deck.ok("logs", run["id"])]
    assert json.dumps(args) in lines
    assert not (deck.folder / "owned").exists()


@pytest.mark.row("I4")
def test_a_name_that_looks_like_another_is_saved_with_a_warning(deck: Quarterdeck) -> None:
    deck.create("sales")
    made = deck.create("s\u0430les")  # a Cyrillic a
    assert [w["path"] for w in made["warnings"]] == ["name"]
    assert "sales" in made["warnings"][0]["message"]
    assert len(deck.ok("job", "list")) == 2
