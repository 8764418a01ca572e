"""Entry points of wheels: what the source says against them, and what it cannot say."""

from __future__ import annotations

import pytest

from quarterdeck.ports.files import EntryFacts
from quarterdeck.sources.entry import look_at
from tests.unit.test_sources_wheel import a_wheel

NOTHING = EntryFacts()


def about(source: str, entry: str = "tiny.main:run", path: str = "tiny/main.py") -> EntryFacts:
    return look_at(a_wheel({path: source}), entry)


@pytest.mark.row("A6")
@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def runn():\n  pass", "module tiny.main has no run; did you mean tiny.main:runn?"),
        ("def a(): ...\ndef b(): ...\ndef _c(): ...", "has no run; its functions: a, b, …"),
        ("", "has no run; its functions: none"),
        ("class A:\n  def run(self): ...", "has no run"),
        ("def a():\n  run = 1\n  def run(): ...", "has no run"),
        ("import os as r", "has no run"),
        ("async def run(): ...", "run is an async function"),
        ("def run():\n  yield 1", "run is a generator"),
        ("def run(day, *, zone): ...", "run needs day, zone, and is called without arguments"),
        ("def run(:\n", "line 1 of module tiny.main is not Python as this Python reads it"),
        ("x = 1\ndef run():\n  return '\\d'", ""),
    ],
)
def test_what_cannot_be_called_is_told(source: str, words: str) -> None:
    assert words in about(source).flaw


@pytest.mark.row("A6")
@pytest.mark.parametrize(
    "source",
    [
        "def run(): ...",
        "def run(a=1, *args, b=2, **more): ...",
        "def run():\n  def inner():\n    yield 1\n  return None",
        "from x import run",
        "from x import *",
        "import x.y as run",
        "import run.x",
        "run = make()",
        "a, (run, *b) = make()",
        "run: object = make()",
        "try:\n  from x import run\nexcept ImportError:\n  async def run(): ...",
        "if x:\n  def run(): ...\nelse:\n  async def run(): ...",
        "for run in x: ...",
        "with x() as run: ...",
        "(run := 1)",
        "class run: ...",
        "@wrapped\nasync def run(day): ...",
        "def __getattr__(name): ...",
        "globals()['run'] = 1",
        "import sys\nsetattr(sys.modules[__name__], 'run', 1)",
        "def a():\n  global run\n  run = 1",
        "match x:\n  case [1, *run]: ...",
        "def run():\n  return 0",
        "def run():\n  return 3  # an exit code",
        "def run():\n  return False",
        "def run():\n  return None",
        "def run():\n  return make()",
    ],
)
def test_what_cannot_be_told_is_taken(source: str) -> None:
    assert about(source) == NOTHING


@pytest.mark.row("A6")
@pytest.mark.parametrize("value", ["True", "'fine'", "{'rows': 3}", "[1]", "f'{x}'"])
def test_a_value_that_would_be_the_exit_code_is_a_doubt(value: str) -> None:
    assert f"run returns {value}" in about(f"def run():\n  return {value}").doubt


def test_the_module_is_found_where_wheels_keep_it() -> None:
    bad = "def other(): ..."
    assert "has no run" in about(bad, "tiny:run", "tiny/__init__.py").flaw
    assert "has no run" in about(bad, path="tiny-1.0.data/purelib/tiny/main.py").flaw
    assert about(bad, path="tiny/main.cpython-311-x86_64-linux-gnu.so") == NOTHING
    assert about("x" * 1_100_000) == NOTHING
    assert about("a = " + "(" * 90 + ")" * 90 + "\ndef run(): ...") == NOTHING
    assert about("class A: ...", "tiny.main:A.run") == NOTHING
    latin = "# -*- coding: latin-1 -*-\ndef run(): ...\n# \u00e9"
    assert about(latin) == NOTHING
