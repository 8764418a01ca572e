"""TPC-H on two workers: the answers are those that plain Python finds in the same files, the workers did it."""

from __future__ import annotations

import datetime
import json
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from quarterdeck.demo.folder import generate, query_text
from quarterdeck.demo.samples import with_tables
from tests.cluster.test_logs import WIDE
from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, sql

pytestmark = pytest.mark.cluster

SCALE = "0.1"
IN_PODS = PurePosixPath("/data")
WORKERS = "SELECT count(*) AS workers FROM system.cluster.workers"
MANY = "SELECT sum(id) FROM range(0, 1000, 1, 200)"
BASE = datetime.date(1998, 12, 1)
DAY_3 = datetime.date(1995, 3, 15)
YEAR_6 = datetime.date(1994, 1, 1)
Row = list[Any]


def columns(data: Path, table: str, *names: str) -> Iterator[Sequence[Any]]:
    from pyarrow import parquet

    found = parquet.read_table(data / f"{table}.parquet", columns=list(names))
    return zip(*(found[name].to_pylist() for name in names), strict=True)


def query_1(data: Path) -> list[Row]:
    sums: dict[tuple[str, str], list[Any]] = defaultdict(lambda: [0] * 6)
    last = BASE - datetime.timedelta(days=68)
    for flag, status, shipped, quantity, price, discount, tax in columns(
        data, "lineitem", "l_returnflag", "l_linestatus", "l_shipdate", "l_quantity",
        "l_extendedprice", "l_discount", "l_tax",
    ):  # fmt: skip
        if shipped <= last:
            reduced = price * (1 - discount)
            here = sums[flag, status]
            for place, value in enumerate((
                quantity, price, reduced, reduced * (1 + tax), discount, 1,
            )):  # fmt: skip
                here[place] += value
    return [
        [*key, *one[:4], one[0] / one[5], one[1] / one[5], one[4] / one[5], one[5]]
        for key, one in sorted(sums.items())
    ]


def query_3(data: Path) -> list[Row]:
    builders = {
        key for key, segment in columns(data, "customer", "c_custkey", "c_mktsegment")
        if segment == "BUILDING"
    }  # fmt: skip
    orders = {
        key: (date, priority)
        for key, customer, date, priority in columns(
            data, "orders", "o_orderkey", "o_custkey", "o_orderdate", "o_shippriority"
        )
        if customer in builders and date < DAY_3
    }
    revenue: dict[int, Decimal] = defaultdict(Decimal)
    for key, shipped, price, discount in columns(
        data, "lineitem", "l_orderkey", "l_shipdate", "l_extendedprice", "l_discount"
    ):
        if key in orders and shipped > DAY_3:
            revenue[key] += price * (1 - discount)
    rows = [[key, amount, *orders[key]] for key, amount in revenue.items()]
    return sorted(rows, key=lambda row: (-row[1], row[2]))[:10]


def query_6(data: Path) -> list[Row]:
    return [[
        sum(
            price * discount
            for shipped, quantity, price, discount in columns(
                data, "lineitem", "l_shipdate", "l_quantity", "l_extendedprice", "l_discount"
            )
            if YEAR_6 <= shipped < YEAR_6.replace(year=1995)
            and Decimal("0.03") <= discount <= Decimal("0.05")
            and quantity < 24
        )
    ]]  # fmt: skip


def same(shown: list[Row], wanted: list[Row]) -> bool:
    """Whether the rows are the same, fractions to the digits that are shown."""
    return len(shown) == len(wanted) and all(
        len(one) == len(other) and all(map(_same, one, other))
        for one, other in zip(shown, wanted, strict=True)
    )


def _same(shown: Any, wanted: Any) -> bool:
    if isinstance(wanted, Decimal):
        number = Decimal(str(shown))
        return abs(number - wanted) < Decimal(1).scaleb(int(number.as_tuple().exponent))
    return str(shown) == str(wanted)


@pytest.fixture
def data() -> Iterator[Path]:
    """Return a folder with the tables that everybody on this machine, which is both nodes, may read."""
    with tempfile.TemporaryDirectory(prefix="qd-tpch-", dir="/var/tmp") as name:
        folder = Path(name)
        generate(folder, SCALE)
        folder.chmod(0o755)
        yield folder


def test_tpch_on_two_workers_is_right_and_leaves_nothing(
    tmp_path: Path, namespace: str, data: Path
) -> None:
    kubernetes.give_driver_rights(namespace)
    disk = {
        "volumes": [{"name": "data", "hostPath": {"path": str(data), "type": "Directory"}}],
        "containers": [{
            "name": "runner",
            "volumeMounts": [{"name": "data", "mountPath": str(IN_PODS), "readOnly": True}],
        }],
    }  # fmt: skip
    deck = Quarterdeck(tmp_path)
    document = kubernetes.definition(namespace, pod_template={"spec": disk})
    deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))
    deck.ok("profile", "create", "-f", "-", text=json.dumps(WIDE | {"team": deck.actor}))
    text = "\n".join([*map(query_text, (1, 3, 6)), MANY + ";", WORKERS])
    views = with_tables(lambda name: IN_PODS / f"{name}.parquet", text)
    deck.create("tpch", cluster="kube", profile="wide", source=sql(views))
    run = deck.run("tpch")
    assert run["state"] == "succeeded", (run["evidence"], deck.call("logs", run["id"]).out)
    *_, first, third, sixth, many, workers = [one["rows"] for one in run["result"]["statements"]]
    assert same(first, query_1(data)), first
    assert same(third, query_3(data)), third
    assert same(sixth, query_6(data)), sixth
    assert many == [[499_500]]
    assert workers == [[2]]
    assert kubernetes.left(namespace) == []
