"""The shape of every command's `--json` document, held by one table of schemas over one workspace."""

import io
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click
import pytest

from quarterdeck.cli.main import main
from quarterdeck.cli.root import root
from tests.support.quarterdeck import Quarterdeck, job, sql

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
RUN_ID = re.compile(r"[a-z][a-z0-9]{11,19}")
SHA = re.compile(r"[0-9a-f]{64}")
WORD = re.compile(r"[a-z][a-z0-9_]*")
ANY = object()  # data of the user's or the executor's: not looked into


class Maybe:
    """None or the schema; or one of several schemas."""

    def __init__(self, *schemas: Any) -> None:
        self.schemas = schemas


def wrong(schema: Any, value: Any, at: str = "$") -> Iterator[str]:
    """Yield what of the value is not as the schema says; keys of a mapping are told whole."""
    if schema is ANY:
        return
    if isinstance(schema, dict):
        yield from _wrong_mapping(schema, value, at)
    elif isinstance(schema, list) and isinstance(value, list):
        for place, one in enumerate(value):
            yield from wrong(schema[0], one, f"{at}[{place}]")
    elif not _is(schema, value):
        yield f"{at}: {value!r} is not {schema}"


def _is(schema: Any, value: Any) -> bool:
    if isinstance(schema, Maybe):
        return value is None or any(not list(wrong(one, value)) for one in schema.schemas)
    if isinstance(schema, re.Pattern):
        return isinstance(value, str) and schema.fullmatch(value) is not None
    if schema in (int, float) and isinstance(value, bool):
        return False
    return isinstance(schema, type) and isinstance(
        value, int | float if schema is float else schema
    )


def _wrong_mapping(schema: dict[str, Any], value: Any, at: str) -> Iterator[str]:
    if not isinstance(value, Mapping):
        yield f"{at}: {value!r} is no mapping"
        return
    optional = {key.removesuffix("?") for key in schema if key.endswith("?")}
    known = {key.removesuffix("?"): one for key, one in schema.items()}
    for key in known.keys() - value.keys() - optional:
        yield f"{at}.{key} is missing"
    for key in value.keys() - known.keys():
        yield f"{at}.{key} is not in the schema"
    for key in value.keys() & known.keys():
        if not WORD.fullmatch(key):
            yield f"{at}.{key} is not snake_case"
        yield from wrong(known[key], value[key], f"{at}.{key}")


# --- the shapes

