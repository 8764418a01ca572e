"""The line: which queued runs get a place. The oldest by id that nothing else holds back; others keep theirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from quarterdeck.lifecycle.steps import HELD, SILENT
from quarterdeck.model.observation import Room
from quarterdeck.model.run import Line, Waiting

ASKED_EVERY: Final = timedelta(seconds=10)
"""How long a cluster that took no run, or did not answer, is not asked again, by whatever process."""
FREE: Final = Room(free=True)


class Word(NamedTuple):
    """Why a cluster took no run when one was last sent there, and how long ago that was."""

    what: str
    why: str
    age: timedelta

    @property
    def is_fresh(self) -> bool:
        """Whether it need not be asked again."""
        return timedelta(0) <= self.age < ASKED_EVERY


@dataclass(frozen=True, slots=True)
class InLine:
    """An unfinished run as the line sees it at `now`, by its own clock.

    `limit` is the job's `max_concurrent_runs` as the run has it; `profile` tells its size. `is_ready`: queued, not
    cancelled, in time, no back-off. `is_asking`: claimed, and nothing of it can exist yet.
    """

    id: str
    job: str
    draft: bool
    limit: int | None
    cluster: str
    team: str
    profile: str
    now: datetime
    is_queued: bool
    is_ready: bool
    is_asking: bool
    waiting: Waiting | None

    @property
    def word(self) -> Word | None:
        """What its cluster said when it was asked last, if it is queued for that."""
        said = self.waiting
        if not self.is_queued or said is None or said.line is not Line.CLUSTER:
            return None
        return Word(said.what, said.last_fact, self.now - said.last_fact_at)

    @property
    def held_with(self) -> tuple[Hashable, ...]:
        """What it shares with others that a word of the cluster holds back as well.

        With all of the cluster its silence, with those of its size a full quota, with none what is wrong with it.
        """
        return self.cluster, (self.cluster, self.team, self.profile), self.id


def places(runs: Sequence[InLine], most: int | None) -> dict[str, Room]:
    """Return for each run that is ready whether it gets a place now; `most` is the workspace's ceiling.

    Where a cluster took no run, or did not answer, one run asks it at a time, and after `ASKED_EVERY`: the others
    that it would concern are passed over meanwhile.
    """
    going = [one for one in runs if not one.is_queued]
    taken, of_job = len(going), Counter(one.job for one in going if not one.draft)
    words = _words(runs)
    asking = {key for one in going if one.is_asking for key in one.held_with}
    found: dict[str, Room] = {}
    for one in sorted((one for one in runs if one.is_ready), key=lambda one: one.id):
        key, word = _word(one, words)
        if one.limit is not None and not one.draft and of_job[one.job] >= one.limit:
            what = f"{of_job[one.job]} of {one.limit} runs of the job"
            found[one.id] = Room(free=False, what=what, line=Line.JOB)
        elif word is not None and (key in asking or word.is_fresh):
            known_at = one.now - word.age
            found[one.id] = Room(
                free=False, what=word.what, why=word.why, line=Line.CLUSTER, known_at=known_at
            )
        elif most is not None and taken >= most:
            what = f"{taken} of {most} runs of the workspace"
            found[one.id] = Room(free=False, what=what, line=Line.WORKSPACE)
        else:
            found[one.id] = FREE
            taken += 1
            of_job[one.job] += not one.draft
            asking.update(one.held_with)
    return found


def _words(runs: Iterable[InLine]) -> dict[Hashable, Word]:
    """Return the newest word of a cluster by what the runs share that it concerns."""
    found: dict[Hashable, Word] = {}
    for one in runs:
        word = one.word
        if word is not None:
            of_cluster, of_size, alone = one.held_with
            is_full = word.what.startswith(HELD)
            key = of_cluster if word.what == SILENT else of_size if is_full else alone
            if key not in found or word.age < found[key].age:
                found[key] = word
    return found


def _word(one: InLine, words: dict[Hashable, Word]) -> tuple[Hashable, Word | None]:
    """Return what holds the run back at its cluster, and whom it concerns."""
    return next(((key, words[key]) for key in one.held_with if key in words), (None, None))
