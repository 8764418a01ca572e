"""What is refused of each kind of file, at which path and in which words; one table row per bad input."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.lifecycle import retry
from quarterdeck.model import checks, limits
from quarterdeck.model.form import FORM, SOURCE_GUIDE
from quarterdeck.model.problems import FILES, VARIANTS, Parsed, dump, parse
from quarterdeck.model.source import SOURCES
from quarterdeck.model.spec import NEVER_RETRIED

SNAPSHOT: dict[str, Any] = {"kind": "snapshot", "text": "SELECT 1 AS v"}
ORIGIN: dict[str, Any] = {"path": "q/daily.sql", "sha256": "a" * 64}
WHEEL: dict[str, Any] = {"kind": "wheel", "package": "sales", "entry_point": "sales.main:run"}
SCRIPT: dict[str, Any] = {"kind": "py_file", "uri": "jobs/load.py"}
JOB: dict[str, Any] = {
    "name": "daily-sales",
    "team": "data-eng",
    "spec": {"source": SNAPSHOT, "profile": "small", "cluster": "local", "catalogs": ["main"]},
}
DRIVER: dict[str, Any] = {"disk_gib": 20}
WORKER: dict[str, Any] = {
    "instance_type": "m7i.xlarge",
    "disk_gib": 50,
    "max_nodes": 2,
    "capacity_type": "spot",
}
PROFILE: dict[str, Any] = {
    "name": "two",
    "team": "data-eng",
    "mode": "cluster",
    "driver": DRIVER,
    "worker": WORKER,
}
QUERY: dict[str, Any] = {"name": "Daily sales", "team": "data-eng", "text": "SELECT 1 AS v"}
GOOD: dict[str, dict[str, Any]] = {
    "job": JOB,
    "profile": PROFILE,
    "query": QUERY,
    "cluster": {"name": "staging", "kind": "kubernetes", "context": "s", "image": "r.example/q:1"},
    "catalog": {"name": "lake", "kind": "iceberg-rest", "uri": "https://catalog.example/"},
    "team": {"name": "data-eng", "members": ["ana"]},
    "workspace": {"name": "acme", "org_admins": ["ana"]},
}


def changed(document: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """Return a copy with `value` at a dotted path."""
    made = copy.deepcopy(document)
    *outer, last = path.split(".")
    block = made
    for key in outer:
        block = block.setdefault(key, {})
    block[last] = value
    return made


def without(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a copy without the key at a dotted path."""
    made = copy.deepcopy(document)
    *outer, last = path.split(".")
    block = made
    for key in outer:
        block = block[key]
    del block[last]
    return made


def told(parsed: Parsed) -> list[tuple[str, str]]:
    return [(problem.path, problem.message) for problem in parsed.problems]


def only(parsed: Parsed, path: str, fragment: str) -> None:
    assert parsed.value is None
    assert [problem.path for problem in parsed.problems] == [path], told(parsed)
    assert fragment in parsed.problems[0].message


@pytest.mark.parametrize("kind", GOOD)
def test_a_good_file_has_no_problems(kind: str) -> None:
    parsed = parse(kind, GOOD[kind])
    assert parsed.problems == []
    assert parsed.value is not None


@pytest.mark.parametrize("source", [SNAPSHOT | {"origin": ORIGIN}, WHEEL, SCRIPT])
def test_each_source_is_taken_and_no_field_of_another_is_stored(source: dict[str, Any]) -> None:
    parsed = parse("job", changed(JOB, "spec.source", source))
    assert parsed.value is not None, told(parsed)
    stored = parsed.value["spec"]["source"]
    assert set(stored) == set(SOURCES[source["kind"]].model_fields)


def test_the_stored_form_has_every_key() -> None:
    parsed = parse("job", JOB)
    assert parsed.value == {
        "name": "daily-sales",
        "team": "data-eng",
        "shared_teams": [],
        "description": "",
        "type": "sql",
        "schedule": None,
        "spec": {
            "source": SNAPSHOT | {"origin": None},
            "profile": "small",
            "cluster": "local",
            "catalogs": ["main"],
            "parameters": {},
            "settings": {"env": {}, "sail": {}},
            "timeout": 3600.0,
            "limits": {
                "max_workers": None,
                "max_driver_memory": None,
                "max_concurrent_runs": None,
            },
            "retry": {"attempts": 1, "backoff": 30.0, "on": []},
        },
    }


