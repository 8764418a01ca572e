"""What an executor sets on the engine: by mode, workers and catalogs."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.executors.sail import PRODUCT_OPTIONS, engine_options
from quarterdeck.model.errors import PrerequisiteError


def a_frozen(profile: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"profile": profile or {"mode": "standalone"}, "catalogs": [], **more}


def test_standalone_is_one_process_without_workers() -> None:
    assert engine_options(a_frozen(), executor_kind="local") == {"mode": "local"}


@pytest.mark.parametrize(
    ("worker", "limits", "expected"),
    [
        ({"max_nodes": 3}, None, (3, None)),
        ({"max_nodes": 3, "cpu": 2.5}, {"max_workers": None}, (3, 2)),
        ({"max_nodes": 3, "cpu": 0.5}, {"max_workers": 2}, (2, 1)),
        ({"max_nodes": 1}, {"max_workers": 9}, (1, None)),
    ],
)
def test_workers_are_the_profiles_within_the_jobs_limit(
    worker: dict[str, Any], limits: dict[str, Any] | None, expected: tuple[int, int | None]
) -> None:
    frozen = a_frozen({"mode": "cluster", "worker": worker}, limits=limits)
    found = engine_options(frozen, executor_kind="local")
    count, slots = expected
    assert found["mode"] == "local-cluster"
    assert found["cluster.worker_initial_count"] == found["cluster.worker_max_count"] == count
    assert found.get("cluster.worker_task_slots") == slots
    assert engine_options(frozen, executor_kind="kubernetes")["mode"] == "kubernetes-cluster"
    assert set(found) <= PRODUCT_OPTIONS


def test_catalogs_stand_beside_the_engines_own() -> None:
    frozen = a_frozen(catalogs=[{"name": "lake", "kind": "memory", "initial_database": ["a"]}])
    found = engine_options(frozen, executor_kind="local")
    assert found["catalog.list"] == [
        {"name": "sail", "type": "memory", "initial_database": ["default"]},
        {"name": "lake", "type": "memory", "initial_database": ["a"]},
    ]
    assert found["catalog.default_catalog"] == "sail"
    own = engine_options(
        a_frozen(catalogs=[{"name": "sail", "kind": "memory"}]), executor_kind="local"
    )
    assert [catalog["name"] for catalog in own["catalog.list"]] == ["sail"]


def test_a_catalog_that_no_run_can_use_is_named() -> None:
    frozen = a_frozen(catalogs=[{"name": "ice", "kind": "iceberg-rest"}])
    with pytest.raises(PrerequisiteError, match="Catalog ice is of kind iceberg-rest"):
        engine_options(frozen, executor_kind="local")
