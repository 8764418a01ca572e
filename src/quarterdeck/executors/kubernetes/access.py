"""Which rights are missing: the caller's in a namespace, and a driver's where it makes its own workers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from quarterdeck.executors.kubernetes import denials, rbac
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.ports.executor import UNSEEN, Check

Json = dict[str, Any]
_API: Final = "/apis/authorization.k8s.io/v1"
RIGHTS: Final = "rights"
DRIVER: Final = "driver's rights"


def own(client: Client, namespace: str) -> Check:
    """Ask for each right that is used; what is missing is named.

    One question gives all rules; what they do not give is asked for by itself, for not every authorizer lists its.
    """
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }  # fmt: skip
    try:
        said = client.create(f"{_API}/selfsubjectrulesreviews", review)["status"]
        known = said.get("resourceRules") or ()
        missing = [
            one for one in wanted(rbac.RULES)
            if not _is_given(known, *one) and not _is_allowed(client, namespace, *one)
        ]  # fmt: skip
    except ApiError as error:
        return Check(RIGHTS, "warning", f"not looked at: {error.message}", code=UNSEEN)
    if not missing:
        return Check(RIGHTS, "ok", f"all that is used in namespace {namespace}")
    words = ", ".join(f"{verb} {resource}" for _, resource, verb in missing)
    text = f"In namespace {namespace} the right to {words} is missing."
    what = f"{denials.RIGHT}{words} in namespace {namespace}"
    advice = denials.rights_advice(_who_asks(client))
    return Check(RIGHTS, "failed", text, advice, code=denials.DENIED, what=what)


def drivers(client: Client, namespace: str, account: str) -> Check:
    """Ask whether the service account may start and end an engine's workers."""
    user = f"system:serviceaccount:{namespace}:{account}"
    groups = [
        "system:serviceaccounts",
        f"system:serviceaccounts:{namespace}",
        "system:authenticated",
    ]
    missing = []
    for group, resource, verb in wanted(rbac.DRIVER):
        attributes = _attributes(namespace, group, resource, verb)
        review = {
            "apiVersion": "authorization.k8s.io/v1", "kind": "LocalSubjectAccessReview",
            "metadata": {"namespace": namespace},
            "spec": {"user": user, "groups": groups, "resourceAttributes": attributes},
        }  # fmt: skip
        path = f"{_API}/namespaces/{namespace}/localsubjectaccessreviews"
        try:
            allowed = client.create(path, review)["status"].get("allowed")
        except ApiError as error:
            return Check(DRIVER, "warning", f"not looked at: {error.message}", code=UNSEEN)
        if not allowed:
            missing.append(f"{verb} {resource}")
    if not missing:
        return Check(DRIVER, "ok", f"service account {account} may start and end workers")
    text = (
        f"Service account {account} of namespace {namespace} has no right to {', '.join(missing)},"
        " which a driver of mode cluster needs for its workers."
    )
    what = f"service account {account} to be given {', '.join(missing)} in namespace {namespace}"
    advice = denials.rights_advice(user)
    return Check(DRIVER, "failed", text, advice, code=denials.DENIED, what=what)


def _who_asks(client: Client) -> str:
    """Return the caller as the cluster knows it; empty where it does not say."""
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        status = client.create(path, review).get("status") or {}
    except ApiError:
        return ""
    return str((status.get("userInfo") or {}).get("username") or "")


def wanted(rules: Iterable[rbac.Rule]) -> Iterator[tuple[str, str, str]]:
    """Yield group, resource and verb of each right."""
    for rule in rules:
        for resource in rule.resources:
            for verb in rule.verbs:
                yield rule.group, resource, verb


def _is_given(rules: Iterable[Mapping[str, Any]], group: str, resource: str, verb: str) -> bool:
    """Whether a rule gives it for every name."""
    _, _, part = resource.partition("/")
    names = {resource, "*", *([f"*/{part}"] if part else [])}
    return any(
        not rule.get("resourceNames")
        and {verb, "*"} & set(rule.get("verbs") or ())
        and {group, "*"} & set(rule.get("apiGroups") or ())
        and names & set(rule.get("resources") or ())
        for rule in rules
    )


def _is_allowed(client: Client, namespace: str, group: str, resource: str, verb: str) -> bool:
    review = {
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": _attributes(namespace, group, resource, verb)},
    }  # fmt: skip
    answer = client.create(f"{_API}/selfsubjectaccessreviews", review)
    return bool(answer["status"].get("allowed"))


def _attributes(namespace: str, group: str, resource: str, verb: str) -> Json:
    name, _, part = resource.partition("/")
    return {
        "namespace": namespace, "verb": verb, "group": group, "resource": name, "subresource": part,
    }  # fmt: skip
