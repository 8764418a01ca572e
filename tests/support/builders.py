"""Small makers of valid values: `a_run()`, `a_spec()`. What a test does not name is some ordinary default."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from quarterdeck.model.ids import DefinitionId, JobId, RunId, TeamId
from quarterdeck.model.receipt import Receipt
from quarterdeck.model.run import Entered, Run, RunState, Trigger

NOW = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)


def a_spec(**changes: Any) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "source": {"kind": "snapshot", "text": "SELECT 1 AS v", "origin": None},
        "profile": "p1",
        "cluster": "c1",
        "catalogs": ["k1"],
        "parameters": {},
        "settings": {"env": {}, "sail": {}},
        "timeout": 3600.0,
        "limits": {"max_workers": None, "max_driver_memory": None, "max_concurrent_runs": None},
        "retry": {"attempts": 1, "backoff": 30.0, "on": []},
    }
    return {**spec, **changes}


def a_run(**changes: Any) -> Run:
    run = Run(
        id=RunId("r00000000000000ab"),
        job=JobId("j1"),
        job_name="daily",
        team=TeamId("t1"),
        cluster=DefinitionId("c1"),
        version=1,
        draft=False,
        trigger=Trigger.MANUAL,
        actor="ana",
        spec=a_spec(),
        queued_at=NOW,
        queue_deadline=NOW + timedelta(hours=6),
        start_deadline_s=600.0,
        timeout_s=3600.0,
        timeline=(Entered(1, RunState.QUEUED, NOW, "manual by ana"),),
    )
    return replace(run, **changes)


def a_receipt(run: Run | None = None, attempt: int = 1) -> Receipt:
    return Receipt("fake", (run or a_run()).id, attempt, {"pid": 1})