LONG_SQL = "SELECT 1 -- " + "x" * limits.SNAPSHOT_BYTES
BAD_JOB: list[tuple[str, str, object, str, str]] = [
    # I1 to I3
    ("I1", "name", "", "name", "1\u2013255 characters"),
    ("I1", "name", " \t ", "name", "1\u2013255 characters"),
    ("I2", "name", "x" * 256, "name", "256 characters; a name has 1\u2013255"),
    ("I2", "name", "界" * 256, "name", "256 characters; a name has 1\u2013255"),
    ("I2", "name", "e\u0301" * 128, "name", "256 characters; a name has 1\u2013255"),
    ("I3", "name", "ab\x1bc", "name", "U+001B at position 3"),
    ("I3", "name", "a\nb", "name", "U+000A at position 2"),
    ("I3", "name", "a\u202eb", "name", "U+202E at position 2"),
    ("I3", "name", "a\ud800b", "name", "U+D800 at position 2"),
    ("I1", "name", None, "name", "is empty"),
    ("I1", "name", 7, "name", "must be text, not a number; write it in quotes"),
    # I5 to I7
    ("I5", "description", "x" * 1024, "description", "has 1,024 characters; at most 1,023"),
    ("I6", "team", "", "team", "is empty; the team that owns it"),
    ("I6", "team", None, "team", "is empty"),
    ("I7", "shared_teams", ["a", 1], "shared_teams[1]", "must be text, not a number"),
    ("I7", "shared_teams", ["a", " "], "shared_teams[1]", "is empty"),
    ("I7", "shared_teams", "a", "shared_teams", "must be a list, not text"),
    # I8, I9
    ("I8", "spec.source", {}, "spec.source.kind", "saved_query, snapshot, wheel, py_file"),
    ("I8", "spec.source", None, "spec.source.kind", "saved_query, snapshot, wheel, py_file"),
    ("I8", "spec.source", {"kind": ["snapshot", "wheel"]}, "spec.source.kind", "use one of saved_query"),
    ("I8", "spec.source", {"snapshot": {}, "wheel": {}}, "spec.source.kind", "is missing"),
    ("I8", "spec.source", {"kind": "snapshto"}, "spec.source.kind", "did you mean snapshot?"),
    ("I8", "spec.source", "SELECT 1", "spec.source", "must be a mapping, not text"),
    ("I9", "spec.source", {"kind": "file", "path": "a.sql"}, "spec.source.kind", "reserved, not supported yet"),
    # I11, I12, I14, I15
    ("I11", "spec.source.text", "", "spec.source.text", "no statement"),
    ("I11", "spec.source.text", " \n-- none\n/* here */", "spec.source.text", "no statement"),
    ("I12", "spec.source.text", "select 1;\n select 'a", "spec.source.text", "line 2, column 9: A string"),
    ("I12", "spec.source.text", "select 1 /* a", "spec.source.text", "line 1, column 10: A comment"),
    ("I12", "spec.source.text", "select $t$ a", "spec.source.text", "line 1, column 8: A dollar-quoted"),
    ("I14", "spec.source.text", LONG_SQL, "spec.source.text", "has 524,300 bytes; at most 524,288"),
    ("I14", "spec.source.text", LONG_SQL, "spec.source.text", "split it or use a wheel"),
    ("I15", "spec.source.text", "select 'é\0'", "spec.source.text", "NUL (U+0000) at byte 10"),
    ("I15", "spec.source.text", "select 'é\ud83d'", "spec.source.text", "not valid UTF-8: U+D83D at byte 10"),
    ("I15", "spec.source.text", 5, "spec.source.text", "must be text, not a number"),
    # origins
    ("I16", "spec.source.origin", ORIGIN | {"path": "/etc/a"}, "spec.source.origin.path", "is absolute"),
    ("I16", "spec.source.origin", ORIGIN | {"path": "a/../../b"}, "spec.source.origin.path", "`..`"),
    ("I16", "spec.source.origin", ORIGIN | {"path": ""}, "spec.source.origin.path", "is empty"),
    ("I17", "spec.source.origin", ORIGIN | {"sha256": "a" * 63}, "spec.source.origin.sha256", "64 characters"),
    ("I17", "spec.source.origin", ORIGIN | {"sha256": "g" * 64}, "spec.source.origin.sha256", "a-f"),
    # Python: I18 to I21
    ("I18", "spec.source", without(WHEEL, "package"), "spec.source.package", "is missing; the name of"),
    ("I18", "spec.source", without(WHEEL, "entry_point"), "spec.source.entry_point", "is missing; module"),
    ("I18", "spec.source", WHEEL | {"entry_point": "main"}, "spec.source.entry_point", "write module:function"),
    ("I18", "spec.source", WHEEL | {"entry_point": "a.1b:run"}, "spec.source.entry_point", "no entry point"),
    ("I18", "spec.source", WHEEL | {"entry_point": "a:b:c"}, "spec.source.entry_point", "no entry point"),
    ("I18", "spec.source", WHEEL | {"entry_point": "a:run()"}, "spec.source.entry_point", "no entry point"),
    ("I18", "spec.source", WHEEL | {"package": "-r x"}, "spec.source.package", "the name of a package"),
    ("I18", "spec.source", WHEEL | {"version": "one"}, "spec.source.version", "is no version"),
    ("I19", "spec.source", WHEEL | {"wheel_uri": "a.zip"}, "spec.source.wheel_uri", "must end in .whl"),
    ("I20", "spec.source", {"kind": "py_file"}, "spec.source.uri", "is missing; give the script"),
    ("I20", "spec.source", SCRIPT | {"text": "print(1)"}, "spec.source.uri", "text is given as well"),
    ("I20", "spec.source", SCRIPT | {"uri": "http://h/a.py"}, "spec.source.uri", "'http' is no scheme"),
    ("I20", "spec.source", SCRIPT | {"uri": "file:///a.py"}, "spec.source.uri", "'file' is no scheme"),
    ("I20", "spec.source", SCRIPT | {"uri": "jobs/"}, "spec.source.uri", "is a folder"),
    ("I20", "spec.source", SCRIPT | {"uri": ".."}, "spec.source.uri", "is a folder"),
    ("I20", "spec.source", SCRIPT | {"uri": "a.sh"}, "spec.source.uri", "must end in .py"),
    ("I20", "spec.source", SCRIPT | {"uri": "s3://a.py"}, "spec.source.uri", "bucket and object"),
    ("I20", "spec.source", {"kind": "py_file", "text": " "}, "spec.source.text", "is empty"),
    ("I21", "spec.source", WHEEL | {"args": ["a", 1]}, "spec.source.args[1]", "is a number; write it"),
    ("I21", "spec.source", WHEEL | {"args": "a"}, "spec.source.args", "must be a list"),
    ("I21", "spec.source", WHEEL | {"args": ["\0"]}, "spec.source.args[0]", "NUL"),
    # I22, I23
    ("I22", "spec.source.entry_point", "a:b", "spec.source.entry_point", "snapshot; it belongs to wheel"),
    ("I22", "spec.source", SCRIPT | {"query_id": "a"}, "spec.source.query_id", "not a field of py_file"),
    ("I23", "descripton", "x", "descripton", "not a field of job; did you mean description?"),
    ("I23", "spec.tiemout", "1h", "spec.tiemout", "not a field of spec; did you mean timeout?"),
    ("I23", "spec.retry.attemps", 1, "spec.retry.attemps", "did you mean attempts?"),
    ("I23", "spec.source.origin", ORIGIN | {"sha": 1}, "spec.source.origin.sha", "not a field of origin"),
    ("I23", "source", SNAPSHOT, "source", "it belongs under spec"),
    # references
    ("C2", "spec.profile", None, "spec.profile", "is empty; the compute profile"),
    ("C2", "spec.profile", "", "spec.profile", "is empty; the compute profile"),
    ("A16", "spec.catalogs", ["main", "main"], "spec.catalogs[1]", "'main' stands here twice"),
    ("A17", "type", "python", "type", "python needs a source of kind wheel or py_file, not snapshot"),
    ("A17", "type", "scala", "type", "'scala' is not allowed; use sql, python or job"),
    # I33, I34
    ("I33", "spec.settings.env", {"1A": "x"}, "spec.settings.env.1A", "no name of a variable"),
    ("I33", "spec.settings.env", {"A-B": "x"}, "spec.settings.env.A-B", "no name of a variable"),
    ("I33", "spec.settings.env", {"SAIL_MODE": "x"}, "spec.settings.env.SAIL_MODE", "reserved"),
    ("I33", "spec.settings.env", {"sail_mode": "x"}, "spec.settings.env.sail_mode", "reserved"),
    ("I33", "spec.settings.env", {"QUARTERDECK_X": "x"}, "spec.settings.env.QUARTERDECK_X", "reserved"),
    ("I33", "spec.settings.env", {"LD_PRELOAD": "x"}, "spec.settings.env.LD_PRELOAD", "reserved"),
    ("I33", "spec.settings.env", {"no_proxy": "x"}, "spec.settings.env.no_proxy", "reserved"),
    ("I33", "spec.settings.env", {"A": "x\0"}, "spec.settings.env.A", "NUL (U+0000) at byte 1"),
    ("I33", "spec.settings.env", {"A": 1}, "spec.settings.env.A", "is a number; write it in quotes"),
    ("I33", "spec.settings.env", {"A": True}, "spec.settings.env.A", "is true or false; write it in quotes"),
    ("I34", "spec.settings.env", {"A": "secret://x"}, "spec.settings.env.A", "secret://name/key"),
    ("I34", "spec.settings.env", {"A": "Secret://x/y"}, "spec.settings.env.A", "secret://name/key"),
    ("A11", "spec.settings.sail", {"a b": 1}, "spec.settings.sail.a b", "the name of an option"),
    ("A11", "spec.settings.sail", {"a": None}, "spec.settings.sail.a", "leave it out"),
    ("A11", "spec.settings.sail", {"a": [float("inf")]}, "spec.settings.sail.a", "must be finite"),
    ("A10", "spec.parameters", {"a-b": 1}, "spec.parameters.a-b", "no name of a parameter"),
    ("A10", "spec.parameters", {"a": [1]}, "spec.parameters.a", "is a list"),
    ("A10", "spec.parameters", {"a": 2**63}, "spec.parameters.a", "64 bits"),
    ("A10", "spec.parameters", {"a": float("nan")}, "spec.parameters.a", "must be finite"),
    # I37, I39, I40: presence and length
    ("I37", "schedule", {}, "schedule.cron", "is missing; five fields"),
    ("I37", "schedule", {"cron": "x" * 101}, "schedule.cron", "has 101 characters; at most 100"),
    ("I39", "schedule", {"cron": "* * * * *", "timezone": "Europe/Berln"}, "schedule.timezone", "Europe/Berlin"),
    ("I39", "schedule", {"cron": "* * * * *", "timezone": "+02:00"}, "schedule.timezone", "is an offset"),
    ("I39", "schedule", {"cron": "* * * * *", "timezone": "EST"}, "schedule.timezone", "abbreviation"),
    ("I39", "schedule", {"cron": "* * * * *", "timezone": "../etc"}, "schedule.timezone", "no time zone"),
    ("I39", "schedule", {"cron": "* * * * *", "timezone": "x" * 65}, "schedule.timezone", "at most 64"),
    ("I40", "schedule", {"cron": "* * * * *", "concurrency": "allow"}, "schedule.concurrency", "allow=3"),
    ("I40", "schedule", {"cron": "* * * * *", "missed": "all(0)"}, "schedule.missed", "all=3"),
    # I41, I42
    ("I41", "spec.timeout", "0s", "spec.timeout", "must be more than 0"),
    ("I41", "spec.timeout", "-5m", "spec.timeout", "is no duration"),
    ("I41", "spec.timeout", 1800, "spec.timeout", "needs a unit"),
    ("I41", "spec.timeout", "1800", "spec.timeout", "a whole number with a unit"),
    ("I41", "spec.timeout", "5 parsecs", "spec.timeout", "a whole number with a unit"),
    ("I41", "spec.timeout", "9" * 5000 + "d", "spec.timeout", "is no duration"),
    ("I41", "spec.timeout", "999999d", "spec.timeout", "too long; at most 3650d"),
    ("I41", "spec.limits.max_workers", 0, "spec.limits.max_workers", "from 1 to 1,000"),
    ("I41", "spec.limits.max_driver_memory", "-4Gi", "spec.limits.max_driver_memory", "from 1Mi to 64Ti"),
    ("I41", "spec.limits.max_concurrent_runs", "2", "spec.limits.max_concurrent_runs", "a whole number"),
    ("I42", "spec.retry.attempts", -1, "spec.retry.attempts", "from 1 to 20"),
    ("I42", "spec.retry.attempts", 21, "spec.retry.attempts", "from 1 to 20"),
    ("I42", "spec.retry.backoff", "25h", "spec.retry.backoff", "at most 24h"),
    ("I42", "spec.retry.on", ["node_lost", "node_lots"], "spec.retry.on[1]", "did you mean node_lost?"),
    ("I42", "spec.retry.on", ["user_error"], "spec.retry.on[0]", "user_error is never retried"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "where", "fragment"),
    [row[1:] for row in BAD_JOB],
    ids=[f"{n}-{row[0]}-{row[3]}" for n, row in enumerate(BAD_JOB)],
)
def test_a_bad_job_is_refused_by_path(path: str, value: object, where: str, fragment: str) -> None:
    only(parse("job", changed(JOB, path, value)), where, fragment)


