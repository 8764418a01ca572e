"""A cluster's checks: what was looked at, what was seen, and what to do; among them one short pod of the image.

The image's check carries what freeze pins, as JSON in its evidence, so that it is not looked into at each run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from quarterdeck.executors.kubernetes import access, denials, names, neighbours, placing, pods
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model.errors import UnreachableError
from quarterdeck.ports.executor import Check, Place

Json = dict[str, Any]
Accounts = Mapping[str, Sequence[str]]

OLDEST: Final = (1, 30)
PROBE_S: Final = 90.0
POLL_S: Final = 0.2
IMAGE: Final = "image"
_STUCK: Final = frozenset(
    {"InvalidImageName", "ErrImageNeverPull", "ErrImagePull", "ImagePullBackOff"}
    | {"CreateContainerConfigError", "CreateContainerError", "RunContainerError"}
)
_ACCOUNT: Final = "service account"
# Variables of the container that the runner hands on.
REACHES: Final = frozenset(
    {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "LD_LIBRARY_PATH"}
    | {"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}
    | {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"}
)
REACHING: Final = ("LC_", "AWS_", "AZURE_", "GOOGLE_", "KUBERNETES_")
# What the image is asked; it knows its own packages best.
_PROBE: Final = """
import json, platform, sysconfig
from importlib import metadata
def version(name):
    try:
        return name + " " + metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
try:
    zones = "tzdata " + metadata.version("tzdata")
except metadata.PackageNotFoundError:
    zones = "unknown"
said = {
    "engine": version("pysail"), "client": version("pyspark-client"),
    "python": platform.python_implementation() + " " + platform.python_version(),
    "platform": sysconfig.get_platform(), "timezone_data": zones,
}
open("/dev/termination-log", "w").write(json.dumps(said))
"""


def checks(
    client: Client, cluster: Mapping[str, Any], workspace: str, accounts: Accounts
) -> list[Check]:
    """Return every check of the cluster; the first that finds nothing to stand on is the last.

    `accounts` are the service accounts that runs use, by namespace.
    """
    found: list[Check] = []
    for check in _checks(client, cluster, workspace, accounts):
        found.append(check)
        if check.level == "failed" and check.name in ("api", "namespace"):
            break
    return found


def place_of(found: Iterable[Check]) -> Place | None:
    """Return what the image's check saw."""
    return next((_place(c.evidence) for c in found if c.name == IMAGE and c.level == "ok"), None)


