"""What of a cluster is not asked again for each start: its nodes for a minute, rights that were given for five."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from quarterdeck.executors.kubernetes import access, placing
from quarterdeck.executors.kubernetes.client import Client
from quarterdeck.ports.executor import Check

NODES_S: Final = 60.0
RIGHTS_S: Final = 300.0


class Recent:
    """One cluster as one executor saw it. A right that was missing is asked for again at once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._nodes_at = -NODES_S
        self._nodes: list[Mapping[str, Any]] | Check = []
        self._rights: dict[tuple[str, ...], tuple[float, Check]] = {}

    def nodes(self) -> list[Mapping[str, Any]] | Check:
        """Return them, or the check that says why they were not looked at: there may be thousands."""
        now = time.monotonic()
        if now - self._nodes_at >= NODES_S:
            self._nodes, self._nodes_at = placing.listed(self._client), now
        return self._nodes

    def own_rights(self, namespace: str) -> Check:
        """Return whether the caller may do in the namespace all that is done there."""
        return self._given((namespace,), lambda: access.own(self._client, namespace))

    def drivers_rights(self, namespace: str, account: str) -> Check:
        """Return whether the service account may start and end an engine's workers."""
        return self._given(
            (namespace, account), lambda: access.drivers(self._client, namespace, account)
        )

    def was_given(self, namespace: str) -> bool:
        """Whether the caller was seen to have all rights in the namespace."""
        return (namespace,) in self._rights

    def _given(self, what: tuple[str, ...], ask: Callable[[], Check]) -> Check:
        now = time.monotonic()
        at, found = self._rights.get(what, (-RIGHTS_S, None))
        if found is None or now - at >= RIGHTS_S:
            found = ask()
            if found.level == "ok":
                self._rights[what] = (now, found)
        return found
