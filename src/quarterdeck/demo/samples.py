"""The sample jobs as documents of definition files, and the end that each promises."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from quarterdeck.demo.folder import TABLES, DemoFolder, query_text

Document = dict[str, Any]
VERSIONED: Final = "three-versions"

ORDER_REPORT: Final = '''\
"""Count and value of the orders of one year, by priority.

Arguments: the orders' Parquet file, and the year.
"""

import sys

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

path, year = sys.argv[1:]
orders = SparkSession.builder.getOrCreate().read.parquet(path)
report = (
    orders.where(F.year("o_orderdate") == int(year))
    .groupBy("o_orderpriority")
    .agg(F.count("*").alias("orders"), F.sum("o_totalprice").alias("value"))
    .orderBy("o_orderpriority")
)
print(f"Orders of {year}")
for row in report.collect():
    print(f"{row['o_orderpriority']:<16} {row['orders']:>8,} {row['value']:>18,.2f}")
'''
FAILS_IN_PYTHON: Final = '''\
"""Refuses to report on customers who owe money: ends with an exception."""

import sys

from pyspark.sql import SparkSession

customers = SparkSession.builder.getOrCreate().read.parquet(sys.argv[1])
owing = customers.where("c_acctbal < 0").count()
print(f"{owing} customers owe money")
if owing:
    raise ValueError(f"{owing} customers owe money; collect it before this report is made")
'''
SLOW: Final = '''\
"""Counts the orders of one day after the other, one a second: ten minutes to watch, or to cancel."""

import datetime
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

orders = SparkSession.builder.getOrCreate().read.parquet(sys.argv[1])
for days in range(600):
    day = datetime.date(1995, 1, 1) + datetime.timedelta(days=days)
    print(day, orders.where(F.col("o_orderdate") == F.lit(day)).count(), "orders")
    time.sleep(1)
'''
REVENUE: Final = """
SELECT quarter(l_shipdate) AS quarter,
       count(*) AS items,
       sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM lineitem
WHERE year(l_shipdate) = :year
GROUP BY quarter(l_shipdate)
ORDER BY quarter
"""
BAD_SQL: Final = """
-- The column is called o_totalprice.
SELECT o_orderpriority,
       sum(o_totalprise) AS value
FROM orders
GROUP BY o_orderpriority
"""
EXPORT: Final = """
CREATE TABLE staged USING parquet AS
SELECT trunc(o_orderdate, 'month') AS month, o_orderpriority AS priority, count(*) AS orders
FROM orders
GROUP BY trunc(o_orderdate, 'month'), o_orderpriority;

CREATE TABLE monthly (month DATE, priority STRING, orders BIGINT)
USING parquet LOCATION {location};

INSERT OVERWRITE monthly SELECT month, priority, orders FROM staged WHERE month < DATE '1995-01-01';

INSERT INTO monthly SELECT month, priority, orders FROM staged WHERE month >= DATE '1995-01-01';

SELECT count(*) AS months_and_priorities, sum(orders) AS orders FROM monthly
"""
# Each version, and at last the draft: the note it is published with, and its statement.
VERSIONS: Final = (
    ("Orders per year", "SELECT year(o_orderdate) AS year, count(*) AS orders"),
    (
        "With their value",
        "SELECT year(o_orderdate) AS year, count(*) AS orders, sum(o_totalprice) AS value",
    ),
    (
        "Average instead of the sum",
        "SELECT year(o_orderdate) AS year, count(*) AS orders, avg(o_totalprice) AS average",
    ),
    (
        "",
        "SELECT year(o_orderdate) AS year, count(DISTINCT o_custkey) AS customers",
    ),
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A job's document and the state its run ends in; who promises `cancelled` is cancelled once seen running."""

    document: Document
    expected: str = "succeeded"

    @property
    def name(self) -> str:
        """The job's name."""
        return str(self.document["name"])


