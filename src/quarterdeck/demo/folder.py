"""The demo's folder: whose it is, its data and its wheel. What is in its store: `filling`."""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quarterdeck.model.errors import ConflictError, PrerequisiteError, StoreFaultError

SCALE: Final = "0.1"  # 150,000 orders, 32 MB
TABLES: Final = (
    "customer", "lineitem", "nation", "orders", "part", "partsupp", "region", "supplier",
)  # fmt: skip
LOCAL: Final = "Install Quarterdeck with its local engine: `pip install 'quarterdeck[local]'`."
_MARK: Final = "demo.json"

WHEEL_NAME: Final = "customer_wheel-1.0-py3-none-any.whl"
_WHEEL_MAIN: Final = '''\
"""Customers per market segment, from a wheel's entry point."""

import sys

from pyspark.sql import SparkSession


def run() -> int:
    """Print one line for each segment of the customers in the file named by the first argument."""
    customers = SparkSession.builder.getOrCreate().read.parquet(sys.argv[1])
    for row in customers.groupBy("c_mktsegment").count().orderBy("c_mktsegment").collect():
        print(f"{row['c_mktsegment']}: {row['count']} customers")
    return 0
'''
_WHEEL_FILES: Final = {
    "customer_wheel/__init__.py": "",
    "customer_wheel/main.py": _WHEEL_MAIN,
    "customer_wheel-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: customer-wheel\nVersion: 1.0\n",
    "customer_wheel-1.0.dist-info/WHEEL": (
        "Wheel-Version: 1.0\nGenerator: quarterdeck\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ),
    "customer_wheel-1.0.dist-info/entry_points.txt": (
        "[console_scripts]\ncustomer-wheel = customer_wheel.main:run\n"
    ),
}


@dataclass(frozen=True, slots=True)
class DemoFolder:
    """One folder with `store`, `data` (TPC-H tables), `files` (a wheel) and `export` (what a job writes)."""

    root: Path

    @property
    def store(self) -> Path:
        """The store of the demo's workspace."""
        return self.root / "store"

    @property
    def wheel(self) -> Path:
        """The wheel that a sample runs."""
        return self.root / "files" / WHEEL_NAME

    @property
    def export(self) -> Path:
        """Where a sample writes its table."""
        return self.root / "export"

    def table(self, name: str) -> Path:
        """Return the Parquet file of one of `TABLES`."""
        return self.root / "data" / f"{name}.parquet"

    @property
    def is_ready(self) -> bool:
        """Whether the workspace was made whole before."""
        return bool(_mark(self.root).get("ready"))

    def set_ready(self) -> None:
        """Say that the workspace is whole: from now on it is only opened."""
        _write_mark(self.root, ready=True)

    def make_files(self) -> None:
        """Make data and wheel where they are missing; what is there is kept.

        Raises PrerequisiteError when the generator is not installed or fails, StoreFaultError on a full disk.
        """
        try:
            if not self.table(TABLES[0]).parent.is_dir():
                self._make_data()
            if not self.wheel.is_file():
                self.wheel.parent.mkdir(exist_ok=True)
                self.wheel.write_bytes(_wheel())
        except OSError as error:
            raise _fault(error, self.root) from error

    def _make_data(self) -> None:
        draft = Path(tempfile.mkdtemp(prefix="data.", dir=self.root))
        try:
            generate(draft, SCALE)
            draft.rename(self.root / "data")  # whole, or not at all
        finally:
            shutil.rmtree(draft, ignore_errors=True)


def claim(path: Path) -> DemoFolder:
    """Return the demo's folder at `path`: made if absent or empty, opened again if it is one.

    Raises ConflictError, and leaves it untouched, for any other folder or file.
    """
    root = path.expanduser().absolute()
    try:
        if root.exists() and not root.is_dir():
            raise ConflictError(f"{root} is a file.", advice="Name a folder with --path.")
        if root.is_dir() and _mark(root):
            return DemoFolder(root)
        if root.is_dir() and any(root.iterdir()):
            raise ConflictError(
                f"{root} is not empty and no demo of Quarterdeck; nothing was written.",
                advice="Name a new or empty folder with --path.",
            )
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_mark(root, ready=False)
    except OSError as error:
        raise _fault(error, root) from error
    return DemoFolder(root)


def generate(target: Path, scale: str) -> None:
    """Write the eight tables of TPC-H at `scale` as Parquet files into the folder `target`."""
    program = Path(sys.executable).parent / "tpchgen-cli"
    if not program.is_file():
        raise PrerequisiteError(
            "tpchgen-cli, which makes the demo's data, is not here.", advice=LOCAL
        )
    command = [str(program), "parquet", "-s", scale, "--output-dir", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  # ours
    if done.returncode:
        said = done.stderr.strip().rpartition("\n")[2] or "it said nothing"
        raise PrerequisiteError(
            f"tpchgen-cli could not make the demo's data (exit {done.returncode}): {said}",
            advice="Fix that, then run the same command again.",
        )


def query_text(number: int) -> str:
    """Return the text of TPC-H query `number`, 1 to 22, as it ships with pysail, which is not imported."""
    spec = importlib.util.find_spec("pysail")
    if spec is None or spec.origin is None:
        raise PrerequisiteError("pysail, whose queries the demo runs, is not here.", advice=LOCAL)
    return (Path(spec.origin).parent / f"data/tpch/queries/q{number}.sql").read_text("utf-8")


def _mark(root: Path) -> dict[str, object]:
    """Return what the demo wrote about its folder; empty if this is none."""
    try:
        found = json.loads((root / _MARK).read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found if isinstance(found, dict) and found.get("quarterdeck") == "demo" else {}


def _write_mark(root: Path, *, ready: bool) -> None:
    draft = root / f".{_MARK}.{os.getpid()}"
    draft.write_text(json.dumps({"quarterdeck": "demo", "ready": ready}) + "\n", "utf-8")
    draft.replace(root / _MARK)


def _fault(error: OSError, root: Path) -> StoreFaultError:
    return StoreFaultError(
        f"The demo cannot write into {root}: {error.strerror or error}.",
        advice="Make room or rights there, or name another folder with --path.",
    )


def _wheel() -> bytes:
    """Return the wheel; the same bytes each time."""
    record = "customer_wheel-1.0.dist-info/RECORD"
    lines = [f"{name},{_hash(text)},{len(text.encode())}" for name, text in _WHEEL_FILES.items()]
    files = {**_WHEEL_FILES, record: "\n".join([*lines, f"{record},,", ""])}
    with tempfile.SpooledTemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, text in files.items():
                archive.writestr(zipfile.ZipInfo(name), text)
        target.seek(0)
        return target.read()


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
