"""The executor's handle of what was prepared, and what reaping found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NewType

from quarterdeck.model.ids import RunId

AttemptId = NewType("AttemptId", str)  # RUN-NUMBER


def attempt_id(run: RunId, number: int) -> AttemptId:
    """Return the name of one attempt: what its processes and objects are labelled with."""
    return AttemptId(f"{run}-{number}")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The one thing of an attempt that may begin: a pod, a runner's process. Once kept, it is never another.

    `id` is the place's own and given to nothing else, `made_at` by the place's clock.
    """

    name: str
    id: str
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What `prepare` gave: executor kind, attempt, and the facts that find it again.

    `facts` of `local`: pid, start_ticks, boot_id, folder, isolation. Of `kubernetes`: name, uid, namespace, gate.
    `chosen` is None until the place has made what may begin.
    """

    kind: str
    run: RunId
    attempt: int
    facts: Mapping[str, Any] = field(default_factory=dict)
    chosen: Chosen | None = None

    @property
    def id(self) -> AttemptId:
        """The attempt that this receipt is of."""
        return attempt_id(self.run, self.attempt)


@dataclass(frozen=True, slots=True)
class ReapReport:
    """What reaping found: removed by name, and left because it cannot be reached or will not go."""

    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Owned:
    """Something that carries this workspace's label, with the receipt that reaps it."""

    name: str
    receipt: Receipt
    alive: bool