BAD_OTHER: list[tuple[str, str, str, object, str, str]] = [
    # I14 of a saved query, ids
    ("I14", "query", "text", "SELECT 1 -- " + "x" * 8191, "text", "has 8,203 characters; at most 8,191"),
    ("I14", "query", "text", "SELECT 1 -- " + "x" * 8191, "text", "split it or use a wheel"),
    ("I11", "query", "text", "-- nothing", "text", "no statement"),
    ("I12", "query", "text", "select `a", "text", "line 1, column 8: A quoted name"),
    ("I15", "query", "text", "select 1 \0", "text", "NUL (U+0000) at byte 9"),
    ("A18", "query", "id", "Daily Sales", "id", "a-z, 0-9 and -"),
    ("A18", "query", "id", "x" * 64, "id", "at most 63"),
    # I26 to I29
    ("I26", "profile", "mode", "cloud", "mode", "'cloud' is not allowed; use standalone or cluster"),
    ("I26", "profile", "mode", "standalone", "worker", "not a field of mode standalone"),
    ("I27", "profile", "worker", None, "worker", "is missing; mode cluster needs instance_type"),
    ("I27", "profile", "worker.max_nodes", 0, "worker.max_nodes", "from 1 to 1,000"),
    ("I27", "profile", "worker.max_nodes", -1, "worker.max_nodes", "from 1 to 1,000"),
    ("I27", "profile", "worker.max_nodes", 1.5, "worker.max_nodes", "a whole number"),
    ("I28", "profile", "driver.disk_gib", 0, "driver.disk_gib", "from 1 to 65,536, such as 20"),
    ("I28", "profile", "driver.disk_gib", 65_537, "driver.disk_gib", "from 1 to 65,536"),
    ("I28", "profile", "driver.disk_gib", "20", "driver.disk_gib", "a whole number"),
    ("I28", "profile", "driver.cpu", 0, "driver.cpu", "from 0.001 to 1,024 CPUs; write 2"),
    ("I28", "profile", "driver.cpu", -1, "driver.cpu", "from 0.001 to 1,024"),
    ("I28", "profile", "driver.cpu", float("nan"), "driver.cpu", "from 0.001 to 1,024"),
    ("I28", "profile", "driver.cpu", float("inf"), "driver.cpu", "from 0.001 to 1,024"),
    ("I28", "profile", "driver.cpu", True, "driver.cpu", "must be a number"),
    ("I28", "profile", "driver.cpu", "2 cores", "driver.cpu", "write 2, 0.5 or 500m"),
    ("I28", "profile", "driver.memory", 4, "driver.memory", "from 1Mi to 64Ti; write"),
    ("I28", "profile", "driver.memory", "0", "driver.memory", "from 1Mi to 64Ti"),
    ("I28", "profile", "driver.memory", "4GB", "driver.memory", "512Mi, 4Gi"),
    ("I28", "profile", "driver.memory", "65Ti", "driver.memory", "from 1Mi to 64Ti"),
    ("I28", "profile", "driver.memory", "nan", "driver.memory", "is no size"),
    ("I29", "profile", "worker.capacity_type", "cheap", "worker.capacity_type", "on_demand or spot"),
    ("I29", "profile", "driver.instance_type", "m7i large", "driver.instance_type", "instance type"),
    ("I29", "profile", "driver.instance_type", "x" * 64, "driver.instance_type", "instance type"),
    # I30, I33 of a profile
    ("I30", "profile", "libraries", ["a==1", "a=1"], "libraries[1]", "is no requirement"),
    ("I30", "profile", "libraries", ["-r x.txt"], "libraries[0]", "options are not taken"),
    ("I30", "profile", "libraries", ["./a.whl"], "libraries[0]", "path on this machine"),
    ("I30", "profile", "libraries", ["a @ file:///a.whl"], "libraries[0]", "no address that is read"),
    ("I30", "profile", "libraries", [3], "libraries[0]", "is a number"),
    ("I33", "profile", "env", {"PATH": "x"}, "env.PATH", "reserved"),
    ("I23", "profile", "drivers", {}, "drivers", "not a field of profile; did you mean driver?"),
    ("I23", "profile", "driver.disk", 1, "driver.disk", "not a field of driver; did you mean disk_gib?"),
    # I43, I44
    ("I43", "cluster", "namespace", "Data_Eng", "namespace", "a DNS label"),
    ("I43", "cluster", "kind", "mesos", "kind", "use one of local, kubernetes"),
    ("I43", "cluster", "kind", None, "kind", "is missing; use one of local, kubernetes"),
    ("I44", "catalog", "kind", "icebreg-rest", "kind", "did you mean iceberg-rest?"),
    ("I44", "catalog", "uri", "catalog.example", "uri", "is no address"),
    ("I44", "catalog", "token", "dapi123", "token", "secret://name/key"),
    ("I23", "catalog", "region", "eu", "region", "not a field of catalog iceberg-rest"),
    # teams and the workspace
    ("I23", "team", "membres", [], "membres", "did you mean members?"),
    ("I3", "team", "members", ["a", "b\t"], "members[1]", "U+0009 at position 2"),
    ("I43", "team", "clusters", {"s": {"namespace": "A"}}, "clusters.s.namespace", "a DNS label"),
    ("I23", "team", "clusters", {"s": {"namespce": "a"}}, "clusters.s.namespce", "did you mean namespace?"),
    ("I41", "workspace", "ceilings", {"timeout": "0s"}, "ceilings.timeout", "more than 0"),
    ("I41", "workspace", "kept", "30", "kept", "is no duration"),
    ("I20", "workspace", "file_roots", ["srv"], "file_roots[0]", "absolute folder"),
    ("I23", "workspace", "type", "team", "type", "not a field of workspace"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "path", "value", "where", "fragment"),
    [row[1:] for row in BAD_OTHER],
    ids=[f"{n}-{row[0]}-{row[1]}-{row[4]}" for n, row in enumerate(BAD_OTHER)],
)
def test_other_bad_files_are_refused_by_path(
    kind: str, path: str, value: object, where: str, fragment: str
) -> None:
    only(parse(kind, changed(GOOD[kind], path, value)), where, fragment)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("job", "name", "x" * 255),
        ("job", "name", "界" * 255),
        ("job", "name", "e\u0301" * 127 + "e"),
        ("job", "name", "--draft"),
        ("job", "description", "ü" * 1023),
        ("job", "type", "sql"),
        ("job", "type", "job"),
        ("job", "spec.source.text", "select '\\'' ; -- it's"),
        ("job", "spec.source.origin", ORIGIN | {"repo": "git@example.org:a/b.git", "ref": "main"}),
        ("job", "spec.source", WHEEL | {"wheel_uri": "s3://b/a.whl", "version": "1.0"}),
        ("job", "spec.source", {"kind": "py_file", "text": "print(1)\n", "args": [""]}),
        ("job", "spec.parameters", {"tag": None, "n": 1, "x": 1.5, "b": True, "d": "2026-11-22"}),
        ("job", "spec.settings.env", {"A": "", "a": "x", "T": "secret://lake/token"}),
        ("job", "spec.settings.sail", {"execution.batch_size": 4096, "catalog.list": [{"a": 1}]}),
        ("job", "schedule", {"cron": "@hourly", "timezone": "America/Argentina/Ushuaia"}),
        ("job", "spec.retry", {"attempts": 20, "backoff": "24h", "on": ["preempted"]}),
        ("profile", "libraries", ["requests==2.32.5", "a[b]>=1; python_version>'3'"]),
        ("profile", "libraries", ["https://h/x-1-py3-none-any.whl", "a @ https://h/a.whl", "s3://b/a.whl"]),
        ("profile", "driver", {"disk_gib": 65_536, "cpu": "500m", "memory": "64Ti"}),
        ("profile", "worker", WORKER | {"max_nodes": 1000, "capacity_type": "on_demand"}),
        ("query", "id", "x" * 63),
        ("query", "text", "SELECT 1" + " " * 8183),
        ("profile", "type", "profile"),
    ],
)  # fmt: skip
def test_what_is_just_allowed_passes(kind: str, path: str, value: object) -> None:
    assert told(parse(kind, changed(GOOD[kind], path, value))) == []


