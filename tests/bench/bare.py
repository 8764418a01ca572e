"""A bare client with an engine of its own: the reference beside which runs are measured.

`python -m tests.bench.bare` is one fresh process: it reads {"statements": […]} and prints
{"engine_s", "import_s", "session_s", "statements_s"}; `measure` starts it.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

ENGINE = "import sys; from pysail.cli import main; main()"
PORT = re.compile(r"Starting the Spark Connect server on \S+:(\d+)")


def measure(statements: Sequence[str] = ()) -> dict[str, Any]:
    """Run the statements in a fresh process with a fresh engine; return its times in seconds."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.bare"],
        input=json.dumps({"statements": list(statements)}),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if done.returncode:
        raise AssertionError(f"the bare client failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def start_engine() -> tuple[subprocess.Popen[str], int]:
    """Start an engine and return it with its port, once it listens."""
    environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
    command = [sys.executable, "-c", ENGINE, "spark", "server", "--ip", "127.0.0.1", "--port", "0"]
    engine = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment | {"RUST_LOG": "info"}
    )
    assert engine.stderr is not None
    for line in engine.stderr:
        if found := PORT.search(line):
            threading.Thread(target=engine.stderr.read, daemon=True).start()
            return engine, int(found[1])
    raise AssertionError(f"the engine named no port and ended with {engine.wait()}")


def main() -> None:
    """Measure one engine: start, import, session, then each statement to its last row."""
    statements = json.load(sys.stdin)["statements"]
    for name in [name for name in os.environ if "proxy" in name.lower()]:
        del os.environ[name]
    begun = time.monotonic()
    engine, port = start_engine()
    try:
        started = time.monotonic()
        import pyarrow  # noqa: F401  # what the client needs for its first rows
        from pyspark.sql.connect.session import SparkSession

        imported = time.monotonic()
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").create()
        spark.sql("select 1").collect()
        opened = time.monotonic()
        seconds = []
        for text in statements:
            before = time.monotonic()
            # `toArrow` would cast, and fails on what a command returns.
            spark.sql(text)._to_table()  # type: ignore[operator]  # private, untyped
            seconds.append(time.monotonic() - before)
        report = {
            "engine_s": started - begun,
            "import_s": imported - started,
            "session_s": opened - imported,
            "statements_s": seconds,
        }
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()
    finally:
        engine.send_signal(signal.SIGKILL)
        engine.wait()
    os._exit(0)  # the client waits seconds for its channels otherwise


if __name__ == "__main__":
    main()
