"""Preflight of one launch: whether the cluster would take what is about to be made, asked without making it.

The cluster's own checks: `preflight`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from quarterdeck.executors import environment, sail
from quarterdeck.executors.kubernetes import (
    denials,
    manifest,
    names,
    placing,
    podfacts,
    pods,
    references,
)
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.recent import Recent
from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.ports.executor import Check, FencedError, Launch

Json = dict[str, Any]
_DRY: tuple[tuple[str, str], ...] = (("dryRun", "All"), ("fieldValidation", "Strict"))
_NO_DRY_RUN = "does not support dry run"


def checks(
    client: Client, launch: Launch, cluster: Mapping[str, Any], workspace: str, namespace: str,
    recent: Recent,
) -> list[Check]:  # fmt: skip
    """Return every check of the launch. A full quota is `failed` with the code `quota`."""
    found = [recent.own_rights(namespace)]
    if found[0].level == "failed":
        return found  # all else would be refused for it, in other words
    try:
        documents = plan(launch, cluster, workspace, namespace)
    except PrerequisiteError as error:
        return [*found, Check("inputs", "failed", error.message, error.advice)]
    except FencedError as error:  # a kept file is not as it was frozen
        return [*found, Check("inputs", "failed", str(error))]
    frozen = environment.parse_frozen(launch.frozen)
    job = documents[0]
    templates = {"driver": job["spec"]["template"]}
    if frozen["profile"]["mode"] == "cluster":
        templates["worker"] = _worker(documents[-1]["template"], frozen, cluster)
        found.append(recent.drivers_rights(namespace, account(launch, cluster)))
    found += [
        secret(client, namespace, name, None, "pull secret")
        for name in cluster.get("image_pull_secrets") or ()
    ]
    found += [
        secret(client, namespace, one.secret, one.key, f"env {variable}")
        for variable, one in references.of(frozen.get("env")).items()
    ]
    found += _admission(client, namespace, job, templates)
    specs = {what: template["spec"] for what, template in templates.items()}
    found.append(placing.check(recent.nodes(), specs))
    return found


def plan(launch: Launch, cluster: Mapping[str, Any], workspace: str, namespace: str) -> list[Json]:
    """Return the Job, its ConfigMaps with sizes in place of contents, and the engine's template for workers."""
    groups = manifest.packed(launch, cluster, workspace, namespace)
    job = manifest.k8s_job(launch, cluster, workspace, groups)
    job["metadata"]["namespace"] = namespace
    found = [job]
    uid = "the Job's, once it exists"
    for document in manifest.config_maps(launch, workspace, uid, groups):
        sizes = {
            key: f"{len(data) * 3 // 4} bytes" for key, data in document["binaryData"].items()
        }
        document["metadata"]["namespace"] = namespace
        found.append({**document, "binaryData": sizes})
    frozen = environment.parse_frozen(launch.frozen)
    if frozen["profile"]["mode"] == "cluster":
        found.append({
            "kind": "WorkerTemplate", "count": sail.workers(frozen),
            "template": pods.worker(
                launch, cluster, workspace, manifest.workers_wheel(launch, groups)
            ),
        })  # fmt: skip
    return found


def account(launch: Launch, cluster: Mapping[str, Any]) -> str:
    """Return the service account of the run's pods."""
    return str(launch.service_account or cluster.get("service_account") or "default")


def secret(client: Client, namespace: str, name: str, key: str | None, what: str) -> Check:
    """Look for a Secret, and for a key in it; its values are let go at once."""
    try:
        keys = set(client.get(f"/api/v1/namespaces/{namespace}/secrets/{name}").get("data") or ())
    except ApiError as error:
        if error.is_gone:
            text = f"There is no Secret {name} in namespace {namespace}."
            return Check(what, "failed", text, "Make it there, or correct the reference.")
        return Check(what, "warning", f"Secret {name} not looked at: {error.message}")
    if key is not None and key not in keys:
        text = f"Secret {name} in namespace {namespace} has no key {key}."
        return Check(what, "failed", text, "Add the key, or correct the reference.")
    return Check(what, "ok", f"Secret {name}" + (f" has key {key}" if key else ""))


def _worker(template: Json, frozen: Mapping[str, Any], cluster: Mapping[str, Any]) -> Json:
    """Return a worker's pod as the engine makes it of the template, as far as it is judged."""
    container = {"name": names.WORKER_CONTAINER, "image": pods.image(frozen, cluster)}
    return dict(pods.laid_over(template, {"spec": {"containers": [container]}}))


def _admission(
    client: Client, namespace: str, job: Json, templates: Mapping[str, Json]
) -> Iterator[Check]:
    """Send the Job and each pod as a dry run: a Pod names the violation that a Job hides."""
    yield _dry_run(client, names.jobs(namespace), job, "Job")
    for what, template in templates.items():
        meta = {**template["metadata"], "generateName": "qd-check-"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
        yield _dry_run(client, names.pods(namespace), pod, f"{what}'s pod")


def _dry_run(client: Client, path: str, document: Json, what: str) -> Check:
    try:
        made = client.create(path, document, _DRY)
    except ApiError as error:
        if error.is_conflict:  # of that name there is one: adopting or fencing it is `prepare`'s
            return Check("admission", "ok", f"the {what} exists")
        if error.is_forbidden and "exceeded quota" in error.message:
            # Neither the name that nobody gets nor what others use: it stands as long as it is so.
            said = error.message[error.message.index("exceeded quota") :]
            said = re.sub(r", used: .*?(?=, limited: )", "", said)
            return Check("quota", "failed", said, "", code="quota")
        if _NO_DRY_RUN in error.message:
            return Check("admission", "warning", f"the {what} not looked at: {error.message}")
        if denials.is_denied(error):
            text = f"The {what} is refused: {denials.told(error)}"
            return denials.check("admission", error, text)
        advice = "Fix the pod template, the profile, or what the cluster names."
        if error.is_gone:
            advice = (
                "Make the namespace, or name another in the cluster's or the team's definition."
            )
        return Check("admission", "failed", f"The {what} is refused: {error.message}", advice)
    if podfacts.is_gated(document) and not podfacts.is_gated(made):
        text = f"The {what} is admitted without its scheduling gate {names.GATE}: something takes it away."
        advice = "Let the admission webhook that does it leave our gate: it keeps code from starting twice."
        return Check("admission", "failed", text, advice)
    return Check("admission", "ok", f"the {what} is admitted")