def had_rights(known: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the kept checks saw all rights given in the cluster's own namespace."""
    return any(one.get("name") == access.RIGHTS and one.get("level") == "ok" for one in known)


def known_place(known: Iterable[Mapping[str, Any]], image: str) -> Place | None:
    """Return what a kept check of this image saw, or None."""
    for check in known:
        if check.get("name") == IMAGE and check.get("level") == "ok":
            place = _place(check.get("evidence", ""))
            return place if place is not None and place.image == image else None
    return None


def _place(evidence: str) -> Place | None:
    try:
        return Place(**json.loads(evidence))
    except (ValueError, TypeError):
        return None


def _checks(
    client: Client, cluster: Mapping[str, Any], workspace: str, accounts: Accounts
) -> Iterator[Check]:
    namespace = cluster.get("namespace") or "default"
    yield _version(client)
    yield _namespace(client, namespace)
    yield access.own(client, namespace)
    yield from _objects(client, cluster, namespace)
    yield from _of_teams(client, cluster, accounts)
    yield from _of_template(cluster)
    yield neighbours.check(client, cluster, namespace)
    template = pods.check(cluster, ["python3", "-P", "-c", _PROBE], _sizes(client, namespace))
    yield placing.check(placing.listed(client), {"runner's pod": template["spec"]})
    admitted = _admitted(client, template, namespace)
    yield admitted
    if admitted.level != "failed":
        yield _image(client, cluster, template, workspace, namespace)


def _sizes(client: Client, namespace: str) -> dict[str, str]:
    """Return what the check's pod asks for: little, but no less than the namespace allows."""
    found = dict(pods.CHECK)
    try:
        ranges = client.get(f"/api/v1/namespaces/{namespace}/limitranges")["items"] or ()
    except ApiError:
        return found
    for limit in (
        limit for one in ranges for limit in (one.get("spec") or {}).get("limits") or ()
    ):
        least = limit.get("min") or {} if limit.get("type") in ("Container", "Pod") else {}
        for name in found.keys() & least.keys():
            found[name] = max(found[name], str(least[name]), key=placing.quantity)
    return found


def _version(client: Client) -> Check:
    try:
        said = client.get("/version")
    except UnreachableError as error:
        return Check("api", "failed", error.message, error.advice, code=error.code)
    except ApiError as error:
        if denials.is_denied(error):
            return denials.check("api", error, denials.told(error))
        return Check("api", "failed", error.message, "Look at the server's address.")
    version = tuple(int("".join(filter(str.isdigit, said[part]))) for part in ("major", "minor"))
    text = f"Kubernetes {said['gitVersion']} at {client.target().server}"
    if version < OLDEST:
        advice = f"Upgrade to {OLDEST[0]}.{OLDEST[1]} or later."
        return Check("api", "failed", f"{text} is too old.", advice)
    return Check("api", "ok", text)


def _namespace(client: Client, namespace: str) -> Check:
    try:
        found = client.get(f"/api/v1/namespaces/{namespace}")
    except ApiError as error:
        if error.is_gone:
            advice = f"kubectl create namespace {namespace}, or name another in field namespace."
            return Check("namespace", "failed", f"Namespace {namespace} does not exist.", advice)
        return Check(
            "namespace", "warning", f"not looked at: {error.message}", "See cluster rbac."
        )
    if found["metadata"].get("deletionTimestamp"):
        text = f"Namespace {namespace} is being deleted."
        return Check("namespace", "failed", text, "Name another in field namespace.")
    return Check("namespace", "ok", namespace)


def _objects(client: Client, cluster: Mapping[str, Any], namespace: str) -> Iterator[Check]:
    """Look for what pods refer to by name."""
    account = cluster.get("service_account") or "default"
    yield _exists(client, f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}", _ACCOUNT)
    for secret in cluster.get("image_pull_secrets") or ():
        yield _exists(client, f"/api/v1/namespaces/{namespace}/secrets/{secret}", "pull secret")
    if storage := cluster.get("storage_class"):
        yield _exists(client, f"/apis/storage.k8s.io/v1/storageclasses/{storage}", "storage class")


def _of_teams(client: Client, cluster: Mapping[str, Any], accounts: Accounts) -> Iterator[Check]:
    """Warn of service accounts that teams name and that are not there; others' may not be looked at."""
    own = cluster.get("namespace") or "default", cluster.get("service_account") or "default"
    for namespace, names_ in accounts.items():
        for account in names_:
            if (namespace, account) == own:
                continue
            found = _exists(
                client, f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}", _ACCOUNT
            )
            if found.level == "failed":
                text = f"There is no service account {account} in namespace {namespace}, which a team's runs use."
                advice = "Make it there, or correct `clusters` of the team."
                yield replace(found, level="warning", message=text, advice=advice)


def _of_template(cluster: Mapping[str, Any]) -> Iterator[Check]:
    """Warn of variables that the pod template sets for the runner: what it starts does not get them."""
    containers = ((cluster.get("pod_template") or {}).get("spec") or {}).get("containers") or ()
    set_there = [
        str(one.get("name"))
        for container in containers
        if container.get("name") == names.CONTAINER
        for one in container.get("env") or ()
        if str(one.get("name")).upper() not in REACHES
        and not str(one.get("name")).startswith(REACHING)
    ]
    if set_there:
        text = f"env {', '.join(set_there)} reaches only the runner, not the driver's engine and payload."
        advice = "Set it in `env` of the compute profile or of the job's settings."
        yield Check("pod template", "warning", text, advice)


def _exists(client: Client, path: str, what: str) -> Check:
    name = path.rpartition("/")[2]
    try:
        client.get(path)
    except ApiError as error:
        if error.is_gone:
            text = f"There is no {what} {name}."
            return Check(what, "failed", text, f"Make it, or correct the {what}'s name.")
        return Check(what, "warning", f"{name} not looked at: {error.message}")
    return Check(what, "ok", name)


