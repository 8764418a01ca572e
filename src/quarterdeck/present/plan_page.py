"""What a run would be, for a person: the verdict first, then preflight, then what would be made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from quarterdeck.present import file_text, glyphs, inert
from quarterdeck.present.table import Cell, Line

Document = Mapping[str, Any]

_WOULD: Final = {
    "start": ("A run would start now.", "good"),
    "wait": ("A run would be queued: there is no room for it now.", "busy"),
    "refuse": ("A run would be refused.", "bad"),
    "unanswered": ("A run would wait for the cluster, which does not answer.", "busy"),
}
_MARKS: Final = {
    "ok": (glyphs.SUCCEEDED, "good"), "warning": (glyphs.STALE, "busy"), "failed": (glyphs.FAILED, "bad"),
}  # fmt: skip


def lines(plan: Document) -> Iterator[Line]:
    """Yield the plan."""
    what = "draft" if plan["draft"] else f"v{plan['version']}"
    words, tone = _WOULD[plan["would"]]
    yield (Cell(f"{inert.line(plan['job'])} {what} on {inert.line(plan['cluster'])}", "head"),)
    yield (Cell(words, tone), Cell(" Nothing was made.", "dim"))
    for one in plan["problems"]:
        yield (Cell(f"x {inert.line(one['path'])}: {inert.line(one['message'])}", "bad"),)
    if plan["checks"]:
        yield ()
        yield (Cell("PREFLIGHT", "head"),)
    for one in plan["checks"]:
        mark, tone = _MARKS[one["level"]]
        yield (Cell(f"{mark} {inert.line(one['name'])}: ", tone), Cell(inert.line(one["message"])))
        if one["level"] != "ok" and one["advice"]:
            yield (Cell(f"  {inert.line(one['advice'])}", "dim"),)
    if plan["frozen_sha256"]:
        yield ()
        yield (Cell("FROZEN SPEC  ", "head"), Cell(f"SHA-256 {plan['frozen_sha256']}"))
    for document in plan["documents"]:
        yield ()
        meta = document.get("metadata") or {}
        name = f"{document.get('kind', '')} {meta.get('name', '')}".strip()
        yield (Cell(inert.line(name), "head"),)
        yield from ((Cell(one),) for one in inert.block(file_text.to_yaml(document).rstrip("\n")))
    if plan["documents"]:
        yield ()
        yield (Cell("rplan0000000 stands for the id of the run.", "dim"),)