FIELD = {"path": str, "message": str}
LAST_RUN = {
    "id": RUN_ID, "state": WORD, "reason": Maybe(WORD), "started_at": Maybe(TIME), "ended_at": Maybe(TIME),
}  # fmt: skip
JOB = {
    "id": RUN_ID, "name": str, "team": str, "shared_teams": [str], "description": str,
    "status": re.compile("active|paused"), "type": re.compile("sql|python"), "schedule": Maybe(dict),
    "live_version": int, "draft_version": Maybe(int), "next_fires": [TIME], "drift": Maybe(dict),
    "last_run": Maybe(LAST_RUN), "rev": int,
}  # fmt: skip
SPEC = {
    "source": {
        "kind": WORD, "text?": Maybe(str), "origin?": Maybe(dict), "query_id?": str, "uri?": Maybe(str),
        "args?": [str],
    },
    "profile": str, "cluster": str, "catalogs": [str], "parameters": dict,
    "settings": {"env": dict, "sail": dict}, "timeout": float,
    "limits": {
        "max_workers": Maybe(int), "max_driver_memory": Maybe(int), "max_concurrent_runs": Maybe(int),
    },
    "retry": {"attempts": int, "backoff": float, "on": [WORD]},
}  # fmt: skip
SHOWN = {
    **JOB, "spec": SPEC, "effective": [{"option": str, "value": ANY, "from": WORD}],
    "activations": [{"actor": str, "at": TIME, "from": Maybe(int), "to": int}], "warnings?": [FIELD],
}  # fmt: skip
VERSION = {
    "job": str, "number": int, "state": re.compile("draft|live|past"), "live": bool, "author": str,
    "at": TIME, "note": str, "based_on": Maybe(int),
}  # fmt: skip
MADE_LIVE = {"by": str, "at": TIME, "from": Maybe(int)}
PAST = {**VERSION, "changed": [str], "made_live": Maybe(MADE_LIVE)}
DRAFT = {**VERSION, "stale": bool, "live_version": int, "rev": int, "spec": SPEC}
DROPPED = {
    "job": str, "number": int, "based_on": int, "author": str, "at": TIME, "dropped_by": str, "dropped_at": TIME,
}  # fmt: skip
DIFFERENCE = {"path": str, "a": ANY, "b": ANY, "lines": [str]}
FAILURE = {
    "headline": str,
    "place": Maybe({
        "what": re.compile("statement|file"), "number": Maybe(int), "of": Maybe(int), "line": int,
        "column": Maybe(int), "file": Maybe(str),
    }),
    "lines": [{"number": int, "text": str, "caret": Maybe(int)}],
    "next": [{"key": str, "command": str, "text": str}],
}  # fmt: skip
RUN = {
    "id": RUN_ID, "job": str, "version": Maybe(int), "draft": bool, "based_on": Maybe(int), "trigger": WORD,
    "actor": str, "state": WORD, "reason": Maybe(WORD), "object": Maybe(str), "evidence": [str],
    "retry_of": Maybe(RUN_ID), "exact_of": Maybe(RUN_ID), "retried_by": [RUN_ID], "queued_at": TIME,
    "submitted_at": Maybe(TIME), "started_at": Maybe(TIME), "ended_at": Maybe(TIME), "phase": Maybe(str),
    "placement": Maybe(str), "advice": Maybe(str), "deadline": Maybe(TIME), "stale": bool,
    "failure": Maybe(FAILURE), "waiting_for": Maybe(dict), "position": Maybe(int), "attempt": Maybe(int),
}  # fmt: skip
MADE_AGAIN = {**RUN, "will_run_again": [{"number": int, "head": str}]}
STATEMENT = {
    "number": int, "columns": [{"name": str, "type": str}], "rows": [list], "row_count": int,
    "truncated": bool, "seconds": float,
}  # fmt: skip
ATTEMPT = {
    "number": int, "claimed_at": TIME, "receipt": Maybe(dict), "released_at": Maybe(TIME),
    "began_at": Maybe(TIME), "ended_at": Maybe(TIME), "state": Maybe(WORD), "reason": Maybe(WORD),
    "object": Maybe(str), "evidence": [str], "rule": str, "next_at": Maybe(TIME),
    "node": str, "cleared_by": str, "asleep_s": float, "losses": [dict], "held": Maybe(dict),
}  # fmt: skip
WHOLE = {
    **RUN, "notes": [str], "problems": [dict],
    "timeline": [{"attempt": int, "state": WORD, "at": TIME, "because": str, "seconds": float}],
    "cancel": Maybe(dict), "reap": Maybe(dict), "frozen": Maybe(dict), "receipt": Maybe(dict),
    "attempts": [ATTEMPT], "result": Maybe({"statements": [STATEMENT]}),
}  # fmt: skip
LINE = {"seq": int, "at": TIME, "origin": WORD, "stream": WORD, "text": str}
DEFINITION = {
    "id": str, "name": str, "revision": int, "rev": int, "author": str, "at": TIME, "warnings?": [FIELD],
}  # fmt: skip
SIZE = {"instance_type": Maybe(str), "disk_gib": int, "cpu": Maybe(float), "memory": Maybe(int)}
SETUP = {
    "mode": re.compile("standalone|cluster"), "driver": SIZE,
    "worker": Maybe({**SIZE, "max_nodes": int, "capacity_type": WORD}), "libraries": [str],
    "sail_config": dict, "env": dict,
}  # fmt: skip
PROFILE = {**DEFINITION, **SETUP, "team": str, "lock": Maybe(dict)}
QUERY = {**DEFINITION, "team": str, "text": str}
CHECK = {
    "name": str, "level": WORD, "message": str, "advice": str, "evidence": str, "code": str,
    "what": str, "doubt": str,
}  # fmt: skip
CLUSTER = {
    **DEFINITION, "kind": WORD, "status": WORD, "checked_at": Maybe(TIME), "checks": [CHECK],
}  # fmt: skip
CATALOG = {**DEFINITION, "kind": WORD, "initial_database": [str]}
TEAM = {**DEFINITION, "members": [str], "clusters": dict}
REVISION = {"id": str, "revision": int, "name": str, "author": str, "at": TIME}
DELETED = {"deleted": str, "kind": WORD}
EFFECT = {"path": str, "a": ANY, "b": ANY, "set_by": re.compile("profile|query|job")}
IMPACT = {
    "name": str, "revision": int, "hidden": int,
    "changed": [{"path": str, "a": ANY, "b": ANY, "lines": [str]}],
    "jobs": [{
        "job": str, "team": str, "by": [re.compile("live|draft")], "next_fire": Maybe(TIME),
        "queued": int, "running": int, "changes": [EFFECT],
    }],
}  # fmt: skip
WORKSPACE = {
    "name": str, "org_admins": [str], "created_at": TIME, "queue_deadline": float, "start_deadline": float,
    "ceilings": {
        "timeout": float, "max_workers": int, "max_driver_memory": int, "max_concurrent_runs": int,
    },
    "evidence_kept": float, "kept": float, "file_roots": [str], "rev": int,
}  # fmt: skip
CASCADE = {
    "job": str, "team": str, "shared_teams": [str], "schedule": Maybe(dict), "versions": int, "draft": bool,
    "dropped_drafts": int, "runs": int, "active": [RUN_ID],
}  # fmt: skip
_TABLES = "audit clocks definitions drafts frozen jobs leases revisions runs standings versions workspace"
COUNTS: dict[str, Any] = dict.fromkeys(_TABLES.split(), int)
RECORD = {
    "id": str, "seq": int, "actor": str, "action": str, "subject": str, "subject_name": str, "at": TIME,
    "team": Maybe(str), "before": Maybe(SHA), "after": Maybe(SHA), "previous": Maybe(SHA, re.compile("")),
    "hash": SHA, "outcome": re.compile("done|refused"), "times": int,
    "lost": [str],
}  # fmt: skip

