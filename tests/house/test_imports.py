"""A command of a person in a hurry loads nothing heavy: each is looked at in a fresh interpreter."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.quarterdeck import Quarterdeck, job

HEAVY = {
    "textual", "rich", "pydantic", "kubernetes", "boto3", "httpx", "pyspark", "pysail", "pandas", "yaml",
}  # fmt: skip
CODE = """
import json, sys
sys.argv = ["quarterdeck", *sys.argv[1:]]
try:
    from quarterdeck.cli.main import entry
    entry()
finally:
    sys.stderr.write("\\n" + json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> Quarterdeck:
    made = Quarterdeck(tmp_path_factory.mktemp("imports"))
    made.ok("job", "create", "-f", "-", text=json.dumps(job("one")))
    return made


def loaded(deck: Quarterdeck, code: str, *args: str) -> set[str]:
    done = subprocess.run(  # our own command
        [sys.executable, "-c", code, *args], env=deck.environ(), capture_output=True, text=True,
        cwd=deck.folder, timeout=60, check=True,
    )  # fmt: skip
    return set(json.loads(done.stderr.splitlines()[-1]))


@pytest.mark.row("P3")
@pytest.mark.parametrize(
    "args",
    [
        ("--version",),
        ("--help",),
        ("job", "list"),
        ("job", "list", "--json"),
        ("runs",),
        ("whoami",),
    ],
)
def test_a_quick_command_loads_nothing_heavy(deck: Quarterdeck, args: tuple[str, ...]) -> None:
    assert not loaded(deck, CODE, *args) & HEAVY


@pytest.mark.row("P3")
def test_the_version_comes_before_click(deck: Quarterdeck) -> None:
    assert "click" not in loaded(deck, CODE, "--version")


def test_wiring_loads_nothing_heavy(tmp_path: Path) -> None:
    deck = Quarterdeck(tmp_path, init=False)
    code = (
        "import quarterdeck.wiring\n"
        + CODE[CODE.index("import json") :].split("try:", maxsplit=1)[0]
    )
    code += "sys.stderr.write(json.dumps(sorted({n.split('.')[0] for n in sys.modules})))"
    assert not loaded(deck, code) & {*HEAVY, "tinydb", "click"}


def test_the_first_window_of_jobs_loads_nothing_heavy(deck: Quarterdeck) -> None:
    code = """
import json, os, sys
from quarterdeck import config, wiring
services = wiring.open_services(config.load({}, os.environ))
services.rights.header()
from quarterdeck.service.windows import JobsShown
rows = services.windows.jobs(JobsShown())
services.runs, services.logs
assert [row["name"] for row in rows] == ["one"], rows
services.windows.count_jobs(JobsShown())
services.moving.turn()
sys.stderr.write(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    assert not loaded(deck, code) & {*HEAVY, "click", "tinydb", "hashlib"}
