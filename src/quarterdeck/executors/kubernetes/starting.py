"""Releases an attempt's Job, and gives the word to begin to the one pod that its receipt has chosen.

Each pod of a Job is made with a gate of ours, which keeps it from every node. The Job's controller may make a
second pod (it does when others suspend and resume the Job), but the gate is taken from one pod only: by UID, and
only once that UID is stored. The others never begin.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

from quarterdeck.executors.kubernetes import choice, names, podfacts
from quarterdeck.executors.kubernetes.client import ApiError, Client, Query
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.receipt import Chosen, Receipt
from quarterdeck.ports.executor import FencedError

Json = dict[str, Any]

LOOK_S: Final = (0.01, 0.25)  # between two looks for the pod: at first, at most
LOOKS: Final = 5  # at a pod whose gates others change meanwhile
_RELEASED: Final = f"/metadata/annotations/{names.RELEASED.replace('/', '~1')}"


def release(client: Client, receipt: Receipt, selector: Query, wait_s: float) -> Receipt:
    """Let the controller make the pod, once, and return the receipt with it if it comes within `wait_s`.

    Later calls leave `suspend` as others have set it since: a queueing system may own it.
    """
    if not choice.is_gated(receipt):
        return _release_ungated(client, receipt)
    if not _unsuspend(client, receipt, [{"op": "test", "path": _RELEASED, "value": None}]):
        _demand_released(client, receipt)
    until, pause_s = time.monotonic() + wait_s, LOOK_S[0]
    while True:
        chosen = choice.made(_pods(client, receipt, selector), receipt)
        if chosen is not None or time.monotonic() >= until:
            return replace(receipt, chosen=chosen)
        time.sleep(min(pause_s, max(0.0, until - time.monotonic())))
        pause_s = min(pause_s * 1.5, LOOK_S[1])


def start(client: Client, receipt: Receipt) -> None:
    """Take our gate from the chosen pod, wherever among its gates it stands; nothing if it was taken before."""
    chosen, place = receipt.chosen, 0
    if chosen is None:
        raise AssertionError(f"{receipt.id} has nothing chosen to begin")
    if chosen.id == receipt.facts["uid"]:
        return  # the Job of an earlier version: its release was the word
    path = f"{names.pods(receipt.facts['namespace'])}/{chosen.name}"
    for _ in range(LOOKS):
        gate = f"/spec/schedulingGates/{place}"
        patch: list[Json] = [
            {"op": "test", "path": "/metadata/uid", "value": chosen.id},
            {"op": "test", "path": "/metadata/deletionTimestamp", "value": None},
            {"op": "test", "path": f"{gate}/name", "value": names.GATE},
            {"op": "remove", "path": gate},
        ]
        try:
            client.patch(path, patch)
        except ApiError as error:
            if not (error.is_gone or error.is_conflict or error.is_invalid):
                raise refused(error) from error
        else:
            return
        gates = _gates(client, path, chosen)
        if names.GATE not in gates:
            return
        place = gates.index(names.GATE)
    raise UnreachableError(f"The gates of pod {chosen.name} are being changed by others.")


def _gates(client: Client, path: str, chosen: Chosen) -> list[str]:
    """Return the gates that the chosen pod has still; FencedError if it is gone, or going and never began."""
    try:
        pod = client.get(path)
    except ApiError as error:
        if not error.is_gone:
            raise refused(error) from error
        pod = {"metadata": {"uid": None}}
    if pod["metadata"]["uid"] != chosen.id:
        raise FencedError(
            f"Pod {chosen.name} was gone before it was known to have begun; no other pod of the attempt begins."
        )
    gates = podfacts.gates(pod)
    if names.GATE in gates and pod["metadata"].get("deletionTimestamp"):
        raise FencedError(f"Pod {chosen.name} was deleted before it began; no other does.")
    return gates


def _unsuspend(client: Client, receipt: Receipt, tests: list[Json]) -> bool:
    """Unsuspend the Job if it is the one with this UID; False if a test says no, FencedError if it is gone."""
    facts = receipt.facts
    patch = [
        {"op": "test", "path": "/metadata/uid", "value": facts["uid"]},
        *tests,
        {"op": "add", "path": _RELEASED, "value": "true"},
        {"op": "replace", "path": "/spec/suspend", "value": False},
    ]
    try:
        client.patch(_job(receipt), patch)
    except ApiError as error:
        if error.is_gone:
            raise _fenced(receipt, error.message) from error
        if error.is_invalid:
            return False
        raise refused(error) from error
    return True


def _release_ungated(client: Client, receipt: Receipt) -> Receipt:
    """Release what an earlier version prepared: its Job is all that could be chosen, and begins at once."""
    if not _unsuspend(client, receipt, []):
        raise _fenced(receipt, "its UID is another")
    return replace(receipt, chosen=Chosen(f"Job {receipt.facts['name']}", receipt.facts["uid"]))


def _demand_released(client: Client, receipt: Receipt) -> None:
    """Raise FencedError unless the Job is ours and was released before."""
    try:
        meta = client.get(_job(receipt))["metadata"]
    except ApiError as error:
        if error.is_gone:
            raise _fenced(receipt, error.message) from error
        raise refused(error) from error
    if meta["uid"] != receipt.facts["uid"]:
        raise _fenced(receipt, "its UID is another")
    if names.RELEASED not in (meta.get("annotations") or {}):
        raise _fenced(receipt, "the cluster takes no change of it")


def _fenced(receipt: Receipt, why: str) -> FencedError:
    return FencedError(
        f"Job {receipt.facts['name']} is not the one that was prepared; nothing was started: {why}"
    )


def _job(receipt: Receipt) -> str:
    return f"{names.jobs(receipt.facts['namespace'])}/{receipt.facts['name']}"


def _pods(client: Client, receipt: Receipt, selector: Query) -> list[Json]:
    try:
        found: list[Json] = client.get(names.pods(receipt.facts["namespace"]), selector)["items"]
    except ApiError as error:
        raise refused(error) from error
    return found