def _admitted(client: Client, template: Json, namespace: str) -> Check:
    """Send the check's pod as a dry run: a Pod names the violation that a Job hides."""
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "qd-check-"},
        "spec": template["spec"],
    }  # fmt: skip
    query = (("dryRun", "All"), ("fieldValidation", "Strict"))
    try:
        client.create(names.pods(namespace), pod, query)
    except ApiError as error:
        if error.is_forbidden and "exceeded quota" in error.message:
            return Check(
                "admission", "warning", error.message, "Runs will wait until there is room."
            )
        if denials.is_denied(error):
            return denials.check("admission", error, denials.told(error))
        advice = "Fix the pod template, the namespace's Pod Security level or its limits."
        return Check("admission", "failed", error.message, advice)
    return Check("admission", "ok", f"a pod of the runner is admitted in {namespace}")


def _image(
    client: Client, cluster: Mapping[str, Any], template: Json, workspace: str, namespace: str
) -> Check:
    """Run one short pod of the image and read what it has."""
    advice = "Check `image` and `image_pull_secrets`; docs/kubernetes.md says how to build it."
    labels = {
        names.OWNER: names.PRODUCT, names.WORKSPACE: names.label(workspace), names.ROLE: names.CHECK,
    }  # fmt: skip
    template = {**template, "metadata": {"labels": labels}}
    job = {
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"generateName": "qd-check-", "labels": labels},
        "spec": {
            "backoffLimit": 0, "activeDeadlineSeconds": int(PROBE_S), "ttlSecondsAfterFinished": 60,
            "template": template,
        },
    }  # fmt: skip
    path = names.jobs(namespace)
    try:
        made = client.create(path, job)
    except ApiError as error:
        return _not_looked_at(error, advice)
    try:
        said, image_id = _said(client, namespace, made["metadata"]["name"])
    except ApiError as error:
        return _not_looked_at(error, advice)
    finally:
        with suppress(ApiError, UnreachableError):
            options = {"propagationPolicy": "Background"}
            client.delete(f"{path}/{made['metadata']['name']}", options)
    try:
        facts = json.loads(said)
    except ValueError:
        return Check(IMAGE, "failed", f"Image {cluster['image']}: {said}", advice)
    if not facts["engine"] or not facts["client"]:
        missing = " and ".join(
            name
            for name, key in (("pysail", "engine"), ("pyspark-client", "client"))
            if not facts[key]
        )
        return Check(IMAGE, "failed", f"Image {cluster['image']} lacks {missing}.", advice)
    text = f"{facts['engine']}, {facts['client']}, {facts['python']} in {cluster['image']} ({image_id or 'no ID'})"
    known = {"image": cluster["image"], "image_id": image_id}
    evidence = json.dumps({**facts, **known}, sort_keys=True)
    return Check(IMAGE, "ok", text, evidence=evidence)


def _not_looked_at(error: ApiError, advice: str) -> Check:
    text = f"not looked at: {denials.told(error)}"
    if denials.is_denied(error):
        return denials.check(IMAGE, error, text)
    return Check(IMAGE, "failed", text, advice)


def _said(client: Client, namespace: str, job: str) -> tuple[str, str]:
    """Return what the check's pod wrote and its image ID, or why it does not come to write."""
    query = (("labelSelector", f"batch.kubernetes.io/job-name={job}"),)
    deadline = time.monotonic() + PROBE_S
    last = "no pod was made"
    while time.monotonic() < deadline:
        found = client.get(names.pods(namespace), query)["items"]
        for pod in found:
            status = pod.get("status") or {}
            last = (
                next(
                    (
                        c.get("message") or ""
                        for c in status.get("conditions") or ()
                        if c["type"] == "PodScheduled"
                    ),
                    "",
                )
                or f"the pod is {status.get('phase')}"
            )
            for container in status.get("containerStatuses") or ():
                state = container.get("state") or {}
                if ended := state.get("terminated"):
                    why = f"{ended.get('reason')}, exit code {ended.get('exitCode')}"
                    return ended.get("message") or why, container.get("imageID") or ""
                waiting = state.get("waiting") or {}
                last = f"{waiting.get('reason')}: {waiting.get('message') or ''}"
                if waiting.get("reason") in _STUCK:
                    return last, ""
        time.sleep(POLL_S)
    return f"no answer within {PROBE_S:g} s; {last}", ""
