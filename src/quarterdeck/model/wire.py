"""The words between runner and application: folders, keys, exit codes, line shape.

`runner.py` stands alone and repeats these at its head; `tests/house` compares the two.
"""

from typing import Final

PROTOCOL: Final = 1

# Files in the attempt's input folder (read-only to the runner).
LAUNCH_FILE: Final = "launch.json"
FROZEN_FILE: Final = "frozen.json"
FILES_FOLDER: Final = "files"  # the job's own files; nobody but its payload imports from here

BECOME_WORKER: Final = "worker"  # said to the runner in place of the input folder

# Files in the attempt's output folder.
LOG_FILE: Final = "log"  # the runner's standard output
IDENTITY_FILE: Final = "runner.json"  # {"pid", "start_ticks", "boot_id"} as the host sees them
LOCK_FILE: Final = "lock"  # held by the one runner of this attempt
WORD_FILE: Final = "go"  # its presence is the word to begin
BEGAN_FILE: Final = "began"  # created once (O_EXCL) before anything of the user's starts
PHASE_FILE: Final = "phase"  # waiting | starting | running | ending
BEAT_FILE: Final = (
    "beat"  # {"boot_id", "began": [up_s, asleep_s], "at": […]}, written every BEAT_S
)
LAST_WORD_FILE: Final = "last_word"
SCRATCH_FOLDER: Final = "scratch"

HIDDEN_ENV: Final = (
    "QUARTERDECK_SECRET_"  # before the name of a variable that holds a Secret's value
)
MARKER_ENV: Final = "QUARTERDECK_ATTEMPT"  # in the environment of all that an attempt starts

PHASES: Final = ("waiting", "starting", "running", "ending")
ORIGINS: Final = ("runner", "payload", "engine", "installer")
STREAMS: Final = ("stdout", "stderr", "event", "result")
BEAT: Final = "beat"  # stream of a line with the number 0: the runner lives; nobody keeps it
BEAT_S: Final = 15.0

LINE_LIMIT: Final = 8 * 1024  # bytes of text in one line; longer text goes in pieces
LAST_WORD_LIMIT: Final = 4_000  # bytes
RESULT_ROWS: Final = 1_000  # rows kept of each statement
RESULT_BYTES: Final = 1024 * 1024  # text of rows kept of each statement

# Exit codes of the runner; a Python payload's own code otherwise.
EXIT_OK: Final = 0
EXIT_STATEMENT: Final = 1
EXIT_CONFIG: Final = 64
EXIT_ENGINE_START: Final = 70
EXIT_ENGINE_LOST: Final = 71
EXIT_FENCED: Final = 73
EXIT_INSTALL: Final = 80
EXIT_TIMEOUT: Final = 124
EXIT_CANCELLED: Final = 143
