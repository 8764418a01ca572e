"""Where in the log of a failed run its error stands: what a page of the log opens at."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.logline import StoredLine, is_of
from quarterdeck.model.origins import WORKER

if TYPE_CHECKING:
    from quarterdeck.ports.runlog import LogReader

Stop = Callable[[], bool]
TRACEBACK: Final = "Traceback (most recent call last):"
ASIDE: Final = ("Exception ignored", "Exception in thread", "Error in atexit")
SYNTAX: Final = ("SyntaxError: ", "IndentationError: ", "TabError: ")
_SYNTAX: Final = 5  # lines before one of these
ENGINE_REASONS: Final = frozenset({"engine_start", "engine_lost", "dependency_install"})
_LOOKED_AT: Final = 50  # tracebacks, or other places, from the end
_FRAMES: Final = 500  # lines of a traceback
_SHOWN: Final = 200  # characters by which an exception is recognised: evidence may be cut
_EXCEPTION: Final = re.compile(r"(?:  \| )?([\w.]+(?:: .*)?)$")


def first_error(reader: LogReader, run: Mapping[str, Any], stop: Stop) -> int | None:
    """Return the row of a failed run's error; None if nothing in its log is one.

    That is where the traceback begins of the exception that its evidence names; of an engine that failed, the
    engine's first error; else what the runner said at the end; else the first error of all. `run` is a run's
    document. It may look through the whole log: not for an event loop.
    """
    reader.refresh()
    looks = [_of_traceback, _of_syntax, _of_runner, _of_anybody]
    if run["reason"] in ENGINE_REASONS:
        looks.insert(0, _of_engine)
    for look in looks:
        if (row := look(reader, run, stop)) is not None:
            return row
    return None


def _of_traceback(reader: LogReader, run: Mapping[str, Any], stop: Stop) -> int | None:
    evidence = "\n".join(run["evidence"])
    for row in reversed(reader.find(TRACEBACK, stop)[-_LOOKED_AT:]):
        head, *lines = reader.read(row, _FRAMES)
        if head.origin != "payload" or _is_aside(reader.read(row - 1, 1) if row else []):
            continue
        said = _exception(head, lines)
        if said and said[:_SHOWN] in evidence:
            return row
    return None


def _of_syntax(reader: LogReader, run: Mapping[str, Any], stop: Stop) -> int | None:
    """Return where a script that cannot be read is shown: Python begins that with the place, without a title."""
    evidence = "\n".join(run["evidence"])
    for row in reversed(reader.find("Error: ", stop)[-_LOOKED_AT:]):
        begin = max(0, row - _SYNTAX)
        *before, line = reader.read(begin, row - begin + 1)
        if line.origin != "payload" or not line.text.startswith(SYNTAX):
            continue
        if line.text[:_SHOWN] in evidence:
            places = [n for n, one in enumerate(before, begin) if one.text.startswith('  File "')]
            return places[-1] if places else row
    return None


def _is_aside(before: Sequence[StoredLine]) -> bool:
    """Whether the traceback behind this line ends no script."""
    return any(line.text.startswith(ASIDE) for line in before)


def _exception(head: StoredLine, lines: Sequence[StoredLine]) -> str:
    """Return the line of a traceback that names its exception; empty if it is not among these."""
    for line in lines:
        if (line.origin, line.stream) != (head.origin, head.stream):
            continue
        if TRACEBACK in line.text:
            return ""
        if found := _EXCEPTION.match(line.text):
            return found[1]
    return ""


def _of_engine(reader: LogReader, _: Mapping[str, Any], stop: Stop) -> int | None:
    for row in reader.trouble(stop, most=_LOOKED_AT, warnings=False):
        [line] = reader.read(row, 1)
        if line.origin in ("engine", "installer") or is_of(line.origin, WORKER):
            return row
    return None


def _of_runner(reader: LogReader, run: Mapping[str, Any], stop: Stop) -> int | None:
    begin = f"{run['state']} ({run['reason']}): "
    for row in reversed(reader.of_origin("runner", stop)[-_LOOKED_AT:]):
        [line] = reader.read(row, 1)
        if line.stream == "stderr" and line.text.startswith(begin):
            return row
    return None


def _of_anybody(reader: LogReader, _: Mapping[str, Any], stop: Stop) -> int | None:
    rows = reader.trouble(stop, most=1, warnings=False)
    return rows[0] if rows else None
