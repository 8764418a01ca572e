"""From each format of the database to the next, in one transaction behind a backup.

Which format this program writes says `indexes`; a database of a newer one is refused by `database`.
"""
# ruff: noqa: S608  # the names in these statements come from the database's own schema

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from quarterdeck.model.errors import QuarterdeckError, StoreFaultError
from quarterdeck.model.instants import Clock
from quarterdeck.store import artifacts, guard, head, schema, sums
from quarterdeck.store.creating import new_store_id
from quarterdeck.store.indexes import FORMAT
from quarterdeck.store.sqlite import SqliteBackend

if TYPE_CHECKING:
    from quarterdeck.store.sums import Totals

BackUp = Callable[[SqliteBackend, Path, Path, datetime], object]

# A program of format 1 that has the store open counts each of its changes by updating a row of `meta`. It takes
# a table that is missing for damage: it refuses the write, and goes on reading.
_NO_MORE: Final = "for this version of Quarterdeck: a newer one migrated the store, close this one"
_REFUSE_FORMAT_1: Final = (
    "CREATE TRIGGER no_writer_of_format_1 BEFORE UPDATE ON meta WHEN OLD.name = 'seq'"
    f' BEGIN SELECT 1 FROM "{_NO_MORE}"; END'
)


def migrate(backend: SqliteBackend, folder: Path, clock: Clock, back_up: BackUp) -> str:
    """Bring an older database up to date and return where its backup lies; empty if others did so meanwhile.

    Other writers wait. A call that is cut off leaves the database as it was. `back_up` is `backup.write`.
    """
    with backend.transaction():
        if backend.read_format() == FORMAT:
            backend.format = FORMAT
            return ""
        now = clock()
        kept = guard.beside(folder, f"before-format-{FORMAT}", now, ".backup")
        try:
            back_up(backend, folder, kept, now)
        except QuarterdeckError as error:
            raise StoreFaultError(
                f"{folder} is of an older format ({backend.format}, here {FORMAT}) and was not migrated: the"
                f" backup that comes first could not be written: {error.message}",
                advice="Fix that; until then --read-only reads the store as it is.",
            ) from error
        _take_steps(backend)
        # Before the commit: a store of this format without a head is damaged.
        write_head(folder / head.NAME, backend.read_totals(), shared=guard.is_shared(folder))
    backend.format = FORMAT
    backend.upgrade()
    return str(kept)


def migrate_copy(backend: SqliteBackend) -> None:
    """Bring the database of an unpacked backup up to date; nobody else has it open."""
    if backend.format < FORMAT:
        with backend.transaction():
            _take_steps(backend)
        backend.format = FORMAT
        backend.upgrade()


def _take_steps(backend: SqliteBackend) -> None:
    for number in range(backend.format, FORMAT):
        STEPS[number](backend)
    backend.execute(f"PRAGMA user_version = {FORMAT}")
    backend.note_schema()


def write_head(path: Path, totals: Totals, *, shared: bool) -> None:
    """Write a new head that begins at these totals, whatever lies there."""
    try:
        artifacts.write_file(path, head.content(head.mark_of(totals)), shared=shared)
    except OSError as error:
        raise artifacts.fault(error, path) from error


def _to_2(backend: SqliteBackend) -> None:
    """2026-11-30: each row carries its hash, `totals` what all add up to; the sequence moved there."""
    total = 0
    backend.add_function("row_sha256", 7, sums.of_row)
    backend.add_function("gone_sha256", 6, sums.of_gone)
    backend.execute("ALTER TABLE gone ADD COLUMN sha256 TEXT NOT NULL DEFAULT ''")
    backend.execute("UPDATE gone SET sha256 = gone_sha256(tbl, id, rev, by, at, seq)")
    for table in ["gone", *map(schema.sql_name, backend.tables())]:
        if table != "gone":
            backend.execute(f"ALTER TABLE {table} ADD COLUMN sha256 TEXT NOT NULL DEFAULT ''")
            backend.execute(
                f"UPDATE {table} SET sha256 = row_sha256(?, id, rev, by, at, seq, body)",
                (table[2:],),
            )
        total += sum(sums.number(one) for (one,) in backend.execute(f"SELECT sha256 FROM {table}"))
    backend.execute(schema.TOTALS)
    begun = sums.begun(new_store_id(), backend.last_change(), total)
    backend.execute("INSERT INTO totals VALUES ('', 0, '', '')")
    backend.put_totals(begun)
    backend.execute(_REFUSE_FORMAT_1)


STEPS: Final[Mapping[int, Callable[[SqliteBackend], None]]] = {1: _to_2}
"""What brings a database of the key's format to the next one."""
