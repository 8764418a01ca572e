"""Why a run ended badly, in one sentence, with the place and what to do next: the same wherever it is shown.

Pure: a run's document goes in. What a reason means and its advice: `lifecycle`; the page around it: `run_page`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from quarterdeck.model.failure import Reason
from quarterdeck.model.states import RunState
from quarterdeck.present import inert, states, table
from quarterdeck.present.table import Cell, Line

Document = Mapping[str, Any]

BEFORE: Final = 1  # lines that are shown before the one of the place
_OPENINGS: Final[dict[Reason, str]] = {
    Reason.USER_ERROR: "",
    Reason.CONFIG_ERROR: "",
    Reason.DEPENDENCY_INSTALL: "A package could not be installed",
    Reason.ENGINE_START: "The engine did not start",
    Reason.ENGINE_LOST: "The engine was lost",
    Reason.OOM_DRIVER: "The driver ran out of memory",
    Reason.OOM_WORKER: "A worker ran out of memory",
    Reason.EVICTED: "The pod was evicted from its node",
    Reason.PREEMPTED: "The pod had to make room",
    Reason.NODE_LOST: "The node was lost",
    Reason.IMAGE_PULL: "The image cannot be pulled",
    Reason.CREATE_CONTAINER: "The container cannot be made",
    Reason.VOLUME: "A volume cannot be mounted",
    Reason.UNSCHEDULABLE: "No node can take the pod",
    Reason.QUOTA: "There was no room in time",
    Reason.TIMEOUT: "It took longer than its timeout",
    Reason.CANCELLED: "It was cancelled",
    Reason.DELETED_EXTERNALLY: "It was deleted from outside",
    Reason.START_FENCED: "Its start was refused, so that no code starts twice",
    Reason.LOST: "Nothing says how it ended",
}
"""How the sentence begins where what was seen is not a sentence of its own."""
_UNSEEN: Final[dict[Reason, str]] = {
    Reason.USER_ERROR: "The code failed",
    Reason.CONFIG_ERROR: "A setting, path or reference is wrong",
}
_EXIT: Final = re.compile(r"The (?:payload|code) ended with exit code (\d+)(?:: (.*)|\.)$")
_KIND: Final = re.compile(r"(?:\w+\.)*\w+(?:Exception|Error): ")
_ASKED: Final = re.compile(r"asked for by (.+)$")


class Step(NamedTuple):
    """What somebody may do next: the act's id, its first key, its command and its words."""

    act: str
    key: str
    command: str
    text: str


_EDIT: Final = (Reason.USER_ERROR, Reason.CONFIG_ERROR, Reason.DEPENDENCY_INSTALL)
_PROFILE: Final = (
    Reason.OOM_DRIVER, Reason.OOM_WORKER, Reason.EVICTED, Reason.UNSCHEDULABLE, Reason.ENGINE_START,
)  # fmt: skip
_CLUSTER: Final = (Reason.IMAGE_PULL, Reason.CREATE_CONTAINER, Reason.VOLUME)


def of(run: Document, text: str | None = None) -> dict[str, Any] | None:
    """Return headline, place, lines and next steps of a run that ended badly; None for any other.

    `run` is its document or its row; `text` the whole source text that ran, where it is at hand. Lines and columns
    count from 1 in that text; `caret` is a column of the line as it is given here, which may be a part of it.
    """
    if not run.get("reason"):
        return None
    place = run.get("place")
    shown = None
    if place:
        shown = {key: place.get(key) for key in ("what", "number", "of", "line", "column", "file")}
    return {
        "headline": _headline(run),
        "place": shown,
        "lines": list(_lines(place, text)) if place else [],
        "next": [
            {"key": step.key, "command": step.command, "text": step.text} for step in steps(run)
        ],
    }


def _headline(run: Document) -> str:
    """Return what happened in one sentence, inert as soon as it is drawn, not before."""
    if told := run.get("headline"):
        return str(told)
    reason, seen = Reason(run["reason"]), _seen(run)
    if reason is Reason.CANCELLED:
        asked = _ASKED.match(seen)
        return f"{asked[1]} cancelled it." if asked else f"{_OPENINGS[reason]}."
    if reason in _EDIT and _KIND.match(seen) and str(run.get("object") or "").startswith("state"):
        seen = _KIND.sub("", seen, count=1)  # of an earlier version: the engine's own words
    opening = _OPENINGS[reason]
    if not seen:
        about = f": {run['object']}" if run.get("object") else ""
        return f"{opening or _UNSEEN[reason]}{about}."
    is_sentence = seen[:1].isupper() and seen.endswith(".")
    return seen if is_sentence or not opening else f"{opening}: {seen}"


def _seen(run: Document) -> str:
    """Return the first line of what was seen, without how the process ended where the error itself is known."""
    evidence: Sequence[str] = run.get("evidence") or ()
    first = next((one for one in evidence if one.strip()), "").strip().split("\n")[0]
    exited = _EXIT.match(first)
    if exited:
        return exited[2] or f"The code ended with exit code {exited[1]}."
    return first


def _lines(place: Document, text: str | None) -> Iterator[dict[str, Any]]:
    """Yield the line of the place and what stands before it."""
    number, column = int(place["line"]), place.get("column")
    if text is not None:
        every = text.splitlines() if "\r" in text else text.split("\n")
        for before in range(max(1, number - BEFORE), number):
            if before <= len(every) and every[before - 1].strip():
                yield {"number": before, "text": every[before - 1], "caret": None}
    if told := place.get("text"):
        caret = None if column is None else column - int(place.get("text_from") or 1) + 1
        yield {"number": number, "text": str(told), "caret": caret}