@pytest.mark.parametrize(
    "library",
    [
        "https://ana:hunter2@h/a.whl",
        "a @ https://ana:hunter2@h/a.whl",
        "git+https://ana:hunter2@h/a",
        "a @ git+ssh://ana:hunter2@h/a",
        "https://ana:hunter2@[h/a.whl",
        "ana:hunter2@h",
        "--index-url=https://ana:hunter2@h",
    ],
)
def test_a_password_is_refused_and_not_repeated(library: str) -> None:
    parsed = parse("profile", changed(PROFILE, "libraries", [library]))
    assert [problem.path for problem in parsed.problems] == ["libraries[0]"]
    assert "hunter2" not in parsed.problems[0].message


@pytest.mark.parametrize(
    ("kind", "path"),
    [("job", "spec.source.origin.repo"), ("catalog", "uri"), ("catalog", "token")],
)
def test_no_message_repeats_an_address_that_may_hold_a_password(kind: str, path: str) -> None:
    document = changed(changed(JOB, "spec.source.origin", ORIGIN), path, "https://a:hunter2@h/x")
    if kind == "catalog":
        document = changed(GOOD["catalog"], path, "https://a:hunter2@h/x")
    parsed = parse(kind, document)
    assert [problem.path for problem in parsed.problems] == [path]
    assert "hunter2" not in parsed.problems[0].message


