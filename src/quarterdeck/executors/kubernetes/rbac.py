"""The rights that are used, once: the checks ask for them and `cluster rbac` prints them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Rule:
    """Verbs on resources of one API group."""

    group: str
    resources: tuple[str, ...]
    verbs: tuple[str, ...]

    def document(self) -> Json:
        """Return it as a Role's rule."""
        return {
            "apiGroups": [self.group],
            "resources": list(self.resources),
            "verbs": list(self.verbs),
        }


# create: dry runs alone; patch: the gate is taken from the pod that may begin, and a cancel ends a pod's time
_POD_VERBS: Final = ("create", "get", "list", "watch", "patch", "delete")
RULES: Final = (
    Rule("batch", ("jobs",), ("create", "get", "list", "watch", "patch", "delete")),
    Rule("", ("pods",), _POD_VERBS),
    Rule("", ("pods/log",), ("get",)),
    Rule("", ("configmaps",), ("create", "get")),
    Rule("", ("events",), ("list",)),
    Rule("", ("serviceaccounts", "resourcequotas", "limitranges"), ("get", "list")),
)
"""What a person needs in the namespace of their team."""
NAMESPACE: Final = Rule("", ("namespaces",), ("get",))
FULL: Final = (
    Rule("", ("secrets",), ("get",)),
    Rule("authorization.k8s.io", ("localsubjectaccessreviews",), ("create",)),
)
FULL_CLUSTER: Final = (
    Rule("", ("nodes",), ("get", "list", "watch")),
    Rule("storage.k8s.io", ("storageclasses",), ("get",)),
)
DRIVER: Final = (Rule("", ("pods",), ("get", "create", "deletecollection")),)
"""What a driver of mode cluster needs to start and end its workers."""


def accounts(
    cluster: Mapping[str, Any], places: Iterable[tuple[str | None, str | None]]
) -> dict[str, list[str]]:
    """Return the service accounts that runs of these places use, by namespace; None is the cluster's own."""
    own = cluster.get("namespace") or "default", cluster.get("service_account") or "default"
    used = {(namespace or own[0], account or own[1]) for namespace, account in places} or {own}
    found: dict[str, list[str]] = {}
    for namespace, account in sorted(used):
        found.setdefault(namespace, []).append(account)
    return found


def documents(namespace: str, accounts: Sequence[str], *, full: bool) -> list[Json]:
    """Return the objects that give people (group `quarterdeck-users`) and drivers what they need.

    Drivers run as these service accounts; where there are none, no run is in this namespace.
    """
    people = {
        "kind": "Group",
        "name": "quarterdeck-users",
        "apiGroup": "rbac.authorization.k8s.io",
    }
    drivers = [
        {"kind": "ServiceAccount", "name": account, "namespace": namespace} for account in accounts
    ]
    own = (*RULES, *FULL) if full else RULES
    found = [
        *_bound("quarterdeck-user", namespace, own, [people]),
        *(_bound("quarterdeck-driver", namespace, DRIVER, drivers) if drivers else ()),
    ]
    # The namespace itself is read by name: a Role may name it, and no other is shown.
    reading = {**NAMESPACE.document(), "resourceNames": [namespace]}
    found[0]["rules"].append(reading)
    if full:
        found += _bound("quarterdeck-user", None, FULL_CLUSTER, [people])
    return found


def _bound(
    name: str, namespace: str | None, rules: tuple[Rule, ...], subjects: list[Json]
) -> list[Json]:
    kind = "Role" if namespace else "ClusterRole"
    meta: Json = {"name": name} | ({"namespace": namespace} if namespace else {})
    version = "rbac.authorization.k8s.io/v1"
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name}
    return [
        {
            "apiVersion": version, "kind": kind, "metadata": dict(meta),
            "rules": [rule.document() for rule in rules],
        },
        {
            "apiVersion": version, "kind": f"{kind}Binding", "metadata": dict(meta),
            "roleRef": reference, "subjects": subjects,
        },
    ]  # fmt: skip
