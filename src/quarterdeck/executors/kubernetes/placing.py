"""Whether a pod could be placed on any node that is known. Only ever a warning: nodes may be added."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.ports.executor import UNSEEN, Check

Json = Mapping[str, Any]

PAGE: Final = 500
_UNITS: Final = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50, "Ei": 2.0**60,
}  # fmt: skip
_QUANTITY: Final = re.compile(r"([0-9.]+(?:[eE][+-]?[0-9]+)?)([A-Za-z]*)")
_KEEPS_OFF: Final = frozenset({"NoSchedule", "NoExecute"})


def listed(client: Client) -> list[Json] | Check:
    """Return the cluster's nodes, or the check that says why they were not looked at."""
    found: list[Json] = []
    more = ""
    try:
        while True:
            query = (("limit", str(PAGE)), *((("continue", more),) if more else ()))
            page = client.get("/api/v1/nodes", query)
            found += page["items"]
            more = page["metadata"].get("continue") or ""
            if not more:
                return found
    except ApiError as error:
        return Check(
            "nodes", "warning", f"not looked at: {error.message}",
            "With the rights of `cluster rbac --full` they are.", code=UNSEEN,
        )  # fmt: skip


def check(found: Sequence[Json] | Check, pods: Mapping[str, Json]) -> Check:
    """Return what the nodes say of these pods, given by what they are called to people."""
    if isinstance(found, Check):
        return found
    said = [f"{what}: {why}" for what, spec in pods.items() for why in reasons(spec, found)]
    if not said:
        return Check("nodes", "ok", f"a node could hold the {' and the '.join(pods)}")
    advice = "Ask for less or another node in the profile or cluster, unless nodes are added when needed."
    return Check("nodes", "warning", "; ".join(said), advice)


def reasons(spec: Json, known: Sequence[Json]) -> Iterator[str]:
    """Yield why none of the nodes could ever hold the pod; nothing if one could, were it free."""
    if any(_selected(spec, node) and _fits(spec, node) for node in known):
        return
    for key, value in (spec.get("nodeSelector") or {}).items():
        if not any(_labels(node).get(key) == value for node in known):
            yield f"no known node has the label {key}={value}"
            return
    matching = [node for node in known if _selected(spec, node)]
    if not matching:
        words = " or ".join(map(_words, _terms(spec))) or "those that are no control-plane"
        yield f"no known node that may be used matches {words}"
        return
    for name, wanted in _requests(spec).items():
        most = max(_allocatable(node, name) for node in matching)
        if wanted > most:
            asked = spec["containers"][0]["resources"]["requests"][name]
            yield f"asks for {name} {asked}, and no known node that matches has more than {_shown(name, most)}"
            return
    yield "no known node that matches has all at once that it asks for"


def quantity(text: str) -> float:
    """Return a Kubernetes quantity as a number; 0 for what is none."""
    match = _QUANTITY.fullmatch(str(text))
    return float(match[1]) * _UNITS.get(match[2], 0.0) if match else 0.0


def _selected(spec: Json, node: Json) -> bool:
    labels = _labels(node)
    selector = spec.get("nodeSelector") or {}
    is_chosen = all(labels.get(key) == value for key, value in selector.items())
    terms = _terms(spec)
    is_meant = not terms or any(all(_holds(one, labels) for one in term) for term in terms)
    return is_chosen and is_meant and not any(_untolerated(spec, node))


def _terms(spec: Json) -> list[list[Json]]:
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = required.get("nodeSelectorTerms") or ()
    return [list(term.get("matchExpressions") or ()) for term in terms]


def _holds(one: Json, labels: Mapping[str, str]) -> bool:
    value, values = labels.get(one["key"]), list(one.get("values") or ())
    match one["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt":
            return value is not None and quantity(value) > quantity(values[0])
        case "Lt":
            return value is not None and quantity(value) < quantity(values[0])
        case _:  # an operator of a later Kubernetes: not ours to say no
            return True


def _untolerated(spec: Json, node: Json) -> Iterator[Json]:
    for taint in (node.get("spec") or {}).get("taints") or ():
        if taint.get("effect") in _KEEPS_OFF and not any(
            _tolerates(one, taint) for one in spec.get("tolerations") or ()
        ):
            yield taint
    if (node.get("spec") or {}).get("unschedulable"):
        yield {"key": "unschedulable"}


def _tolerates(one: Json, taint: Json) -> bool:
    is_all = not one.get("key") and one.get("operator") == "Exists"
    is_key = one.get("key") == taint["key"] and (
        one.get("operator") == "Exists" or (one.get("value") or "") == (taint.get("value") or "")
    )
    return (is_all or is_key) and one.get("effect") in (None, "", taint["effect"])


def _fits(spec: Json, node: Json) -> bool:
    return all(wanted <= _allocatable(node, name) for name, wanted in _requests(spec).items())


def _requests(spec: Json) -> dict[str, float]:
    found: dict[str, float] = {}
    for container in spec.get("containers") or ():
        for name, text in ((container.get("resources") or {}).get("requests") or {}).items():
            found[name] = found.get(name, 0.0) + quantity(text)
    return found


def _allocatable(node: Json, name: str) -> float:
    return quantity(((node.get("status") or {}).get("allocatable") or {}).get(name, "0"))


def _labels(node: Json) -> Mapping[str, str]:
    return node["metadata"].get("labels") or {}


def _words(term: Iterable[Json]) -> str:
    said = [
        f"{one['key']} {' or '.join(one.get('values') or ())}".strip()
        for one in term
        if one["operator"] != "DoesNotExist"
    ]
    return " with ".join(said)


def _shown(name: str, amount: float) -> str:
    return f"{amount:g}" if name == "cpu" else f"{amount / 2**30:.1f}Gi"