def test_all_problems_come_at_once_in_the_order_of_the_form() -> None:
    document = {
        "spec": {
            "retry": {"on": ["user_error"], "attempts": 99},
            "timeout": 5,
            "limits": {"max_workers": 0},
            "settings": {"sail": {"": 1}, "env": {"PATH": "x"}},
            "parameters": {"1": 1},
            "catalogs": [""],
            "cluster": "",
            "surce": 1,
            "source": {"kind": "wheel", "text": "x", "args": [1]},
        },
        "schedule": {"timezone": "Mars"},
        "nmae": "x",
        "description": "x" * 2000,
        "shared_teams": [1],
        "type": "sql",
        "name": "",
    }
    assert [problem.path for problem in parse("job", document).problems] == [
        "name",
        "team",
        "shared_teams[0]",
        "description",
        "type",
        "schedule.cron",
        "schedule.timezone",
        "spec.source.package",
        "spec.source.entry_point",
        "spec.source.text",
        "spec.source.args[0]",
        "spec.profile",
        "spec.cluster",
        "spec.catalogs[0]",
        "spec.parameters.1",
        "spec.settings.env.PATH",
        "spec.settings.sail.",
        "spec.timeout",
        "spec.limits.max_workers",
        "spec.retry.attempts",
        "spec.retry.on[0]",
        "spec.surce",
        "nmae",
    ]


