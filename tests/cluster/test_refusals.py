"""What a person gets wrong on a real cluster: found by preflight where it can be, by its own reason where not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from quarterdeck import wiring
from quarterdeck.config import Settings
from quarterdeck.executors.kubernetes import names, rbac
from quarterdeck.executors.kubernetes.client import Client
from quarterdeck.model.instants import format_instant
from quarterdeck.model.job import Definition
from quarterdeck.model.observation import Observation, Phase
from quarterdeck.model.receipt import Receipt
from quarterdeck.ports.executor import Check, Executor
from quarterdeck.service.bundle import Services
from tests.contract.test_executor import a_launch, begin
from tests.support import kubernetes
from tests.support.quarterdeck import Quarterdeck, python

pytestmark = pytest.mark.cluster
Json = dict[str, Any]
VALUE = "not-to-be-seen-7391"  # of a Secret


class Bench(NamedTuple):
    """A workspace with cluster `kube`, which checked well, in a namespace of its own."""

    deck: Quarterdeck
    client: Client
    namespace: str
    kubeconfig: Path

    def cluster(self, **more: Any) -> Any:
        """Define the cluster; its checks run."""
        facts = kubernetes.cluster(self.namespace, **{"kubeconfig": str(self.kubeconfig), **more})
        document = {"name": "kube", "kind": "kubernetes", **facts}
        return self.deck.ok("cluster", "create", "-f", "-", text=json.dumps(document))

    def limit(self, **deadlines: str) -> None:
        self.deck.ok("workspace", "edit", "-f", "-", text=json.dumps(deadlines))

    def secret(self, name: str, **values: str) -> None:
        data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}
        self.client.create(f"/api/v1/namespaces/{self.namespace}/secrets", document)

    def quota(self, **hard: str) -> None:
        path = f"/api/v1/namespaces/{self.namespace}/resourcequotas"
        self.client.create(
            path,
            {
                "apiVersion": "v1",
                "kind": "ResourceQuota",
                "metadata": {"name": "full"},
                "spec": {"hard": hard},
            },
        )
        assert kubernetes.eventually(
            lambda: "hard" in (self.client.get(f"{path}/full").get("status") or {})
        )

    def lift_quota(self) -> None:
        self.client.delete(f"/api/v1/namespaces/{self.namespace}/resourcequotas/full", {})

    def services(self) -> Services:
        settings = Settings(self.deck.store, "test", self.deck.actor)
        return wiring.open_services(settings)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "kubeconfig"
    path.write_text(Path(kubernetes.kubeconfig()).read_text())
    with kubernetes.namespace() as name:
        client = Client(kubernetes.kubeconfig(), kubernetes.CONTEXT)
        yield Bench(Quarterdeck(tmp_path), client, name, path)
        client.close()


# --- refused by preflight: each is set up after the cluster's own checks passed


def wrong_context(bench: Bench) -> Json:
    text = bench.kubeconfig.read_text()
    bench.kubeconfig.write_text(text.replace("name: test", "name: other"))
    return {}


def no_namespace(bench: Bench) -> Json:
    places = {"kube": {"namespace": "absent"}}
    team = {"name": bench.deck.actor, "clusters": places}
    bench.deck.ok("team", "edit", bench.deck.actor, "-f", "-", text=json.dumps(team))
    return {}


def no_pull_secret(bench: Bench) -> Json:
    path = f"/api/v1/namespaces/{bench.namespace}/secrets/registry"
    bench.client.delete(path, {})
    return {}


def no_secret(bench: Bench) -> Json:
    return {"settings": {"env": {"TOKEN": "secret://db/token"}}}


def no_key(bench: Bench) -> Json:
    bench.secret("db", user=VALUE)
    return {"settings": {"env": {"TOKEN": "secret://db/token"}}}


def not_admitted(bench: Bench) -> Json:
    label = "/metadata/labels/pod-security.kubernetes.io~1enforce"
    patch = [{"op": "add", "path": label, "value": "restricted"}]
    bench.client.patch(f"/api/v1/namespaces/{bench.namespace}", patch)
    return {}


def no_driver_rights(bench: Bench) -> Json:
    profile = {
        "name": "wide", "team": bench.deck.actor, "mode": "cluster", "driver": {"disk_gib": 1},
        "worker": {
            "instance_type": "test.xlarge", "disk_gib": 1, "max_nodes": 2, "capacity_type": "spot",
        },
    }  # fmt: skip
    bench.deck.ok("profile", "create", "-f", "-", text=json.dumps(profile))
    return {"profile": "wide"}


REFUSED: list[tuple[Callable[[Bench], Json], Json, str, str]] = [
    (wrong_context, {}, "cannot be read", ""),
    (no_namespace, {}, 'namespaces "absent" not found', ""),
    (no_pull_secret, {"image_pull_secrets": ["registry"]}, "There is no Secret registry", ""),
    (no_secret, {}, "There is no Secret db", "env TOKEN"),
    (no_key, {}, "Secret db in namespace {namespace} has no key token", "env TOKEN"),
    (
        no_driver_rights,
        {},
        "Service account default of namespace {namespace} has no right to get pods, create pods",
        "driver's rights",
    ),
    (not_admitted, {"pod_template": {"spec": {"hostNetwork": True}}}, "violates PodSecurity", ""),
]


@pytest.mark.row("F-11", "F-17", "X3")
@pytest.mark.parametrize(
    ("spoil", "cluster", "words", "object"), REFUSED, ids=[one[0].__name__ for one in REFUSED]
)
def test_what_preflight_finds_refuses_the_run_and_leaves_nothing(
    bench: Bench, spoil: Callable[[Bench], Json], cluster: Json, words: str, object: str
) -> None:
    if "image_pull_secrets" in cluster:
        bench.secret("registry", x="y")
    assert bench.cluster(**cluster)["status"] == "active"
    more = spoil(bench)
    deck = bench.deck
    deck.create("daily", cluster="kube", **more)
    wanted = words.format(namespace=bench.namespace)
    plan = deck.json("job", "plan", "daily")
    assert plan.code == 6, plan
    said = [one["message"] for key in ("problems", "checks") for one in plan.document[key]]
    assert wanted in " ".join(said)
    run = deck.run("daily")
    assert (run["state"], run["reason"]) == ("rejected", "config_error"), run
    assert wanted in " ".join(run["evidence"])
    assert object in (run["object"] or "")
    assert not run["attempts"][0]["receipt"]
    assert kubernetes.left(bench.namespace) == []
    assert "Traceback" not in plan.err
    assert VALUE not in json.dumps(run) + plan.out


@pytest.mark.row("F-10")
def test_an_expired_token_is_waited_for_and_named(bench: Bench) -> None:
    assert bench.cluster()["status"] == "active"
    good = bench.kubeconfig.read_text()
    document = yaml.safe_load(good)
    document["users"] = [{"name": "admin", "user": {"token": "expired"}}]
    bench.kubeconfig.write_text(yaml.safe_dump(document))
    deck = bench.deck
    deck.create("daily", cluster="kube")
    plan = deck.json("job", "plan", "daily")
    assert (plan.code, plan.document["would"]) == (7, "unanswered")
    run = deck.ok("run", "daily")
    assert (run["state"], run["position"]) == ("queued", 1)  # nothing of it was made
    assert "does not accept these credentials (401)" in run["waiting_for"]["last_fact"]
    assert kubernetes.left(bench.namespace) == []
    bench.kubeconfig.write_text(good)
    assert deck.until(run["id"])["state"] == "succeeded"


@pytest.mark.row("F-11", "X3")
def test_each_right_that_is_missing_is_named(bench: Bench, tmp_path: Path) -> None:
    base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{bench.namespace}"
    meta = {"name": "some"}
    version = "rbac.authorization.k8s.io/v1"
    role = {"apiVersion": version, "kind": "Role", "metadata": meta, "rules": rules("", "")}
    bench.client.create(f"{base}/roles", role)
    bound = {
        "apiVersion": version,
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"},
        "subjects": [
            {"kind": "Group", "name": "viewers", "apiGroup": "rbac.authorization.k8s.io"}
        ],
    }
    bench.client.create(f"{base}/rolebindings", bound)
    viewer = str(kubernetes.viewer_kubeconfig(tmp_path))
    launch = a_launch("pass")
    for rule in rbac.RULES:
        for resource in rule.resources:
            for verb in rule.verbs:
                patch = [{"op": "replace", "path": "/rules", "value": rules(resource, verb)}]
                bench.client.patch(f"{base}/roles/some", patch)
                seen: list[list[Check]] = [[]]

                def is_named(
                    seen: list[list[Check]] = seen, what: str = f"{verb} {resource}"
                ) -> bool:
                    # another process each time: one remembers what was given for five minutes
                    executor = kubernetes.executor(bench.namespace, kubeconfig=viewer)
                    executor._place = kubernetes.place()
                    seen[0] = [c for c in executor.check(launch) if c.level == "failed"]
                    executor.close()
                    return [c.message for c in seen[0]] == [
                        f"In namespace {bench.namespace} the right to {what} is missing."
                    ]

                assert kubernetes.eventually(is_named, 10), (resource, verb, seen)
    assert kubernetes.left(bench.namespace) == []


def rules(resource: str, verb: str) -> list[Json]:
    """Return all that a person needs but this one right."""
    return [
        {
            "apiGroups": [rule.group],
            "resources": [one],
            "verbs": [v for v in rule.verbs if (one, v) != (resource, verb)] or ["none"],
        }
        for rule in rbac.RULES
        for one in rule.resources
    ]


@pytest.mark.row("C8", "C9", "F-23")
@pytest.mark.parametrize(
    ("driver", "words"),
    [
        ({"instance_type": "none.such"}, "node.kubernetes.io/instance-type none.such"),
        ({"cpu": 90}, "asks for cpu 90000m, and no known node that matches has more than 2"),
    ],
    ids=["selector", "request"],
)
def test_what_no_known_node_could_hold_is_a_warning_and_then_unschedulable(
    bench: Bench, driver: Json, words: str
) -> None:
    deck = bench.deck
    assert bench.cluster()["status"] == "active"
    bench.limit(queue_deadline="8s")
    profile = {"name": "odd", "team": deck.actor, "mode": "standalone"}
    driver = {"disk_gib": 1, **driver}
    deck.ok("profile", "create", "-f", "-", text=json.dumps(profile | {"driver": driver}))
    deck.create("daily", cluster="kube", profile="odd")
    plan = deck.ok("job", "plan", "daily")
    [nodes] = [one for one in plan["checks"] if one["name"] == "nodes"]
    assert (plan["would"], nodes["level"]) == ("start", "warning")
    assert words in nodes["message"]
    run = deck.run("daily")
    assert (run["state"], run["reason"]) == ("failed", "unschedulable"), run
    assert any(words in note for note in run["notes"])
    assert "nodes are available" in " ".join(run["evidence"])
    assert kubernetes.left(bench.namespace) == []


@pytest.mark.row("F-24", "F6")
@pytest.mark.parametrize("hard", ["pods", "count/jobs.batch"])
def test_a_full_quota_keeps_the_run_in_the_line_until_there_is_room(
    bench: Bench, hard: str
) -> None:
    assert bench.cluster()["status"] == "active"
    bench.quota(**{hard: "0"})
    deck = bench.deck
    deck.create("daily", cluster="kube")
    assert deck.json("job", "plan", "daily").document["would"] == "wait"
    run = deck.ok("run", "daily")
    assert run["state"] == "queued", run
    waits = run["waiting_for"]
    assert "room in the namespace's quota: " in waits["what"]
    assert "exceeded quota: full" in waits["what"]
    assert "qd-check" not in waits["what"]  # the same words for as long as it is so
    assert (waits["last_fact"], bool(waits["deadline"])) == ("place 1 in the line", True)
    assert [one["state"] for one in deck.ok("run-show", run["id"])["timeline"]] == ["queued"]
    assert kubernetes.left(bench.namespace) == []
    bench.lift_quota()
    assert deck.until(run["id"])["state"] == "succeeded"


@pytest.mark.row("F-24", "F6")
def test_a_quota_that_stays_full_rejects_the_run_at_its_deadline(bench: Bench) -> None:
    assert bench.cluster()["status"] == "active"
    bench.limit(queue_deadline="4s")
    bench.quota(pods="0")
    bench.deck.create("daily", cluster="kube")
    run = bench.deck.run("daily")
    assert (run["state"], run["reason"]) == ("rejected", "quota"), run
    assert "exceeded quota: full" in " ".join(run["evidence"])
    assert kubernetes.left(bench.namespace) == []


class FullBeforeRelease:
    """Ports whose cluster is filled between the preflight of a run and its release."""

    def __init__(self, ports: Any, fill: Callable[[], None]) -> None:
        self._ports = ports
        self._fill = fill

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ports, name)

    def executor(self, cluster: Definition) -> Executor:
        return _Filling(self._ports.executor(cluster), self._fill)


class _Filling:
    def __init__(self, executor: Executor, fill: Callable[[], None]) -> None:
        self._executor = executor
        self._fill = fill

    def __getattr__(self, name: str) -> Any:
        if name == "release":
            self._fill()
        return getattr(self._executor, name)


@pytest.mark.row("F-24", "F6")
def test_a_quota_full_after_the_release_waits_for_its_pod_and_is_rejected_at_the_deadline(
    bench: Bench,
) -> None:
    assert bench.cluster()["status"] == "active"
    bench.limit(queue_deadline="14s")
    bench.deck.create("daily", cluster="kube")
    real = bench.services()
    ports = FullBeforeRelease(real.ports, lambda: bench.quota(pods="0"))
    services = Services(ports, bench.deck.actor)
    run = services.runs.start("daily")["id"]
    held = services.runs.dispatch(run)
    assert (held["state"], held["waiting_for"]["what"]) == (
        "dispatching", "the cluster to make the pod",
    )  # fmt: skip

    def is_held() -> bool:
        nonlocal held
        held = bench.deck.ok("run-show", run)
        return "quota" in held["waiting_for"]["what"]

    assert kubernetes.eventually(is_held, 12), held
    assert held["state"] == "dispatching"
    deadline = format_instant(services.runs.get(run).queue_deadline)
    assert held["waiting_for"]["deadline"] == deadline
    ended = bench.deck.until(run)
    assert (ended["state"], ended["reason"]) == ("rejected", "quota"), ended
    assert "exceeded quota: full" in " ".join(ended["evidence"])
    assert "started_at" not in ended or ended["started_at"] is None
    assert kubernetes.left(bench.namespace) == []
    real.close()


@pytest.mark.row("A12", "X1", "X3")
def test_a_payload_sees_the_value_of_a_secret_and_nobody_else_does(bench: Bench) -> None:
    bench.secret("db", token=VALUE)
    deck = bench.deck
    assert bench.cluster()["status"] == "active"
    text = (
        "import hashlib, os, sys\n"
        "value = os.environ['TOKEN']\n"
        "print('sha', hashlib.sha256(value.encode()).hexdigest())\n"
        "print('told', value, flush=True)\n"
        "print(sorted(n for n in os.environ if n.startswith('QUARTERDECK_SECRET')))\n"
        "sys.exit('it ends with ' + value)\n"
    )
    env = {"TOKEN": "secret://db/token"}
    deck.create("daily", cluster="kube", source=python(text), settings={"env": env})
    plan = deck.ok("job", "plan", "daily")
    [variable] = [
        one
        for one in plan["documents"][0]["spec"]["template"]["spec"]["containers"][0]["env"]
        if "secretKeyRef" in (one.get("valueFrom") or {})
    ]
    assert variable["valueFrom"]["secretKeyRef"] == {"name": "db", "key": "token"}
    run = deck.run("daily")
    assert (run["state"], run["reason"]) == ("failed", "user_error"), run
    log = deck.call("logs", run["id"]).out
    from hashlib import sha256

    assert f"sha {sha256(VALUE.encode()).hexdigest()}" in log
    assert "told secret://db/token" in log
    assert "[]" in log
    assert "it ends with secret://db/token" in " ".join(run["evidence"])
    exported = deck.call("job", "export", "daily").out
    assert VALUE not in json.dumps(run) + log + exported + json.dumps(plan)
    for path in deck.store.rglob("*"):
        if path.is_file():
            assert VALUE.encode() not in path.read_bytes(), path
    assert kubernetes.left(bench.namespace) == []


@pytest.mark.row("F-17", "G5")
def test_a_key_that_preflight_may_not_look_for_ends_as_create_container(
    bench: Bench, tmp_path: Path
) -> None:
    bench.secret("db", other=VALUE)
    rights = rbac.documents(bench.namespace, ["default"], full=False)
    for one in rights:
        for subject in one.get("subjects", ()):
            if subject["kind"] == "Group":
                subject["name"] = "viewers"
    kubernetes.apply(bench.client, rights)
    viewer = str(kubernetes.viewer_kubeconfig(tmp_path))
    shown = bench.cluster(kubeconfig=viewer)
    assert shown["status"] == "active", shown["checks"]
    bench.limit(start_deadline="5s")
    env = {"TOKEN": "secret://db/token"}
    bench.deck.create("daily", cluster="kube", settings={"env": env})
    plan = bench.deck.ok("job", "plan", "daily")
    assert plan["would"] == "start"
    unseen = {one["name"]: one for one in plan["checks"] if one["level"] == "warning"}
    assert "not looked at" in unseen["env TOKEN"]["message"]
    assert "not looked at" in unseen["nodes"]["message"]
    run = bench.deck.run("daily")
    assert (run["state"], run["reason"]) == ("failed", "create_container"), run
    assert run["object"] == "Secret db, key token"
    assert "couldn't find key token in Secret" in " ".join(run["evidence"])
    assert kubernetes.left(bench.namespace) == []


def kept(deck: Quarterdeck) -> dict[Path, bytes]:
    """Return all that the workspace keeps."""
    found = (path for path in deck.store.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in found if path.suffix not in (".db-shm", ".db-wal")}


@pytest.mark.row("X3", "C8")
def test_the_plan_is_what_a_run_makes_and_makes_nothing(bench: Bench) -> None:
    places = {"kube": {"namespace": bench.namespace, "service_account": "jobs"}}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "jobs"}}
    bench.client.create(f"/api/v1/namespaces/{bench.namespace}/serviceaccounts", account)
    deck = bench.deck
    assert bench.cluster()["status"] == "active"
    team = {"name": deck.actor, "clusters": places}
    deck.ok("team", "edit", deck.actor, "-f", "-", text=json.dumps(team))
    deck.create("daily", cluster="kube", source=python("import time; time.sleep(60)"))
    before = kept(deck)
    plan = deck.ok("job", "plan", "daily", "--read-only")
    assert before == kept(deck)
    assert kubernetes.left(bench.namespace) == []
    assert plan["would"] == "start", plan["checks"]
    assert [one["kind"] for one in plan["documents"]] == ["Job", "ConfigMap"]
    job, inputs = plan["documents"]
    assert all(value.endswith(" bytes") for value in inputs["binaryData"].values())
    run = deck.ok("run", "daily")
    assert deck.until(run["id"], "running")["frozen"]["sha256"] == plan["frozen_sha256"]
    [made] = bench.client.get(names.jobs(bench.namespace))["items"]
    [pod] = bench.client.get(names.pods(bench.namespace))["items"]
    wanted, found = job["spec"]["template"]["spec"], pod["spec"]
    assert made["metadata"]["namespace"] == job["metadata"]["namespace"] == bench.namespace
    for spec in (wanted, found):
        assert spec["serviceAccountName"] == "jobs"
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            assert container["securityContext"]["allowPrivilegeEscalation"] is False
            assert set(container["resources"]["limits"]) == {"cpu", "memory", "ephemeral-storage"}
        [term] = spec["affinity"]["nodeAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]["nodeSelectorTerms"]
        assert {one["key"] for one in term["matchExpressions"]} == {
            "node-role.kubernetes.io/control-plane",
            "node-role.kubernetes.io/master",
        }
    deck.ok("cancel", run["id"])
    deck.until(run["id"])
    assert kubernetes.left(bench.namespace) == []


@pytest.mark.row("X3")
def test_the_check_warns_of_what_else_is_within_a_payloads_reach(bench: Bench) -> None:
    shown = bench.cluster()
    [check] = [one for one in shown["checks"] if one["name"] == "neighbours"]
    assert check["level"] == "ok"
    bench.secret("payroll", token=VALUE)
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deployer"}}
    bench.client.create(f"/api/v1/namespaces/{bench.namespace}/serviceaccounts", account)
    shown = bench.deck.ok("cluster", "check", "kube")
    [check] = [one for one in shown["checks"] if one["name"] == "neighbours"]
    assert (shown["status"], check["level"]) == ("active", "warning")
    assert "service account deployer and Secret payroll" in check["message"]
    assert VALUE not in json.dumps(shown)


@pytest.mark.row("B13", "B14")
def test_another_image_than_the_frozen_one_is_seen_and_another_engine_is_refused(
    bench: Bench,
) -> None:
    assert bench.cluster()["status"] == "active"
    [check] = [
        c for c in bench.deck.ok("cluster", "show", "kube")["checks"] if c["name"] == "image"
    ]
    known = json.loads(check["evidence"])
    assert known["image_id"].startswith("sha256:")
    executor = kubernetes.executor(bench.namespace)
    for changes, words in (
        ({"image_id": "sha256:" + "0" * 64}, "another image than the one that was frozen"),
        ({"engine": "pysail 0.0.1"}, f"frozen with pysail 0.0.1; here is {known['engine']}"),
        ({"python": "CPython 2.7.0"}, f"frozen with CPython 2.7.0; here is {known['python']}"),
    ):
        receipt = executor.prepare(a_launch("print('it ran')", place=known | changes))
        receipt = begin(executor, receipt)
        last: list[Observation] = []

        def is_seen(receipt: Receipt = receipt, last: list[Observation] = last) -> bool:
            found = executor.observe([receipt])[receipt.id]
            assert isinstance(found, Observation)
            last[:] = [found]
            return found.phase is Phase.ENDED

        assert kubernetes.eventually(is_seen), last
        [seen] = last
        reason = seen.last_word["reason"] if seen.last_word else seen.failure
        assert reason == "config_error", seen
        assert words in seen.because + str((seen.last_word or {}).get("message")), seen
        executor.reap(receipt)
    assert kubernetes.left(bench.namespace) == []


@pytest.mark.row("B13", "B14")
def test_a_run_is_frozen_with_its_image_and_runs_again_exactly(bench: Bench) -> None:
    assert bench.cluster()["status"] == "active"
    deck = bench.deck
    deck.create("daily", cluster="kube")
    first = deck.run("daily")
    place = first["frozen"]["place"]
    assert place["image"] == kubernetes.IMAGE
    assert place["image_id"].startswith("sha256:")
    again = deck.ok("rerun", first["id"], "--exact", "--wait")
    assert again["state"] == "succeeded"
    assert again["frozen"]["sha256"] == first["frozen"]["sha256"]
