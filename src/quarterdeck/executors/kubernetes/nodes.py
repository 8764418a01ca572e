"""What a node says of containers that the API has forgotten. Which attempts that matters to: `lifecycle.nodes`.

That the API has no pod any more is no end of its containers: where a node does not answer, or its object was
deleted, they run on until its kubelet is back and ends what it is not told to run.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import refused
from quarterdeck.model.instants import parse_instant

SETTLED: Final = timedelta(seconds=60)
"""How long a node must be ready again until what it is not told to run has ended: a kubelet looks for such
containers every 2 s and gives them 1 s, but only reports what it was told to run."""
Json = Mapping[str, Any]


def why_not_ended(client: Client, name: str, since: datetime, now: datetime) -> str | None:
    """Return why what ran on the node at `since` may run on there; empty if it ended, None without the right."""
    try:
        node: Json | None = client.get(f"/api/v1/nodes/{name}")
    except ApiError as error:
        if error.is_forbidden:
            return None
        if not error.is_gone:
            raise refused(error) from error
        node = None
    return judge(name, node, since, now)


def judge(name: str, node: Json | None, since: datetime, now: datetime) -> str:
    """Return why what ran on the node at `since` may run on there; empty if its kubelet has ended it."""
    if node is None:
        return f"node {name} is gone from the cluster; the containers may run on there"
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready: Json = next((one for one in conditions if one["type"] == "Ready"), {})
    changed = max(
        parse_instant(ready.get("lastTransitionTime") or node["metadata"]["creationTimestamp"]),
        parse_instant(node["metadata"]["creationTimestamp"]),
    )
    if ready.get("status") != "True":
        return (
            f"node {name} does not answer since {changed:%Y-%m-%d %H:%M:%S} UTC;"
            " the containers may run on there"
        )
    if changed > since and now - changed < SETTLED:
        return f"node {name} is back since {changed:%H:%M:%S} UTC and ends what ran there"
    return ""