def test_every_open_quote_is_told_beside_what_else_is_wrong() -> None:
    document = changed(changed(JOB, "spec.source.text", "select\u00a01, 'a"), "name", "")
    paths = [problem.path for problem in parse("job", document).problems]
    assert paths == ["name", "spec.source.text", "spec.source.text"]


def test_an_empty_job_tells_each_missing_part() -> None:
    paths = [problem.path for problem in parse("job", {}).problems]
    assert paths == ["name", "team", "spec.source.kind", "spec.profile", "spec.cluster"]


def test_a_wrong_kind_hides_no_other_problem() -> None:
    parsed = parse("cluster", {"name": "", "kind": "mesos", "anything": 1})
    assert [problem.path for problem in parsed.problems] == ["name", "kind"]


PYDANTIC = ("Input should", "Field required", "Extra inputs", "validation error", "unable to")
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5)
    | st.sampled_from(["secret://", "a:b", "1h", "4Gi", "snapshot", "wheel", "py_file", "[", "://@"]),
    lambda inner: st.lists(inner, max_size=2)
    | st.dictionaries(st.sampled_from(["kind", "text", "a", "\ud800", "args"]), inner, max_size=3),
    max_leaves=4,
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(GOOD)), st.data())
def test_whatever_stands_in_a_field_is_told_in_our_words(kind: str, data: st.DataObject) -> None:
    path = data.draw(
        st.sampled_from([field.path for field in FORM[kind]] + ["unknown", "spec.x.y"])
    )
    document = copy.deepcopy(GOOD[kind])
    *outer, last = path.split(".")
    block: Any = document
    for key in outer:
        block = block.setdefault(key, {}) if isinstance(block, dict) else {}
    if isinstance(block, dict):
        block[last] = data.draw(anything)
    for partial in (False, True):
        parsed = parse(kind, document, partial=partial)
        assert (parsed.value is None) == bool(parsed.problems)
        for problem in parsed.problems:
            assert problem.message
            assert not any(words in problem.message for words in PYDANTIC)
            assert problem.path.isprintable()
            json.dumps([problem.path, problem.message]).encode()
            problem.message.encode()
        if parsed.value is not None:
            json.dumps(parsed.value, allow_nan=False, ensure_ascii=False).encode()
            if not partial:
                assert parse(kind, dump(kind, parsed.value)).value == parsed.value


