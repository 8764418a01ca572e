"""The command line as a process, for benchmarks: a store of its own, commands, their JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.quarterdeck import outer_environ

SCRIPT = Path(sys.executable).parent / "quarterdeck"
COMMAND = [str(SCRIPT)] if SCRIPT.is_file() else [sys.executable, "-m", "quarterdeck"]


class Workspace:
    """A workspace in a folder of its own, used through the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = outer_environ() | {"QUARTERDECK_STORE": str(folder / "store")}
        self.run("init")

    def process(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run one command and return how it ended."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def run(self, *arguments: str) -> str:
        """Run one command that must succeed; return its standard output."""
        done = self.process(*arguments)
        if done.returncode:
            raise AssertionError(
                f"{arguments} ended with {done.returncode}: {done.stderr[-2000:]}"
            )
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run one command that must succeed; return its document."""
        return json.loads(self.run(*arguments, "--json"))

    def create(self, documents: Sequence[dict[str, Any]]) -> None:
        """Create jobs from one file; JSON is YAML, too."""
        file = self.folder / "jobs.yaml"
        file.write_text("\n---\n".join(json.dumps(document) for document in documents))
        self.json("job", "create", "-f", str(file))


@contextmanager
def workspace() -> Iterator[Workspace]:
    """Yield a fresh workspace; its folder is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-bench-"))
    try:
        yield Workspace(folder)
    finally:
        shutil.rmtree(folder)


def a_job(name: str, text: str, **spec: Any) -> dict[str, Any]:
    """Return the document of a snapshot job on what `init` made."""
    source = {"kind": "snapshot", "text": text}
    more = {"profile": "small", "cluster": "local", "catalogs": ["main"]} | spec
    return {"name": name, "spec": {"source": source} | more}


def show(report: dict[str, Any]) -> None:
    """Print one JSON document."""
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
