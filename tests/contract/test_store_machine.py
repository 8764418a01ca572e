"""Both backends, driven alike, agree; opening the database again changes nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from quarterdeck.model.errors import QuarterdeckError
from quarterdeck.model.ids import Rev
from quarterdeck.ports.store import Backend, Op, Where
from tests.support.stores import FIELDS, START, memory_backend, put, sqlite_backend

KEYS = st.sampled_from(["a", "b", "c", "ä", "Z", "0"])
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=2)
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from([0.5, -1.5]), TEXTS
)
BODIES = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES))
COMPARED: st.SearchStrategy[Op] = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
CONDITIONS = st.one_of(
    st.builds(Where, st.sampled_from([*FIELDS, "id"]), COMPARED, VALUES),
    st.builds(Where, st.sampled_from(FIELDS), st.just("in"), st.lists(VALUES, max_size=3)),
    st.builds(
        Where, st.sampled_from([*FIELDS, "id"]), st.just("contains"), st.lists(TEXTS, max_size=2)
    ),
)
FILTERS = st.lists(
    CONDITIONS | st.builds(Where, st.just(""), st.just("any"), st.lists(CONDITIONS, max_size=2)),
    max_size=2,
)
WRITES = st.lists(st.tuples(KEYS, BODIES, st.integers(0, 2)), max_size=4)
Outcome = tuple[str, object]


def outcome(act: Callable[[], object]) -> Outcome:
    """Return what came of it: a value, or the kind and words of the refusal."""
    try:
        return "done", act()
    except QuarterdeckError as error:
        return type(error).__name__, error.message


class Backends(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.memory: Backend = memory_backend(Path(self.folder.name))
        self.sqlite: Backend = sqlite_backend(Path(self.folder.name))

    def teardown(self) -> None:
        if hasattr(self, "sqlite"):
            self.sqlite.close()
            self.folder.cleanup()

    def both(self, act: Callable[[Backend], object]) -> Outcome:
        first, second = (outcome(lambda one=one: act(one)) for one in (self.memory, self.sqlite))  # type: ignore[misc]  # bound now
        assert first == second
        return first

    def seen(self, key: str, behind: int) -> Rev | None:
        """Return the revision that is right, one that is stale, or none."""
        row = self.memory.get("things", key)
        if behind == 2:
            return None
        return Rev(row.rev - behind) if row else Rev(1) if behind else None

    @rule(key=KEYS, body=BODIES, behind=st.integers(0, 2))
    def write(self, key: str, body: dict[str, Any], behind: int) -> None:
        seen = self.seen(key, behind)
        self.both(lambda one: put(one, key, seen=seen, **body))

    @rule(key=KEYS, behind=st.integers(0, 1))
    def delete(self, key: str, behind: int) -> None:
        seen = self.seen(key, behind) or Rev(1)
        self.both(lambda one: one.delete("things", key, seen=seen, by="bob", at=START))

    @rule(writes=WRITES, inner=WRITES, fails=st.booleans())
    def transaction(self, writes: Any, inner: Any, *, fails: bool) -> None:
        revisions = {key: self.seen(key, behind) for key, _, behind in writes}

        def act(backend: Backend) -> None:
            with backend.transaction():
                for key, body, _ in writes:
                    put(backend, key, seen=revisions[key], **body)
                result = outcome(lambda: nested(backend))
                assert result[0] in ("done", "StaleError", "ConflictError")
                if fails:
                    raise QuarterdeckError("given up")

        def nested(backend: Backend) -> None:
            with backend.transaction():
                for key, body, behind in inner:
                    put(backend, key, seen=Rev(behind) if behind else None, **body)

        self.both(act)

    @rule(
        where=FILTERS, order=st.sampled_from([*FIELDS, "id"]), descending=st.booleans(),
        after=st.none() | KEYS, offset=st.integers(0, 3), limit=st.integers(1, 4),
    )  # fmt: skip
    def page(
        self,
        where: list[Where],
        order: str,
        *,
        descending: bool,
        after: str | None,
        offset: int,
        limit: int,
    ) -> None:
        self.both(
            lambda one: one.page(
                "things", where=where, order=order, descending=descending, after=after,
                offset=offset, limit=limit,
            )
        )  # fmt: skip
        self.both(lambda one: one.count("things", where))

    @rule(since=st.integers(0, 20), limit=st.integers(1, 5))
    def changes(self, since: int, limit: int) -> None:
        self.both(lambda one: one.changes(since, limit))

    @rule()
    def reopen(self) -> None:
        self.sqlite.close()
        self.sqlite = sqlite_backend(Path(self.folder.name))

    @invariant()
    def same_rows(self) -> None:
        if hasattr(self, "sqlite"):
            self.both(lambda one: list(one.scan("things")))
            self.both(lambda one: one.last_change())


TestBackends = Backends.TestCase
TestBackends.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
