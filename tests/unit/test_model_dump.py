"""The stored form and the file form say the same: what is written is read back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.model.failure import Reason
from quarterdeck.model.limits import CPU, DISK_GIB, MEMORY_BYTES, MEMORY_LEAST_BYTES, WORKERS
from quarterdeck.model.problems import dump, parse
from quarterdeck.model.spec import NEVER_RETRIED

names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
words = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,10}", fullmatch=True)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
seconds = st.integers(1, 3_000_000).map(float)
sizes = st.integers(MEMORY_LEAST_BYTES, MEMORY_BYTES)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | texts | st.floats(
    allow_nan=False, allow_infinity=False
)  # fmt: skip
options = st.dictionaries(
    words, st.booleans() | st.integers() | texts | st.lists(st.integers(), max_size=2), max_size=3
)
env = st.dictionaries(
    words.map(lambda word: f"X_{word}"), texts.map(lambda t: f"={t}"), max_size=3
)


def maybe(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


sources = st.one_of(
    st.fixed_dictionaries(
        {"kind": st.just("saved_query"), "query_id": st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)}
    ),
    st.fixed_dictionaries({
        "kind": st.just("snapshot"),
        "text": st.sampled_from(["select 1", "select :a;\r\n select '\u00e9' \n", "values (1)"]),
        "origin": maybe(st.fixed_dictionaries({
            "repo": maybe(names), "path": words, "ref": maybe(texts), "sha256": st.just("0" * 64),
        })),
    }),
    st.fixed_dictionaries({
        "kind": st.just("wheel"), "package": st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True),
        "version": maybe(st.just("1.2.3")), "entry_point": st.just("a.b:run"),
        "wheel_uri": maybe(words.map(lambda word: f"/{word}.whl")), "args": st.lists(texts, max_size=3),
    }),
    st.fixed_dictionaries({
        "kind": st.just("py_file"), "text": st.none(), "uri": words.map(lambda word: f"{word}.py"),
        "args": st.lists(texts, max_size=3),
    }),
)  # fmt: skip
reasons = [str(reason) for reason in Reason if reason not in NEVER_RETRIED]
specs = st.fixed_dictionaries({
    "source": sources, "profile": names, "cluster": names,
    "catalogs": st.lists(names, max_size=3, unique=True),
    "parameters": st.dictionaries(words, scalars, max_size=3),
    "settings": st.fixed_dictionaries({"env": env, "sail": options}),
    "timeout": seconds,
    "limits": st.fixed_dictionaries({
        "max_workers": maybe(st.integers(1, WORKERS)), "max_driver_memory": maybe(sizes),
        "max_concurrent_runs": maybe(st.integers(1, 1000)),
    }),
    "retry": st.fixed_dictionaries({
        "attempts": st.integers(1, 20), "backoff": st.integers(0, 86_400).map(float),
        "on": st.lists(st.sampled_from(reasons), max_size=3),
    }),
})  # fmt: skip
schedules = st.fixed_dictionaries({
    "cron": st.just("0 6 * * *"), "timezone": st.sampled_from(["UTC", "Europe/Berlin"]),
    "concurrency": st.sampled_from(["skip", "replace", "allow=3"]),
    "missed": st.sampled_from(["skip", "latest", "all=2"]),
})  # fmt: skip
jobs = st.fixed_dictionaries({
    "name": names, "team": names, "shared_teams": st.lists(names, max_size=2), "description": texts,
    "schedule": maybe(schedules), "spec": specs,
})  # fmt: skip
node = {
    "disk_gib": st.integers(1, DISK_GIB), "cpu": maybe(st.floats(0.001, CPU)), "memory": maybe(sizes),
}  # fmt: skip
common = {
    "name": names, "team": names, "libraries": st.lists(st.just("requests==2.32.5"), max_size=2),
    "sail_config": options, "env": env,
    "driver": st.fixed_dictionaries({"instance_type": maybe(st.just("m7i.large")), **node}),
}  # fmt: skip
profiles = st.fixed_dictionaries({"mode": st.just("standalone"), **common}) | st.fixed_dictionaries({
    "mode": st.just("cluster"),
    "worker": st.fixed_dictionaries({
        "instance_type": st.just("m7i.xlarge"), "max_nodes": st.integers(1, WORKERS),
        "capacity_type": st.sampled_from(["spot", "on_demand"]), **node,
    }),
    **common,
})  # fmt: skip
workspaces = st.fixed_dictionaries({
    "name": names, "org_admins": st.lists(names, max_size=2),
    "ceilings": st.fixed_dictionaries({
        "timeout": seconds, "max_workers": st.integers(1, WORKERS), "max_driver_memory": sizes,
        "max_concurrent_runs": st.integers(1, 1000),
    }),
    "queue_deadline": seconds, "start_deadline": seconds, "evidence_kept": seconds, "kept": seconds,
    "file_roots": st.lists(words.map(lambda word: f"/{word}"), max_size=2),
})  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(jobs)
def test_a_job_is_read_back_as_it_was(job: dict[str, Any]) -> None:
    parsed = parse("job", dump("job", job))
    assert parsed.problems == []
    assert parsed.value is not None
    assert {key: value for key, value in parsed.value.items() if key != "type"} == job


@settings(max_examples=60, deadline=None)
@given(profiles)
def test_a_profile_is_read_back_as_it_was(profile: dict[str, Any]) -> None:
    parsed = parse("profile", dump("profile", profile))
    assert (parsed.problems, parsed.value) == ([], profile)


@settings(max_examples=30, deadline=None)
@given(workspaces)
def test_a_workspace_is_read_back_as_it_was(workspace: dict[str, Any]) -> None:
    parsed = parse("workspace", dump("workspace", workspace))
    assert (parsed.problems, parsed.value) == ([], workspace)


@pytest.mark.parametrize(
    ("kind", "document"),
    [
        ("query", {"id": "a", "name": "A", "team": "t", "text": "select 1"}),
        ("cluster", {"name": "local", "kind": "local"}),
        ("cluster", {
            "name": "s", "kind": "kubernetes", "context": "c", "image": "i", "namespace": "n",
            "node_selector": {"pool": "compute"}, "tolerations": [{"key": "a", "operator": "Exists"}],
            "pod_template": {"spec": {"priority": 1}},
        }),
        ("catalog", {"name": "main", "kind": "memory"}),
        ("catalog", {"name": "main", "kind": "memory", "initial_database": []}),
        ("catalog", {"name": "h", "kind": "hms", "uris": ["thrift://h:9083"], "auth": "none"}),
        ("catalog", {"name": "g", "kind": "glue", "region": "eu-central-1"}),
        ("catalog", {"name": "u", "kind": "unity", "uri": "https://u/", "token": "secret://u/t"}),
        ("catalog", {"name": "o", "kind": "onelake", "url": "w/i.lakehouse", "api": "delta"}),
        ("team", {"name": "t", "members": ["a"], "clusters": {"s": {"namespace": "n"}, "local": {}}}),
    ],
)  # fmt: skip
def test_other_kinds_are_read_back_as_they_were(kind: str, document: dict[str, Any]) -> None:
    value = parse(kind, document).value
    assert value is not None
    again = parse(kind, dump(kind, value))
    assert (again.problems, again.value) == ([], value)


def test_a_file_is_short_and_in_the_users_units() -> None:
    spec = {
        "source": {"kind": "snapshot", "text": "select 1"}, "profile": "small", "cluster": "local",
        "timeout": "90m", "limits": {"max_driver_memory": "4096Mi"}, "parameters": {"a": None},
    }  # fmt: skip
    value = parse("job", {"name": "a", "team": "t", "spec": spec}).value
    assert value is not None
    assert dump("job", value) == {
        "name": "a", "team": "t",
        "spec": {
            "source": {"kind": "snapshot", "text": "select 1"}, "profile": "small", "cluster": "local",
            "parameters": {"a": None}, "timeout": "1h30m", "limits": {"max_driver_memory": "4Gi"},
            "retry": {"attempts": 1, "backoff": "30s"},
        },
    }  # fmt: skip
