"""A cluster: a place to run, one class for each kind. Whether it is active: `executors`."""

from typing import Final, Literal

from pydantic import Field

from quarterdeck.model.base import Frozen, Json, Label, Name, Reference, Subdomain, Text


class LocalCluster(Frozen):
    """This machine."""

    name: Name
    kind: Literal["local"]


class KubernetesCluster(Frozen):
    """A context of a kubeconfig, and what runs get there unless their team says otherwise."""

    name: Name
    kind: Literal["kubernetes"]
    kubeconfig: Reference | None = None
    context: Reference
    namespace: Label | None = None
    service_account: Subdomain | None = None
    image: Reference
    image_pull_secrets: list[Subdomain] = Field(default_factory=list)
    node_selector: dict[Text, Text] = Field(default_factory=dict)
    tolerations: list[dict[Text, Json]] = Field(default_factory=list)
    storage_class: Subdomain | None = None
    log_storage: Reference | None = None
    pod_template: dict[Text, Json] = Field(default_factory=dict)


CLUSTERS: Final[dict[str, type[Frozen]]] = {
    "local": LocalCluster, "kubernetes": KubernetesCluster,
}  # fmt: skip
