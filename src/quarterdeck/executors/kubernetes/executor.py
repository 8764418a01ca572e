"""Runs attempts as Jobs of which one pod, chosen by UID, is given the word to begin, as port `Executor` says.

Objects: `manifest` and `pods`; the word: `starting`; what they mean: `observe`; the cluster's checks: `preflight`;
logs: `logs`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from quarterdeck.executors import environment
from quarterdeck.executors.kubernetes import (
    choice,
    creating,
    denials,
    ending,
    launching,
    logs,
    manifest,
    names,
    namespaces,
    nodes,
    observe,
    parts,
    podfacts,
    preflight,
    rbac,
    remembered,
    starting,
    watch,
    workers,
)
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.executors.kubernetes.creating import asking, refused
from quarterdeck.executors.kubernetes.logs import Known
from quarterdeck.executors.kubernetes.recent import Recent
from quarterdeck.executors.kubernetes.servertime import ServerTime
from quarterdeck.model.clock import Uptimes
from quarterdeck.model.errors import DeniedError, PrerequisiteError, UnreachableError
from quarterdeck.model.instants import Clock
from quarterdeck.model.logline import Cursor, LogChunk
from quarterdeck.model.observation import Observation, Phase, Silent
from quarterdeck.model.parts import Parts
from quarterdeck.model.receipt import AttemptId, Owned, ReapReport, Receipt
from quarterdeck.model.run import CancelStep
from quarterdeck.ports.executor import Check, Launch, Place

Json = dict[str, Any]


class KubernetesExecutor:
    """One cluster's attempts; `workspace` is the label that tells ours from others' on the same cluster.

    `places` are namespace and service account of each team, where it has its own on the cluster.
    `known` are the cluster's kept checks: what they say of the image is not asked again, and a right that they
    saw is not taken for lost at once.
    """

    kind = "kubernetes"

    def __init__(
        self, cluster: Mapping[str, Any], workspace: str, clock: Clock, uptime: Uptimes, *,
        places: Iterable[tuple[str | None, str | None]] = (), known: Iterable[Mapping[str, Any]] = (),
        client: Client | None = None,
    ) -> None:  # fmt: skip
        self._cluster = cluster
        self._workspace = workspace
        self._clock = clock
        self._time = ServerTime(clock, uptime)
        self._client = client or Client(
            cluster.get("kubeconfig"), cluster["context"], self._time.hear
        )
        self._recent = Recent(self._client)
        self._accounts = rbac.accounts(cluster, places)
        self._namespaces = {cluster.get("namespace") or "default", *self._accounts}
        known = tuple(known)
        self._place = preflight.known_place(known, cluster["image"])
        self._had_rights = preflight.had_rights(known)
        self._doubts = denials.Doubts(self._client, self._was_given)
        self._pods = remembered.Pods()
        self._events = remembered.Events(self._client)
        self._watches = watch.Watches(self._client, workspace, clock, uptime, keep=self._pods.see)
        self._silences = remembered.Silences(clock, uptime)
        self._logs = logs.Logs(self._client, self._known, self._time.now)

    # --- what is there

    def check(self, launch: Launch | None) -> list[Check]:
        """Check the cluster with evidence and remedy for each; for a launch, whether its place is still that."""
        if launch is not None:
            found = environment.launch_checks(launch.frozen, self.place(), self.kind)
            where = self._namespace(launch)
            found += launching.checks(
                self._client, launch, self._cluster, self._workspace, where, self._recent
            )
            return [self._doubts.of(check, where) for check in found]
        self.ask_now()
        found = preflight.checks(self._client, self._cluster, self._workspace, self._accounts)
        found = [self._doubts.judged(check) for check in found]
        self._place = preflight.place_of(found) or self._place
        return [*found, *self._time.checks()]

    def place(self) -> Place:
        """Return what the image has, as its check found it; PrerequisiteError if no check did."""
        if self._place is None:
            raise PrerequisiteError(
                f"What is in image {self._cluster['image']} is not known.",
                advice="Run `quarterdeck cluster check` on the cluster: it looks into the image.",
            )
        return self._place

    # --- dispatch

    def plan(self, launch: Launch) -> list[Mapping[str, Any]]:
        """Return the Job, its ConfigMaps and the template of workers; the cluster is not asked."""
        where = self._namespace(launch)
        return [*launching.plan(launch, self._cluster, self._workspace, where)]

    def prepare(self, launch: Launch) -> Receipt:
        """Create the suspended Job and the ConfigMaps that it owns; what is there already is adopted if ours."""
        namespace = self._namespace(launch)
        groups = manifest.packed(launch, self._cluster, self._workspace, namespace)
        wanted = manifest.k8s_job(launch, self._cluster, self._workspace, groups)
        with self._doubting(namespace):
            job = creating.create(self._client, names.jobs(namespace), wanted)
            if job is None:
                job = creating.adopt(self._client, namespace, launch, self._workspace)
            if job["spec"].get("suspend"):  # released: all was there, nothing is made again
                if creating.shown(job) != creating.shown(wanted):
                    creating.demand_maps(self._client, namespace, job)
                    return self._receipt(launch.run, launch.attempt, job)
                for document in manifest.config_maps(
                    launch, self._workspace, job["metadata"]["uid"], groups
                ):
                    creating.create_map(self._client, namespace, document)
        return self._receipt(launch.run, launch.attempt, job)

    @asking()
    def release(self, receipt: Receipt, wait_s: float = 0.0) -> Receipt:
        """Unsuspend the Job, once, if it is still the one with this UID; the pod that comes is chosen."""
        self._same_cluster(receipt)
        with self._doubting(receipt.facts["namespace"]):
            return starting.release(self._client, receipt, self._selector(receipt), wait_s)

    @asking()
    def start(self, receipt: Receipt) -> None:
        """Take our gate from the pod that was chosen, if it is still the one with this UID."""
        self._same_cluster(receipt)
        with self._doubting(receipt.facts["namespace"]):
            starting.start(self._client, receipt)

    # --- watching

    def observe(self, receipts: Collection[Receipt]) -> Mapping[AttemptId, Observation | Silent]:
        """Say of each what its Job and pods show: the first look asks, from the second on watches know.

        `at` is when that was known to be so.
        """
        by_namespace: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            by_namespace[receipt.facts["namespace"]].append(receipt)
        found: dict[AttemptId, Observation | Silent] = {}
        for namespace, group in by_namespace.items():
            try:
                self._all_of_this_cluster(group)
                found |= self._observe(namespace, group)
                self._silences.end(namespace)
            except (
                UnreachableError,
                PrerequisiteError,
            ) as error:  # a right taken away ends no run
                since = self._silences.since(namespace)
                found |= {receipt.id: Silent(since, error.message) for receipt in group}
        return found

    @asking()
    def is_heard(self, receipt: Receipt, within_s: float) -> bool | None:
        """Say whether anything was written to the driver's log within so many seconds: its beat is among it."""
        self._same_cluster(receipt)
        drivers = [pod for pod in self._list_pods(receipt) if choice.is_driver(pod, receipt)]
        said = [
            logs.is_written(self._client, pod, within_s)
            for pod in drivers
            if observe.is_alive(pod)
        ]
        return True if any(said) else None if None in said else False

    def ask_now(self) -> None:
        """Forget for how long credentials that failed are not tried again."""
        self._client.ask_now()

    def ahead_s(self) -> float | None:
        """Return how far this machine's clock is ahead of the API server's, to a second or two."""
        ahead = self._time.ahead()
        return None if ahead is None else ahead.total_seconds()

    def logs(self, receipt: Receipt, cursor: Cursor, *, follow: bool) -> Iterator[LogChunk]:
        """Yield lines behind the cursor; following: a chunk, perhaps empty, each second until the end."""
        with asking():
            self._same_cluster(receipt)
            yield from self._logs.read(receipt, self._selector(receipt), cursor, follow=follow)

    @asking()
    def parts(self, receipt: Receipt) -> Parts:
        """Return the attempt's pods with their events."""
        self._same_cluster(receipt)
        return parts.parts(self._client, receipt, self._selector(receipt))

    # --- ending

    @asking()
    def cancel(self, receipt: Receipt, step: CancelStep) -> None:
        """Take one step: let the pod's time run out, so that it keeps log and last word; then delete, harder.

        Whoever is asked a second time is deleted with less grace; from `delete` on the Job goes, too.
        """
        self._same_cluster(receipt)
        with self._doubting(receipt.facts["namespace"]):
            ending.mark(self._client, receipt, step)
            ending.end_pods(self._client, receipt, step, self._list_pods(receipt))

    @asking()
    def reap(self, receipt: Receipt) -> ReapReport:
        """Delete the Job and every pod of the attempt, and wait a little for them to be gone."""
        self._same_cluster(receipt)
        found, left = ending.clear(self._client, receipt, self._list_pods)
        if not left:
            self._pods.forget((receipt.run, receipt.attempt))
        self._logs.forget(receipt.id)
        return ReapReport(tuple(name for name in found if name not in left), left)

    @asking()
    def may_run(self, receipt: Receipt, node: str, ago_s: float) -> str | None:
        """Say why the attempt's containers may run on: a pod that is there, or what its node says."""
        self._same_cluster(receipt)
        for pod in self._list_pods(receipt):
            if observe.is_alive(pod) and pod["spec"].get("nodeName") == node:
                return f"pod {pod['metadata']['name']} on node {node} has not ended"
        now = self._time.now()
        return nodes.why_not_ended(self._client, node, now - timedelta(seconds=ago_s), now)

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
                if observe.is_alive(pod) and not podfacts.is_gated(pod)
            }
            for one in (*self._list(names.jobs(namespace), selector), *pods):
                key = names.attempt_of(one["metadata"]["labels"])
                if key is not None:
                    receipt = self._receipt(*key, one)
                    found.setdefault(receipt.id, Owned(receipt.id, receipt, key in alive))
        return list(found.values())

    def rights(self, *, full: bool) -> list[Mapping[str, Any]]:
        """Return roles and bindings for people and drivers in each namespace of the cluster's teams."""
        found: list[Mapping[str, Any]] = []
        for namespace in sorted(self._namespaces):
            found += rbac.documents(namespace, self._accounts.get(namespace, ()), full=full)
        return [one for number, one in enumerate(found) if one not in found[:number]]

    def close(self) -> None:
        """End the watches and let go of the connections."""
        self._watches.close()
        self._logs.close()
        self._client.close()

    # --- within: refusals

    @contextmanager
    def _doubting(self, namespace: str) -> Iterator[None]:
        """Say of a refusal that leaves the block why it may pass, if there is a reason."""
        try:
            yield
        except DeniedError as error:
            error.doubt = self._doubts.why(error.what, namespace)
            raise

    def _was_given(self, namespace: str) -> bool:
        """Whether the rights in a namespace were there when the cluster, or a run there, was checked last."""
        own = self._cluster.get("namespace") or "default"
        return self._recent.was_given(namespace) or (self._had_rights and namespace == own)

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
        template = (found["spec"].get("template") or {}).get("spec")
        if template is not None and podfacts.is_gated({"spec": template}):
            facts[names.GATE_FACT] = names.GATE
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

    def _all_of_this_cluster(self, receipts: list[Receipt]) -> None:
        one_each = {(r.facts.get("server"), r.facts.get("ca_sha256")): r for r in receipts}
        for receipt in one_each.values():
            self._same_cluster(receipt)

    # --- within: looking

    def _observe(self, namespace: str, receipts: list[Receipt]) -> dict[AttemptId, Observation]:
        """Say what the watches show; an end is asked for once more: two watches are not of one moment."""
        shown = self._watches.look(namespace)
        if shown is None:
            return self._ask(namespace, receipts)
        found = self._read(namespace, receipts, shown)
        ended = [one for one in receipts if found[one.id].phase in (Phase.ENDED, Phase.GONE)]
        return found | (self._ask(namespace, ended) if ended else {})

    def _ask(self, namespace: str, receipts: list[Receipt]) -> dict[AttemptId, Observation]:
        if len(receipts) == 1:
            selector = self._selector(receipts[0])
        else:
            selector = (("labelSelector", names.selector(self._workspace)),)
        now = self._clock()
        jobs = {
            job["metadata"]["name"]: job for job in self._list(names.jobs(namespace), selector)
        }
        pods = self._list(names.pods(namespace), selector)
        if not jobs and not pods:
            namespaces.look(self._client, namespace)
        self._all_of_this_cluster(receipts)  # the context may have been changed while it was asked
        return self._read(namespace, receipts, watch.Shown(jobs, pods, now))

    def _read(
        self, namespace: str, receipts: list[Receipt], shown: watch.Shown
    ) -> dict[AttemptId, Observation]:
        pods: dict[remembered.Key | None, list[Json]] = defaultdict(list)
        for pod in shown.pods:
            pods[names.attempt_of(pod["metadata"]["labels"])].append(pod)
        now = self._time.now()
        found = {}
        for receipt in receipts:
            here = pods[receipt.run, receipt.attempt]
            self._pods.see(here)
            gone = self._pods.gone((receipt.run, receipt.attempt), here)
            seen = observe.Seen(shown.jobs.get(receipt.facts["name"]), here, gone)
            if (uid := observe.wants_events(receipt, seen, now)) is not None:
                seen = replace(seen, events=self._events.of(namespace, uid))
            told = workers.told(seen, observe.observation(receipt, seen, now))
            told = namespaces.told(self._client, namespace, told)
            found[receipt.id] = replace(self._time.by_clock(told), at=shown.at)
        return found

    def _known(self, receipt: Receipt) -> Known | None:
        """Return what the watches have of an attempt; None while the cluster must be asked."""
        shown = self._watches.look(receipt.facts["namespace"])
        if shown is None:
            return None
        key = receipt.run, receipt.attempt
        pods = [one for one in shown.pods if names.attempt_of(one["metadata"]["labels"]) == key]
        return Known(pods, shown.jobs.get(receipt.facts["name"]))

    def _list(self, path: str, query: Any) -> list[Json]:
        try:
            items: list[Json] = self._client.get(path, query)["items"]
        except ApiError as error:
            raise refused(error) from error
        return items

    def _list_pods(self, receipt: Receipt) -> list[Json]:
        found = self._list(names.pods(receipt.facts["namespace"]), self._selector(receipt))
        self._pods.see(found)
        return found

    def _selector(self, receipt: Receipt) -> tuple[tuple[str, str], ...]:
        text = names.selector(self._workspace, receipt.run, receipt.attempt)
        return (("labelSelector", text),)
