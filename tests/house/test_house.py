"""The house keeps its own rules: short modules, documents that are true."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house import reference

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_module_is_short_and_says_what_lives_in_it(path: Path) -> None:
    text = path.read_text()
    assert ast.get_docstring(ast.parse(text))
    assert path.name == "runner.py" or text.count("\n") <= 400


def test_promises_name_tests_that_exist() -> None:
    names = set(re.findall(r"`(test_\w+)`", (ROOT / "docs/promises.md").read_text()))
    known = {name for path in TESTS for name in re.findall(r"def (test_\w+)", path.read_text())}
    assert names
    assert names <= known, names - known


@pytest.mark.row("P2")
def test_the_reference_is_made_from_the_code() -> None:
    wanted = (ROOT / "docs/reference.md").read_text()
    assert reference.text() == wanted, "python -m tests.house.reference > docs/reference.md"


@pytest.mark.row("P2")
def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    found = re.findall(r"quarterdeck ((?:[a-z-]+ ?){1,2})", text)
    words = {tuple(one.split()) for one in found}
    known = {tuple(one.split()) for one in reference.commands()}
    for one in words:
        assert one in known or one[:1] in known, one


@pytest.mark.row("P2", "H6")
def test_the_readme_has_two_commands_of_one_line() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    first, second = blocks[:2]
    assert first.count("\n") == second.count("\n") == 1
    assert first.rstrip().endswith("demo --headless")
    assert "pytest" in second


def test_no_file_names_a_registry_or_this_machine() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607  # the one in PATH
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.split()
    here = Path(__file__).name
    for name in listed or [str(p.relative_to(ROOT)) for p in SOURCES]:
        if Path(name).name == here or not (ROOT / name).is_file():
            continue
        text = (ROOT / name).read_bytes().decode(errors="replace")
        for word in ("pypi.org", "files.pythonhosted", str(Path(sys.prefix))):
            assert word not in text, (name, word)
