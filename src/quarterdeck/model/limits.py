"""The numbers that users meet. Each stands here once; documents and messages are made from them."""

from datetime import timedelta
from typing import Final

NAME_LENGTH: Final = 255  # characters
DESCRIPTION_LENGTH: Final = 1_023
DESCRIPTION_WARNING: Final = 1_000
QUERY_LENGTH: Final = 8_191  # characters of a saved query; a warning for a snapshot
SNAPSHOT_BYTES: Final = 512 * 1024
FILE_BYTES: Final = 10 * 1024 * 1024  # a .py file, a definition file
WHEEL_BYTES: Final = 100 * 1024 * 1024
CRON_LENGTH: Final = 100
TIMEZONE_LENGTH: Final = 64
NOTE_LENGTH: Final = 1_023
DISK_GIB: Final = 64 * 1024
CPU: Final = 1_024.0
MEMORY_BYTES: Final = 64 * 1024**4
WORKERS: Final = 1_000
RETRY_ATTEMPTS: Final = 20
RETRY_BACKOFF: Final = timedelta(hours=24)
TIMEOUT: Final = timedelta(hours=1)
TIMEOUT_CEILING: Final = timedelta(hours=24)
QUEUE_DEADLINE: Final = timedelta(hours=6)
START_DEADLINE: Final = timedelta(minutes=10)
EVIDENCE_KEPT: Final = timedelta(days=7)
KEPT: Final = timedelta(days=30)
PAGE: Final = 50  # rows of a list when nobody says
PAGE_MOST: Final = 1_000
FROZEN_BYTES: Final = 900 * 1024  # what a ConfigMap carries, with room for its frame
LOCK_WAIT_S: Final = 5.0
MEMORY_LEAST_BYTES: Final = 1024**2
CPU_LEAST: Final = 0.001
CONCURRENT_RUNS: Final = 1_000
LENGTH_MOST: Final = timedelta(days=3_650)  # of any duration, so that dates stay in their range
WORKERS_CEILING: Final = 20  # the ceilings of a workspace where nobody says otherwise
MEMORY_CEILING_BYTES: Final = 64 * 1024**3
CONCURRENT_RUNS_CEILING: Final = 10
OPTION_LENGTH: Final = 255  # the name of an engine setting
ORIGIN_LENGTH: Final = 4_096  # each part of a snapshot's origin
OWN_DROPPED_MOST: Final = 50  # drafts that a job keeps of those whose authors dropped them