def where(place: Document | None) -> str:
    """Return `statement 2 of 2, line 4, column 12`, or `load.py, line 4`; empty for none."""
    if not place:
        return ""
    parts = []
    if place.get("number") and (place.get("of") or 0) > 1:
        parts.append(f"statement {place['number']} of {place['of']}")
    if place.get("file"):
        parts.append(str(place["file"]))
    parts.append(f"line {place['line']}")
    if place.get("column"):
        parts.append(f"column {place['column']}")
    return ", ".join(parts)


def steps(run: Document) -> list[Step]:
    """Return what to do next, what fits the reason first."""
    reason, name, job = Reason(run["reason"]), run["id"], run["job"]
    found = []
    if reason in _EDIT and job:
        words = "edit here" if run.get("place") else "edit"
        found.append(Step("job.edit", "e", f"quarterdeck job edit {job}", words))
    if reason in _PROFILE:
        profile = ((run.get("frozen") or {}).get("profile") or {}).get("name") or ""
        command = f"quarterdeck profile edit {profile or 'PROFILE'}"
        found.append(Step("app.view_4", "4", command, f"profile {profile}".rstrip()))
    if reason in _CLUSTER:
        cluster = ((run.get("frozen") or {}).get("cluster") or {}).get("name") or ""
        command = f"quarterdeck cluster edit {cluster or 'CLUSTER'}"
        found.append(Step("app.view_6", "6", command, f"cluster {cluster}".rstrip()))
    found.append(Step("run.again", "r", f"quarterdeck retry {name}", "run again"))
    return found


def told(run: Document) -> str:
    """Return state, sentence and place in one line, to be copied; the state alone where nothing failed."""
    if not run.get("failure"):
        return " ".join(filter(None, [run["state"], run.get("reason")]))
    place = where(run["failure"]["place"])
    said = f"{run['state']}: {inert.line(run['failure']['headline'])}"
    return f"{said.rstrip('.')}, {inert.line(place)}" if place else said


# --- as cells


def sentence(run: Document, *, is_marked: bool = True) -> Line:
    """Return what happened, with the state's mark for a person."""
    shown = states.shown(run["state"])
    mark = f"{shown.mark} " if is_marked else ""
    tone = "dim" if run["state"] == RunState.CANCELLED else "bad"
    return (Cell(mark + inert.line(run["failure"]["headline"]), tone),)


def brief(run: Document) -> Line:
    """Return the sentence, its place and the next key; where there is little room the sentence is cut."""
    first, place = run["failure"]["next"][0], where(run["failure"]["place"])
    (said,) = sentence(run)
    if place:
        said = said._replace(text=said.text.rstrip("."))
    more = f", {inert.line(place)}" if place else ""
    return (said, Cell(more), Cell(f"   {first['key']} {inert.line(first['text'])}", "key"))


def about(run: Document) -> Line:
    """Return the reason's own word and the place, or what it is about."""
    place = where(run["failure"]["place"]) or str(run["object"] or "")
    return (Cell(" · ".join(filter(None, [run["reason"], inert.line(place)])), "dim"),)


def keys(failure: Document) -> Iterator[Cell]:
    """Yield the next steps with their keys."""
    for one in failure["next"]:
        yield Cell(f"   {one['key']} ", "key")
        yield Cell(inert.line(one["text"]))


def quoted(failure: Document, wide: int | None) -> Iterator[Line]:
    """Yield the lines of the place with their numbers, and a caret; a long line shows its part at the column."""
    shown = failure["lines"]
    digits = max((len(str(one["number"])) for one in shown), default=0)
    for one in shown:
        head = f"  {one['number']:>{digits}} | "
        text, caret = _part(one["text"], one["caret"], None if wide is None else wide - len(head))
        yield (Cell(head, "dim"), Cell(text))
        if caret is not None:
            yield (Cell(" " * (len(head) - 2) + "| " + " " * caret + "^", "bad"),)


def _part(text: str, caret: int | None, most: int | None) -> tuple[str, int | None]:
    """Return the text as it is drawn, in at most so many columns, and the column of the caret from 0."""
    at = None if caret is None else max(0, min(caret - 1, len(text)))
    begin = 0
    if most is not None and at is not None:
        while begin < at and table.width(_drawn(text[begin:at])) > most * 2 // 3:
            begin += max(1, (at - begin) // 8)
    lead = "…" if begin else ""
    drawn = lead + _drawn(text[begin:])
    column = None if at is None else len(lead) + table.width(_drawn(text[begin:at]))
    return (drawn if most is None else table.cut(drawn, most)), column


def _drawn(text: str) -> str:
    return inert.line(text.expandtabs(4))


def numbered(text: str, line: int, column: int) -> Iterator[Line]:
    """Yield a whole text with the numbers of its lines, and a caret below the place."""
    every = text.splitlines()
    digits = len(str(len(every)))
    for number, one in enumerate(every, 1):
        yield (
            Cell(f"{number:>{digits}} | ", "dim"),
            Cell(_drawn(one), "bad" if number == line else ""),
        )
        if number == line:
            at = table.width(_drawn(one[: column - 1]))
            yield (Cell(" " * (digits + 1) + "| " + " " * at + "^", "bad"),)