def test_warnings_refuse_nothing() -> None:
    long = "SELECT 1" + " " * limits.QUERY_LENGTH
    document = changed(changed(JOB, "spec.source.text", long), "description", "x" * 1001)
    parsed = parse("job", document)
    assert parsed.problems == []
    assert parsed.value is not None
    assert [warning.path for warning in parsed.warnings] == ["description", "spec.source.text"]
    assert "8,199" in parsed.warnings[1].message
    assert "8,191" in parsed.warnings[1].message


def test_text_is_kept_byte_for_byte() -> None:
    text = "\ufeffselect 1  \r\n;\r select '\u00e9'\t\n\n"
    parsed = parse("job", changed(JOB, "spec.source.text", text))
    assert parsed.value is not None, told(parsed)
    assert parsed.value["spec"]["source"]["text"] == text


def test_standalone_stores_no_worker() -> None:
    document = changed(changed(PROFILE, "mode", "standalone"), "worker", None)
    parsed = parse("profile", document)
    assert parsed.value is not None
    assert "worker" not in parsed.value


def test_an_empty_cron_is_no_schedule() -> None:
    parsed = parse("job", changed(JOB, "schedule", {"cron": " "}))
    assert parsed.value is not None
    assert parsed.value["schedule"] is None


def test_counted_words_are_kept_in_one_form() -> None:
    schedule = {"cron": "@daily", "concurrency": "allow(2)", "missed": "all=5"}
    parsed = parse("job", changed(JOB, "schedule", schedule))
    assert parsed.value is not None
    assert parsed.value["schedule"] | {"timezone": ""} == {
        "cron": "@daily", "timezone": "", "concurrency": "allow=2", "missed": "all=5",
    }  # fmt: skip