def samples(folder: DemoFolder) -> list[Sample]:
    """Return all sample jobs, with the paths of `folder`."""
    orders = [str(folder.table("orders"))]
    return [
        Sample(_job(
            "revenue-by-quarter", "SQL of its own with a parameter: try --param year=1996.",
            _snapshot(folder, REVENUE), parameters={"year": 1995},
        )),
        Sample(_job(
            "pricing-summary", "TPC-H query 1, its text kept with the job.",
            _snapshot(folder, query_text(1)),
        )),
        Sample(_job(
            "top-customers", "TPC-H query 10 as a saved query: edit it, and the next run takes the new text.",
            {"kind": "saved_query", "query_id": "returned-items"},
        )),
        Sample(_job(
            "shipping-priority", "TPC-H query 3 in mode cluster: a driver and two engine workers.",
            _snapshot(folder, query_text(3)), profile="two-workers",
        )),
        Sample(_job(
            "order-report.py", "A Python script, versioned with the job, with arguments.",
            {"kind": "py_file", "text": ORDER_REPORT, "args": [*orders, "1996"]},
        )),
        Sample(_job(
            "customer-wheel", "The entry point of a wheel on this machine.",
            {
                "kind": "wheel", "package": "customer-wheel", "version": "1.0",
                "entry_point": "customer_wheel.main:run", "wheel_uri": str(folder.wheel),
                "args": [str(folder.table("customer"))],
            },
        )),
        Sample(_job(
            "parquet-export", "Writes a Parquet table: CREATE TABLE AS, INSERT OVERWRITE, INSERT INTO.",
            _snapshot(folder, EXPORT.format(location=literal(folder.export))),
        )),
        Sample(_job(
            "fails-in-sql", "An unknown column in the second statement: see `run-show` for line and column.",
            _snapshot(folder, BAD_SQL),
        ), "failed"),
        Sample(_job(
            "fails-in-python", "Raises an exception: see the last lines of `logs`.",
            {"kind": "py_file", "text": FAILS_IN_PYTHON, "args": [str(folder.table("customer"))]},
        ), "failed"),
        Sample(_job(
            "slow-to-cancel", "Ten minutes long: watch it with `logs -f`, end it with `cancel`.",
            {"kind": "py_file", "text": SLOW, "args": orders}, timeout="15m",
        ), "cancelled"),
        Sample(_job(
            VERSIONED, "Three versions and a draft: see `job versions`, `job diff` and `job activate`.",
            version_source(folder, 0),
        )),
    ]  # fmt: skip


def beside(folder: DemoFolder) -> list[Document]:
    """Return what the jobs need beside themselves: a profile and a saved query."""
    return [
        {
            "type": "profile",
            "name": "two-workers",
            "mode": "cluster",
            "driver": {"disk_gib": 10},
            "worker": {
                "instance_type": "m7i.large",
                "disk_gib": 10,
                "max_nodes": 2,
                "capacity_type": "on_demand",
            },
        },
        {
            "type": "query",
            "id": "returned-items",
            "name": "Returned items",
            "text": with_tables(folder.table, query_text(10)),
        },
    ]


def version_source(folder: DemoFolder, place: int) -> Document:
    """Return the source of one of `VERSIONS`."""
    text = f"\n{VERSIONS[place][1]}\nFROM orders\nGROUP BY year(o_orderdate)\nORDER BY year\n"
    return _snapshot(folder, text)


def spec(source: Mapping[str, Any], **more: Any) -> Document:
    """Return a job spec on what `init` made."""
    return {
        "source": dict(source),
        "profile": "small",
        "cluster": "local",
        "catalogs": ["main"],
        "timeout": "5m",
    } | more


def with_tables(path: Any, text: str) -> str:
    """Return the text behind one CREATE TEMPORARY VIEW for each table it names; `path` gives a table's file."""
    words = set(_words(text))
    views = [view(name, path(name)) for name in TABLES if name in words]
    return "\n".join([*views, text.lstrip("\n")])


def view(name: str, path: PurePath) -> str:
    """Return the statement, with its semicolon, that makes a Parquet file readable as `name`."""
    return f"CREATE TEMPORARY VIEW {name} USING parquet OPTIONS (path {literal(path)});"


def literal(path: PurePath) -> str:
    """Return the path as a string of SQL."""
    text = str(path).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"


def _words(text: str) -> Iterable[str]:
    return "".join(c if c.isalnum() or c == "_" else " " for c in text).split()


def _snapshot(folder: DemoFolder, text: str) -> Document:
    return {"kind": "snapshot", "text": with_tables(folder.table, text)}


def _job(name: str, description: str, source: Document, **more: Any) -> Document:
    return {"name": name, "description": description, "spec": spec(source, **more)}
