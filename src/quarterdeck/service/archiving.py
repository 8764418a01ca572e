"""Bring a run's lines from its executor into the run log, and the result rows out of it at the end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from quarterdeck.model.errors import StaleError
from quarterdeck.model.failure import Reason
from quarterdeck.model.logline import StoredLine
from quarterdeck.model.wire import RESULT_ROWS

if TYPE_CHECKING:
    from quarterdeck.model.run import Attempt, Run
    from quarterdeck.ports.executor import Executor
    from quarterdeck.ports.runlog import LogWriter
    from quarterdeck.service.context import Context

DELETED: Final = "what held the log was deleted by others"
UNWRITTEN: Final = "the runner could not write its last lines"
ENDING_LOOKS: Final = 4  # at the log of an attempt that has ended, until its executor says so too
ENDING_S: Final = 0.4


class Archiving:
    """The one writer of a run's log, whoever calls first."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def collect(self, run: Run, executor: Executor, *, most: int | None = None) -> bool:
        """Keep what the executor has beyond the cursor, at most so many chunks of each attempt.

        False when another process is the writer.
        """
        with self._context.ports.logs.writer(run.id) as writer:
            if writer is None:
                return False
            if not self._is_archived(run):
                self._collect(run, executor, writer, most)
        return True

    def _is_archived(self, run: Run) -> bool:
        """Whether another process archived the log meanwhile: nothing is written to it any more."""
        return run.archived or self._context.ports.store.runs.get(run.id).value.archived

    def _collect(self, run: Run, executor: Executor, writer: LogWriter, most: int | None) -> None:
        for attempt in run.attempts:
            if attempt.receipt is None:
                continue
            is_last = attempt.number == len(run.attempts)
            is_ended = self._read(run, attempt, executor, writer, most)
            if most is None and is_last and run.is_terminal:
                for _ in range(ENDING_LOOKS):
                    if is_ended or run.last_word is None:
                        break
                    time.sleep(ENDING_S)  # it has ended: where its log is, that is not known yet
                    is_ended = self._read(run, attempt, executor, writer, most)
                self._close(run, attempt, writer)
            elif not is_last and attempt.reason is Reason.DELETED_EXTERNALLY:
                writer.gap(attempt.receipt.id, DELETED)
        if most is None:
            writer.say_lost()

    def _read(
        self, run: Run, attempt: Attempt, executor: Executor, writer: LogWriter, most: int | None
    ) -> bool:
        """Keep what there is of one attempt; True if there will be no more."""
        receipt, is_ended = attempt.receipt, False
        if receipt is None:
            return True
        for chunk in islice(executor.logs(receipt, writer.cursor, follow=False), most):
            if chunk.gap and chunk.ended and self._is_kept(run, attempt.number):
                return True  # another process kept all of it, and removes the source just now
            writer.append(chunk)
            is_ended = chunk.ended and chunk.source == receipt.id
        return is_ended

    def _is_kept(self, run: Run, attempt: int) -> bool:
        now = self._context.ports.store.runs.get(run.id).value
        return now.archived or attempt < len(now.attempts)

    @staticmethod
    def _close(run: Run, attempt: Attempt, writer: LogWriter) -> None:
        """Mark what is missing at the end: the last word says how many lines there are."""
        word = run.last_word
        if attempt.receipt is None:
            return
        source = attempt.receipt.id
        if word is not None and "lines" in word:
            if writer.last(source) < word["lines"]:
                is_deleted = attempt.reason is Reason.DELETED_EXTERNALLY
                writer.gap(source, DELETED if is_deleted else UNWRITTEN)
        elif attempt.reason is Reason.DELETED_EXTERNALLY:
            writer.gap(source, DELETED)
        elif word is None and attempt.began_at is not None:
            writer.gap(source, "the runner ended without its last word, before it wrote more")

    def finish(self, run: Run, executor: Executor) -> bool:
        """Keep the rest of the log, and the result; mark the run archived. False: somebody else writes now."""
        with self._context.ports.logs.writer(run.id) as writer:
            if writer is None:
                return False
            if self._is_archived(run):
                return True
            self._collect(run, executor, writer, None)
            return self._archive(run, writer)

    def _archive(self, run: Run, writer: LogWriter) -> bool:
        """Mark the run archived, with its result and what is kept of its log; nobody else writes to that now."""
        result = self._result(run)
        content = json.dumps(result, ensure_ascii=False).encode()
        store = self._context.ports.store
        sha256 = store.artifact_put(content) if result["statements"] else None
        log = writer.kept()
        for _ in range(5):
            kept = store.runs.get(run.id)
            if kept.value.archived:
                return True
            archived = replace(kept.value, result_sha256=sha256)
            if kept.value.is_terminal:
                archived = replace(archived, archived=True, log=log)
            try:
                with self._context.transaction("archiving a log") as tx:
                    tx.runs.put(archived, seen=kept.rev)
            except StaleError:
                continue
            return True
        return False

    def _result(self, run: Run) -> dict[str, Any]:
        """Return {"statements": [{number, columns, rows, row_count, truncated, seconds}]} of the last attempt."""
        word = run.last_word
        if word is not None and "result" in word and word["result"] is None:
            return {"statements": []}  # none in a million lines of a payload
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
            if line.is_gap:
                text = ""
            if line.stream != stream or line.source != source:
                continue
            text += line.text
            if not line.more:
                try:
                    document = json.loads(text)
                except ValueError:  # a piece of it fell into a gap, which the log shows
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
