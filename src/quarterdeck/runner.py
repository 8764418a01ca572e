"""The runner: starts the engine, runs an attempt's statements or payload, says how it ended.

One file on purpose: it is shipped as text and run as `python -P runner.py IN OUT`, here or in a
pod, so it imports nothing of this package and at load only the standard library. The words that it
shares with the application stand in `model/wire`.

Three import paths. Runner: the standard library and what is installed here. Engine and its
workers: the same, and wheels of the job behind it. Payload: the standard library, wheels, what is
installed here. A script's folder and the working folder are on none of them.
"""

from __future__ import annotations

import base64
import codecs
import ctypes
import datetime
import fcntl
import hashlib
import json
import os
import platform
import re
import select
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
import uuid
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from importlib.machinery import PathFinder
from itertools import pairwise
from json.encoder import encode_basestring
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn, cast

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql.connect.session import SparkSession

# --- words (model/wire) ----------------------------------------------------------------------

PROTOCOL: Final = 1
LAUNCH_FILE: Final = "launch.json"
FROZEN_FILE: Final = "frozen.json"
FILES_FOLDER: Final = "files"
BECOME_WORKER: Final = "worker"
IDENTITY_FILE: Final = "runner.json"
LOCK_FILE: Final = "lock"
WORD_FILE: Final = "go"
BEGAN_FILE: Final = "began"
PHASE_FILE: Final = "phase"
BEAT_FILE: Final = "beat"
LAST_WORD_FILE: Final = "last_word"
SCRATCH_FOLDER: Final = "scratch"
HIDDEN_ENV: Final = "QUARTERDECK_SECRET_"
MARKER_ENV: Final = "QUARTERDECK_ATTEMPT"
BEAT: Final = "beat"
BEAT_S: Final = 15.0
LINE_LIMIT: Final = 8 * 1024
LAST_WORD_LIMIT: Final = 4_000
RESULT_ROWS: Final = 1_000
RESULT_BYTES: Final = 1024 * 1024
EXIT_OK: Final = 0
EXIT_STATEMENT: Final = 1
EXIT_CONFIG: Final = 64
EXIT_ENGINE_START: Final = 70
EXIT_ENGINE_LOST: Final = 71
EXIT_FENCED: Final = 73
EXIT_INSTALL: Final = 80
EXIT_TIMEOUT: Final = 124
EXIT_CANCELLED: Final = 143

# --- words of its own ------------------------------------------------------------------------

PARAMETERS_ENV: Final = "QUARTERDECK_PARAMETERS"  # a Python payload's parameters, as JSON
ENGINE_READY_S: Final = 30.0
PROBE_S: Final = 10.0
PROBE_PODS_S: Final = 600.0  # a session of the Kubernetes mode starts pods first
INTERRUPT_S: Final = 2.0
ENGINE_STOP_S: Final = 3.0
KILL_S: Final = 2.0
DRAIN_S: Final = 1.0  # a child of the payload may hold its output open after it
PIECE_S: Final = (
    0.5  # so long a text waits for the end of its line; then what there is of it is logged
)
HEADLINE: Final = 300  # characters
MESSAGE: Final = 4_000  # characters of an engine's message that are read
QUOTED: Final = 500  # characters of a source line that are told
SECRET_LEAST: Final = 4  # characters; a shorter value is in every text
ASLEEP_S: Final = 5.0  # less is not worth a line
STACK_BYTES: Final = 268_435_456  # on the default 8 MiB about 1 KB of SQL can end the engine
# SIGINT is how it is asked to stop: no traceback at the end of every log.
ENGINE_CODE: Final = """\
from pysail.cli import main
try:
    main()
except KeyboardInterrupt:
    pass
"""
PIP_CODE: Final = """\
import runpy
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""
# `sitecustomize` of each Python that a payload with wheels starts; `WHEELS` is set before it.
# PYTHONPATH would put wheels before the standard library, and would read no .pth of theirs.
SITE_CODE: Final = """
import os, site, sys
home = os.path.dirname(os.__file__)
packed = os.path.join(os.path.dirname(home), "python%d%d.zip" % sys.version_info[:2])
known = (packed, home, os.path.join(home, "lib-dynload"))
rest = [each for each in sys.path if each != os.path.dirname(__file__)]
sys.path[:] = rest
if WHEELS:
    standard = [each for each in rest if each in known]
    sys.path[:] = [*standard, WHEELS, *(each for each in rest if each not in standard)]
    site.addsitedir(WHEELS)

def watch(path, pid, show):
    import json  # not in the hook: an import there changes how an interrupt ends
    def told(kind, error, trace):
        if os.getpid() == pid:  # a child that was forked says nothing in its parent's name
            try:
                keep(json, path, kind, error, trace)
            except Exception:
                pass  # what Python prints is looked through then
        show(kind, error, trace)
    sys.excepthook = told

