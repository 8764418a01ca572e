"""Bring a run's lines from its executor into the run log, and the result rows out of it at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from quarterdeck.model.errors import StaleError
from quarterdeck.model.failure import Reason
from quarterdeck.model.logline import StoredLine
from quarterdeck.model.wire import RESULT_ROWS

if TYPE_CHECKING:
    from quarterdeck.model.run import Run
    from quarterdeck.ports.executor import Executor
    from quarterdeck.service.context import Context


class Archiving:
    """The one writer of a run's log, whoever calls first."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self, run: Run, executor: Executor) -> bool:
        """Keep what the executor has beyond the cursor; False when another process is the writer."""
        with self._context.ports.logs.writer(run.id) as writer:
            if writer is None:
                return False
            for attempt in run.attempts:
                if attempt.receipt is None:
                    continue
                for chunk in executor.logs(attempt.receipt, writer.cursor, follow=False):
                    writer.append(chunk)
                if attempt.reason is Reason.DELETED_EXTERNALLY:
                    writer.gap(attempt.receipt.id, "what held the log was deleted by others")
        return True

    def finish(self, run: Run, executor: Executor) -> bool:
        """Keep the rest of the log, and the result; mark the run archived. False: somebody else writes now."""
        if not self.collect(run, executor):
            return False
        result = self._result(run)
        content = json.dumps(result, ensure_ascii=False).encode()
        store = self._context.ports.store
        sha256 = store.artifact_put(content) if result["statements"] else None
        for _ in range(5):
            kept = store.runs.get(run.id)
            if kept.value.archived:
                return True
            archived = replace(kept.value, archived=kept.value.is_terminal, result_sha256=sha256)
            try:
                with self._context.transaction("archiving a log") as tx:
                    tx.runs.put(archived, seen=kept.rev)
            except StaleError:
                continue
            return True
        return False

    def _result(self, run: Run) -> dict[str, Any]:
        """Return {"statements": [{number, columns, rows, row_count, truncated, seconds}]} of the last attempt."""
        source = f"{run.id}-{len(run.attempts)}"
        statements: dict[int, dict[str, Any]] = {}
        for document in self._documents(run, source, "result"):
            one = statements.setdefault(
                document["number"],
                {
                    "number": document["number"], "columns": [], "rows": [], "row_count": None,
                    "truncated": False, "seconds": None,
                },
            )  # fmt: skip
            one["rows"].extend(document.pop("rows", []))
            one.update(document)
        for one in statements.values():
            one["rows"] = one["rows"][:RESULT_ROWS]
        return {"statements": [statements[number] for number in sorted(statements)]}

    def _documents(self, run: Run, source: str, stream: str) -> Iterator[dict[str, Any]]:
        text = ""
        for line in self.lines(run.id):
            if line.stream != stream or line.source != source:
                continue
            text += line.text
            if not line.more:
                try:
                    document = json.loads(text)
                except ValueError:  # its first piece fell into a gap, which the log shows
                    document = None
                if document is not None:
                    yield document
                text = ""

    def lines(self, run_id: Any) -> Iterator[StoredLine]:
        """Yield every kept line of the run, oldest first, a thousand at a time."""
        after = 0
        while chunk := self._context.ports.logs.lines(run_id, after=after):
            yield from chunk
            after = chunk[-1].seq
