"""Creates an attempt's objects once: what is there already is adopted if it is ours, and fenced if not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from quarterdeck.executors.kubernetes import denials, names
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.ports.executor import FencedError, Launch

Json = dict[str, Any]


def create(client: Client, path: str, document: Json) -> Json | None:
    """Create an object; None if one of that name is there."""
    try:
        return client.create(path, document, (("fieldValidation", "Strict"),))
    except ApiError as error:
        if error.is_conflict and error.reason == "AlreadyExists":
            return None
        raise refused(error) from error


def adopt(client: Client, namespace: str, launch: Launch, workspace: str) -> Json:
    """Return the Job that stands under the attempt's name if it is ours and holds the same spec."""
    name = names.k8s_job(launch.run, launch.attempt)
    try:
        job = client.get(f"{names.jobs(namespace)}/{name}")
    except ApiError as error:
        if error.is_gone:
            raise UnreachableError(f"Job {name} went while it was looked at.") from error
        raise refused(error) from error
    meta = job["metadata"]
    found = (meta.get("annotations") or {}).get(names.SPEC)
    is_ours = (meta.get("labels") or {}).get(names.WORKSPACE) == names.label(workspace)
    if not is_ours or found != launch.frozen_sha256:
        text = (
            f"Job {name} in {namespace} holds the frozen spec {found}, not {launch.frozen_sha256}."
        )
        raise FencedError(
            text if is_ours else f"Job {name} in {namespace} is not of this workspace."
        )
    if meta.get("deletionTimestamp"):
        raise FencedError(f"Job {name} in {namespace} is being deleted.")
    return job


def create_map(client: Client, namespace: str, document: Json) -> None:
    """Create a ConfigMap of the attempt; one that is there must be owned by the same Job."""
    path = names.config_maps(namespace)
    if create(client, path, document) is not None:
        return
    wanted = document["metadata"]
    try:
        found = client.get(f"{path}/{wanted['name']}")["metadata"]
    except ApiError as error:
        raise refused(error) from error
    owners = [owner["uid"] for owner in found.get("ownerReferences") or ()]
    spec = (found.get("annotations") or {}).get(names.SPEC)
    if (
        owners != [wanted["ownerReferences"][0]["uid"]]
        or spec != wanted["annotations"][names.SPEC]
    ):
        raise FencedError(f"ConfigMap {wanted['name']} in {namespace} is not this Job's.")


def shown(job: Json) -> list[Json]:
    """Return what the Job's pod shows as its input folder: ConfigMaps by name, their items by path."""
    volumes = job["spec"]["template"]["spec"]["volumes"]
    found: list[Json] = next(one for one in volumes if one["name"] == "inputs")["projected"][
        "sources"
    ]
    return found


def demand_maps(client: Client, namespace: str, job: Json) -> None:
    """Raise FencedError if a ConfigMap that the Job shows is not there.

    Another version of ours began to make them, and packs otherwise: ours would not fit.
    """
    for source in shown(job):
        name = source["configMap"]["name"]
        try:
            client.get(f"{names.config_maps(namespace)}/{name}")
        except ApiError as error:
            if not error.is_gone:
                raise refused(error) from error
            raise FencedError(
                f"Job {job['metadata']['name']} in {namespace} was made by another version of Quarterdeck,"
                f" and its ConfigMap {name} is missing; nothing was started."
            ) from error


@contextmanager
def asking() -> Iterator[None]:
    """Turn what a person must mend into no answer: of an attempt that exists, that is no news and ends nothing."""
    try:
        yield
    except PrerequisiteError as error:
        raise UnreachableError(error.message, advice=error.advice) from error


def refused(error: ApiError) -> PrerequisiteError | UnreachableError:
    """Return what a refusal means to a caller: a quota makes it wait, a right may come, all else wants mending."""
    if error.is_forbidden and "exceeded quota" in error.message:
        return UnreachableError(
            f"The namespace's quota is full: {error.message}",
            advice="Wait for other runs to end, or raise the quota.",
        )
    if error.is_conflict:
        return UnreachableError(f"The cluster is busy with this object: {error.message}")
    if denials.is_denied(error):
        return denials.denied(error)
    advice = "Fix what the cluster names, in the cluster's or the profile's definition."
    if error.has_cause("NamespaceTerminating"):
        advice = "The namespace is being deleted: use another, or make it again."
    elif error.is_gone:
        advice = "Make the namespace, or name another in the cluster's or the team's definition."
    return PrerequisiteError(f"The cluster refused it: {error.message}", advice=advice)