FINDING = {"where": str, "what": str}
PUBLISHED = {**SHOWN, "previous": int, "runs_on_previous": [RUN_ID], "dropped": Maybe(DROPPED)}
ACTIVATED = {**SHOWN, "from": int, "to": int, "changed": bool, "stale_draft": bool}
EDITED = {**SHOWN, "draft_changed": [str], "changed_now": [str], "back_to_default": [str]}
SMALL = {"name": "p", "mode": "standalone", "driver": {"disk_gib": 5}}
TWO = {"spec": job("j", source=sql("SELECT 2 AS v"))["spec"]}

PLAN = {
    "job": str, "version": Maybe(int), "draft": bool, "cluster": str, "kind": Maybe(WORD),
    "frozen_sha256": Maybe(SHA), "frozen": ANY, "documents": [ANY], "would": WORD,
    "problems": [{"path": str, "message": str}], "checks": [CHECK],
}  # fmt: skip

# command, its further words (RUN: the last run, OTHER: the one before), standard input, schema
STEPS: tuple[tuple[str, str, Any, Any], ...] = (
    ("whoami", "", None, {
        "actor": str, "teams": [str], "org_admin": bool, "acting_as": Maybe(str), "workspace": str,
        "store": str, "read_only": bool, "version": str,
    }),
    ("doctor", "", None, {
        "ok": bool,
        "checks": [{"name": str, "ok": bool, "level": WORD, "message": str, "fix": str, "code": str}],
        "clock": {
            "step_s": float, "noticed_at": Maybe(TIME), "since": TIME, "up_s": float, "asleep_s": float,
            "clusters": [{"cluster": str, "ahead_s": Maybe(float)}],
        },
    }),
    ("workspace show", "", None, WORKSPACE),
    ("workspace edit", "-f -", {"name": "acme"}, WORKSPACE),
    ("team create", "-f -", {"name": "t", "members": ["ben"]}, TEAM),
    ("team list", "", None, [TEAM]),
    ("team show", "t", None, TEAM),
    ("team edit", "t -f -", {"members": ["ben", "cy"]}, TEAM),
    ("team delete", "t --yes", None, DELETED),
    ("cluster create", "-f -", {"name": "c", "kind": "local"}, CLUSTER),
    ("cluster list", "", None, [CLUSTER]),
    ("cluster show", "c", None, CLUSTER),
    ("cluster check", "c", None, CLUSTER),
    ("cluster edit", "c -f -", {"name": "c2"}, CLUSTER),
    ("cluster delete", "c2 --yes", None, DELETED),
    ("catalog create", "-f -", {"name": "k", "kind": "memory"}, CATALOG),
    ("catalog list", "", None, [CATALOG]),
    ("catalog show", "k", None, CATALOG),
    ("catalog edit", "k -f -", {"name": "k2"}, CATALOG),
    ("catalog delete", "k2 --yes", None, DELETED),
    ("profile create", "-f -", SMALL, PROFILE),
    ("profile list", "", None, [PROFILE]),
    ("profile show", "p", None, PROFILE),
    ("profile edit", "p -f -", {"env": {"TZ": "UTC"}}, PROFILE),
    ("profile history", "p", None, [{**REVISION, **SETUP, "worker?": ANY}]),
    ("profile impact", "small", None, IMPACT),
    ("profile impact", "small -f -", {"env": {"TZ": "UTC"}}, IMPACT),
    ("profile delete", "p --yes", None, DELETED),
    ("query create", "-f -", {"name": "q", "text": "SELECT 1"}, QUERY),
    ("query list", "", None, [QUERY]),
    ("query show", "q", None, QUERY),
    ("query edit", "q -f -", {"text": "SELECT 2"}, QUERY),
    ("query history", "q", None, [{**REVISION, "text": str}]),
    ("query impact", "q", None, IMPACT),
    ("query delete", "q --yes", None, DELETED),
    ("job validate", "-", job("j"), {"ok": bool, "fields": [FIELD], "warnings": [FIELD]}),
    ("job create", "-f -", job("j", description="d" * 1001), SHOWN),
    ("job list", "", None, [JOB]),
    ("job edit", "j -f -", TWO, EDITED),
    ("job draft", "j", None, DRAFT),
    ("job reset", "j", None, {**DRAFT, "dropped": DROPPED}),
    ("job discard", "j", None, {**SHOWN, "dropped": DROPPED}),
    ("job bring-back", "j", None, [DROPPED]),
    ("job bring-back", "j 1", None, {**DRAFT, "dropped": Maybe(DROPPED)}),
    ("job discard", "j", None, {**SHOWN, "dropped": DROPPED}),
    ("job edit", "j -f -", TWO, EDITED),
    ("job diff", "j 1 draft", None, {"job": str, "a": str, "b": str, "differences": [DIFFERENCE]}),
    ("job publish", "j --note two", None, PUBLISHED),
    ("job versions", "j", None, [PAST]),
    ("job versions", "j --search two", None, [{**PAST, "match": {"in": WORD, "text": str}}]),
    ("job activate", "j 1 --dry-run", None, {
        "job": str, "from": int, "to": int, "goes_back": [DIFFERENCE], "stays": [str],
    }),
    ("job activate", "j 1 --yes", None, ACTIVATED),
    ("job show", "j --version 2", None, {**PAST, "spec": SPEC}),
    ("job plan", "j", None, PLAN),
    ("run", "j --wait", None, WHOLE),
    ("job show", "j", None, SHOWN),
    ("runs", "", None, [RUN]),
    ("run-show", "RUN", None, WHOLE),
    ("logs", "RUN --events", None, [LINE]),
    ("retry", "RUN", None, MADE_AGAIN),
    ("cancel", "RUN --wait", None, WHOLE),
    ("rerun", "OTHER --exact", None, MADE_AGAIN),
    ("cancel", "RUN --wait", None, WHOLE),
    ("compare", "RUN OTHER", None, {
        "a": RUN_ID, "b": RUN_ID, "seconds": [Maybe(float)], "equal_count": int,
        "differences": [{"path": str, "a": ANY, "b": ANY, "lines?": [str]}],
    }),
    ("scheduler", "--once", None, {
        "fired": list, "skipped": list,
        "reconciled": [{"run": RUN_ID, "job": str, "before": WORD, "state": WORD}],
    }),
    ("job delete", "j --dry-run", None, CASCADE),
    ("job delete", "j --yes", None, {"deleted": str, **CASCADE}),
    ("doctor", "--leftovers", None, [{"cluster": str, "name": str, "alive": bool}]),
    ("audit", "", None, [RECORD]),
    ("store stats", "", None, {
        "documents": COUNTS, "written": {"day": COUNTS, "week": COUNTS}, "changes": int, "format": int,
        "bytes": {"database": int, "write_ahead_log": int, "artifacts": int, "logs": int},
    }),
    ("store verify", "", None, {"ok": bool, "findings": [FINDING]}),
    ("store repair", "", None, {"path": str, "needed": bool, "findings": [FINDING]}),
    ("store backup", "FILE", None, {
        "path": str, "bytes": int, "sha256": SHA, "created_at": TIME, "documents": COUNTS,
        "findings": [FINDING],
    }),
    ("store restore", "FILE --yes", None, {
        "path": str, "kept": Maybe(str), "created_at": TIME, "documents": COUNTS,
        "head": {"store": str, "change": int}, "findings": [FINDING], "runs_ended": [RUN_ID],
    }),
)  # fmt: skip


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path_factory.mktemp("schemas"))
    yield made
    made.end()


Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(
    deck: Quarterdeck, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Call:
    """Call the program in this process, as `entry` does, with `--json`: seventy starts would take long."""
    for name, value in deck.environ().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(deck.folder)

    def called(*argv: str, text: str = "") -> tuple[int, str, str]:
        stdin = io.TextIOWrapper(io.BytesIO(text.encode()), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stdin)
        code = main([*argv, "--json"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return called


@pytest.mark.row("Q2")
def test_every_document_has_its_shape(call: Call, deck: Quarterdeck) -> None:
    runs: list[str] = []
    found: list[str] = []
    for command, words, given, schema in STEPS:
        places = {"RUN": runs[-1] if runs else "", "OTHER": runs[0] if runs else ""}
        places["FILE"] = str(deck.folder / "backup.qdb")
        argv = [*command.split(), *(places.get(one, one) for one in words.split())]
        code, out, err = call(*argv, text="" if given is None else json.dumps(given))
        assert code == 0 or (command == "cancel" and code in (1, 5)), (argv, code, err)
        if code == 5:  # it was faster than we
            continue
        assert out.endswith("\n")
        document = json.loads(out)
        found += [f"{command} {words}: {one}" for one in wrong(schema, document)]
        if schema in (RUN, WHOLE, MADE_AGAIN):
            runs += [] if document["id"] in runs else [document["id"]]
    assert found == []


def test_every_command_has_a_schema() -> None:
    held = {command for command, _, _, _ in STEPS}
    known = set()
    context = click.Context(root)
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        if isinstance(command, click.Group):
            known |= {f"{name} {verb}" for verb in command.list_commands(context)}
        else:
            known.add(name)
    elsewhere = {"demo", "init", "open", "keys"}  # test_demo, test_exits, the application's
    elsewhere.add("cluster rbac")  # a cluster of kind local refuses it; tests/cluster
    assert known - elsewhere == held


@pytest.mark.row("Q2", "Q3")
def test_lists_come_in_one_order(call: Call) -> None:
    for name in ("b", "a", "C", "é"):
        code, _, err = call("job", "create", "-f", "-", text=json.dumps(job(name)))
        assert code == 0, err
    for argv in (("job", "list"), ("profile", "list"), ("audit",), ("runs",)):
        assert call(*argv)[1] == call(*argv)[1]
    names = [one["name"] for one in json.loads(call("job", "list")[1])]
    assert names == ["a", "b", "C", "é"]
    records = [one["id"] for one in json.loads(call("audit")[1])]
    assert records == sorted(records, reverse=True)


@pytest.mark.row("Q2")
@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("job", "show", "nobody"), "not_found"),
        (("job", "show"), "invalid"),
        (("runs", "--limit", "0"), "invalid"),
        (("--read-only", "job", "create", "-f", "-"), "denied"),
    ],
)
def test_a_refusal_is_one_document_on_standard_error(
    call: Call, argv: tuple[str, ...], name: str
) -> None:
    code, out, err = call(*argv, text=json.dumps(job("x")))
    assert (code != 0, out) == (True, "")
    error = json.loads(err)["error"]
    schema = {
        "code": WORD, "message": str, "advice": str, "fields": [FIELD], "allowed?": [str], "rule?": str,
    }  # fmt: skip
    assert list(wrong(schema, error)) == []
    assert error["code"] == name


def test_the_checker_finds_what_is_wrong() -> None:
    schema = {"a": int, "b?": [TIME], "c": Maybe(str)}
    assert list(wrong(schema, {"a": 1, "c": None})) == []
    found = "\n".join(wrong(schema, {"a": True, "b": ["now"], "d": 1}))
    for text in ("$.a: True", "$.b[0]: 'now'", "$.c is missing", "$.d is not in the schema"):
        assert text in found