def test_partial_keeps_only_what_is_given() -> None:
    parsed = parse("workspace", {"kept": "1d", "ceilings": {"timeout": "2h"}}, partial=True)
    assert parsed.value == {"kept": 86_400.0, "ceilings": {"timeout": 7_200.0}}
    assert parse("job", {}, partial=True).value == {}
    only(parse("job", {"name": ""}, partial=True), "name", "1\u2013255")
    only(parse("job", {"nam": "x"}, partial=True), "nam", "did you mean name?")
    assert parse("job", {"spec": {}}, partial=True).problems  # a spec is replaced whole


@pytest.mark.parametrize("kind", FORM)
def test_every_field_has_a_row_in_the_form(kind: str) -> None:
    rows = {field.path for field in FORM[kind]}
    for form in VARIANTS[kind].values() if kind in VARIANTS else [FILES[kind]]:
        assert set(form.model_fields) <= rows
    if kind == "job":
        names = {name for form in SOURCES.values() for name in form.model_fields}
        assert {f"spec.source.{name}" for name in names} <= rows
    assert len(rows) == len(FORM[kind])


def test_the_guide_has_a_line_for_each_source() -> None:
    assert list(SOURCE_GUIDE) == list(SOURCES)


def test_what_is_never_retried_may_not_be_listed() -> None:
    assert set(NEVER_RETRIED) == retry.NEVER


@pytest.mark.row("A7")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "# -*- coding: latin-1 -*-\nprint('café')",
            "line 1 says latin-1, but a text is kept as UTF-8",
        ),
        ("#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nx = 1", "line 2 says cp1252"),
        ("\ufeff# coding=nonsense\nx = 1", "line 1 says nonsense"),
        ("# coding: utf-8\nprint('é')", None),
        ("# -*- coding: UTF_8 -*-\nx = 1", None),
        ("x = 1\n# coding: latin-1\n", None),
        ("\n\n# coding: latin-1\n", None),
    ],
)
def test_a_script_that_says_another_encoding_than_its_text_has_is_refused(
    text: str, said: str | None
) -> None:
    found = [one.message for one in checks._check_py_file({"kind": "py_file", "text": text})]
    assert len(found) == (said is not None)
    assert not found or found[0].startswith(said or "")
