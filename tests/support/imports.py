"""Files and wheels whose names are modules' names: what shows whose code is imported by whom."""

from __future__ import annotations

import os
from typing import Final

# One for each way in which a name could be taken for a module of the runner, engine, client or Python itself.
FEW: Final = (
    "email.py", "json.py", "runner.py", "sitecustomize.py", "with space é.py", "pyspark.py", "__main__.py",
    "-dash.py",
)  # fmt: skip
MANY: Final = (
    *FEW,
    "copy.py", "uuid.py", "datetime.py", "queue.py", "socket.py", "struct.py", "threading.py", "signal.py",
    "subprocess.py", "ctypes.py", "usercustomize.py", "encodings.py", "os.py", "site.py", "pysail.py", "pandas.py",
    "numpy.py", "pyarrow.py", "grpc.py", "pip.py", "..job.py",
)  # fmt: skip
TIMES: Final = range(
    int(os.environ.get("QUARTERDECK_TEST_NAMES", "1"))
)  # how often each name runs

# As a module it would leave a line with another name than `__main__`.
BODY: Final = """\
import os, sys, time
with open(os.environ["MARKS"], "a") as marks:
    marks.write(f"{__name__} {time.time_ns() // 1_000_000}\\n")
print("main", __file__ == sys.argv[0], os.path.basename(__file__), sys.argv[1:])
"""

# Says in whose process it is imported: the engine has its options, the payload the engine's address.
WHO: Final = """\
import os
who = "payload" if "SPARK_REMOTE" in os.environ else "engine" if "SAIL_MODE" in os.environ else "other"
if "MARKS" in os.environ:
    with open(os.environ["MARKS"], "a") as file:
        file.write(f"{__name__} {who}\\n")
"""
JOBS: Final = """\
import email, json, queue, subprocess, sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
from tiny.functions import seen

CHILD = "import tiny.functions; print(tiny.functions.seen(0))"


def main():
    print("payload", seen(0))
    print("child", subprocess.run([sys.executable, "-P", "-c", CHILD], capture_output=True, text=True).stdout)
    spark = SparkSession.builder.getOrCreate()
    rows = spark.range(0, 2, 1, 2).select(udf(seen, "string")("id").alias("s")).collect()
    for row in rows:
        print("engine", row.s)
"""
FUNCTIONS: Final = """\
import json, socket, sys


def seen(_):
    import email, queue, tiny
    files = {one.__name__: one.__file__ for one in (email, queue, tiny)}
    loaded = [name for name, one in sorted(sys.modules.items()) if getattr(one, "GREEDY", False)]
    return json.dumps({"files": files, "path": sys.path, "loaded": loaded, "host": socket.gethostname()})
"""
AT_START: Final = ("sitecustomize", "tiny_at_start")
# What steers whoever has it before the standard library, before what is installed, or at the start of Python.
GREEDY: Final = {
    "tiny/functions.py": FUNCTIONS,
    **dict.fromkeys(
        (
            "queue.py",
            "email/__init__.py",
            "json.py",
            "pysail.py",
            "usercustomize.py",
            "sitecustomize.py",
        ),
        f"GREEDY = True\n{WHO}",
    ),
    "tiny_at_start.py": f"GREEDY = True\n{WHO}",
    "tiny.pth": "import tiny_at_start\n",
}