def keep(json, path, kind, error, trace):
    from itertools import islice
    facts = {"kind": name(kind), "message": words(error)}
    while trace is not None:
        code, at = trace.tb_frame.f_code, trace.tb_lasti
        if code.co_filename.startswith(tuple(OURS)):
            spot = next(islice(code.co_positions(), at // 2, None), (None,) * 4)
            facts["at"] = [code.co_filename, trace.tb_lineno, spot[2] if spot[0] == trace.tb_lineno else None]
        trace = trace.tb_next
    if isinstance(error, SyntaxError) and str(error.filename).startswith(tuple(OURS)):
        facts["at"] = [error.filename, error.lineno, None]
        facts["character"] = error.offset
        facts["message"] = str(error.msg)
    with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
        json.dump(facts, file)

def name(kind):
    within = "" if kind.__module__ in ("builtins", "__main__") else kind.__module__ + "."
    return within + kind.__qualname__

def words(error):
    try:
        text = str(error)
    except Exception:
        text = ""
    if isinstance(error, BaseExceptionGroup):
        text = str(error.message) + ": " + "; ".join(leaves(error, 5))
    return text[:2000]

def leaves(group, most):
    found = []
    for each in group.exceptions:
        is_group = isinstance(each, BaseExceptionGroup)
        line = (words(each).splitlines() or [""])[0] if not is_group else ""
        found += leaves(each, most) if is_group else [name(type(each)) + ": " + line]
    return found[:most] + (["..."] if len(found) > most else [])

if path := os.environ.pop("QUARTERDECK_FAILED", ""):
    watch(path, os.getpid(), sys.excepthook)
own = sys.modules.pop(__name__)
try:
    import sitecustomize  # of a wheel, or of what is installed here
except ImportError as error:
    if error.name != "sitecustomize":
        raise
sys.modules.setdefault(__name__, own)
"""
ENTRY_CODE: Final = """
import sys
from importlib.metadata import PackageNotFoundError, distribution
sys.argv[0] = {last!r}
try:
    for each in distribution({package!r}).entry_points:
        if each.group == "console_scripts" and each.value.replace(" ", "") == {entry_point!r}:
            sys.argv[0] = each.name
except PackageNotFoundError:
    pass
from {module} import {first}
value = {name}()
if not isinstance(value, (int, type(None))) or value is True:
    import json
    is_waiting = hasattr(value, "cr_await")
    try:
        told = " ".join(repr(value).split())[:200]
    except Exception:
        told = "a " + type(value).__name__
    if is_waiting:
        told = "a coroutine"
    with open({path!r}, "w", encoding="utf-8") as file:
        json.dump(dict(returned=told), file)
    if is_waiting:
        value.close()
        value = 1
sys.exit(value)
"""
CODES: Final = {
    "user_error": EXIT_STATEMENT,
    "config_error": EXIT_CONFIG,
    "dependency_install": EXIT_INSTALL,
    "engine_start": EXIT_ENGINE_START,
    "engine_lost": EXIT_ENGINE_LOST,
    "oom_driver": EXIT_ENGINE_LOST,
    "start_fenced": EXIT_FENCED,
    "timeout": EXIT_TIMEOUT,
    "cancelled": EXIT_CANCELLED,
    "lost": 70,
}
# What of the outer environment reaches engine and payload; the rest of a user's shell does not.
KEPT_ENV: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
)
KEPT_PREFIXES: Final = ("LC_", "AWS_", "AZURE_", "GOOGLE_", "KUBERNETES_")
UTF8_INNER: Final = 0b10  # how a byte within a character begins
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
LIBC: Final = ctypes.CDLL(None)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class End:
    """How the attempt ends; `line` and `column` are places in the whole source text, from 1."""

    state: str
    reason: str | None = None
    code: int = EXIT_OK
    message: str = ""
    object: str | None = None
    evidence: tuple[str, ...] = ()
    line: int | None = None
    column: int | None = None
    headline: str = ""  # the error itself in one line
    place: Json | None = None  # {what, number, of, line, column, file, text}; see model/failure


def failure_lines(end: End) -> list[str]:
    """Return why the attempt failed, as people read it at the end of its log: the sentence last."""
    if end.state == "succeeded" or end.reason == "cancelled":
        return []
    at = f" (line {end.line}, column {end.column})" if end.line and end.column else ""
    if not end.headline:
        return f"{end.state} ({end.reason}): {end.message.rstrip()}{at}".splitlines()
    is_sql = end.place is not None and end.place["what"] == "statement"  # Python prints its own
    words = end.message.rstrip().splitlines() if is_sql else []
    return [*words, f"{end.state} ({end.reason}): {end.headline}{at}"]


class EndedError(Exception):
    """Carries the end from where it is known to where it is said."""

    def __init__(self, end: End) -> None:
        super().__init__(end.message)
        self.end = end


def failed(reason: str, message: str, *, code: int | None = None, **more: Any) -> EndedError:
    """Return the error that ends the attempt as failed for this reason."""
    return EndedError(
        End("failed", reason, CODES[reason] if code is None else code, message, **more)
    )


# --- SQL text; the same rules as model/sqltext -----------------------------------------------

TOKEN: Final = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<line>--[^\r\n]*)|(?P<block>/\*)
    |(?P<string>[rR][ \t]*(?:'[^']*'|"[^"]*")|U&(?:'[^']*'|"[^"]*")
      |'[^'\\]*(?:\\.[^'\\]*)*'|"[^"\\]*(?:\\.[^"\\]*)*"|`[^`]*`)
    |(?P<marker>::|:(?P<name>[^\W\d]\w*))|(?P<word>\w+)|(?P<open>['"`])|(?P<dollar>\$)|(?P<end>;)|(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
COMMENT: Final = re.compile(r"/\*|\*/")
TAG: Final = re.compile(r"\$[^$]*\$")
NEWLINE: Final = re.compile(r"\r\n|\r|\n")
BOM: Final = "\ufeff"
QUERY_WORDS: Final = frozenset({"select", "with", "values", "table"})
LEFT_OPEN: Final = {"'": "string", '"': "string", "`": "quoted name", "$": "dollar-quoted string"}


class Statement(NamedTuple):
    """One statement of the source text; `offset` in characters, the rest from 1."""

    number: int
    text: str
    offset: int
    line: int
    column: int


class Token(NamedTuple):
    """A piece of SQL text; `name` of a parameter marker."""

    kind: str
    start: int
    end: int
    name: str


def tokens(text: str) -> Iterator[Token]:
    """Yield what the engine's lexer would see; kind `open` reaches to the end of the text."""
    at = len(BOM) if text.startswith(BOM) else 0
    tags: dict[str, list[int]] = {}
    for one, two in pairwise(match.start() for match in re.finditer(r"\$", text)):
        tags.setdefault(text[one : two + 1], []).append(one)
    while match := TOKEN.match(text, at):
        kind, end = match.lastgroup or "other", match.end()
        if kind == "line":
            kind = "comment"
        elif kind == "block":
            closed = comment_end(text, at)
            kind, end = ("comment", closed) if closed else ("open", len(text))
        elif kind == "open":
            end = len(text)
        elif kind == "dollar" and (tag := TAG.match(text, at)):
            starts = tags[tag.group()]
            if (closing := bisect_left(starts, tag.end())) < len(starts):
                kind, end = "string", starts[closing] + len(tag.group())
        yield Token(kind, at, end, match["name"] or "")
        at = end


def comment_end(text: str, at: int) -> int:
    """Return the offset behind the (nesting) comment at `at`; 0 if it is never closed."""
    depth = 0
    for match in COMMENT.finditer(text, at):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return 0


def split(text: str) -> list[Statement]:
    """Return the statements in order, without empty and comment-only pieces."""
    found: list[tuple[int, int]] = []
    first, last = -1, 0
    for token in tokens(text):
        if token.kind == "end":
            if first >= 0:
                found.append((first, last))
            first = -1
        elif token.kind not in {"space", "comment"}:
            first = token.start if first < 0 else first
            last = token.end
    if first >= 0:
        found.append((first, last))
    starts = line_starts(text)
    return [
        Statement(number, text[start:end], start, *place(starts, start))
        for number, (start, end) in enumerate(found, 1)
    ]


def line_starts(text: str) -> list[int]:
    """Return the offset of each line; CR, LF and CRLF end one."""
    return [len(BOM) * text.startswith(BOM), *(m.end() for m in NEWLINE.finditer(text))]


def place(starts: Sequence[int], offset: int) -> tuple[int, int]:
    """Return line and column (from 1, in characters) of an offset."""
    line = max(1, bisect_right(starts, offset))
    return line, offset - starts[line - 1] + 1


def left_open(text: str) -> tuple[str, int] | None:
    """Return what begins and is never closed, and where; None if all is closed."""
    for token in tokens(text):
        if token.kind == "open":
            return LEFT_OPEN.get(text[token.start], "comment"), token.start
        if token.kind == "dollar" and re.match(r"\$\w*\$", text[token.start : token.start + 128]):
            return LEFT_OPEN["$"], token.start
    return None


def markers(text: str) -> tuple[str, ...]:
    """Return the names of the parameter markers, each once, in order."""
    return tuple(dict.fromkeys(token.name for token in tokens(text) if token.name))


def is_query(text: str) -> bool:
    """Whether this statement is a query: commands refuse parameters."""
    for token in tokens(text):
        word = text[token.start : token.end].lower()
        if token.kind in {"space", "comment"} or word == "(":
            continue
        return token.kind == "word" and word in QUERY_WORDS
    return False


# --- what a statement's error says ------------------------------------------------------------

CLAUSES: Final = frozenset(
    {"with", "select", "from", "where", "group", "having", "order", "on", "using", "set", "values"}
    | {"limit", "lateral", "window", "qualify", "union", "into", "table", "update"}
)
BEFORE_TABLE: Final = frozenset(
    {"from", "join", "into", "table", "update", "overwrite", "view", "using"}
)
BEFORE_COLUMN: Final = frozenset(
    {"select", "distinct", "all", "where", "and", "or", "not", "on", "by", "having", "when"}
    | {"then", "else", "case", "in", "between", "like", "ilike", "rlike", "regexp", "div", "set"}
    | {"qualify", *"(,[=<>!+-*/%|&^~"}
)


class Piece(NamedTuple):
    """A word, name, string or sign of a statement; `clause` is the first word of the one it stands in."""

    at: int
    text: str  # without its backticks or quotes
    kind: str  # word, name, string, other
    clause: str

    def is_sign(self, text: str) -> bool:
        """Whether it is this sign, or this word without quotes, in small letters."""
        return self.kind in {"word", "other"} and self.text.lower() == text


class Name(NamedTuple):
    """A name with dots, what stands before and after it, and the number of its first and last piece."""

    at: int
    parts: tuple[str, ...]
    before: str
    after: str
    clause: str
    first: int
    last: int


@lru_cache(maxsize=1)  # several rules ask of the one statement that failed
def lexed(text: str) -> list[Piece]:
    """Return what a statement is made of, without spaces and comments."""
    found: list[Piece] = []
    clauses = [""]
    for token in tokens(text):
        if token.kind in {"space", "comment"}:
            continue
        written, kind = text[token.start : token.end], token.kind
        if kind == "string":
            kind = "name" if written[0] == "`" else "string"
            written = written.strip(written[0]) if written[0] in "'\"`" else written
        elif kind != "word":
            kind = "other"
        lower = written.lower()
        if kind == "word" and lower in {*CLAUSES, "join"}:
            clauses[-1] = "from" if lower == "join" else lower
        if kind == "other" and written == ")" and len(clauses) > 1:
            clauses.pop()
        found.append(Piece(token.start, written, kind, clauses[-1]))
        if kind == "other" and written == "(":
            clauses.append("alias" if opens_aliases(found) else clauses[-1])
    return found


def opens_aliases(found: Sequence[Piece]) -> bool:
    """Whether the last piece opens the names of columns in `… AS t(a, b)` or `WITH t(a, b) AS`."""
    if len(found) < 3 or found[-2].kind not in {"word", "name"}:  # noqa: PLR2004
        return False
    before, clause = found[-3], found[-2].clause
    return (
        before.is_sign("as")
        or (before.is_sign(")") and clause in {"from", "values"})
        or clause == "with"
    )


def names(found: Sequence[Piece]) -> list[Name]:
    """Return the names with dots, in order; words of the language are among them."""
    told: list[Name] = []
    index = 0
    while index < len(found):
        first = index
        index += 1
        if found[first].kind not in {"word", "name"}:
            continue
        while (
            index + 1 < len(found)
            and found[index].is_sign(".")
            and found[index + 1].kind in {"word", "name"}
        ):
            index += 2
        before = found[first - 1] if first else None
        after = found[index] if index < len(found) else None
        told.append(
            Name(
                found[first].at,
                tuple(piece.text for piece in found[first:index:2]),
                before.text.lower() if before and before.kind in {"word", "other"} else "",
                after.text.lower() if after and after.kind in {"word", "other"} else "",
                found[first].clause,
                first,
                index - 1,
            )
        )
    return told


def alike(found: Sequence[Name], parts: Sequence[str]) -> list[Name]:
    """Return the names that end in these parts: those in the same case, else in any."""
    count = len(parts)
    same = [name for name in found if name.parts[-count:] == tuple(parts)]
    lower = tuple(part.lower() for part in parts)
    return same or [
        name for name in found if tuple(part.lower() for part in name.parts[-count:]) == lower
    ]


def columns_named(text: str, parts: Sequence[str]) -> list[Name]:
    """Return where a column that is not there is read, under this name; not where it is defined."""
    known = [name for name in names(lexed(text)) if len(name.parts) == len(parts)]
    wanted = alike(known, parts)
    read = [
        name
        for name in wanted
        if name.before in BEFORE_COLUMN
        and name.after not in {"(", "."}
        and name.clause not in {"alias", "from", "with"}
    ]
    if any(name.before == "as" for name in wanted):  # an alias is known to all but these
        return [name for name in read if name.clause in {"where", "on"}] or read
    return read


def tables_named(text: str, name: str) -> list[Name]:
    """Return where a table that is not there is read, under this name (its last part)."""
    found = lexed(text)
    known = names(found)
    read = [
        each
        for each in alike(known, [name])
        if (each.before in BEFORE_TABLE or (each.before in {",", "("} and each.clause == "from"))
        and each.after != "("
    ]
    behind = [end for each in alike(known, [name]) if (end := body_end(found, each)) is not None]
    return [each for each in read if not behind or each.at < min(behind)]


def body_end(found: Sequence[Piece], name: Name) -> int | None:
    """Return where the query ends that a WITH defines under this name; None if it defines none."""
    if name.clause != "with" or name.before not in {"with", "recursive", ","}:
        return None
    index = name.last + 1
    if index < len(found) and found[index].is_sign("("):
        index = closing(found, index) + 1
    if [piece.text.lower() for piece in found[index : index + 2]] != ["as", "("]:
        return None
    end = closing(found, index + 1)
    return found[end].at if end < len(found) else None


def closing(found: Sequence[Piece], index: int) -> int:
    """Return the number of the piece that closes this parenthesis; behind the last if none does."""
    depth = 0
    for number, piece in enumerate(found[index:], index):
        depth += piece.is_sign("(") - piece.is_sign(")")
        if depth == 0:
            return number
    return len(found)


def calls(text: str, name: str = "") -> list[Name]:
    """Return where this function is called, or where any is."""
    found = [each for each in names(lexed(text)) if each.after == "("]
    if name:
        return alike(found, [name])
    inner = {*BEFORE_COLUMN, *BEFORE_TABLE, "as", "values", "using", "over", "exists"}
    return [
        each
        for each in found
        if each.parts[-1].lower() not in inner and each.clause not in {"alias", "with"}
    ]


def written_as(text: str, value: str) -> list[Piece]:
    """Return where a value is written as a string or a number."""
    return [
        piece for piece in lexed(text) if piece.kind in {"string", "word"} and piece.text == value
    ]


SYNTAX: Final = re.compile(r"found (.*) at (\d+):(\d+) expected (.*)", re.DOTALL)


def syntax_place(text: str, said: re.Match[str]) -> int | None:
    """Return where in the statement this syntax error is; None if it is inside of a literal."""
    data = text.encode()
    first, last = (len(data[: int(said[group])].decode(errors="ignore")) for group in (2, 3))
    starts, ends = set[int](), set[int]()
    for token in tokens(text):
        starts.add(token.start)
        ends.add(token.end)
    return first if first in starts and last in ends else None


def with_places(statement: Statement, starts: Sequence[int], message: str) -> str:
    """Return an engine's message with line and column of the text instead of its own offsets."""
    found = SYNTAX.search(message)
    if not found:
        return message
    inner = syntax_place(statement.text, found)
    there = ""
    if inner is not None:
        there = " at line {}, column {}".format(*place(starts, statement.offset + inner))
    return f"{message[: found.end(1)]}{there}{message[found.end(3) :]}"


GAPS: Final = (  # how a statement begins that the engine does not take; what to do instead
    (
        r"SET (?:VAR|VARIABLE)\b|DECLARE\b",
        "The engine has no SQL variables; put the value into the job's parameters and read it as :name.",
    ),
    (
        r"SET TIME ZONE\b",
        "{no} SET TIME ZONE; {conf}: spark.conf.set('spark.sql.session.timeZone', …).",
    ),
    (r"SET ROLE\b", "The engine has no roles; leave SET ROLE out."),
    (r"(?:SET|RESET)\b", "{no} {0}; {conf}: spark.conf.set(…)."),
    (
        r"USE (?!(?:DATABASE|SCHEMA|NAMESPACE|CATALOG)\b)(\S+)",
        "The engine does not take USE alone; write USE DATABASE {1}.",
    ),
    (r"FROM\b", "The engine does not take FROM first; write SELECT before it."),
    (
        r"CACHE (?:LAZY )?TABLE (\S+) (?:AS|SELECT|WITH)\b",
        "{no} CACHE TABLE; write CREATE TEMP VIEW {1} AS …",
    ),
    (r"(?:UN)?CACHE TABLE|CLEAR CACHE", "{no} {0}; leave it out."),
    (r"REFRESH\b", "{no} REFRESH; leave it out, or start a new run."),
    (
        r"DESC(?:RIBE)? (?:FORMATTED) (\S+)",
        "The engine has no DESCRIBE FORMATTED; write DESCRIBE TABLE EXTENDED {1}.",
    ),
    (
        r"DESC(?:RIBE)? (?:QUERY|SELECT|WITH|VALUES)\b",
        "The engine cannot describe a query; make it a view and write DESCRIBE TABLE.",
    ),
    (r"DESC(?:RIBE)? (?:HISTORY|DETAIL)\b", "{no} {0}."),
    (
        r"DESC(?:RIBE)? (?!(?:FUNCTION|CATALOG|DATABASE|SCHEMA|NAMESPACE|TABLE|EXTENDED)\b)(\S+)$",
        "The engine does not take {verb} alone; write DESCRIBE TABLE {1}.",
    ),
    (
        r"EXECUTE IMMEDIATE\b",
        "{no} EXECUTE IMMEDIATE; write the statement itself, with its values as parameters (:name).",
    ),
    (
        r"BEGIN\b(?! TRANSACTION)|IF\b|WHILE\b|LOOP\b|REPEAT\b",
        "{no} SQL scripts (BEGIN … END, IF, loops); write plain statements, or a Python job.",
    ),
    (
        r"BEGIN TRANSACTION|START TRANSACTION|COMMIT\b|ROLLBACK\b",
        "{no} transactions; each statement takes effect by itself.",
    ),
    (r"CALL\b", "{no} CALL; what the procedure does must be written as statements."),
    (r"ANALYZE\b", "{no} ANALYZE; leave it out."),
    (r"(?:ADD|LIST) (?:JARS?|ARCHIVES?)\b", "{no} {0}: it runs no Java."),
    (r"(?:ADD|LIST) FILES?\b", "{no} {0}; write the whole path where the file is read."),
    (
        r"SHOW (PARTITIONS|TBLPROPERTIES|VARIABLES|GRANTS?|ROLES?|CREATE TABLE)\b",
        "{no} SHOW {1}; DESCRIBE TABLE EXTENDED shows what it knows of a table.",
    ),
    (
        r"CREATE (?:OR REPLACE )?(?:TEMP |TEMPORARY )?FUNCTION\b",
        "{no} CREATE FUNCTION; a Python job can register one with spark.udf.register(…).",
    ),
    (r"LOAD DATA\b", "{no} LOAD DATA; write INSERT INTO … SELECT … FROM parquet.`/path`."),
    (r"COPY INTO\b", "{no} COPY INTO; write INSERT INTO … SELECT … FROM parquet.`/path`."),
    (r"TRUNCATE TABLE (\S+)", "{no} TRUNCATE TABLE; write DELETE FROM {1} (Delta, Iceberg)."),
    (r"(?:MSCK )?REPAIR TABLE\b", "{no} {0}; leave it out."),
    (
        r"ALTER (TABLE|VIEW|DATABASE|SCHEMA)\b",
        "The engine cannot do this ALTER {1}; create it anew.",
    ),
    (r"COMMENT ON\b", "{no} COMMENT ON; leave it out."),
    (r"(?:GRANT|REVOKE)\b", "{no} {verb}; rights are given in the catalog itself."),
    (r"(?:VACUUM|OPTIMIZE|RESTORE)\b", "{no} {verb}; another program must do this to the table."),
    (
        r"CREATE (?:MATERIALIZED VIEW|INDEX|CATALOG)\b",
        "{no} {0}.",
    ),
    (
        r"CREATE TABLE (?:IF NOT EXISTS )?(\S+) LIKE\b",
        "{no} CREATE TABLE … LIKE; write CREATE TABLE {1} AS SELECT … LIMIT 0.",
    ),
)
GAPS_WITHIN: Final = {
    "|>": "The engine has no |> (pipe syntax); write one SELECT.",
    "PIVOT": "The engine has no PIVOT; write one sum(CASE WHEN … THEN … END) for each column.",
    "UNPIVOT": "The engine has no UNPIVOT; write one SELECT for each column, with UNION ALL.",
}
CONF: Final = "a Python job can set what holds for its session"
REFUSES: Final = re.compile(
    r"found .* expected |config namespace|list all properties|show property|LIKE in CREATE TABLE"
    r"|SHOW CREATE TABLE|PlanNode::|CommandNode::|ALTER (?:TABLE|DATABASE)",
    re.DOTALL,
)
TYPES: Final = {
    "Int8": ("a whole number", "TINYINT"),
    "Int16": ("a whole number", "SMALLINT"),
    "Int32": ("a whole number", "INT"),
    "Int64": ("a whole number", "BIGINT"),
    "UInt64": ("a whole number", "BIGINT"),
    "Float32": ("a number", "FLOAT"),
    "Float64": ("a number", "DOUBLE"),
    "Decimal": ("a number", "DECIMAL"),
    "Decimal128": ("a number", "DECIMAL"),
    "Decimal256": ("a number", "DECIMAL"),
    "Boolean": ("true or false", "BOOLEAN"),
    "Date32": ("a date", "DATE"),
    "Timestamp": ("a point in time", "TIMESTAMP"),
    "Interval": ("an interval", "INTERVAL"),
    "Duration": ("an interval", "INTERVAL"),
    "Utf8": ("text", "STRING"),
    "LargeUtf8": ("text", "STRING"),
    "Utf8View": ("text", "STRING"),
    "Binary": ("bytes", "BINARY"),
    "List": ("a list", "ARRAY"),
    "Struct": ("a struct", "STRUCT"),
    "Map": ("a map", "MAP"),
}
WINDOW_FUNCTIONS: Final = frozenset(
    {"row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead"}
)
STATEMENTS: Final = (
    *("SELECT", "INSERT", "CREATE", "DELETE", "UPDATE", "MERGE", "DROP", "EXPLAIN", "WITH"),
    *("SHOW", "DESCRIBE", "ALTER", "VALUES"),
)
RAISES: Final = ("raise_error", "assert_true")
COUNTS: Final = {"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4}


class Told(NamedTuple):
    """The error itself in one line, and where in the statement it can be, in characters."""

    headline: str
    places: Sequence[int] = ()


def explain(text: str, message: str) -> Told:
    """Return what an engine's message about this statement says, in plain words."""
    message = message[:MESSAGE]
    raised = [call.at for name in RAISES for call in calls(text, name)]
    if raised and any(unescaped(piece.text) == message for piece in lexed(text)):
        return Told(first_line(message), raised)
    if told := known(text, message):
        return told
    return Told(first_line(message), raised) if raised else Told(first_sentence(text, message))


def known(text: str, message: str) -> Told | None:
    """Return what a message says for which there are words here; None if there are none."""
    if told := gap(text, message) or syntax(text, message):
        return told
    for pattern, tell in SENTENCES:
        if found := re.search(pattern, message, re.MULTILINE):
            return tell(text, found)
    return None


def unescaped(text: str) -> str:
    """Return what a string of SQL says, by its commonest escapes."""
    return re.sub(r"\\(.)", lambda each: {"n": "\n", "t": "\t"}.get(each[1], each[1]), text)


def gap(text: str, message: str) -> Told | None:
    """Return what to do instead of a statement that the engine does not have."""
    if not REFUSES.search(message):
        return None
    found = lexed(text)
    head = "".join(
        f"{piece.text} " if text[piece.at + len(piece.text) :][:1].isspace() else piece.text
        for piece in found[:8]
    )
    for pattern, sentence in GAPS:
        if match := re.match(pattern, head.strip(), re.IGNORECASE):
            groups = [match[0].upper(), *match.groups()]
            verb = groups[0].split()[0]
            return Told(
                sentence.format(*groups, no="The engine has no", conf=CONF, verb=verb), [0]
            )
    at = syntax_found(text, message)
    for word, sentence in GAPS_WITHIN.items():
        if at is not None and text[at:].upper().startswith(word):
            return Told(sentence, [at])
    return None


def syntax_found(text: str, message: str) -> int | None:
    """Return where the message says a syntax error is; None if it says no place."""
    found = SYNTAX.search(message)
    return syntax_place(text, found) if found else None


def syntax(text: str, message: str) -> Told | None:
    """Return what a message about syntax says."""
    if schema := re.search(r"Failed to parse schema '(.*?)'", message):
        written = [piece.at for piece in written_as(text, schema[1])]
        return Told(f"'{schema[1][:80]}' is not a schema.", written)
    if "found end of input expected" in message:
        return Told("The statement ends too early: something is missing.", [len(text)])
    found = SYNTAX.search(message)
    if found is None:
        return None
    at = syntax_place(text, found)
    if at is None:
        return in_literal(text, found)
    if found[4].startswith("data type"):
        return Told(f"There is no data type {found[1]}.", [at])
    for word, there in ((found[1], at), *word_before(text, at)):
        if meant := nearest(word, found[4]):
            return Told(f"Unexpected {word[:80]}: did you mean {meant}?", [there])
    shown = found[1] if re.fullmatch(r"\w+|'.*'|\".*\"", found[1], re.DOTALL) else f"'{found[1]}'"
    return Told(f"Unexpected {shown[:80]}.", [at])


def word_before(text: str, at: int) -> list[tuple[str, int]]:
    """Return the word that stands before this place, and where; an empty list if none does."""
    before = lexed(text[:at])[-1:]
    return [(piece.text, piece.at) for piece in before if piece.kind == "word"]


def nearest(word: str, expected: str) -> str:
    """Return which of the expected words is meant by this one; "" if none is."""
    from difflib import get_close_matches

    known = re.findall(r"'([A-Z]{3,})'", expected)
    if re.search(r"\bstatement\b", expected):
        known += STATEMENTS
    if word.upper() in known:
        return ""
    return next(iter(get_close_matches(word.upper(), known, 1, 0.75)), "")


def in_literal(text: str, found: re.Match[str]) -> Told:
    """Return what a syntax error inside of a string says: its places are those of the string."""
    first, last = int(found[2]), int(found[3])
    inside = [
        (before.text.upper(), piece)
        for before, piece in pairwise(lexed(text))
        if piece.kind == "string"
        and piece.text.encode()[first:last].decode(errors="ignore") == found[1]
    ]
    typed = [
        (word, piece) for word, piece in inside if word.startswith(("DATE", "TIME", "INTERV"))
    ]
    if len(typed or inside) == 1:
        word, piece = (typed or inside)[0]
        what = f"{word_of(word.partition('_')[0].title())}" if typed else "what is expected here"
        return Told(f"'{piece.text[:80]}' is not {what}.", [piece.at])
    return Told(f"A string cannot be read: unexpected {found[1][:80]}.")


def word_of(kind: str) -> str:
    """Return an engine's type in plain words, with its name in SQL."""
    name = name_of(kind)
    what = next((what for what, each in TYPES.values() if each == name), "")
    return f"{what} ({name})" if what else f"of type {name}"


def name_of(kind: str) -> str:
    """Return the SQL name of an engine's type."""
    base = kind.strip().removeprefix("non-null ").partition("(")[0]
    return TYPES[base][1] if base in TYPES else base.upper()


def dotted(parts: Iterable[str]) -> str:
    """Return a name as people read it."""
    return ".".join(parts)


def identifiers(found: re.Match[str]) -> list[str]:
    """Return the parts of a name that the engine wrote as its own structure."""
    parts = re.findall(r'Identifier\("((?:[^"\\]|\\.)*)"\)', found[1])
    return [re.sub(r"\\(.)", r"\1", part) for part in parts]


def no_column(text: str, found: re.Match[str]) -> Told:
    """A column that is not there."""
    parts = identifiers(found) or found[1].split(".")
    read = columns_named(text, parts)
    return Told(f"There is no column {dotted(parts)}.", [name.at for name in read])


def ambiguous(text: str, found: re.Match[str]) -> Told:
    """A column that more than one table has."""
    parts = identifiers(found)
    read = [name.at for name in columns_named(text, parts)]
    return Told(f"More than one table has a column {dotted(parts)}; say which one is meant.", read)


def no_table(text: str, found: re.Match[str]) -> Told:
    """A table that is not there, by the last part of its name."""
    name = found[1].strip("`")
    if "." in name and not tables_named(text, name):
        name = name.rpartition(".")[2]
    read = tables_named(text, name)
    ways = {each.parts for each in read}
    if "/" in name and len(ways) == 1 and len(parts := next(iter(ways))) == 2:  # noqa: PLR2004
        return Told(f"The engine has no data format {parts[0]}.", [each.at for each in read])
    told = dotted(ways.pop()) if len(ways) == 1 else dotted([name])
    if re.search(r"\bRECURSIVE\b", text, re.IGNORECASE):
        known = lexed(text)
        defined = (body_end(known, each) for each in alike(names(known), [name]))
        if any(end is not None for end in defined):
            sentence = f"The engine has no WITH RECURSIVE: {told} cannot read from itself."
            return Told(sentence, [each.at for each in read])
    return Told(f"There is no table {told}.", [each.at for each in read])


def no_function(text: str, found: re.Match[str]) -> Told:
    """A function that is not there, or one that needs a window."""
    called = [name.at for name in calls(text, found[1])]
    if found[1].lower() in WINDOW_FUNCTIONS:
        return Told(f"{found[1]} needs a window; write {found[1]}(…) OVER (…).", called)
    return Told(f"There is no function {found[1]}.", called)


def no_value(text: str, found: re.Match[str]) -> Told:
    """A value that cannot be cast: its text, and the type."""
    value, kind = found[1], found[2]
    base = kind.partition("(")[0]
    written = [piece.at for piece in written_as(text, value)]
    whole = base.startswith("Int")
    if whole and re.fullmatch(r"[+-]?\d+", value):
        return Told(f"'{value}' is too large for {name_of(kind)}.", written)
    return Told(f"'{value[:80]}' is not {word_of(kind)}.", written)


def too_large(text: str, found: re.Match[str]) -> Told:
    """A number that does not fit its type."""
    written = [piece.at for piece in written_as(text, found[1])]
    return Told(f"{found[1]} is too large for {name_of(found[2])}.", written)


def arguments(text: str, found: re.Match[str]) -> Told:
    """A function that takes another number of arguments, not named by the engine."""
    number = COUNTS.get(found[1], 0)
    takes = f"{found[1]} argument{'s' * (number != 1)}"
    called = calls(text)
    if len(called) == 1:
        name = dotted(called[0].parts)
        return Told(f"{name} takes {takes}.", [called[0].at])
    return Told(f"A function that takes {takes} was given another number.")


def of_function(sentence: str) -> Callable[[str, re.Match[str]], Told]:
    """Return what tells a sentence about the function that is the first group."""

    def tell(text: str, found: re.Match[str]) -> Told:
        name = found[1].removeprefix("spark_")
        given = ", ".join(name_of(one) for one in re.split(r", (?![^(]*\))", found[2] or ""))
        at = [call.at for call in calls(text, name)]
        if not (found[2] or "").strip():
            return Told(f"{name} needs arguments and was given none.", at)
        return Told(sentence.format(name, given), at)

    return tell


def takes(text: str, found: re.Match[str]) -> Told:
    """A function that takes another number of arguments."""
    name, least = found[1].removeprefix("spark_"), found[2]
    least = re.sub(r" to 2147483647$", " or more", least)
    return Told(
        f"{name} takes {least} argument{'s' * (least != '1')}.",
        [call.at for call in calls(text, name)],
    )


def no_cast(_text: str, found: re.Match[str]) -> Told:
    """Two types of which one cannot become the other."""
    return Told(f"{name_of(found[1])} cannot be cast to {name_of(found[2])}.")


def no_condition(_text: str, found: re.Match[str]) -> Told:
    """A type where a condition must stand."""
    return Told(f"The condition is {word_of(found[1])}, not true or false.")


def no_wildcard(text: str, found: re.Match[str]) -> Told:
    """A star of a table that is not there."""
    parts = identifiers(found)
    read = [
        name.at
        for name in alike(names(lexed(text)), parts)
        if len(name.parts) == len(parts) and name.after == "."
    ]
    return Told(f"There is no table {dotted(parts)}.", read)


def unlike(_text: str, found: re.Match[str]) -> Told:
    """Two types that an operator does not take together."""
    one, sign, two = name_of(found[1]), found[2], name_of(found[3])
    return Told(f"{one} and {two} do not go together with {sign}; cast one of them.")


def by(sentence: str) -> Callable[[str, re.Match[str]], Told]:
    """Return what tells this sentence with the groups of the match."""

    def tell(_text: str, found: re.Match[str]) -> Told:
        groups = [group or "" for group in found.groups()]
        return Told(sentence.format(*groups, *(group.lower() for group in groups)))

    return tell


def of_clock(what: str, form: str) -> Callable[[str, re.Match[str]], Told]:
    """Return what tells of a date or a time that does not exist, in this form."""

    def tell(text: str, found: re.Match[str]) -> Told:
        value = form.format(*map(int, found.groups()))
        at = [piece.at for piece in lexed(text) if piece.kind == "string" and value in piece.text]
        return Told(f"There is no {what} {value}.", at)

    return tell


def of_value(sentence: str) -> Callable[[str, re.Match[str]], Told]:
    """Return what tells this sentence about the value that is the first group."""

    def tell(text: str, found: re.Match[str]) -> Told:
        at = [piece.at for piece in written_as(text, found[1])]
        return Told(sentence.format(found[1][:80]), at)

    return tell


def missing_feature(_text: str, found: re.Match[str]) -> Told:
    """A statement that the engine reads and cannot run."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", found[1]).upper()
    return Told(f"The engine has no {words}.", [0])


KIND: Final = r"((?:non-null )?\w+(?:\(.*\))?)"
SENTENCES: Final[Sequence[tuple[str, Callable[[str, re.Match[str]], Told]]]] = (
    (r"attribute ObjectName\(\[(.*)\]\) is missing", no_column),
    (r"\[UNRESOLVED_COLUMN\] Cannot find column (\S+)", no_column),
    (r"cannot resolve wildcard: ObjectName\(\[(.*)\]\)", no_wildcard),
    (r"ambiguous attribute: ObjectName\(\[(.*)\]\)", ambiguous),
    (r"column not found for INSERT: (\S+)", by("The INSERT gives no value for column {0}.")),
    (r"missing or ambiguous field: (\S+)", by("There is no field {0}, or more than one.")),
    (r"Table or view not found: (.+)$", no_table),
    (r"The table or view `(.+)` cannot be found", no_table),
    (r"^Table not found: (\S+)$", no_table),
    (
        r"^(View|Database|Schema|Catalog|Function) not found: (\S+)",
        by("There is no {2} {1}."),
    ),
    (
        r"^(Table|View|Temporary View|Database|Schema) already exists: (\S+)",
        by("There is already a {2} {1}."),
    ),
    (
        r"listing table path already exists: (\S+)",
        by("There is already something at {0}; overwrite it, or write elsewhere."),
    ),
    (r"unknown (?:table )?function: (\w+)", no_function),
    (r"^(zero|one|two|three|four) values? expected: \[", arguments),
    (r"^(?:invalid argument: )?(\w+) requires (\d+(?: (?:or|to) \d+)?) arguments?", takes),
    (r"Spark `(\w+)` function requires (\d+(?: (?:or|to) \d+)?) arguments?", takes),
    (
        r"name and argument types '(\w+)\((.*?)\)'\. You might",
        of_function("{0} does not take these arguments: ({1})."),
    ),
    (r"Cannot cast (?:string|value) '(.*)' to value of (\w+)", no_value),
    (r'The value \'(.*)\' of the type "\w+" cannot be cast to "(\w+)"', no_value),
    (r"^invalid timestamp: (.*)$", of_value("'{0}' is not a point in time (TIMESTAMP).")),
    (r"^invalid argument: interval: (.*)$", of_value("'{0}' is not an interval.")),
    (
        r"^invalid argument: (?:tinyint|smallint|int|bigint|decimal|double|float): (.*)$",
        of_value("{0} is too large."),
    ),
    (r"Can't cast value (\S+) to type (\w+)", too_large),
    (
        r"(\S+) is too large to store in a (\w+) of precision (\d+)",
        by("{0} has too many digits for a DECIMAL of {2} digits."),
    ),
    (r"precision should be between 1 and 38", by("A DECIMAL has 38 digits at most.")),
    (rf"(?:Unsupported CAST from|cannot cast) {KIND} to {KIND}$", no_cast),
    (rf"operation {KIND} IS DISTINCT FROM Boolean$", no_condition),
    (rf"arithmetic expression {KIND} (\S+) {KIND} to valid types", unlike),
    (rf"argument type for [\w ]+ operation {KIND} (\S+) {KIND}$", unlike),
    (r"non-boolean predicate '.*' returning (\w+)", no_condition),
    (r"divide by zero|Remainder by zero", by("Division by zero.")),
    (
        r"No field named .*\n?.*Valid fields are",
        by("A column is neither in GROUP BY nor in an aggregate."),
    ),
    (r"Aggregate function calls cannot be nested", by("An aggregate is inside another one.")),
    (
        r"Aggregate requires at least one grouping",
        by("HAVING needs GROUP BY or an aggregate."),
    ),
    (
        r"logical expression AggregateFunction",
        by("An aggregate is not allowed here; filter groups with HAVING."),
    ),
    (
        r"logical expression WindowFunction",
        by("A window function is not allowed here; filter on it in an outer query."),
    ),
    (r"(?:overflow|Overflow) (?:happened )?on (.*)$", by("Overflow in {0}.")),
    (r"^'.*' is not true!$", by("The condition of assert_true is not true.")),
    (
        r"Placeholder ':(\w+)' was not provided",
        by("There is no parameter {0}: declare it under `parameters`."),
    ),
    (
        r"Cannot resolve column position (\d+)\. Valid positions are 1 to (\d+)",
        by("There is no column number {0}; the query has {1}."),
    ),
    (
        r"UNION queries have different number of columns: left has (\d+) .* right has (\d+)",
        by("The queries of UNION have different numbers of columns: {0} and {1}."),
    ),
    (
        r"input schema for INSERT has (\d+) fields, but table schema has (\d+)",
        by("The INSERT gives {0} columns, the table has {1}."),
    ),
    (
        r"number of column names \((\d+)\) does not match number of columns \((\d+)\)",
        by("The number of names ({0}) is not the number of columns ({1})."),
    ),
    (
        r"TimeValue \{ hour: (\d+), minute: (\d+), second: (\d+)",
        of_clock("time", "{:02}:{:02}:{:02}"),
    ),
    (
        r"DateValue \{ year: (-?\d+), month: (\d+), day: (\d+)",
        of_clock("date", "{:04}-{:02}-{:02}"),
    ),
    (
        r"expected numeric datetime field|CANNOT_PARSE_TIMESTAMP",
        by("A text is not a date or time in the format that is given."),
    ),
    (r"Invalid timezone \"(.*?)\"", by("There is no time zone {0}.")),
    (
        r"Scalar subquery returned more than one row",
        by("A subquery that must give one value gave several rows."),
    ),
    (
        r"[Ss]ubquery should only return one column, but found (\d+)",
        by("A subquery that must give one column gives {0}."),
    ),
    (r"regex parse error(?s:.*)error: (.*)$", by("The regular expression is wrong: {0}.")),
    (
        r"Data source '(\w+)' does not support lake operations",
        by("UPDATE, DELETE and MERGE need a Delta or Iceberg table; this one is {0}."),
    ),
    (r"No data source found for: (\S+)", by("The engine has no data format {0}.")),
    (r"No commit files found in _delta_log", by("There is no Delta table at this path.")),
    (r"No metadata files found in table location: (\S+)", by("There is no Iceberg table at {0}.")),
    (r"Invalid Parquet file", by("A file that is read is not a Parquet file.")),
    (r"Json error: Not valid JSON", by("A file that is read is not JSON.")),
    (
        r"Generic LocalFileSystem error: Unable to (\w+) (?:dir|file) (.*?): (.*?)(?: \(os error \d+\))?$",
        by("The engine cannot {0} {1}: {2}."),
    ),
    (
        r"Cannot drop non-empty database '(.*)'",
        by("The database {0} is not empty; CASCADE drops its tables too."),
    ),
    (r"(?:PlanNode|CommandNode)::(\w+)", missing_feature),
    (
        r"LambdaExpr::evaluate",
        by("A lambda (->) is allowed only in a function such as transform."),
    ),
    (r"RST_STREAM|Stream removed", by("The engine broke off this statement without an answer.")),
)
INNER: Final = re.compile(
    r"(?:^|\s)(?:\w+\()*\w+ \{|\[?(?:Literal|Identifier|Expr|Column)\(|ObjectName\(|\bThis issue was likely"
    r"|\b\w+::\w+|: #\d+| on column '#\d+| at byte offset \d+"
)
PREFIXES: Final = re.compile(
    r"(?:(?:\w+ ?[eE]rror|PlanError|Error during \w+|[Ii]nvalid argument(?: error)?|error in [\w ]+)"
    r": ?|This feature is not implemented: |\[[A-Z_.]+\] )+"
)


def first_line(message: str, limit: int = HEADLINE) -> str:
    """Return the first line that says something, of so many characters at most."""
    line = next((line.strip() for line in message.splitlines() if line.strip()), "")
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def first_sentence(text: str, message: str) -> str:
    """Return the first sentence of an engine's message without its inner words."""
    line = PREFIXES.sub("", next(iter(message.strip().splitlines()), ""), count=1)
    line = re.sub(r"(?: at)? \b\d+:\d+(?= |$)", "", line)
    if inner := INNER.search(line):
        line = re.sub(r"(?: (?:in|of|for|with|at|on|to))?[ :,(]*$", "", line[: inner.start()])
    line = re.split(r"(?<=[.!?]) (?=[A-Z])", line, maxsplit=1)[0].strip()
    line = re.sub(r"\bUtf8\((\"[^\"]*\")\)", r"\1", line.replace("non-null ", ""))
    line = re.sub(r"\b\w+\b", lambda word: name_of(word[0]) if word[0] in TYPES else word[0], line)
    if not line:
        return "The engine gave an error that it does not explain."
    if not calls(text, re.split(r"\W", line)[0] or "?"):
        line = line[0].upper() + line[1:]
    return first_line(line if line[-1] in ".!?…" else f"{line}.")


def cut_around(line: str, column: int | None) -> Json:
    """Return a source line as `text`; of a long one the part around the column, which begins at `text_from`."""
    if len(line) <= QUOTED:
        return {"text": line}
    begin = min(max(0, (column or 1) - 1 - QUOTED // 2), len(line) - QUOTED)
    return {"text": line[begin : begin + QUOTED], "text_from": begin + 1}


# --- what an error means ---------------------------------------------------------------------

SIGNS: Final = (  # in this order: the first that is found gives the reason
    (
        "Failed to allocate additional|Resources exhausted|Memory Exhausted"  # noqa: ISC004
        "|The used disk space during the spilling process",
        "oom_driver",
        "The engine's memory pool or spill space is used up; raise its cap or read less at once.",
    ),
    (r"operation not found", "cancelled", "The operation was interrupted from outside."),
    (
        r"session \S+ is not running",
        "user_error",
        "The session was stopped or was idle for longer than spark.session_timeout_secs.",
    ),
    (
        r"Generic S3 error|loading credentials|NoSuchBucket|Failed to load config",
        "config_error",
        "The storage or catalog could not be reached with these settings.",
    ),
    (
        r"Python worker(?s:.*)ModuleNotFoundError",
        "config_error",
        "The engine cannot import this module; add it to the libraries.",
    ),
    (
        r"requires \d+ worker task slots",
        "config_error",
        "More partitions than task slots: ask for fewer, set execution.default_parallelism to as many"  # noqa: ISC004
        " partitions, or raise worker.max_nodes or worker.cpu in the compute profile.",
    ),
    (
        r"task scheduling timeout|failed to start worker",
        "config_error",
        "The engine's workers do not start; look for its first error.",
    ),
    (
        r"CANNOT_CONFIGURE_SPARK_CONNECT_MASTER",
        "user_error",
        "Leave out .master(…): SPARK_REMOTE names the engine.",
    ),
    (
        r"CONNECT_URL_NOT_SET",
        "user_error",
        "SPARK_REMOTE was removed; SparkSession.builder.getOrCreate() needs it.",
    ),
    (
        r"JVM_ATTRIBUTE_NOT_SUPPORTED",
        "user_error",
        "sparkContext and .rdd need a JVM; this engine has none.",
    ),
)


def judge(message: str) -> tuple[str, str]:
    """Return reason and hint for the text of an error of the user's statement or payload."""
    for pattern, reason, hint in SIGNS:
        if re.search(pattern, message):
            return reason, hint
    return "user_error", ""


SESSION: Final = "begin with spark = SparkSession.builder.getOrCreate()"
HINTS: Final = (  # what is not there in a Python job, and what to do instead
    (r"^NameError: name 'spark' is not defined", f"There is no ready-made spark: {SESSION}."),
    (
        (
            r"^NameError: name '(?:sc|sqlContext)' is not defined|cannot import name 'SparkContext'"
            r"|^ModuleNotFoundError: No module named 'py4j'"
        ),
        f"There is no SparkContext, for the engine runs no Java: {SESSION}.",
    ),
    (
        (
            r"^NameError: name '(?:dbutils|mssparkutils)' is not defined"
            r"|No module named '(?:pyspark\.dbutils|notebookutils)'"
        ),
        (
            "There are no notebook tools: the job's arguments are in sys.argv, its parameters as JSON in"
            f" the variable {PARAMETERS_ENV}, its variables in os.environ."
        ),
    ),
    (
        r"^NameError: name 'display' is not defined",
        "There is no display: use print(…) or .show().",
    ),
    (
        r"CANNOT_CONFIGURE_SPARK_CONNECT_MASTER",
        "The engine is there already: leave out .master(…) and spark.master.",
    ),
    (
        r"JVM_ATTRIBUTE_NOT_SUPPORTED\] Attribute `(\w+)`",
        "There is no {0}, for the engine runs no Java: use DataFrames and spark.conf.",
    ),
)


def hint(kind: str, message: str) -> str:
    """Return what a Python error means and what to do, by its type and text; "" where nothing is known.

    Of what the engine refused it is the plain sentence that a statement would have got.
    """
    for pattern, advice in HINTS:
        if found := re.search(pattern, f"{kind.rpartition('.')[2]}: {message}"):
            return advice.format(*found.groups())
    if kind.startswith("pyspark.errors.") and (told := known("", message[:MESSAGE])):
        return told.headline
    return ""


def with_hint(said: str, advice: str) -> str:
    """Return a Python error and its hint in one line; the client's own words give way to the hint."""
    kind, _, _ = said.partition(": ")
    if advice and kind.startswith("pyspark.errors."):
        return first_line(f"{kind.rpartition('.')[2]}: {advice}")
    line = first_line(said, HEADLINE - len(advice) - 2)
    if not line or not advice:
        return line
    return f"{line}{'' if line[-1] in '.!?…' else '.'} {advice}"


def of_worker(line: str, *, is_ready: bool) -> str:
    """Return the reason of a worker that could not be started: no answer to the engine is nobody's setting."""
    if "client error (" not in line:
        return "config_error"
    return "engine_lost" if is_ready else "engine_start"


def last_error(lines: Sequence[str]) -> str:
    """Return the exception text that ends these lines of a Python process; "" if there is none."""
    begins = [i for i, line in enumerate(lines) if line.startswith("Traceback (most recent call")]
    if begins:
        for index, line in enumerate(lines[begins[-1] + 1 :], begins[-1] + 1):
            if line and not line[0].isspace():
                return "\n".join(lines[index:]).strip()
    return ""


class Failed(NamedTuple):
    """What a Python payload said of its own failure: the error, and its place in the user's file."""

    said: str = ""
    place: Json | None = None


def read_failure(facts: Json, source: Json) -> Failed:
    """Return what the facts mean that the payload's process left; see SITE_CODE and ENTRY_CODE."""
    if returned := facts.get("returned"):
        entry = source["entry_point"]
        if returned == "a coroutine":
            return Failed(
                f"{entry} returned a coroutine, which nobody awaits. Call asyncio.run in it."
            )
        told = f"{entry} returned {returned}"
        return Failed(f"{told}, which Python takes for a failure. Return None or 0.")
    said = f"{facts['kind']}: {facts['message']}" if facts["message"] else str(facts["kind"])
    if not facts.get("at"):
        return Failed(said)
    file, line, offset = facts["at"]
    path = Path(file)
    import tokenize  # knows a file's own encoding

    try:
        with tokenize.open(path) as opened:
            lines = NEWLINE.split(opened.read())
    except (OSError, SyntaxError, ValueError):  # gone, or of no encoding that there is
        return Failed(said)
    text = lines[line - 1] if line and line <= len(lines) else ""
    column = facts.get("character")
    if offset is not None:
        column = len(text.encode()[:offset].decode(errors="ignore")) + 1
    where = {"what": "file", "number": None, "of": None, "line": line, "column": column}
    return Failed(said, where | {"file": path.name, **cut_around(text, column)})


def grpc_error(error: Exception) -> tuple[str, bool]:
    """Return what a call's error says, and whether the call did not come through at all."""
    said = str(error).strip() or repr(error)
    if callable(details := getattr(error, "details", None)):
        said = str(details())
    codes = ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    lost = any(code in str(error) for code in codes) or "SparkConnectGrpc" in type(error).__name__
    return said, lost


def wire_field(number: int, data: bytes) -> bytes:
    """Return a protobuf field of bytes: the client's own classes come with 0.5 s of imports."""
    size, length = len(data), b""
    while size > 0x7F:  # noqa: PLR2004  # seven bits a byte
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def signal_name(number: int) -> str:
    """Return `SIGKILL` for 9; the number for one without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


# --- options and environment -----------------------------------------------------------------


def toml(value: object) -> str:
    """Return an option's value as TOML, the form in which the engine reads its environment."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{toml(str(k))} = {toml(v)}" for k, v in value.items()) + "}"
    raise failed("config_error", f"An option cannot be set to {value!r}.")


def option_env(options: Mapping[str, object]) -> dict[str, str]:
    """Return engine options as environment variables."""
    return {
        "SAIL_" + option.upper().replace(".", "__"): toml(value)
        for option, value in options.items()
    }


def python(code: str, path: Sequence[str]) -> list[str]:
    """Return the command of a Python that runs `code` and imports from `path` alone."""
    begin = f"import sys; sys.path[:] = {list(path)!r}\n"
    return [sys.executable, "-P", "-s", "-u", "-c", begin + code]


def pip_install(wheel: Path, target: Path) -> list[str]:
    """Return the command that installs a wheel: no index, no variable or configuration of a user's."""
    command = [*python(PIP_CODE, sys.path), "install", "--isolated", "--no-index", "--no-deps"]
    command += ["--no-input", "--no-compile", "--no-cache-dir", "--disable-pip-version-check"]
    return [*command, "--target", str(target), str(wheel)]


def python_path(folders: Sequence[str]) -> dict[str, str]:
    """Return the variable that puts these before the standard library; without any it is unset."""
    return {"PYTHONPATH": os.pathsep.join(folders)} if folders else {}


def is_plain(name: str) -> bool:
    """Whether a name is that of a file in a folder, and no path."""
    return name not in {"", ".", ".."} and not {"/", "\0"} & set(name)


def kept_environment(outer: Mapping[str, str]) -> dict[str, str]:
    """Return what of the outer environment may reach engine and payload."""
    kept = {
        key: value
        for key, value in outer.items()
        if key.upper() in KEPT_ENV or key.startswith(KEPT_PREFIXES)
    }
    return kept | no_proxy(kept)


def no_proxy(env: Mapping[str, str]) -> dict[str, str]:
    """Return `no_proxy` with loopback added: a proxy would hang every call to the engine."""
    hosts = ",".join(
        filter(None, (env.get("no_proxy") or env.get("NO_PROXY"), "127.0.0.1,localhost"))
    )
    return {"no_proxy": hosts, "NO_PROXY": hosts}


# --- output ----------------------------------------------------------------------------------


# The wall clock is read once: whoever sets it later moves no line of the log before another.
WALL_NS: Final = time.time_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def now_ms() -> int:
    """Return the time in milliseconds since 1970, by the wall clock as it was at the start."""
    return (WALL_NS + time.clock_gettime_ns(time.CLOCK_BOOTTIME)) // 1_000_000


def uptime() -> tuple[float, float]:
    """Return how long the machine has been up, and how much of that it slept, in seconds."""
    awake_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    up_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    asleep_s = max(0.0, up_s - awake_s)
    with suppress(OSError, ValueError):  # as whoever looks reads it
        up_s = float(Path("/proc/uptime").read_text().split()[0])
    return round(up_s, 3), round(asleep_s, 3)


def pieces(text: str) -> list[str]:
    """Cut a text into parts of at most LINE_LIMIT bytes, never within a character."""
    if len(text) * 4 <= LINE_LIMIT:
        return [text]
    data, found, at = text.encode("utf-8", "surrogatepass"), [], 0
    while len(data) - at > LINE_LIMIT:
        end = at + LINE_LIMIT
        while data[end] >> 6 == UTF8_INNER:
            end -= 1
        found.append(data[at:end].decode("utf-8", "surrogatepass"))
        at = end
    return [*found, data[at:].decode("utf-8", "surrogatepass")]


def legible(text: str) -> str:
    """Return the text with bytes that are no UTF-8, which the log keeps as half surrogates, written out."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


class Log:
    """The numbered lines on standard output. Any thread may write; lines are never mixed."""

    def __init__(self, fd: int) -> None:
        self.number = 0
        self._fd = fd
        self._lock = threading.Lock()
        self._torn = False
        self._closed = False

    def lines(self, origin: str, stream: str, texts: Iterable[tuple[int, str]]) -> tuple[int, int]:
        """Write (more, text) pairs, each within the limit; return the first and last number."""
        with self._lock:
            if self._closed:
                return self.number, self.number
            first = number = self.number + 1
            head = f',{now_ms()},"{origin}","{stream}",'
            out = []
            for more, text in texts:
                out.append(f"[{number}{head}{more},{encode_basestring(text)}]\n")
                number += 1
            self.number = number - 1
            self._write("".join(out).encode("utf-8", "backslashreplace"))
            return first, self.number

    def text(self, origin: str, stream: str, text: str) -> tuple[int, int, list[str]]:
        """Write one text as one line or several pieces; return their numbers and texts."""
        parts = pieces(text)
        pairs = [(1, part) for part in parts[:-1]]
        return *self.lines(origin, stream, [*pairs, (0, parts[-1])]), parts

    def event(self, name: str, **facts: object) -> None:
        """Write an event of the runner."""
        self.text("runner", "event", json.dumps({"event": name} | facts, separators=(",", ":")))

    def beat(self) -> None:
        """Write that this process lives, in a line that has no number and is not kept."""
        with self._lock:
            if not self._closed:
                self._write(f'[0,{now_ms()},"runner","{BEAT}",0,""]\n'.encode())

    def close(self) -> None:
        """Let nothing more be written."""
        with self._lock:
            self._closed = True

    def _write(self, data: bytes) -> None:
        view = memoryview(b"\n" + data if self._torn else data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
            self._torn = False
        except OSError as error:  # disk full: the run goes on, the missing numbers show as a gap
            if not self._torn:
                with suppress(OSError):  # it may lie on the same disk
                    print(f"The log cannot be written: {error}", file=sys.stderr)
            self._torn = True


@dataclass(eq=False)
class Source:
    """One pipe that is read: the text not yet logged, and the last lines (the last one may lack its end)."""

    fd: int
    origin: str
    stream: str
    watch: Callable[[Sequence[str]], None] | None = None
    rest: bytes = b""
    due: float | None = None  # when the rest is logged without its end, by the monotonic clock
    pieced_at: float = -PIECE_S  # when that was done last
    is_open: bool = False  # what was logged last has no end yet
    ended: bool = False
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=60))

    def remember(self, texts: Sequence[str], *, is_open: bool) -> list[str]:
        """Take in texts that were logged, the first behind an open one; return the lines that are whole now.

        Of a line that was written over with carriage returns they are the last state.
        """
        before = self.tail.pop() if self.is_open and self.tail else ""
        lines = [legible(text.rstrip("\r").rpartition("\r")[2]) for text in texts]
        if "\r" not in texts[0].rstrip("\r"):
            lines[0] = (before + lines[0])[:LINE_LIMIT]
        self.is_open = is_open
        self.tail.extend(lines[-60:])
        return lines[:-1] if is_open else lines


def whole(data: bytes) -> int:
    """Return how many bytes of `data` end with a whole UTF-8 character."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    decoder.decode(data)
    return len(data) - len(decoder.getstate()[0])


class Mask:
    """Puts the reference of a secret in the place of its value, wherever a text would carry it out."""

    def __init__(self, values: Iterable[tuple[str, str]] = ()) -> None:
        found = {
            line.strip(): reference
            for value, reference in values
            for line in value.splitlines()
            if len(line.strip()) >= SECRET_LEAST
        }
        self._words = sorted(found.items(), key=lambda pair: -len(pair[0]))

    def __call__(self, text: str) -> str:
        """Return the text without any value."""
        for word, reference in self._words:
            if word in text:
                text = text.replace(word, reference)
        return text

    def begun(self, data: bytes) -> int:
        """Return how many bytes at the end of `data` may be the beginning of a value."""
        heads = [word.encode("utf-8", "surrogateescape") for word, _ in self._words]
        for head in heads:  # what is masked begins nothing, else it would be cut in two
            data = data.replace(head, b"\n" * len(head))
        longest = 0
        for head in heads:
            for length in range(min(len(head) - 1, len(data)), longest, -1):
                if data.endswith(head[:length]):
                    longest = length
                    break
        return longest


class Pump(threading.Thread):
    """Reads what children write and logs it: lines as they end, of an unfinished one two pieces a second."""

    def __init__(self, log: Log, mask: Mask | None = None) -> None:
        super().__init__(name="pump", daemon=True)
        self._log = log
        self._mask = mask or Mask()
        self._new: deque[Source] = deque()
        self._sources: list[Source] = []
        self._wake_r, self._wake_w = os.pipe()
        self._stopped = False

    def add(self, source: Source) -> Source:
        """Read this pipe from now on."""
        with suppress(OSError):
            fcntl.fcntl(source.fd, fcntl.F_SETPIPE_SZ, 1 << 20)
        self._new.append(source)
        os.write(self._wake_w, b".")
        return source

    def stop(self, limit_s: float) -> None:
        """Log what is there, then end; waits at most `limit_s`."""
        self._stopped = True
        os.write(self._wake_w, b".")
        self.join(limit_s)

    def run(self) -> None:
        """Read until stopped."""
        chooser = selectors.DefaultSelector()
        chooser.register(self._wake_r, selectors.EVENT_READ, None)
        while not self._stopped:
            due = [source.due for source in self._sources if source.due is not None]
            ready = chooser.select(max(0.0, min(due) - time.monotonic()) if due else None)
            for key, _ in ready:
                if key.data is None:
                    os.read(self._wake_r, 64)
                    while self._new:
                        source = self._new.popleft()
                        self._sources.append(source)
                        chooser.register(source.fd, selectors.EVENT_READ, source)
                elif not self._read(key.data):
                    chooser.unregister(key.fd)
                    self._sources.remove(key.data)
            now = time.monotonic()
            for source in self._sources:
                if source.due is not None and source.due <= now:
                    self._flush(source)
        for source in [*self._sources, *self._new]:
            os.set_blocking(source.fd, False)
            with suppress(BlockingIOError):
                while self._read(source):
                    pass
            self._end(source)

    def _read(self, source: Source) -> bool:
        chunk = os.read(source.fd, 1 << 18)
        if not chunk:
            self._end(source)
            return False
        head, newline, source.rest = (source.rest + chunk).rpartition(b"\n")
        if newline:
            source.due = None
            self._flush_neighbours(source)
            self._lines(source, head, last_more=0)
        if len(source.rest) >= LINE_LIMIT:
            self._flush(source)
        elif source.rest and source.due is None:
            source.due = time.monotonic() + PIECE_S
        return True

    def _flush_neighbours(self, source: Source) -> None:
        """Log what a process began to say elsewhere, as a prompt, before a line of this stream."""
        until = time.monotonic() - PIECE_S
        for other in self._sources:
            is_neighbour = other is not source and other.origin == source.origin
            if is_neighbour and other.due is not None and other.pieced_at <= until:
                self._flush(other)

    def _flush(self, source: Source) -> None:
        """Log what there is of a line, but for the beginnings of a character and of a value that is masked."""
        source.due, source.pieced_at = None, time.monotonic()  # what is left waits for more
        cut = whole(source.rest[: len(source.rest) - self._mask.begun(source.rest)])
        if cut:
            head, source.rest = source.rest[:cut], source.rest[cut:]
            self._lines(source, head, last_more=1)

    def _end(self, source: Source) -> None:
        """Log the rest; a line that was left without its end is kept without it."""
        if source.rest:
            head, source.rest = source.rest, b""
            self._lines(source, head, last_more=1)
        if source.is_open and source.watch:
            source.watch([source.tail[-1]])
        source.is_open, source.due, source.ended = False, None, True

    def _lines(self, source: Source, data: bytes, *, last_more: int) -> None:
        texts = self._mask(data.decode("utf-8", "surrogateescape")).split("\n")
        pairs: list[tuple[int, str]] = []
        for text in texts:
            if len(text) * 4 <= LINE_LIMIT:
                pairs.append((0, text))
            else:
                *parts, last = pieces(text)
                pairs += [(1, part) for part in parts]
                pairs.append((0, last))
        if last_more:
            pairs[-1] = (1, pairs[-1][1])
        ended = source.remember(texts, is_open=bool(last_more))
        if source.watch and ended:
            source.watch(ended)
        self._log.lines(source.origin, source.stream, pairs)


# --- processes -------------------------------------------------------------------------------


def host_pid() -> int:
    """Return this process's id as /proc counts, also from inside a PID namespace."""
    return int(Path("/proc/self").readlink().name)


def stat_fields(pid: int | str) -> list[str]:
    """Return /proc/PID/stat behind the command: state, parent, …; the start time is [19]."""
    return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()


def host_pid_of(child: int) -> int:
    """Return a child's process id as /proc counts."""
    me = host_pid()
    if me == os.getpid():
        return child
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                status = (entry / "status").read_text(errors="replace")
                if re.search(rf"^PPid:\t{me}$", status, re.M) and re.search(
                    rf"^NSpid:.*\t{child}$", status, re.M
                ):
                    return int(entry.name)
    return child


def dies_with(parent: int) -> Callable[[], None]:
    """Return what a child does before it becomes its program: it ends when this process ends."""

    def bind() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return bind


class Child:
    """A logged process in a session of its own. Made in the main thread, whose end it shares."""

    def __init__(
        self,
        origin: str,
        command: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        pump: Pump,
        watch: Callable[[Sequence[str]], None] | None = None,
    ) -> None:
        self._process = subprocess.Popen(  # noqa: S603  # no shell; the command is ours
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=dies_with(os.getpid()),  # noqa: PLW1509  # no other way; it takes no lock
        )
        out, err = self._process.stdout, self._process.stderr
        assert out is not None  # noqa: S101  # asked for above
        assert err is not None  # noqa: S101
        self.out = pump.add(Source(out.fileno(), origin, "stdout", watch))
        self.err = pump.add(Source(err.fileno(), origin, "stderr", watch))
        self.pid = self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, minus the signal's number if one ended it; None while it lives."""
        return self._process.poll()

    @property
    def drained(self) -> bool:
        """Whether all it wrote has been logged."""
        return self.out.ended and self.err.ended

    def signal(self, number: signal.Signals, *, group: bool) -> None:
        """Send a signal to it or to its whole group; one that is gone is no error."""
        with suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)

    def exit_facts(self) -> Json:
        """Return how it ended, for an event."""
        code = self.code
        if code is None or code >= 0:
            return {"code": code, "signal": None}
        return {"code": None, "signal": signal_name(-code)}


class Task(threading.Thread):
    """One blocking call beside the main thread, which supervises and is woken at its end."""

    def __init__(self, work: Callable[[], object], wake: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self._wake = wake
        self.error: Exception | None = None
        self.done = False
        self.start()

    def run(self) -> None:
        """Do the work; what it raises is kept for the main thread."""
        try:
            self._work()
        except Exception as error:  # noqa: BLE001  # the main thread decides what it means
            self.error = error
        self.done = True
        self._wake()


def marked_processes(marker: str) -> list[int]:
    """Return what lives and carries the marker or descends from us; not us or our ancestors."""
    me = os.getpid()
    if host_pid() != me:
        return []  # /proc counts in another namespace: its numbers are not ours to kill
    needle = f"{MARKER_ENV}={marker}".encode()
    parents: dict[int, int] = {}
    marked: set[int] = set()
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        with suppress(OSError):
            state, parent, *_ = stat_fields(entry.name)
            if state in "ZX":
                continue
            parents[int(entry.name)] = int(parent)
            if needle in Path(entry.path, "environ").read_bytes().split(b"\0"):
                marked.add(int(entry.name))

    def line_of(pid: int) -> list[int]:
        found = [pid]
        while (pid := parents.get(pid, 0)) and pid not in found:
            found.append(pid)
        return found

    spared = set(line_of(me))
    return [p for p in parents if p not in spared and (p in marked or me in line_of(p))]


def oom_kills() -> int:
    """Return how often the kernel killed in our control group for lack of memory."""
    total = 0
    with suppress(OSError):
        group = Path("/proc/self/cgroup").read_text().rpartition("::")[2].strip()
        for folder in {f"/sys/fs/cgroup{group}".rstrip("/"), "/sys/fs/cgroup"}:
            with suppress(OSError):
                events = Path(folder, "memory.events").read_text()
                total += sum(map(int, re.findall(r"^oom_kill (\d+)", events, re.M)))
    return total


def write_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Replace a file in one step; `durable` waits for the disk."""
    fresh = path.with_name(path.name + ".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        if durable:
            file.flush()
            os.fsync(fd)
    fresh.replace(path)


# --- that it lives ---------------------------------------------------------------------------


class Beats:
    """Says every BEAT_S that the main thread lives: in a file, in place, and where only the log comes out, there.

    Beside it stands when the attempt began, by the same clocks: the machine's uptime, which nobody sets.
    """

    def __init__(
        self, path: Path, log: Log, *, in_log: bool,
        clock: Callable[[], tuple[float, float]] = uptime,
    ) -> None:  # fmt: skip
        self._path = path
        self._log = log
        self._in_log = in_log
        self._clock = clock
        self._began = clock()
        self._boot = ""
        with suppress(OSError):
            self._boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        self._due = 0.0
        self.asleep_s = 0.0
        self.beat()

    def beat(self, *, at_once: bool = False) -> None:
        """Say it if it is time, and how long the machine slept if it did."""
        now = time.monotonic()
        if now < self._due and not at_once:
            return
        self._due = now + BEAT_S
        up_s, slept_s = self._clock()
        asleep_s = round(max(0.0, slept_s - self._began[1]), 3)
        if asleep_s - self.asleep_s >= ASLEEP_S:
            self._log.event("asleep", seconds=round(asleep_s - self.asleep_s, 3))
        self.asleep_s = asleep_s
        facts = {"boot_id": self._boot, "began": self._began, "at": (up_s, slept_s)}
        # The disk may be full or the folder gone: the run goes on, and so does its own timeout.
        with suppress(OSError):
            fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.pwrite(fd, compact(facts).ljust(160).encode(), 0)
            finally:
                os.close(fd)
        if self._in_log:
            self._log.beat()


# --- result rows -----------------------------------------------------------------------------


def column_values(table: pa.Table, index: int) -> list[object]:
    """Return a column as values that JSON can carry, or the word `unsupported` for each."""
    try:
        return [value for chunk in table.column(index).chunks for value in values(chunk)]
    except KeyError:  # pyarrow has no name for this type: an interval of months
        return ["unsupported"] * table.num_rows


def values(array: pa.Array) -> list[object]:
    """Return an array as values that JSON can carry."""
    import pyarrow as pa  # not at load: heavy

    kind = array.type
    if isinstance(array, pa.ExtensionArray):
        return values(array.storage)
    if pa.types.is_dictionary(kind):
        return values(array.dictionary_decode())
    if pa.types.is_struct(kind):
        names = [kind.field(i).name for i in range(kind.num_fields)]
        columns = [values(array.field(i)) for i in range(kind.num_fields)]
        cells = zip(*columns, strict=True) if columns else iter([()] * len(array))
        found = [record(list(zip(names, cell, strict=True))) for cell in cells]
        valid = array.is_valid().to_pylist()
        return [one if there else None for one, there in zip(found, valid, strict=True)]
    if pa.types.is_map(kind):
        entries = [item.values if item.is_valid else None for item in array]
        return [None if each is None else map_record(each) for each in entries]
    if pa.types.is_nested(kind) and not pa.types.is_union(kind):
        return [values(item.values) if item.is_valid else None for item in array]
    return flat_values(array)


def map_record(entries: pa.StructArray) -> object:
    """Return one map."""
    keys, items = values(entries.field(0)), values(entries.field(1))
    return record(list(zip(keys, items, strict=True)))


def flat_values(array: pa.Array) -> list[object]:
    """Return a column of a type without parts."""
    import pyarrow as pa  # not at load: heavy

    try:
        return [plain(value) for value in array.to_pylist()]
    except (OverflowError, ValueError, KeyError, NotImplementedError, pa.ArrowException):
        pass  # years outside 1-9999, intervals of months
    try:
        return list(array.cast(pa.string()).to_pylist())
    except (KeyError, NotImplementedError, pa.ArrowException):
        return ["unsupported"] * len(array)


def record(pairs: Sequence[tuple[object, object]]) -> object:
    """Return an object; a list of pairs where names repeat or are no text."""
    names = [name for name, _ in pairs]
    if all(isinstance(name, str) for name in names) and len(set(names)) == len(names):
        return dict(pairs)
    return [list(pair) for pair in pairs]


def plain(value: object) -> object:  # one line per type
    """Return one value in a form that JSON has."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124  # only NaN differs from itself
            return "NaN"
        return value if abs(value) != float("inf") else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime.timedelta):
        return f"PT{value / datetime.timedelta(seconds=1):.6f}".rstrip("0").rstrip(".") + "S"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)


class Result:
    """The attempt's result lines: range, count, and hash over their texts joined by newlines."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._hash = hashlib.sha256()
        self.lines = 0
        self.first = 0
        self.last = 0

    def write(self, text: str) -> tuple[int, int]:
        """Write one result text; return its first and last number."""
        first, last, parts = self._log.text("runner", "result", text)
        for part in parts:
            self._hash.update(
                (b"\n" if self.lines else b"") + part.encode("utf-8", "backslashreplace")
            )
            self.lines += 1
        self.first = self.first or first
        self.last = last
        return first, last

    def facts(self) -> Json | None:
        """Return what the last word says of it; None without a line."""
        if not self.lines:
            return None
        digest = self._hash.hexdigest()
        return {"first": self.first, "last": self.last, "lines": self.lines, "sha256": digest}


class Rows:
    """One statement's result: the first rows are kept, the rest is counted."""

    def __init__(self, result: Result, number: int) -> None:
        self._result = result
        self._number = number
        self._kept_bytes = 0
        self._batch: list[str] = []
        self._batch_bytes = 0
        self.columns: list[tuple[str, str]] | None = None
        self.count = 0
        self.kept = 0
        self.first: int | None = None
        self.last: int | None = None

    def take(self, item: Any) -> None:
        """Take what the client yields: the schema, or a table of some rows."""
        if not hasattr(item, "num_rows"):
            self._head([(field.name, field.dataType.simpleString()) for field in item.fields])
            return
        if self.columns is None:
            self._head([(field.name, str(field.type)) for field in item.schema])
        room = min(RESULT_ROWS - self.kept, item.num_rows)
        if room > 0 and self.kept == self.count:
            head = item.slice(0, room)
            columns = [column_values(head, i) for i in range(head.num_columns)]
            for row in zip(*columns, strict=True) if columns else [()] * room:
                if not self._keep(compact(row)):
                    break
        self.count += item.num_rows

    def finish(self, seconds: float, *, counts: bool) -> Json:
        """Write the rest and return the facts; `counts`: the number of rows is one."""
        self._head([])
        self._flush()
        facts: Json = {
            "row_count": self.count if counts else None,
            "truncated": self.kept < self.count,
            "seconds": round(seconds, 6),
        }
        self._write({"number": self._number} | facts)
        return {"number": self._number} | facts | {"result": [self.first, self.last]}

    def _head(self, columns: list[tuple[str, str]]) -> None:
        if self.columns is None:
            self.columns = columns
            named = [{"name": name, "type": kind} for name, kind in columns]
            self._write({"number": self._number, "columns": named})

    def _keep(self, row: str) -> bool:
        size = len(row.encode("utf-8", "backslashreplace")) + 1
        if self._kept_bytes + size > RESULT_BYTES:
            return False
        if self._batch_bytes + size > LINE_LIMIT - 64:
            self._flush()
        self._batch.append(row)
        self._batch_bytes += size
        self._kept_bytes += size
        self.kept += 1
        return True

    def _flush(self) -> None:
        if self._batch:
            self._put(f'{{"number":{self._number},"rows":[{",".join(self._batch)}]}}')
            self._batch, self._batch_bytes = [], 0

    def _write(self, facts: Json) -> None:
        self._put(compact(facts))

    def _put(self, text: str) -> None:
        first, self.last = self._result.write(text)
        self.first = self.first or first


# --- the attempt -----------------------------------------------------------------------------


def compact(value: object) -> str:
    """Return a value as short JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def last_word(facts: Json) -> bytes:
    """Return the last word as JSON within its limit: evidence goes first, then long texts."""
    word = dict(facts)
    word["evidence"] = [text[:400] for text in facts["evidence"]][:10]
    word["statements_done"] = facts["statements_done"][:200]
    for key in ("message", "object"):
        word[key] = facts[key] and facts[key][:1_000]
    word["headline"] = (facts.get("headline") or "")[:300]
    while len(data := compact(word).encode("utf-8", "backslashreplace")) > LAST_WORD_LIMIT:
        if word["evidence"]:
            word["evidence"] = word["evidence"][:-1]
        elif len(word["statements_done"]) > 1:
            word["statements_done"] = word["statements_done"][: len(word["statements_done"]) // 2]
        elif len(word["message"] or "") > 100:  # noqa: PLR2004
            word["message"] = word["message"][: len(word["message"]) // 2]
        else:  # what JSON writes at several times its length
            word["object"] = word["object"] and word["object"][:100]
            word["headline"] = word["headline"][: len(word["headline"]) // 2]
            word["place"] = None
    return data


class Runner:
    """One attempt, from waiting to its last word.

    The main thread starts processes and supervises; calls to the engine block other threads.
    """

    def __init__(
        self, inputs: Path, out: Path, launch: Json, secrets: Mapping[str, str] | None = None
    ) -> None:
        self.inputs, self.out, self.launch = inputs, out, launch
        self.scratch = out / SCRATCH_FOLDER
        self.work = self.scratch / "work"
        self.spec: Json = {}
        self.statements: list[Statement] = []
        self.text = ""
        self.phase = "waiting"
        self.signals = 0
        self.started = time.monotonic()
        self.began_ms: int | None = None
        self.running_ms: int | None = None
        self.deadline: float | None = None
        self.beats: Beats | None = None
        self.installer: Child | None = None
        self.engine: Child | None = None
        self.engine_started = 0.0
        self.engine_ready = False
        self.payload: Child | None = None
        self.spark: SparkSession | None = None
        self.session = str(uuid.uuid4())
        self.port: int | None = None
        self.refused_worker = ""
        self.current = 0
        self.done: list[int] = []
        self.oom_kills = oom_kills()
        self._wake_r, self._wake_w = os.pipe()
        for fd in (self._wake_r, self._wake_w):
            os.set_blocking(fd, False)
        fd = os.dup(1)
        os.dup2(2, 1)  # whatever a library prints must not tear the log
        self.log = Log(fd)
        self.result = Result(self.log)
        self.secrets = secrets or {}
        self.mask = Mask((value, launch["secrets"][name]) for name, value in self.secrets.items())
        self.pump = Pump(self.log, self.mask)

    # -- waiting and watching

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a cancel; be woken when a child ends; adopt orphans."""

        def ask(_number: int, _frame: object) -> None:
            self.signals += 1

        signal.signal(signal.SIGTERM, ask)
        signal.signal(signal.SIGINT, ask)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(self._wake_w, warn_on_full_buffer=False)
        if os.getpid() != 1:
            LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def wake(self) -> None:
        """Wake the main thread; a full pipe wakes it, too."""
        with suppress(BlockingIOError):
            os.write(self._wake_w, b".")

    def pause(self, limit_s: float) -> None:
        """Wait for a signal, a child's end, a task's end, or the limit; here alone the main thread waits."""
        if self.beats is not None:
            self.beats.beat()
        if select.select([self._wake_r], [], [], limit_s)[0]:
            with suppress(BlockingIOError):
                os.read(self._wake_r, 4096)

    def reap(self) -> None:
        """Take the exits of orphans that were handed to us; our own children keep theirs."""
        known = {c.pid: c for c in (self.installer, self.engine, self.payload) if c is not None}
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        with suppress(ChildProcessError):
            while seen := os.waitid(os.P_ALL, 0, flags):
                child = known.get(seen.si_pid)
                if child is None:
                    os.waitpid(seen.si_pid, os.WNOHANG)
                elif child.code is None:
                    return

    def supervise(self, over: Callable[[], bool], limit_s: float | None = None) -> bool:
        """Wait until it is over; False at the limit. Raises what ends the attempt before that."""
        until = None if limit_s is None else time.monotonic() + limit_s
        while True:
            self.reap()
            if over():
                return True
            self.check()
            if until is not None and time.monotonic() >= until:
                return False
            self.pause(0.2)

    def settle(self, over: Callable[[], bool], limit_s: float, *, hard: bool = True) -> bool:
        """Wait until it is over or the limit; a second signal ends the wait if `hard`."""
        until = time.monotonic() + limit_s
        while not over():
            if time.monotonic() >= until or (hard and self.signals > 1):
                return over()
            self.reap()
            self.pause(0.05)
        return True

    def check(self) -> None:
        """Raise if the attempt must end: cancelled, timed out, engine gone, workers refused."""
        if self.signals:
            raise EndedError(
                End(
                    "cancelled",
                    "cancelled",
                    EXIT_CANCELLED,
                    "The run was cancelled.",
                    self.about(),
                )
            )
        if self.deadline is not None and time.monotonic() >= self.deadline:
            text = f"The timeout of {self.spec.get('timeout_s')} s passed while {self.phase}."
            raise EndedError(End("timed_out", "timeout", EXIT_TIMEOUT, text, self.about()))
        if self.engine is not None and self.engine.code is not None:
            raise self.engine_ended(self.engine)
        if self.refused_worker:
            raise failed(
                of_worker(self.refused_worker, is_ready=self.engine_ready),
                "The engine could not start a worker.",
                evidence=(self.refused_worker,),
            )

    def about(self) -> str | None:
        """Return which statement it is about, if one was started."""
        return f"statement {self.current} of {len(self.statements)}" if self.current else None

    def enter(self, phase: str) -> None:
        """Enter a phase: on disk and in the log."""
        self.phase = phase
        if phase == "running":
            self.running_ms = now_ms()
        # The disk may be full or the folder gone: the last word says the times, too.
        with suppress(OSError):
            write_file(self.out / PHASE_FILE, phase.encode())
        self.log.event("phase", phase=phase)

    # -- before the word

    def input(self, path: str) -> bytes:
        """Return an input by its path; one that is too large for a ConfigMap comes in parts."""
        parts = (self.launch.get("parts") or {}).get(path) or [path]
        return b"".join((self.inputs / part).read_bytes() for part in parts)

    def verify(self) -> None:
        """Check all inputs; nothing is started. Raises EndedError."""
        frozen = self.input(FROZEN_FILE)
        digest = hashlib.sha256(frozen).hexdigest()
        if digest != self.launch["frozen_sha256"]:
            text = f"{FROZEN_FILE} has the SHA-256 {digest}, not {self.launch['frozen_sha256']}."
            raise failed("config_error", text)
        self.spec = json.loads(frozen)
        self.verify_place()
        for name, value in (self.spec.get("env") or {}).items():
            if str(value).startswith("secret://") and name not in self.secrets:
                text = f"{value}, which {name} refers to, is not here."
                raise failed("config_error", text, object=str(value))
        source = self.spec["source"]
        if source["kind"] in {"snapshot", "saved_query"}:
            self.verify_sql(source["text"])
            return
        name = source["file"]
        if not is_plain(name):
            raise failed("config_error", f"{name!r} is no plain file name.")
        found = hashlib.sha256(self.input(f"{FILES_FOLDER}/{name}")).hexdigest()
        if found != source["sha256"]:
            raise failed(
                "config_error", f"{name} has the SHA-256 {found}, not {source['sha256']}."
            )
        if source["kind"] == "wheel" and not re.fullmatch(
            r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*", source["entry_point"]
        ):
            text = f"The entry point {source['entry_point']!r} is not of the form module:function."
            raise failed("config_error", text)

    def verify_place(self) -> None:
        """Refuse an engine, client or Python other than the ones that were frozen."""
        from importlib import metadata

        def version(name: str) -> str:
            try:
                return f"{name} {metadata.version(name)}"
            except metadata.PackageNotFoundError:
                return f"no {name}"

        place = self.spec.get("place") or {}
        python = f"{platform.python_implementation()} {platform.python_version()}"
        for name, package in (("engine", "pysail"), ("client", "pyspark-client"), ("python", "")):
            found = version(package) if package else python
            if place.get(name) and found != place[name]:
                text = f"The run was frozen with {place[name]}; here is {found}."
                raise failed("config_error", text, object=name)

    def verify_sql(self, text: str) -> None:
        """Split the text; refuse what cannot run before anything starts."""
        self.text = text
        self.statements = split(text)
        starts = line_starts(text)
        if opened := left_open(text):
            line, column = place(starts, opened[1])
            what = f"A {opened[0]} begins here and is never closed."
            message = f"{what} (line {line}, column {column})"
            raise failed("user_error", message, code=EXIT_CONFIG, line=line, column=column)
        if not self.statements:
            raise failed("user_error", "There is no statement in the text.", code=EXIT_CONFIG)
        declared = self.spec.get("parameters") or {}
        for statement in self.statements:
            used = [name for name in markers(statement.text) if name in declared]
            if used and not is_query(statement.text):
                message = (
                    f"Parameters (:{', :'.join(used)}) can be bound in queries only, and statement"
                    f" {statement.number} is a command: write the value there, or use a Python job."
                )
                raise failed(
                    "user_error",
                    message,
                    code=EXIT_CONFIG,
                    object=f"statement {statement.number} of {len(self.statements)}",
                    line=statement.line,
                    column=statement.column,
                )

    def wait_for_word(self) -> None:
        """Return when the word to begin is there; nothing of the user's starts before it."""
        limit = float(self.launch["wait_s"])
        while self.launch["wait_for_word"] and not (self.out / WORD_FILE).exists():
            waited = time.monotonic() - self.started
            if not self.out.is_dir():
                os._exit(EXIT_FENCED)  # the attempt was removed: nobody is left to tell
            self.check()
            if waited > limit:
                text = f"No word to begin came within {limit:g} s; nothing was started."
                raise failed("lost", text, code=EXIT_FENCED)
            self.pause(0.005 if waited < 2 else 0.05)  # noqa: PLR2004  # s; a word comes at once or late

    def begin(self) -> None:
        """Claim the one start of this attempt and start its clock."""
        try:
            fd = os.open(self.out / BEGAN_FILE, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            text = "This attempt began before; it is not started a second time."
            raise failed("start_fenced", text) from None
        self.began_ms = now_ms()
        with os.fdopen(fd, "w") as file:
            file.write(str(self.began_ms))
            file.flush()
            os.fsync(fd)
        timeout = float(self.spec.get("timeout_s", 3600))
        self.deadline = time.monotonic() + timeout  # which stands still while the machine sleeps
        self.beats = Beats(
            self.out / BEAT_FILE, self.log, in_log=bool(self.launch.get("beat_in_log"))
        )
        self.log.event(
            "began",
            timeout_s=timeout,
            deadline_ms=self.began_ms + int(timeout * 1000),
            isolation=self.launch["isolation"],
        )
        self.enter("starting")
        shutil.rmtree(self.scratch, ignore_errors=True)
        for folder in ("work", "tmp", "payload", "wheels", "site", "warehouse"):
            (self.scratch / folder).mkdir(mode=0o700, parents=True)
        # Goes before the last word is written, so that a full disk has room for that.
        write_file(self.scratch / "room", bytes(2 * LINE_LIMIT))

    # -- what is started

    @property
    def wheels(self) -> list[str]:
        """The folder in which the job's wheel is installed, if it is one."""
        return [str(self.scratch / "wheels")] if self.spec["source"]["kind"] == "wheel" else []

    def environment(self) -> dict[str, str]:
        """Return what engine, payload and installer have in common."""
        own = {
            key: self.secrets.get(key, str(value))
            for key, value in (self.spec.get("env") or {}).items()
            if not key.upper().startswith("SAIL_")
        }
        env = kept_environment(os.environ) | own
        return (
            env
            | no_proxy(env)
            | python_path(self.launch.get("payload_path") or [])
            | {
                MARKER_ENV: self.launch["marker"],
                "PYTHONUNBUFFERED": "1",
                "SPARK_HOME": "/nonexistent",  # else the client looks for a Spark installation
                "TMPDIR": str(self.scratch / "tmp"),
            }
        )

    def install(self) -> None:
        """Put the payload's files where it runs; a wheel through pip, without any index."""
        source = self.spec["source"]
        if "file" not in source:
            return
        copy = self.scratch / "payload" / source["file"]
        data = self.input(f"{FILES_FOLDER}/{source['file']}")
        if hashlib.sha256(data).hexdigest() != source["sha256"]:
            raise failed("config_error", f"{source['file']} changed after it was checked.")
        copy.write_bytes(data)
        if source["kind"] != "wheel":
            return
        begun = time.monotonic()
        command = pip_install(copy, self.scratch / "wheels")
        self.installer = child = Child(
            "installer", command, self.environment(), self.work, self.pump
        )
        self.supervise(lambda: child.code is not None)
        self.settle(lambda: child.drained, DRAIN_S)
        seconds = round(time.monotonic() - begun, 3)
        named = f"{source['package']} {source.get('version') or ''}".strip()
        self.log.event(
            "install", package=named, file=source["file"], code=child.code, seconds=seconds
        )
        copy.unlink()
        if child.code:
            tail = tuple(line for line in [*child.out.tail, *child.err.tail] if line.strip())[-6:]
            raise failed(
                "dependency_install",
                f"pip could not install {named}.",
                object=named,
                evidence=tail,
            )
        self.say_doubles()

    def say_doubles(self) -> None:
        """Say which modules of the wheel are taken from elsewhere: they may be other code."""
        names = {entry.name.partition(".")[0] for entry in os.scandir(self.wheels[0])}
        for name in sorted(names - sys.stdlib_module_names):
            here = PathFinder.find_spec(name, sys.path)
            wheels = PathFinder.find_spec(name, self.wheels)
            if not (here and here.origin and wheels):
                continue
            # A folder without __init__ is taken only where there is nothing else of that name.
            who = "the payload imports the wheel's, the engine (functions used as UDFs) the other"
            if wheels.origin is None:
                who = "payload and engine import the other"
            where = Path(here.origin).parent
            text = f"{name} is in the wheel and in {where}: {who}."
            self.log.text("runner", "stderr", text)

    def engine_options(self) -> Json:
        """Return the engine's options: defaults, over them the spec's, the executor's, and ours."""
        return (
            {"runtime.stack_size": STACK_BYTES}
            | {each["option"]: each["value"] for each in self.spec.get("settings") or []}
            | (self.launch.get("engine_options") or {})
            | {
                "runtime.temporary_files.paths": [str(self.scratch / "tmp")],
                "spark.session_timeout_secs": int(float(self.spec.get("timeout_s", 3600))) + 3600,
            }
        )

    def start_engine(self) -> None:
        """Start the engine and wait until it names its port."""
        env = self.environment()
        # The port stands in an info line of this target, whatever else the user wants to see.
        levels = filter(None, (env.get("RUST_LOG", "info"), "sail_cli=info"))
        env |= option_env(self.engine_options()) | {"RUST_LOG": ",".join(levels)}
        command = [*python(ENGINE_CODE, [*sys.path, *self.wheels]), "spark", "server"]
        command += ["--ip", "127.0.0.1", "--port", "0", "-C", str(self.work)]
        self.engine_started = time.monotonic()
        self.engine = child = Child(
            "engine", command, env, self.work, self.pump, self.watch_engine
        )
        if not self.supervise(lambda: self.port is not None, ENGINE_READY_S):
            raise failed(
                "engine_start",
                f"The engine named no port within {ENGINE_READY_S:g} s.",
                evidence=tuple(child.err.tail)[-6:],
            )

    def watch_engine(self, lines: Sequence[str]) -> None:
        """Look for the port and refused workers in the engine's lines; called by the pump."""
        for line in lines:
            if self.port is None and (
                found := re.search(r"Starting the Spark Connect server on \S+:(\d+)", line)
            ):
                self.port = int(found[1])
                self.wake()
            if "failed to start worker" in line and " ERROR " in line:
                self.refused_worker = line
                self.wake()

    def engine_ended(self, child: Child) -> EndedError:
        """Return what it means that the engine is gone."""
        self.settle(lambda: child.drained, DRAIN_S)
        code = child.code or 0
        tail = tuple(line for line in [*child.out.tail, *child.err.tail] if line.strip())[-6:]
        text = "\n".join(tail)
        how = f"by {signal_name(-code)}" if code < 0 else f"with exit code {code}"
        message = f"The engine ended {how} {'after' if self.engine_ready else 'during'} its start."
        more: Json = {"object": self.about() or "engine", "evidence": tail}
        if self.current:
            more["line"] = self.statements[self.current - 1].line
        if code == -signal.SIGABRT and "memory allocation of" in text:
            return failed("oom_driver", message, **more)
        if code == -signal.SIGKILL and oom_kills() > self.oom_kills:
            return failed("oom_driver", f"{message} The kernel killed for lack of memory.", **more)
        if code == -signal.SIGSEGV and self.engine_ready:
            hint = (
                "The statement is too deep for its stack: raise runtime.stack_size or shorten it."
            )
            return failed("user_error", f"{message} {hint}", **more)
        if self.engine_ready:
            return failed("engine_lost", message, **more)
        said = next((line for line in reversed(tail) if "Error: " in line), "")
        if re.search(r"environment variable\(s\)|No module named|No such file or directory", said):
            said = said.partition("Error: ")[2]
            return failed("config_error", f"The engine refused its configuration: {said}", **more)
        return failed("engine_start", f"{message} {said}".strip(), **more)

    def import_client(self) -> None:
        """Import what the first session would import, `grpc` first: `greet` needs no more."""
        import grpc  # noqa: F401  # not at load: heavy
        import pandas  # noqa: F401
        import pyspark.sql.connect.session  # noqa: F401

    def greet(self) -> None:
        """Have the engine make the run's session while the client is still being imported.

        The request is a Spark Connect `ConfigRequest` that sets the warehouse folder.
        """
        import grpc

        pair = wire_field(1, b"spark.sql.warehouse.dir")
        pair += wire_field(2, os.fsencode(self.scratch / "warehouse"))
        request = wire_field(1, self.session.encode())
        request += wire_field(2, wire_field(1, self.launch["run"].encode()))
        request += wire_field(3, wire_field(1, wire_field(1, pair)))
        with grpc.insecure_channel(f"127.0.0.1:{self.port}") as channel:
            call = channel.unary_unary("/spark.connect.SparkConnectService/Config")
            call(request, timeout=self.probe_s())

    def open_session(self) -> None:
        """Attach to the run's session and see that it works, before anything of the user's runs."""
        from pyspark.sql.connect.client.retries import DefaultPolicy
        from pyspark.sql.connect.session import SparkSession

        spark = SparkSession.builder.remote(self.remote()).create()
        # The watchdog, not the client's ten minutes of retries, notices that the engine is gone.
        few = DefaultPolicy(max_retries=3, initial_backoff=50, max_backoff=200)
        spark.client.set_retry_policies([few])
        self.spark = spark
        self.table(spark, "select 1")
        seconds = round(time.monotonic() - self.engine_started, 3)
        self.log.event("session", seconds=seconds)
        found = self.table(spark, "select key, value from system.session.options").to_pydict()
        self.log.event("options", values=dict(zip(found["key"], found["value"], strict=True)))

    def probe_s(self) -> float:
        """Return how long the first answer may take, in seconds."""
        pods = self.engine_options().get("mode") == "kubernetes-cluster"
        return PROBE_PODS_S if pods else PROBE_S

    def remote(self) -> str:
        """Return the connection string of the run's session."""
        return (
            f"sc://127.0.0.1:{self.port}/;session_id={self.session};user_id={self.launch['run']}"
        )

    @staticmethod
    def table(spark: SparkSession, query: str) -> pa.Table:
        """Return a small result; `toArrow` casts and may fail where this does not."""
        frame: Any = spark.sql(query)
        return frame._to_table()[0]  # noqa: SLF001  # the only uncast way

    def connect(self, importing: Task) -> None:
        """Wait for engine, client and session; say how long each took."""
        from importlib.metadata import version

        engine = self.engine
        assert engine is not None  # noqa: S101  # started before
        greeting = Task(self.greet, self.wake)
        self.log.event(
            "engine",
            pid=host_pid_of(engine.pid),
            port=self.port,
            seconds=round(time.monotonic() - self.engine_started, 3),
            version=version("pysail"),
        )
        self.supervise(lambda: importing.done)
        if importing.error is not None:
            raise failed("config_error", f"The client cannot be imported: {importing.error}")
        self.answered(greeting)
        self.answered(Task(self.open_session, self.wake))
        self.engine_ready = True

    def answered(self, asking: Task) -> None:
        """Wait for the engine's answer; raise what it means that there is none or a bad one."""
        limit = self.probe_s()
        if not self.supervise(lambda: asking.done, limit):
            raise failed("engine_start", f"The engine gave no answer within {limit:g} s.")
        if asking.error is None:
            return
        engine = self.engine
        if engine is not None and self.settle(lambda: engine.code is not None, 1.0):
            raise self.engine_ended(engine)
        said, transport = grpc_error(asking.error)
        reason, hint = judge(said)
        if reason == "user_error":  # nothing of the user's has run: it is how the engine is set up
            reason = "engine_start" if transport else "config_error"
        if "is not running" in said:
            hint = "Catalogs, default_catalog or another option make each session end at once."
        evidence = (hint,) if hint else ()
        raise failed(reason, f"The first session failed: {said}", evidence=evidence)

    # -- the user's part

    def run_statements(self) -> None:
        """Run the statements, in order, to the end or to the first error."""
        self.enter("running")
        running = Task(self.each_statement, self.wake)
        self.supervise(lambda: running.done)
        if running.error is not None:
            raise self.statement_failed(running.error)

    def each_statement(self) -> None:
        """Send one statement after the other; results go out as they come."""
        spark = self.spark
        assert spark is not None  # noqa: S101  # opened before
        declared = self.spec.get("parameters") or {}
        for statement in self.statements:
            self.current = statement.number
            self.log.event(
                "statement",
                number=statement.number,
                of=len(self.statements),
                line=statement.line,
                head=" ".join(statement.text[:240].split())[:120],
            )
            begun = time.monotonic()
            query = is_query(statement.text)
            given = {name: declared[name] for name in markers(statement.text) if name in declared}
            frame: Any = spark.sql(statement.text, args=given or None)
            plan = frame._plan  # noqa: SLF001  # toArrow would cast, and fail on some types
            rows = Rows(self.result, statement.number)
            for item in spark.client.to_table_as_iterator(
                plan.to_proto(spark.client), plan.observations
            ):
                rows.take(item)
            # What a command says it did (`count`, `value`) is no row of a result.
            counts = query or [name for name, _ in rows.columns or []] not in (
                ["count"],
                ["value"],
            )
            facts = rows.finish(time.monotonic() - begun, counts=counts)
            self.done.append(statement.number)
            self.log.event("statement_done", **facts)

    def statement_failed(self, error: Exception) -> EndedError:
        """Return what a failed statement means, with its place in the whole text."""
        kind = type(error).__name__
        said, lost = grpc_error(error)
        said = self.mask(said)  # before anything is cut
        engine = self.engine
        assert engine is not None  # noqa: S101  # it answered before
        if self.settle(lambda: engine.code is not None, KILL_S if lost else 0.1):
            return self.engine_ended(engine)
        statement = self.statements[max(self.current, 1) - 1]
        starts = line_starts(self.text)
        told = explain(statement.text, said)
        found = [place(starts, statement.offset + at) for at in told.places]
        lines = {line for line, _ in found}
        line = lines.pop() if len(lines) == 1 else statement.line
        column = found[0][1] if len(found) == 1 else None
        if column is None and line == statement.line and self.shares_line(statement):
            column = statement.column
        reason, hint = judge(f"{kind}: {said}")
        self.log.event(
            "statement_failed",
            number=statement.number,
            of=len(self.statements),
            message=told.headline,
            kind=kind,
            line=line,
            column=column,
            offset=statement.offset + told.places[0] if len(found) == 1 else None,
        )
        source = NEWLINE.split(self.text)[line - 1].removeprefix(BOM)
        around = column or (statement.column if line == statement.line else 1)
        said = with_places(statement, starts, said)
        return failed(
            reason,
            f"{kind}: {said}",
            object=self.about(),
            evidence=tuple(filter(None, [f"{kind}: {said}", hint])),
            line=line,
            column=column,
            headline=hint or told.headline,
            place={
                "what": "statement", "number": statement.number, "of": len(self.statements),
                "line": line, "column": column, "file": None, **cut_around(source, around),
            },
        )  # fmt: skip

    def shares_line(self, statement: Statement) -> bool:
        """Whether another statement stands before this one on its line: then its column tells it apart."""
        return any(
            one.line == statement.line and one.number < statement.number for one in self.statements
        )

    def payload_command(self) -> list[str]:
        """Return the command of the Python payload."""
        source = self.spec["source"]
        args = [str(arg) for arg in source.get("args") or []]
        if source["kind"] == "py_file":
            script = self.scratch / "payload" / source["file"]
            return [sys.executable, "-P", "-u", str(script), *args]
        module, _, name = source["entry_point"].partition(":")
        code = ENTRY_CODE.format(
            package=source.get("package"), entry_point=source["entry_point"], module=module, name=name,
            first=name.partition(".")[0], last=name.rpartition(".")[2], path=str(self.failed_file),
        )  # fmt: skip
        return [sys.executable, "-P", "-u", "-c", code, *args]

    @property
    def failed_file(self) -> Path:
        """Where the payload says how it failed."""
        return self.scratch / "site" / "failed.json"

    def told_failure(self) -> Failed:
        """Return what the payload said of its own failure; nothing where it could not."""
        try:
            facts = json.loads(self.failed_file.read_text("utf-8"))
            return read_failure(facts, self.spec["source"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return Failed()

    def run_payload(self) -> None:
        """Run the Python payload to its end."""
        env = self.environment() | {
            "SPARK_REMOTE": self.remote(),
            PARAMETERS_ENV: json.dumps(self.spec.get("parameters") or {}),
        }
        site, wheels = self.scratch / "site", "".join(self.wheels)
        ours = [f"{self.scratch / 'payload'}{os.sep}", *(f"{one}{os.sep}" for one in self.wheels)]
        code = f"WHEELS, OURS = {wheels!r}, {ours!r}{SITE_CODE}"
        (site / "sitecustomize.py").write_text(code, "utf-8", "surrogateescape")
        env |= python_path([str(site), *(self.launch.get("payload_path") or [])])
        env["QUARTERDECK_FAILED"] = str(self.failed_file)  # taken by the first process alone
        self.enter("running")
        self.payload = child = Child("payload", self.payload_command(), env, self.work, self.pump)
        self.log.event("payload", pid=host_pid_of(child.pid))
        self.supervise(lambda: child.code is not None)
        self.settle(lambda: child.drained, DRAIN_S)
        self.log.event("payload_exit", **child.exit_facts())
        if child.code:
            raise self.payload_failed(child)

    def payload_failed(self, child: Child) -> EndedError:
        """Return what the payload's exit means."""
        engine, code = self.engine, child.code or 0
        if engine is not None and engine.code is not None:
            return self.engine_ended(engine)
        lines = [line for line in child.err.tail if line.strip()]
        failure = self.told_failure()
        if code < 0:
            message = f"The code was ended by {signal_name(-code)}."
            killed = code == -signal.SIGKILL and oom_kills() > self.oom_kills
            reason = "oom_driver" if killed else "user_error"
            evidence = tuple(lines[-6:])
            return failed(reason, message, code=128 - code, object="payload", evidence=evidence)
        said = ""
        if code == 1:  # as Python ends for an exception; a code of one's own is no word of it
            said = failure.said or last_error(list(child.err.tail))
        reason, advice = judge(said)
        kind, _, text = said.partition(": ")
        advice = hint(kind, text) or advice
        message = f"The code ended with exit code {code}" + (f": {said}" if said else ".")
        headline = with_hint(said, advice)
        if not headline and lines and code == 1:  # sys.exit("words") prints them
            headline = f"The code ended with exit code 1: {lines[-1].strip()[:200]}"
        return failed(
            reason,
            message,
            code=code,
            object="payload",
            evidence=tuple(filter(None, [advice, *lines[-6:]])),
            headline=headline or message,
            place=failure.place if code == 1 else None,
        )

    # -- the end

    def run(self) -> NoReturn:
        """Run the attempt and leave with its exit code."""
        try:
            end = self.attempt()
        except EndedError as error:
            end = error.end
        except Exception as error:  # noqa: BLE001  # whatever it is, the attempt must end with a word
            end = self.defect(error)
        try:
            self.finish(end)
        except Exception as error:  # noqa: BLE001  # engine and payload die with this process
            end = self.defect(error)
            with suppress(OSError):  # the folder is gone: nobody is left to tell
                self.say(end, self.phase)
        os._exit(end.code)  # clients and pipes may not hold up the exit

    def attempt(self) -> End:
        """Do all of it; what ends it early is raised."""
        self.listen()
        write_file(self.out / PHASE_FILE, b"waiting")
        importing = Task(self.import_client, self.wake)
        refusal: EndedError | None = None
        try:
            self.verify()
        except EndedError as error:
            refusal = error  # said after the word: an attempt ends only when it was let go
        except (OSError, ValueError, KeyError, TypeError) as error:
            refusal = failed("config_error", f"The inputs cannot be read: {error!r}")
        self.wait_for_word()
        self.begin()
        if refusal is not None:
            raise refusal
        self.pump.start()
        self.install()
        self.start_engine()
        self.connect(importing)
        if self.statements:
            self.run_statements()
        else:
            self.run_payload()
        return End("succeeded")

    @staticmethod
    def defect(error: Exception) -> End:
        """Return the end by a defect of this file."""
        traceback.print_exception(error)
        where = traceback.extract_tb(error.__traceback__)[-1:]
        evidence = tuple(f"{frame.name}, line {frame.lineno}" for frame in where)
        return End("failed", "lost", 70, f"Defect in the runner: {error!r}", "runner", evidence)

    def finish(self, end: End) -> None:
        """Stop all that was started, leave nothing behind, say the last word."""
        phase = self.phase
        if end.reason == "start_fenced":
            self.say(end, phase)
            return
        if self.began_ms is not None:
            self.enter("ending")
        self.stop(end, asked=end.state in {"cancelled", "timed_out"})
        left = self.sweep()
        if self.pump.is_alive():
            self.pump.stop(DRAIN_S)
        shutil.rmtree(self.scratch, ignore_errors=True)  # what is left of it goes with the folder
        if left:
            names = tuple(f"process {pid} did not end" for pid in left)
            end = End(
                **{f: getattr(end, f) for f in End.__slots__} | {"evidence": end.evidence + names}
            )
        self.say(end, phase)

    def stop(self, end: End, *, asked: bool) -> None:
        """End the engine's work, payload, engine, in this order, each first gently if asked."""

        def step(name: str) -> None:
            if asked:
                self.log.event("cancel", step=name)

        spark = self.spark
        if asked and spark is not None and self.engine_ready:
            step("interrupt")
            asking = Task(spark.interruptAll, self.wake)
            self.settle(lambda: asking.done, INTERRUPT_S)
        for child in (self.installer, self.payload):
            if child is not None:
                self.stop_payload(child, step, gentle=asked)
        engine = self.engine
        if engine is None:
            return
        if engine.code is None:
            step("stop_engine")
            engine.signal(signal.SIGINT, group=False)
            self.settle(lambda: engine.code is not None, ENGINE_STOP_S)
        if engine.code is None:
            step("kill_engine")
        engine.signal(signal.SIGKILL, group=True)
        self.settle(lambda: engine.code is not None, KILL_S, hard=False)
        self.log.event("engine_exit", **engine.exit_facts())

    def stop_payload(self, child: Child, step: Callable[[str], None], *, gentle: bool) -> None:
        """End a child and its whole group."""

        def gone() -> bool:
            return child.code is not None

        alive = not gone()
        if alive and gentle:
            step("terminate")
            child.signal(signal.SIGTERM, group=True)
            self.settle(gone, float(self.launch["grace_s"]))
        if not gone():
            step("kill")
        child.signal(signal.SIGKILL, group=True)
        self.settle(gone, KILL_S, hard=False)
        if alive and child is self.payload:
            self.log.event("payload_exit", **child.exit_facts())

    def sweep(self) -> list[int]:
        """Kill what engine and payload left behind, wherever it hid; return what did not end."""
        until = time.monotonic() + KILL_S
        if os.getpid() == 1:  # all that lives in this namespace is ours
            with suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            self.settle(self.is_childless, KILL_S, hard=False)
            return []
        swept: set[int] = set()
        while (found := marked_processes(self.launch["marker"])) and time.monotonic() < until:
            swept.update(found)
            for pid in found:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self.reap()
            self.pause(0.02)
        if swept:
            self.log.event("swept", processes=len(swept))
        return found

    def is_childless(self) -> bool:
        """Whether no child is left, not even to be reaped."""
        self.reap()
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        return False

    def say(self, end: End, phase: str) -> None:
        """Write the last log line and the last word."""
        path = self.out / LAST_WORD_FILE
        if self.beats is not None:
            self.beats.beat(at_once=True)  # how long ago the last word was, is told by this one
        told = {
            "object": self.mask(end.object) if end.object else end.object,
            "message": self.mask(end.message),
            "evidence": tuple(map(self.mask, end.evidence)),
            "headline": self.mask(end.headline),
            "place": end.place and {**end.place, "text": self.mask(end.place["text"])},
        }
        end = End(**{name: getattr(end, name) for name in End.__slots__} | told)
        if end.reason == "start_fenced":
            if path.exists():
                return  # the first start's own end holds
        else:
            for line in failure_lines(end):
                self.log.text("runner", "stderr", line)
            self.log.event(
                "ended",
                state=end.state,
                reason=end.reason,
                exit_code=end.code,
                phase=phase,
                message=end.message[:1_000],
                seconds=round(time.monotonic() - self.started, 3),
            )
        self.log.close()
        word = last_word(
            {
                "protocol": PROTOCOL,
                "run": self.launch["run"],
                "attempt": self.launch["attempt"],
                "state": end.state,
                "reason": end.reason,
                "exit_code": end.code,
                "phase": phase,
                "object": end.object,
                "message": end.message,
                "evidence": list(end.evidence),
                "statement": [self.current, len(self.statements)] if self.current else None,
                "line": end.line,
                "column": end.column,
                "headline": end.headline,
                "place": end.place,
                "result": self.result.facts(),
                "lines": self.log.number,
                "began_ms": self.began_ms,
                "running_ms": self.running_ms,
                "ended_ms": now_ms(),
                "asleep_s": self.beats.asleep_s if self.beats is not None else 0.0,
                "statements_done": self.done,
            }
        )
        write_file(path, word, durable=True)
        if other := self.launch.get("last_word_path"):
            Path(other).write_bytes(word)


def identity() -> Json:
    """Return how this process is found again: id and start time as the host counts, and boot."""
    return {
        "pid": host_pid(),
        "start_ticks": int(stat_fields("self")[19]),
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
    }


def main(argv: Sequence[str]) -> NoReturn:
    """Run the attempt whose inputs lie in the first folder; what it writes goes to the second."""
    inputs, out = (Path(each).absolute() for each in argv)
    try:
        lock = os.open(out / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os._exit(EXIT_OK)  # another runner has this attempt
    try:
        launch = cast("Json", json.loads((inputs / LAUNCH_FILE).read_bytes()))
    except (OSError, ValueError) as error:
        print(f"{inputs / LAUNCH_FILE} cannot be read: {error}", file=sys.stderr)
        os._exit(EXIT_CONFIG)
    if launch["protocol"] != PROTOCOL:
        print(
            f"{LAUNCH_FILE} speaks protocol {launch['protocol']}, not {PROTOCOL}.", file=sys.stderr
        )
        os._exit(EXIT_CONFIG)
    if not (out / BEGAN_FILE).exists():
        (out / LAST_WORD_FILE).unlink(missing_ok=True)  # of a runner that ended before any word
    write_file(out / IDENTITY_FILE, json.dumps(identity()).encode())
    if os.environ.get(MARKER_ENV, launch["marker"]) != launch["marker"]:
        print(f"These inputs are of {launch['marker']}: fenced.", file=sys.stderr)
        os._exit(EXIT_FENCED)
    named = launch.get("engine_options_from_env") or {}
    found = {option: os.environ[name] for option, name in named.items()}
    launch["engine_options"] = (launch.get("engine_options") or {}) | found
    secrets = {
        name: value
        for name in launch.get("secrets") or ()
        if (value := os.environ.get(f"{HIDDEN_ENV}{name}")) is not None
    }
    outer = kept_environment(os.environ)
    os.environ.clear()
    os.environ.update(outer, GRPC_ENABLE_FORK_SUPPORT="0", SPARK_HOME="/nonexistent")
    os.environ[MARKER_ENV] = launch["marker"]
    Runner(inputs, out, launch, secrets).run()


def become_worker(argv: Sequence[str]) -> NoReturn:
    """Become a worker of the engine whose path ends with a wheel, as the engine's own does.

    The wheel comes as folder to install into, its file name, its SHA-256, and its parts in order.
    """
    folder, name, digest, *parts = argv
    data = b"".join(Path(part).read_bytes() for part in parts)
    if hashlib.sha256(data).hexdigest() != digest or not is_plain(name):
        print(f"{name} is not the wheel with the SHA-256 {digest}.", file=sys.stderr)
        os._exit(EXIT_CONFIG)
    wheels = Path(folder, "wheels")
    wheels.mkdir(parents=True, exist_ok=True)
    copy = Path(folder, name)
    copy.write_bytes(data)
    installed = subprocess.run(  # noqa: S603  # no shell; the command is ours
        [*pip_install(copy, wheels), "--quiet"], check=False
    )
    copy.unlink()
    if installed.returncode:
        os._exit(EXIT_INSTALL)
    command = [*python(ENGINE_CODE, [*sys.path, str(wheels)]), "worker"]
    os.execv(command[0], command)  # noqa: S606  # no shell; the command is ours


if __name__ == "__main__":
    if sys.argv[1] == BECOME_WORKER:
        become_worker(sys.argv[2:])
    main(sys.argv[1:])
