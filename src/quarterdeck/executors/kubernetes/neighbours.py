"""What else of a namespace a payload could reach: in mode cluster it shares the driver's right to make pods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.ports.executor import Check

NAME: Final = "neighbours"
SHOWN: Final = 5


def check(client: Client, cluster: Mapping[str, Any], namespace: str) -> Check:
    """Warn of other service accounts and Secrets in the namespace, as far as they may be seen."""
    account = cluster.get("service_account") or "default"
    ours = {account, "default", *(cluster.get("image_pull_secrets") or ())}
    found, unseen = [], []
    for plural, what in (("serviceaccounts", "service account"), ("secrets", "Secret")):
        path = f"/api/v1/namespaces/{namespace}/{plural}"
        try:
            others = sorted(set(client.names(path)) - ours)
        except ApiError as error:
            unseen.append(f"{what}s not looked at: {error.message}")
            continue
        if others:
            found.append(f"{what}{'s' if len(others) > 1 else ''} {_listing(others)}")
    if not found and not unseen:
        return Check(NAME, "ok", f"nothing else to reach in namespace {namespace}")
    if not found:
        return Check(NAME, "warning", "; ".join(unseen))
    text = (
        f"What a job of mode cluster runs may make pods in namespace {namespace}, and with them use"
        f" {' and '.join(found)}."
    )
    advice = "Give the team a namespace that holds nothing else: it is the wall."
    return Check(NAME, "warning", "; ".join([text, *unseen]), advice)


def _listing(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
