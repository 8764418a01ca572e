"""What a failed run says first, with the real engine: the error itself in one line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.quarterdeck import Quarterdeck, python, sql

SESSION = "begin with spark = SparkSession.builder.getOrCreate()."
BUILD = "from pyspark.sql import SparkSession\nspark = SparkSession.builder.getOrCreate()\n"


@pytest.fixture
def deck(tmp_path: Path) -> Iterator[Quarterdeck]:
    made = Quarterdeck(tmp_path)
    yield made
    made.end()


@pytest.mark.row("G5")
@pytest.mark.parametrize(
    ("source", "beginning", "end"),
    [
        (
            python("spark.range(3)"),
            "NameError: name 'spark' is not defined.",
            f"There is no ready-made spark: {SESSION}",
        ),
        (
            python(f"{BUILD}dbutils.widgets.get('day')"),
            "NameError: name 'dbutils' is not defined.",
            (
                "There are no notebook tools: the job's arguments are in sys.argv, its parameters as JSON in"
                " the variable QUARTERDECK_PARAMETERS, its variables in os.environ."
            ),
        ),
        (
            python("from pyspark import SparkContext"),
            "ImportError: cannot import name 'SparkContext' from 'pyspark'",
            f"There is no SparkContext, for the engine runs no Java: {SESSION}",
        ),
        (
            python(BUILD.replace("builder", "builder.master('local[*]')")),
            "PySparkRuntimeError: The engine is there already",
            "The engine is there already: leave out .master(…) and spark.master.",
        ),
        (
            python(f"{BUILD}spark.sql('SELECT nope').collect()"),
            "AnalysisException: There is no",
            "column nope.",
        ),
        (
            sql("SELECT 1;\nSELECT row_number() FROM VALUES (1) AS t(a)"),
            "row_number needs a window;",
            "write row_number(…) OVER (…).",
        ),
        (
            sql("SET spark.sql.ansi.enabled = false"),
            "The engine has no SET;",
            "spark.conf.set(…).",
        ),
    ],
    ids=["spark", "dbutils", "context", "master", "column", "window", "set"],
)
def test_a_failed_run_says_what_is_not_there_and_what_to_do(
    deck: Quarterdeck, source: dict[str, Any], beginning: str, end: str
) -> None:
    deck.create("j", source=source)
    headline = deck.run("j")["failure"]["headline"]
    assert headline.startswith(beginning)
    assert headline.endswith(end)
