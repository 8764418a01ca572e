"""Which pod of a Job is an attempt's: the one that its receipt has chosen, whatever else the Job made. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from quarterdeck.executors.kubernetes import names, podfacts
from quarterdeck.model.receipt import Chosen, Receipt

Json = Mapping[str, Any]


def is_gated(receipt: Receipt) -> bool:
    """Whether the attempt's pods are made with our gate; an earlier version's were not."""
    return names.GATE_FACT in receipt.facts


def is_unmade(receipt: Receipt) -> bool:
    """Whether no pod is chosen yet, so that none may begin."""
    return receipt.chosen is None and is_gated(receipt)


def is_chosen(receipt: Receipt) -> bool:
    """Whether a pod was chosen: when that is gone there will be no other."""
    return receipt.chosen is not None and receipt.chosen.id != receipt.facts["uid"]


def is_driver(pod: Json, receipt: Receipt) -> bool:
    """Whether it is the pod that was chosen; of an earlier version's Job any will do, for it begins by itself."""
    if receipt.chosen is not None and is_chosen(receipt):
        return bool(pod["metadata"].get("uid") == receipt.chosen.id)
    return not is_unmade(receipt) and podfacts.is_owned(pod, receipt.facts["uid"])


def made(pods: Iterable[Json], receipt: Receipt) -> Chosen | None:
    """Return the pod of the Job to choose: the oldest that is not being deleted; None if there is none."""
    found = [
        pod["metadata"]
        for pod in pods
        if podfacts.is_owned(pod, receipt.facts["uid"])
        and not pod["metadata"].get("deletionTimestamp")
    ]
    if not found:
        return None
    first = min(found, key=lambda meta: (meta.get("creationTimestamp") or "", meta["name"]))
    return Chosen(first["name"], first["uid"], podfacts.instant(first.get("creationTimestamp")))
