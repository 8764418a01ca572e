"""Two processes at one draft at once: each save and publish is bound to what was seen, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from quarterdeck.service.bundle import Services
from tests.bench.lists import services
from tests.support.again import share
from tests.support.quarterdeck import ROOT, job

# Saves, publishes and goes back as often as asked, and says what was acknowledged.
WORK = """
import json, sys
from pathlib import Path
from quarterdeck.model.errors import ConflictError, QuarterdeckError
from tests.bench.lists import services
folder, name, tries = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
made = services(folder)
lost = 0

def tell(**said):
    print(json.dumps(said), flush=True)

def text(spec):
    return spec["source"]["text"]

for number in range(tries):
    found = made.drafting.open("daily")
    try:
        if number % 4 < 2:
            mine = f"SELECT '{name} {number}'"
            spec = {**found.spec, "source": {"kind": "snapshot", "text": mine}}
            made.drafting.save("daily", spec, seen=found.seen)
            tell(act="save", text=mine, over=text(found.spec))
        elif number % 4 == 2 and found.is_draft:
            done = made.publishing.publish("daily", shown=found.bound)
            tell(act="publish", text=text(found.spec), number=done["live_version"], over=done["previous"])
        elif number % 20 == 3:
            done = made.publishing.activate("daily", 1, expect_rev=found.rev)
            tell(act="activate", text="", number=done["from"])
        else:
            done = made.drafts.reset("daily", expect_rev=found.rev)
            tell(act="reset", text="")
    except ConflictError:
        tell(act="conflict", text="")
    except QuarterdeckError as error:
        tell(act="refused", text=type(error).__name__)
made.close()
"""


def kept_texts(made: Services) -> set[str]:
    """Return every text of the job: of its versions, its draft, and drafts that were dropped."""
    store = made.ports.store
    kept = store.jobs.find(made.jobs.show("daily")["id"])
    assert kept is not None
    found = [one.value.spec for one in store.versions.page(limit=100_000)]
    draft = store.drafts.find(kept.value.id)
    if draft is not None:
        found.append(draft.value.spec)
    dropped = (store.frozen.get(one.spec_sha256).value["spec"] for one in kept.value.dropped)
    found += [json.loads(str(one)) for one in dropped]
    return {str(spec["source"]["text"]) for spec in found}


@pytest.mark.row("F-40")
@pytest.mark.row("B7")
@pytest.mark.parametrize("tries", [60, pytest.param(share(500), marks=pytest.mark.long)])
def test_two_processes_at_one_draft_lose_nothing(tmp_path: Path, tries: int) -> None:
    folder = tmp_path / "store"
    made = services(folder)
    made.jobs.create([job("daily")])
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORK, str(folder), name, str(tries)], cwd=ROOT,
            stdout=subprocess.PIPE, text=True,
        )
        for name in ("one", "two")
    ]  # fmt: skip
    said: list[dict[str, Any]] = []
    for worker in workers:
        out, _ = worker.communicate(timeout=600)
        assert worker.returncode == 0
        said += [json.loads(line) for line in out.splitlines()]
    assert len(said) == 2 * tries
    acts = [one["act"] for one in said]
    assert "conflict" in acts
    saved = {one["text"] for one in said if one["act"] == "save"}
    replaced = {one["over"] for one in said if one["act"] == "save"}
    lost = saved - replaced - kept_texts(made)  # who replaced a text had seen it
    assert not lost
    published = [one for one in said if one["act"] == "publish"]
    numbers = [one["number"] for one in published]
    assert len(set(numbers)) == len(numbers)
    for one in published:
        version = made.publishing.show("daily", one["number"])
        assert version["spec"]["source"]["text"] == one["text"]
    made.close()
