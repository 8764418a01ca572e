"""Makes the README's pictures from the running application: a workspace made here, a clock that stands.

`python docs/pictures.py` writes one SVG for each into `docs/`. They ask for nothing from elsewhere.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # for tests.support: this is run by its path

from quarterdeck.model.observation import Phase  # noqa: E402
from quarterdeck.tui.place import Place  # noqa: E402
from tests.support.quarterdeck import job, python, sql  # noqa: E402
from tests.support.services import FakePorts, workspace  # noqa: E402
from tests.tui.pages import running  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quarterdeck.service.bundle import Services

SIZE = (100, 24)
MINUTE, HOUR = 60.0, 3_600.0
ORDERS = """\
INSERT INTO mart.orders
SELECT o.day, c.segment, sum(i.amount * (1 - i.discount)) AS revenue
  FROM raw.orders o
  JOIN raw.items i ON i.order_id = o.id
  JOIN raw.customers c ON c.id = o.customer_id
 WHERE o.day = :day
 GROUP BY o.day, c.segment
"""
REPORT = "from pyspark.sql import SparkSession\n\nspark = SparkSession.builder.getOrCreate()\n"
JOBS = (
    "clicks-hourly",
    "customer-segments",
    "fx-rates",
    "invoices",
    "stock-sync",
    "weekly-report",
)
LOG = (
    "reading raw.orders of 2026-11-21",
    "reading raw.items of 2026-11-21",
    "joined 1,204,118 items with 388,015 orders",
    "failed (user_error): There is no column c.country. (line 2, column 26)",
)
_FOREIGN = re.compile(r"@font-face \{.*?\}\s*|<!--.*?-->", re.DOTALL)


def run(
    made: tuple[Services, FakePorts], name: str, lines: Sequence[str], seconds: float, **end: Any
) -> str:
    """Run a job for so long, with these lines in its log; `end` is its last word, none leaves it running."""
    services, ports = made
    ports.fake.auto = False
    started = str(services.runs.start(name)["id"])
    for _ in range(4):
        services.runs.dispatch(started)
    attempt = next(one for one in ports.fake.attempts if one.startswith(started))
    ports.fake.move(attempt, Phase.RUNNING)
    services.runs.dispatch(started)
    for line in lines:
        ports.clock.tick(seconds / len(lines))
        ports.fake.say(attempt, line)
    services.logs.keep(started)
    if end:
        ports.fake.end(attempt, **end)
        for _ in range(3):
            services.runs.dispatch(started)
    return started


def fill(made: tuple[Services, FakePorts]) -> str:
    """Make jobs with some history; return the run that failed."""
    services, ports = made
    services.jobs.create([job(name, source=sql("SELECT 1 AS v")) for name in JOBS])
    services.jobs.create(
        [job("orders-daily", source=sql(ORDERS)), job("price-check", source=python(REPORT))]
    )
    ports.clock.tick(20 * HOUR)
    spec = job("orders-daily")["spec"]
    wider = ORDERS.replace("c.segment, sum", "c.segment, c.country, sum")
    wider = wider.replace("day, c.segment\n", "day, c.segment, c.country\n")
    services.jobs.edit("orders-daily", {"spec": {**spec, "source": sql(wider), "timeout": "2h"}})
    services.publishing.publish("orders-daily", note="by country, too")
    ports.clock.tick(HOUR)
    for name in ("invoices", "customer-segments", "weekly-report", "price-check", "clicks-hourly"):
        run(made, name, ["1 row"], 11 * MINUTE, state="succeeded", exit_code=0)
    failed = run(
        made, "orders-daily", LOG, 12.5 * MINUTE, state="failed", reason="user_error", exit_code=1,
        object="statement 1 of 1", headline="There is no column c.country.",
        place={
            "what": "statement", "number": 1, "of": 1, "line": 2, "column": 26, "file": None,
            "text": wider.split("\n")[1],
        },
    )  # fmt: skip
    run(
        made, "fx-rates", ["the source does not answer"], MINUTE, state="failed", reason="user_error", exit_code=1,
        headline="ConnectionError: rates.example does not answer",
    )  # fmt: skip
    ports.clock.tick(2 * HOUR)
    run(made, "clicks-hourly", ["reading 40 files"], 3 * MINUTE)
    run(made, "stock-sync", ["reading the warehouse"], MINUTE)
    opened = services.drafting.open("orders-daily")
    assert opened is not None  # noqa: S101  # it was made above
    draft = {**spec, "source": sql(wider.replace(":day", ":day_of")), "timeout": "90h"}
    services.drafting.save("orders-daily", draft, seen=opened.seen)
    return failed


def pictures(failed: str) -> dict[str, tuple[Place, Sequence[str]]]:
    """Return each picture's place and the keys that are pressed there."""
    return {
        "jobs": (Place("jobs"), ()),
        "draft": (Place("draft", "orders-daily"), ()),
        "versions": (Place("job", "orders-daily", "versions"), ("j", "a")),
        "failed": (Place("run", failed, "log"), ()),
    }


def plain(svg: str) -> str:
    """Return the picture without what it would load from elsewhere, in the reader's own fixed-width font."""
    return _FOREIGN.sub("", svg).replace("Fira Code", "ui-monospace")


async def main() -> None:
    """Write all pictures."""
    with tempfile.TemporaryDirectory() as folder:
        made = workspace(Path(folder))
        made[0].jobs.delete("daily")
        failed = fill(made)
        for name, (place, keys) in pictures(failed).items():
            async with running(made[0], size=SIZE, places=[place]) as ui:
                await ui.settle()
                await ui.press(*keys)
                ui.screen_text()  # makes Textual draw what lies behind a dialog, too
                svg = ui.app.export_screenshot(title="quarterdeck", simplify=True)
                (HERE / f"{name}.svg").write_text(plain(svg), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
