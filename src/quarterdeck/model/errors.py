"""The error tree. Expected outcomes are values (problems, verdicts, failures), not errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Problem(NamedTuple):
    """One field to mend: its dotted path as written in the file, and what is wrong in words.

    `code` is the exit code's name that this problem alone would give.
    """

    path: str
    message: str
    code: str = "invalid"


class QuarterdeckError(Exception):
    """What went wrong (`message`), about which thing, and what to do (`advice`)."""

    code: ClassVar[str] = "failed"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, advice: str = "", **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice
        self.facts: dict[str, Any] = facts  # further keys of the error document


class InvalidInputError(QuarterdeckError):
    """Fields to mend, all at once, in the order of the form."""

    code = "invalid"
    exit_code = 2

    def __init__(
        self, problems: Sequence[Problem], *, message: str = "", advice: str = "", **facts: Any
    ) -> None:
        found = list(problems)
        if not message:
            first = found[0]
            rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
            message = f"{first.path}: {first.message}{rest}" if first.path else first.message
        super().__init__(message, advice=advice, **facts)
        self.problems = found


class NotAllowedError(QuarterdeckError):
    """The actor may not; `allowed` says who may, `rule` why."""

    code = "denied"
    exit_code = 3

    def __init__(
        self, message: str, *, advice: str = "", allowed: Sequence[str] = (), **facts: Any
    ) -> None:
        super().__init__(message, advice=advice, **facts)
        self.allowed = list(allowed)


class NotFoundError(QuarterdeckError):
    """Not there, or not visible to the actor: the same words for both."""

    code = "not_found"
    exit_code = 4


class ConflictError(QuarterdeckError):
    """Somebody wrote meanwhile, or the state forbids it."""

    code = "conflict"
    exit_code = 5


class StaleError(ConflictError):
    """The document is not as it was seen; says who wrote it, when, and its revision now."""

    def __init__(self, what: str, *, actor: str, at: str, rev: int, advice: str = "") -> None:
        super().__init__(
            f"{what} was changed by {actor} at {at} (revision {rev}).",
            advice=advice or "Read it again, then repeat the change.",
            conflict={"actor": actor, "at": at, "rev": rev},
        )
        self.actor, self.at, self.rev = actor, at, rev


class OvertakenError(ConflictError):
    """What was shown when it was asked is not so any more; says who changed what, and when. Ask again."""


class IllegalTransitionError(ConflictError):
    """The run's or job's state forbids this act; says the state and what may be done."""


class PrerequisiteError(QuarterdeckError):
    """Something that a person must mend first is missing."""

    code = "prerequisite"
    exit_code = 6

    def __init__(
        self, message: str, *, advice: str = "", problems: Sequence[Problem] = (), **facts: Any
    ) -> None:
        super().__init__(message, advice=advice, **facts)
        self.problems = list(problems)


class StoreRefusedError(PrerequisiteError):
    """The store cannot be opened here, or not for writing; nothing was written."""


class DamagedDocumentError(StoreRefusedError):
    """A stored document is not as it was written, with both hashes, or cannot be read; `document` names it."""


class UnreachableError(QuarterdeckError):
    """The cluster or network did not answer in time."""

    code = "unreachable"
    exit_code = 7


class DeniedError(UnreachableError):
    """The cluster does not allow who asks: of what exists already no news, of what is to be made a refusal.

    `what` would have to be allowed; `doubt` is why the refusal may pass, empty where the cluster has no reason.
    """

    doubt = ""

    def __init__(self, message: str, *, advice: str = "", what: str = "", **facts: Any) -> None:
        super().__init__(message, advice=advice, **facts)
        self.what = what


class StoreFaultError(QuarterdeckError):
    """Disk full or I/O error: the write was not acknowledged, and is not there unless the message says so."""


EXIT_CODES: dict[str, int] = {
    "ok": 0, "failed": 1, "invalid": 2, "denied": 3, "not_found": 4, "conflict": 5,
    "prerequisite": 6, "unreachable": 7, "defect": 70,
}  # fmt: skip
# Several problems at once: the first of these that applies gives the code.
PRECEDENCE = ("not_found", "denied", "invalid", "prerequisite", "conflict", "unreachable")


def raise_problems(problems: Sequence[Problem]) -> None:
    """Raise the error that fits the gravest problem, carrying them all; nothing for none."""
    if not problems:
        return
    codes = {problem.code for problem in problems}
    gravest = next(code for code in PRECEDENCE if code in codes)
    first = next(problem for problem in problems if problem.code == gravest)
    rest = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    text = f"{first.path}: {first.message}{rest}" if first.path else f"{first.message}{rest}"
    if gravest == "invalid":
        raise InvalidInputError(problems)
    if gravest == "prerequisite":
        raise PrerequisiteError(text, problems=problems)
    kinds: dict[str, type[QuarterdeckError]] = {
        "not_found": NotFoundError,
        "denied": NotAllowedError,
        "conflict": ConflictError,
        "unreachable": UnreachableError,
    }
    raise kinds[gravest](text, problems=list(problems))
