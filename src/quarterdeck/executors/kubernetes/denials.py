"""What a 403 is about, whom it concerns, and whether it may pass: an authorizer that fills its caches denies all.

How long it is asked again: `lifecycle.denied`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.errors import DeniedError, UnreachableError
from quarterdeck.ports.executor import Check

READY_S: Final = 5.0
SILENCE_S: Final = 120.0
"""How long after a silence of the API server its refusals are doubted."""
DENIED: Final = "denied"  # code of a check
RIGHT: Final = "the right to "  # how what is missing begins, where it is a right
_RIGHT: Final = re.compile(
    r'User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]+)"'
    r'(?: in API group "(?P<group>[^"]*)")?(?: in the namespace "(?P<namespace>[^"]+)")?'
)
_ACCOUNT: Final = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Right:
    """A right that a user lacks: `resource` as a role names it, `namespace` empty for the whole cluster."""

    user: str
    verb: str
    resource: str
    group: str
    namespace: str

    def __str__(self) -> str:
        where = f"in namespace {self.namespace}" if self.namespace else "in the whole cluster"
        group = f" of {self.group}" if self.group else ""
        return f"{RIGHT}{self.verb} {self.resource}{group} {where}"


def right_of(error: ApiError) -> Right | None:
    """Return the right that the API says is missing; None for what else it forbids."""
    found = _RIGHT.search(error.message) if error.is_forbidden else None
    if found is None:
        return None
    return Right(**{key: value or "" for key, value in found.groupdict().items()})


def is_denied(error: ApiError) -> bool:
    """Whether it says no to who asks, or cannot judge yet; not to what is asked, which stays wrong."""
    return error.is_forbidden and not (
        "exceeded quota" in error.message
        or "violates PodSecurity" in error.message
        or error.has_cause("NamespaceTerminating")
    )


def who(user: str) -> str:
    """Return a user of the API in words."""
    if not user.startswith(_ACCOUNT):
        return f"user {user}"
    namespace, _, name = user.removeprefix(_ACCOUNT).partition(":")
    return f"service account {name} of namespace {namespace}"


def rights_advice(user: str) -> str:
    """Return what to do about rights that somebody lacks."""
    return f"Apply what `quarterdeck cluster rbac` prints, and bind it to {who(user) if user else 'who asks'}."


def what(error: ApiError) -> str:
    """Return what would have to be allowed."""
    right = right_of(error)
    return str(right) if right is not None else "the cluster to allow it"


def told(error: ApiError) -> str:
    """Return a 403 in words: about a right in ours."""
    right = right_of(error)
    return error.message if right is None else f"{right} is missing for {who(right.user)}."


def advice(error: ApiError) -> str:
    """Return what to do about a 403: about rights where it is about rights."""
    right = right_of(error)
    if right is not None:
        return rights_advice(right.user)
    return "Fix what the cluster names, in the cluster's or the profile's definition."


def denied(error: ApiError) -> DeniedError:
    """Return a 403 as an error that says which right of whom is missing."""
    text = told(error)
    text = text[0].upper() + text[1:] if right_of(error) else f"The cluster refused it: {text}"
    return DeniedError(text, advice=advice(error), what=what(error))


def check(name: str, error: ApiError, message: str) -> Check:
    """Return the failed check of a 403 that may pass."""
    return Check(name, "failed", message, advice(error), code=DENIED, what=what(error))


class Doubts:
    """Why a refusal of one cluster may pass. `was_given` says whether rights in a namespace were seen given."""

    def __init__(self, client: Client, was_given: Callable[[str], bool]) -> None:
        self._client = client
        self._was_given = was_given

    def why(self, wanted: str, namespace: str | None = None) -> str:
        """Return it, or nothing: then the refusal stands. No namespace: whatever was seen given may be over."""
        silent_s = self._client.silent_s()
        if silent_s is not None and silent_s <= SILENCE_S:
            return f"the API server did not answer {silent_s:.0f} s ago"
        if unready := self._unready():
            return f"the API server is not ready ({unready})"
        if namespace is not None and wanted.startswith(RIGHT) and self._was_given(namespace):
            return "it was there when the cluster was checked"
        return ""

    def _unready(self) -> str:
        """Return what the API server says of itself while it is not ready; empty if it is."""
        try:
            with self._client.stream("/readyz", (), read_s=READY_S):
                return ""
        except ApiError as error:
            return error.message
        except UnreachableError as error:
            return error.message

    def of(self, check: Check, namespace: str) -> Check:
        """Return a launch's check with why what it found denied may pass."""
        if check.level != "failed" or check.code != DENIED:
            return check
        return replace(check, doubt=self.why(check.what, namespace))

    def judged(self, check: Check) -> Check:
        """Return a check of the cluster itself: what is denied needs mending, unless that may pass."""
        if check.level != "failed" or check.code != DENIED:
            return check
        doubt = self.why(check.what)
        if not doubt:
            return replace(check, code="prerequisite")
        return replace(check, code="unreachable", message=f"{check.message} It may pass: {doubt}.")
