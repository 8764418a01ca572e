"""Runs attempts as suspended Jobs that are released by UID, as port `Executor` says.

Objects: `manifest` and `pods`; what they mean: `observe`; the cluster's checks: `preflight`; logs: `logs`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from quarterdeck.executors import environment
from quarterdeck.executors.kubernetes import (
    creating,
    logs,
    manifest,
    names,
    namespaces,
    nodes,
    observe,
    preflight,
    rbac,
)
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import asking, refused
from quarterdeck.model.errors import PrerequisiteError, UnreachableError
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import Cursor, LogChunk
from quarterdeck.model.observation import Observation, Silent
from quarterdeck.model.receipt import AttemptId, Owned, ReapReport, Receipt
from quarterdeck.model.run import CancelStep
from quarterdeck.ports.executor import Check, FencedError, Launch, Place

Json = dict[str, Any]

REAP_S: Final = 10.0  # how long reaping waits for what it deleted
POLL_S: Final = 0.1
GRACE_S: Final = {
    CancelStep.ASK: 60,
    CancelStep.END: 20,
    CancelStep.DELETE: 1,
    CancelStep.FORCE: 0,
}
_INVALID: Final = 422


class KubernetesExecutor:
    """One cluster's attempts; `workspace` is the label that tells ours from others' on the same cluster.

    `known` are the cluster's kept checks: what they say of the image is not asked again.
    """

    kind = "kubernetes"

    def __init__(
        self, cluster: Mapping[str, Any], workspace: str, clock: Clock, *,
        namespaces: Iterable[str] = (), known: Iterable[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._workspace = workspace
        self._clock = clock
        self._client = Client(cluster.get("kubeconfig"), cluster["context"])
        self._namespaces = {cluster.get("namespace") or "default", *namespaces}
        self._place = preflight.known_place(known, cluster["image"])
        self._pods: dict[AttemptId, dict[str, Json]] = defaultdict(dict)
        self._silent_since: dict[str, Any] = {}

    # --- what is there

    def check(self, launch: Launch | None) -> list[Check]:
        """Check the cluster with evidence and remedy for each; for a launch, whether its place is still that."""
        if launch is not None:
            return environment.launch_checks(launch.frozen, self.place(), self.kind)
        found = preflight.checks(self._client, self._cluster, self._workspace)
        self._place = preflight.place_of(found) or self._place
        return found

    def place(self) -> Place:
        """Return what the image has, as its check found it; PrerequisiteError if no check did."""
        if self._place is None:
            raise PrerequisiteError(
                f"What is in image {self._cluster['image']} is not known.",
                advice="Run `quarterdeck cluster check` on the cluster: it looks into the image.",
            )
        return self._place

    # --- dispatch

    def prepare(self, launch: Launch) -> Receipt:
        """Create the suspended Job and the ConfigMaps that it owns; what is there already is adopted if ours."""
        namespace = self._namespace(launch)
        groups = manifest.packed(launch, self._cluster, self._workspace, namespace)
        wanted = manifest.k8s_job(launch, self._cluster, self._workspace, groups)
        job = creating.create(self._client, names.jobs(namespace), wanted)
        if job is None:
            job = creating.adopt(self._client, namespace, launch, self._workspace)
        if job["spec"].get("suspend"):  # released: all was there, nothing is made again
            for document in manifest.config_maps(
                launch, self._workspace, job["metadata"]["uid"], groups
            ):
                creating.create_map(self._client, namespace, document)
        return self._receipt(launch.run, launch.attempt, job)

    @asking()
    def release(self, receipt: Receipt) -> None:
        """Unsuspend the Job if it is still the one with this UID."""
        self._same_cluster(receipt)
        path = f"{names.jobs(receipt.facts['namespace'])}/{receipt.facts['name']}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": receipt.facts["uid"]},
            {"op": "replace", "path": "/spec/suspend", "value": False},
        ]
        try:
            self._client.patch(path, patch)
        except ApiError as error:
            if error.is_gone or error.code == _INVALID:
                raise FencedError(
                    f"Job {receipt.facts['name']} is not the one that was prepared; nothing was started:"
                    f" {error.message}"
                ) from error
            raise refused(error) from error

    # --- watching

    def observe(self, receipts: Collection[Receipt]) -> Mapping[AttemptId, Observation | Silent]:
        """Say of each what its Job and pods show; one question for each kind and namespace."""
        by_namespace: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            by_namespace[receipt.facts["namespace"]].append(receipt)
        found: dict[AttemptId, Observation | Silent] = {}
        for namespace, group in by_namespace.items():
            try:
                for receipt in group:
                    self._same_cluster(receipt)
                found |= self._observe(namespace, group)
                self._silent_since.pop(namespace, None)
            except (
                UnreachableError,
                PrerequisiteError,
            ) as error:  # a right taken away ends no run
                since = self._silent_since.setdefault(namespace, self._clock())
                found |= {receipt.id: Silent(since, error.message) for receipt in group}
        return found

    def logs(self, receipt: Receipt, cursor: Cursor, *, follow: bool) -> Iterator[LogChunk]:
        """Yield lines behind the cursor; following: a chunk, perhaps empty, each second until the end."""
        with asking():
            self._same_cluster(receipt)
            selector = self._selector(receipt)
            yield from logs.read(self._client, receipt, selector, cursor, follow=follow)

    # --- ending

    @asking()
    def cancel(self, receipt: Receipt, step: CancelStep) -> None:
        """Take one step: let the pod's time run out, so that it keeps log and last word; then delete, harder.

        Whoever is asked a second time is deleted with less grace; from `delete` on the Job goes, too.
        """
        self._same_cluster(receipt)
        self._mark(receipt, step)
        alive = [pod for pod in self._list_pods(receipt) if observe.is_alive(pod)]
        if step in (CancelStep.DELETE, CancelStep.FORCE) or not alive:
            self._delete_job(receipt, only_unfinished=True)
        for pod in alive:
            is_gentle = step in (CancelStep.ASK, CancelStep.END)
            is_asked = "activeDeadlineSeconds" in pod["spec"] or not pod["spec"].get("nodeName")
            if is_gentle and names.is_driver(pod) and not is_asked:
                self._end_time(pod)
            elif step is not CancelStep.ASK or not is_asked or not pod["spec"].get("nodeName"):
                self._delete_pod(pod, GRACE_S[step])

    @asking()
    def reap(self, receipt: Receipt) -> ReapReport:
        """Delete the Job and every pod of the attempt, and wait a little for them to be gone."""
        self._same_cluster(receipt)
        found: dict[str, None] = {}
        deadline = time.monotonic() + REAP_S
        while True:
            job = self._delete_job(receipt)
            pods = self._list_pods(receipt)
            for pod in pods:
                if not pod["metadata"].get("deletionTimestamp"):
                    self._delete_pod(pod, 1 if observe.is_alive(pod) else 0)
            left = [f"pod {pod['metadata']['name']}" for pod in pods]
            left += [f"Job {receipt.facts['name']}"] if job else []
            found |= dict.fromkeys(left)
            if not left or time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        self._pods.pop(receipt.id, None)
        return ReapReport(tuple(name for name in found if name not in left), tuple(left))

    @asking()
    def may_run(self, receipt: Receipt, node: str, since: datetime) -> str | None:
        """Say why the attempt's containers may run on: a pod that is there, or what its node says."""
        self._same_cluster(receipt)
        for pod in self._list_pods(receipt):
            if observe.is_alive(pod) and pod["spec"].get("nodeName") == node:
                return f"pod {pod['metadata']['name']} on node {node} has not ended"
        return nodes.why_not_ended(self._client, node, since, self._clock())

    @asking()
    def owned(self) -> list[Owned]:
        """Return every attempt of this workspace that has a Job or a pod in a namespace of its teams."""
        selector = (("labelSelector", names.selector(self._workspace)),)
        found: dict[AttemptId, Owned] = {}
        for namespace in sorted(self._namespaces):
            pods = self._list(names.pods(namespace), selector)
            alive = {
                names.attempt_of(pod["metadata"]["labels"])
                for pod in pods
                if observe.is_alive(pod)
            }
            for one in (*self._list(names.jobs(namespace), selector), *pods):
                key = names.attempt_of(one["metadata"]["labels"])
                if key is not None:
                    receipt = self._receipt(*key, one)
                    found.setdefault(receipt.id, Owned(receipt.id, receipt, key in alive))
        return list(found.values())

    def rights(self, *, full: bool) -> list[Mapping[str, Any]]:
        """Return roles and bindings for people and drivers in each namespace of the cluster's teams."""
        account = self._cluster.get("service_account") or "default"
        found: list[Mapping[str, Any]] = []
        for namespace in sorted(self._namespaces):
            found += rbac.documents(namespace, account, full=full)
        return found

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    # --- within: creating

    def _namespace(self, launch: Launch) -> str:
        namespace = launch.namespace or self._cluster.get("namespace") or "default"
        self._namespaces.add(namespace)
        return str(namespace)

    def _receipt(self, run: Any, attempt: int, found: Json) -> Receipt:
        target = self._client.target()
        meta = found["metadata"]
        is_job = not any(owner["kind"] == "Job" for owner in meta.get("ownerReferences") or ())
        uid = meta["uid"] if is_job else meta["ownerReferences"][0]["uid"]
        facts = {
            "name": names.k8s_job(run, attempt), "uid": uid, "namespace": meta["namespace"],
            "server": target.server, "ca_sha256": target.ca_sha256,
        }  # fmt: skip
        return Receipt(self.kind, run, attempt, facts)

    def _same_cluster(self, receipt: Receipt) -> None:
        """Refuse to act where the context leads elsewhere by now: what is not there is not gone."""
        target = self._client.target()
        was = (receipt.facts.get("server"), receipt.facts.get("ca_sha256"))
        if was != (target.server, target.ca_sha256):
            raise UnreachableError(
                f"Context {self._cluster['context']} leads to {target.server} now; {receipt.id} runs at {was[0]}.",
                advice="Point the context at that server again, or name another in the cluster.",
            )

    # --- within: looking

    def _observe(self, namespace: str, receipts: list[Receipt]) -> dict[AttemptId, Observation]:
        if len(receipts) == 1:
            selector = self._selector(receipts[0])
        else:
            selector = (("labelSelector", names.selector(self._workspace)),)
        jobs = {
            job["metadata"]["name"]: job for job in self._list(names.jobs(namespace), selector)
        }
        pods: dict[tuple[Any, int] | None, list[Json]] = defaultdict(list)
        for pod in self._list(names.pods(namespace), selector):
            pods[names.attempt_of(pod["metadata"]["labels"])].append(pod)
        if not jobs and not pods:
            namespaces.look(self._client, namespace)
        now = self._clock()
        found = {}
        for receipt in receipts:
            here = pods[receipt.run, receipt.attempt]
            gone = self._remember(receipt, here)
            seen = observe.Seen(jobs.get(receipt.facts["name"]), here, gone)
            if (uid := observe.wants_events(receipt, seen, now)) is not None:
                seen = observe.Seen(seen.job, here, gone, self._events(namespace, uid))
            told = observe.observation(receipt, seen, now)
            found[receipt.id] = namespaces.told(self._client, namespace, told)
        return found

    def _remember(self, receipt: Receipt, here: list[Json]) -> list[Json]:
        """Keep each pod as it was seen last, its end before all: the object lives a second longer at most."""
        kept = self._pods[receipt.id]
        for pod in here:
            before = kept.get(pod["metadata"]["uid"])
            if before is None or not observe.has_said(before):
                kept[pod["metadata"]["uid"]] = pod
        uids = {pod["metadata"]["uid"] for pod in here}
        return [pod for uid, pod in kept.items() if uid not in uids]

    def _events(self, namespace: str, uid: str) -> list[Json]:
        query = (("fieldSelector", f"involvedObject.uid={uid}"),)
        try:
            return self._list(f"/api/v1/namespaces/{namespace}/events", query)
        except (
            PrerequisiteError
        ):  # they are evidence, never truth: without the right there are none
            return []

    def _list(self, path: str, query: Any) -> list[Json]:
        try:
            items: list[Json] = self._client.get(path, query)["items"]
        except ApiError as error:
            raise refused(error) from error
        return items

    def _list_pods(self, receipt: Receipt) -> list[Json]:
        found = self._list(names.pods(receipt.facts["namespace"]), self._selector(receipt))
        self._remember(receipt, found)
        return found

    def _selector(self, receipt: Receipt) -> tuple[tuple[str, str], ...]:
        text = names.selector(self._workspace, receipt.run, receipt.attempt)
        return (("labelSelector", text),)

    # --- within: deleting

    def _delete_job(self, receipt: Receipt, *, only_unfinished: bool = False) -> bool:
        """Delete the attempt's Job and what it owns; False if it is gone."""
        path = f"{names.jobs(receipt.facts['namespace'])}/{receipt.facts['name']}"
        try:
            job = self._client.get(path)
            if job["metadata"]["uid"] != receipt.facts["uid"]:
                return False
            is_finished = (job.get("status") or {}).get("completionTime") or any(
                one["type"] == "Failed"
                for one in (job.get("status") or {}).get("conditions") or ()
            )
            if not job["metadata"].get("deletionTimestamp") and not (
                only_unfinished and is_finished
            ):
                options = {
                    "propagationPolicy": "Foreground",
                    "preconditions": {"uid": receipt.facts["uid"]},
                }
                self._client.delete(path, options)
        except ApiError as error:
            if error.is_gone or error.is_conflict:
                return False
            raise refused(error) from error
        return True

    def _mark(self, receipt: Receipt, step: CancelStep) -> None:
        """Leave on the Job that it was us."""
        annotation = f"/metadata/annotations/{names.CANCELLED.replace('/', '~1')}"
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": receipt.facts["uid"]},
            {"op": "add", "path": annotation, "value": step.value},
        ]
        path = f"{names.jobs(receipt.facts['namespace'])}/{receipt.facts['name']}"
        try:
            self._client.patch(path, patch)
        except ApiError as error:
            if not (error.is_gone or error.code == _INVALID):
                raise refused(error) from error

    def _end_time(self, pod: Json) -> None:
        """End the pod's time: SIGTERM with its whole grace, and the object stays with its last word and log."""
        meta = pod["metadata"]
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": meta["uid"]},
            {"op": "add", "path": "/spec/activeDeadlineSeconds", "value": 1},
        ]
        try:
            self._client.patch(f"{names.pods(meta['namespace'])}/{meta['name']}", patch)
        except ApiError as error:
            if error.is_forbidden:  # without the right it is asked the costlier way
                self._delete_pod(pod, GRACE_S[CancelStep.ASK])
            elif not (error.is_gone or error.code == _INVALID):
                raise refused(error) from error

    def _delete_pod(self, pod: Json, grace_s: int) -> None:
        meta = pod["metadata"]
        options = {"gracePeriodSeconds": grace_s, "preconditions": {"uid": meta["uid"]}}
        try:
            self._client.delete(f"{names.pods(meta['namespace'])}/{meta['name']}", options)
        except ApiError as error:
            if not (error.is_gone or error.is_conflict):
                raise refused(error) from error
