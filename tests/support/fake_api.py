"""A cluster's API in memory, with the parts behind it moved by hand: Job controller, kubelet, authorizer.

`FakeClient` is the product's own client but for the wire, so that codes and refusals are read as for real.
"""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from quarterdeck.executors.kubernetes import KubernetesExecutor, names, podfacts
from quarterdeck.executors.kubernetes.client import Client, Target
from quarterdeck.model.receipt import Receipt
from tests.support.fakes import FakeClock

Json = dict[str, Any]
Key = tuple[str, str]  # plural and name
GONE = 404
CONFLICT = 409
INVALID = 422
CREATED_BY = "quarterdeck"
OLD = {"creationTimestamp": "2026-11-21T06:00:00Z"}
READY = {
    "conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": OLD["creationTimestamp"]}
    ]
}
JOB_NAME = "batch.kubernetes.io/job-name"
SAID = {
    "engine": "pysail 0", "client": "pyspark-client 0", "python": "CPython 3", "platform": "fake",
    "timezone_data": "tzdata 0",
}  # fmt: skip


class RefusedError(Exception):
    """The API says no: code, reason, message."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code, self.reason = code, reason


class AwayError(OSError):
    """The API does not answer."""


class FakeApi:
    """One namespace. `starts` counts containers that began, by the attempt that they are of.

    `amiss` may raise for a request (method, path) before it has its effect, `after` behind it. `makes`: whether
    the Job controller is at work; `runs`: whether the kubelet is.
    """

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.objects: dict[Key, Json] = {}
        self.no_accounts: set[str] = set()
        self.limits: list[Json] = []
        self.asked: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self.events: list[Json] = []
        self.lacks: set[tuple[str, str]] = set()  # verb and plural that nobody is allowed
        self.makes = self.runs = True
        self.readyz = (200, "ok")
        self.amiss: Callable[[str, str], None] = lambda _method, _path: None
        self.after: Callable[[str, str], None] = lambda _method, _path: None
        self._numbers = iter(range(1, 1_000_000))
        self._began: set[str] = set()

    # --- what others do

    def suspend(
        self, value: bool, manager: str = "kubectl-patch", job: Json | None = None
    ) -> None:
        """Let somebody set `suspend` of a Job: of the only one, if none is named."""
        job = job or self.job()
        job["spec"]["suspend"] = value
        self._managed(job, manager)
        self.work()

    def delete_pod(self, name: str) -> None:
        """Let somebody delete a pod: its Job fails, for it may not be made again."""
        pod = self.objects.pop(("pods", name))
        for job in self.of("jobs"):
            if podfacts.is_owned(pod, job["metadata"]["uid"]):
                self._fail(job)
        self.work()

    def make_another(self, job: Json | None = None) -> Json:
        """Let the controller make a pod though there is one, as it may after a restart."""
        return self._make(job or self.job())

    def job(self) -> Json:
        [job] = self.of("jobs")
        return job

    def of(self, plural: str) -> list[Json]:
        return [one for (kind, _), one in self.objects.items() if kind == plural]

    def end_pod(self, name: str, message: str = "", code: int = 0) -> None:
        """Let a pod's container end."""
        pod = self.objects["pods", name]
        ended = {"exitCode": code, "message": message, "finishedAt": self._now()}
        pod["status"] |= {
            "phase": "Succeeded" if code == 0 else "Failed",
            "containerStatuses": [{"name": "runner", "state": {"terminated": ended}}],
        }

    def work(self) -> None:
        """Let controller and kubelet do what there is to do."""
        for job in self.of("jobs"):
            if job["metadata"].get("deletionTimestamp"):
                self._collect(job)
            elif self.makes:
                self._sync(job)
        if self.runs:
            for pod in self.of("pods"):
                self._run(pod)

    def _collect(self, job: Json) -> None:
        """Let what a Job owned go with it."""
        for plural in ("pods", "configmaps"):
            for one in self.of(plural):
                if podfacts.is_owned(one, job["metadata"]["uid"]):
                    del self.objects[plural, one["metadata"]["name"]]
        del self.objects["jobs", job["metadata"]["name"]]

    def _sync(self, job: Json) -> None:
        uid, status = job["metadata"]["uid"], job["status"]
        mine = [pod for pod in self.of("pods") if podfacts.is_owned(pod, uid)]
        if status.get("conditions"):
            return
        if job["spec"].get("suspend"):
            status.pop("startTime", None)
            for pod in mine:
                del self.objects["pods", pod["metadata"]["name"]]
        elif any(pod["status"]["phase"] == "Succeeded" for pod in mine):
            status["conditions"] = [{"type": "Complete", "status": "True"}]
        elif any(pod["status"]["phase"] == "Failed" for pod in mine):
            self._fail(job)
        else:
            status.setdefault("startTime", self._now())
            if not mine:
                self._make(job)

    def _make(self, job: Json) -> Json:
        template = copy.deepcopy(job["spec"]["template"])
        name = f"{job['metadata']['name']}-p{next(self._numbers)}"
        labels = {**template["metadata"]["labels"], JOB_NAME: job["metadata"]["name"]}
        meta = {**template["metadata"], "name": name, "labels": labels}
        meta["ownerReferences"] = [_owner(job)]
        pod = {"metadata": meta, "spec": template["spec"], "status": {"phase": "Pending"}}
        self._put("pods", pod)
        if pod["spec"].get("schedulingGates"):
            gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
            pod["status"]["conditions"] = [gated]
        return pod

    def _run(self, pod: Json) -> None:
        uid = pod["metadata"]["uid"]
        if podfacts.gates(pod) or uid in self._began or pod["metadata"].get("deletionTimestamp"):
            return
        self._began.add(uid)
        labels = pod["metadata"]["labels"]
        if labels[names.ROLE] == names.CHECK:
            self.end_pod(pod["metadata"]["name"], json.dumps(SAID))
            return
        self.starts[f"{labels[names.RUN]}-{labels[names.ATTEMPT]}"] += 1
        pod["spec"]["nodeName"] = "n1"
        running = {"running": {"startedAt": self._now()}}
        container = {"name": "runner", "state": running, "started": True}
        pod["status"] = {"phase": "Running", "containerStatuses": [container]}

    def _fail(self, job: Json) -> None:
        job["status"]["conditions"] = [
            {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}
        ]

    # --- requests

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Json:
        """Return what is answered; RefusedError or AwayError otherwise."""
        plural, name = _place(path)
        verb = _verb(method, name, query)
        self.asked[f"{verb} {plural}"] += 1
        self.amiss(method, path)
        if (verb, plural) in self.lacks:
            text = (
                f'{plural} is forbidden: User "ana" cannot {verb} resource "{plural}"'
                f' in API group "{"batch" if plural == "jobs" else ""}" in the namespace "ns"'
            )
            raise RefusedError(403, "Forbidden", text)
        found = copy.deepcopy(self._do(method, plural, name, query, body))
        self.work()
        self.after(method, path)
        return found

    def _do(
        self, method: str, plural: str, name: str, query: Mapping[str, str], body: Any
    ) -> Json:
        if plural.endswith("reviews"):
            return self._review(plural, body)
        if plural == "version":
            return {"major": "1", "minor": "36", "gitVersion": "v1.36.3"}
        if plural in ("namespaces", "nodes", "serviceaccounts", "secrets", "limitranges"):
            return self._there_already(plural, name)
        if method == "POST":
            return self._create(plural, body, is_dry="dryRun" in query)
        if not name:
            return self._list(plural, query)
        found = self.objects.get((plural, name))
        if found is None:
            raise RefusedError(GONE, "NotFound", f'{plural} "{name}" not found')
        if method == "PATCH":
            patched = patched_by(found, body)
            found.clear()
            found |= patched
            if any(one["path"] == "/spec/suspend" for one in body):
                self._managed(found, CREATED_BY)
        elif method == "DELETE":
            self._delete(plural, found, body)
        return found

    def _there_already(self, plural: str, name: str) -> Json:
        if plural == "serviceaccounts" and name in self.no_accounts:
            raise RefusedError(GONE, "NotFound", f'serviceaccounts "{name}" not found')
        items = self.limits if plural == "limitranges" else []
        return {"metadata": {"name": name, **OLD}, "items": items, "status": READY}

    def _delete(self, plural: str, found: Json, body: Any) -> None:
        wanted = (body.get("preconditions") or {}).get("uid")
        if wanted not in (None, found["metadata"]["uid"]):
            raise RefusedError(CONFLICT, "Conflict", "the UID is another")
        if plural == "pods":
            self.delete_pod(found["metadata"]["name"])
        else:
            found["metadata"]["deletionTimestamp"] = self._now()

    def _create(self, plural: str, body: Any, *, is_dry: bool) -> Json:
        made = copy.deepcopy(body)
        name = made["metadata"].get("name") or f"{made['metadata']['generateName']}x"
        made["metadata"]["name"] = name
        if (plural, name) in self.objects:
            raise RefusedError(CONFLICT, "AlreadyExists", f'{plural} "{name}" already exists')
        if not is_dry:
            made["status"] = {}
            self._put(plural, made)
            self._managed(made, CREATED_BY)
        return dict(made)

    def _list(self, plural: str, query: Mapping[str, str]) -> Json:
        if plural == "events":
            return {"items": self.events}
        wanted = dict(
            part.split("=") for part in query.get("labelSelector", "").split(",") if part
        )
        items = [
            one
            for one in self.of(plural)
            if wanted.items() <= (one["metadata"].get("labels") or {}).items()
        ]
        return {"metadata": {"resourceVersion": "1"}, "items": items}

    def _review(self, plural: str, body: Any) -> Json:
        if plural == "selfsubjectrulesreviews":
            return {"status": {"resourceRules": [], "incomplete": True}}
        if plural == "selfsubjectreviews":
            return {"status": {"userInfo": {"username": "ana"}}}
        asked = body["spec"]["resourceAttributes"]
        return {"status": {"allowed": (asked["verb"], asked["resource"]) not in self.lacks}}

    def _put(self, plural: str, made: Json) -> None:
        made["metadata"] |= {
            "uid": f"uid-{next(self._numbers)}", "creationTimestamp": self._now(), "namespace": "ns",
        }  # fmt: skip
        self.objects[plural, made["metadata"]["name"]] = made

    def _managed(self, one: Json, manager: str) -> None:
        fields: Json = {"f:spec": {"f:suspend": {}}}
        entry = {"manager": manager, "time": self._now(), "fieldsV1": fields}
        one["metadata"]["managedFields"] = [entry]

    def _now(self) -> str:
        return f"{self.clock():%Y-%m-%dT%H:%M:%SZ}"


class FakeClient(Client):
    """The product's client over an API in memory."""

    def __init__(self, api: FakeApi) -> None:
        super().__init__(None, "fake")
        self._fake = api

    def target(self) -> Target:
        return Target("https://fake", "")

    def _request(
        self, method: str, path: str, query: Any, body: Any, content: str, read_s: float
    ) -> Any:
        del content, read_s
        self._wait_as_told()
        with self._reached(path):
            if path == "/readyz":
                code, text = self._fake.readyz
                return _Response(code, text.encode())
            if path.endswith("/log"):
                return _Response(200, b"")
            try:
                found = self._fake.answer(method, path, dict(query), body)
            except RefusedError as error:
                status = {
                    "kind": "Status", "code": error.code, "reason": error.reason,
                    "message": str(error),
                }  # fmt: skip
                return _Response(error.code, json.dumps(status).encode())
        return _Response(200, json.dumps(found).encode())


class _Response:
    def __init__(self, status: int, data: bytes) -> None:
        self.status, self._data = status, data
        self.headers: dict[str, str] = {}

    def read(self, _: int | None = None) -> bytes:
        return self._data

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield from (self._data,)

    def shutdown(self) -> None:
        """There is no wire."""

    def close(self) -> None:
        """There is no wire."""


def patched_by(document: Json, operations: list[Json]) -> Json:
    """Return the document after a JSON patch; RefusedError (422) where a test or a path says no."""
    changed = copy.deepcopy(document)
    for one in operations:
        *way, last = [part.replace("~1", "/") for part in one["path"].split("/")[1:]]
        place: Any = changed
        for part in way:
            place = _within(place, part)
        if one["op"] == "test":
            if _within(place, last) != one["value"]:
                raise RefusedError(INVALID, "Invalid", f"test of {one['path']} failed")
        elif one["op"] == "remove":
            if _within(place, last) is None:
                raise RefusedError(INVALID, "Invalid", f"there is no {one['path']}")
            del place[int(last) if isinstance(place, list) else last]
        elif place is None:
            raise RefusedError(INVALID, "Invalid", f"there is no {one['path']}")
        else:
            place[last] = one["value"]
    return changed


def _within(place: Any, part: str) -> Any:
    """Return what lies there; None for nothing, as the API tests it."""
    if isinstance(place, list):
        return place[int(part)] if int(part) < len(place) else None
    return place.get(part) if isinstance(place, dict) else None


def _owner(job: Json) -> Json:
    return {"kind": "Job", "name": job["metadata"]["name"], "uid": job["metadata"]["uid"]}


def _place(path: str) -> tuple[str, str]:
    words = path.partition("?")[0].strip("/").split("/")
    if "namespaces" in words and words.index("namespaces") + 2 < len(words):
        words = words[words.index("namespaces") + 2 :]
        return words[0], words[1] if len(words) > 1 else ""
    is_one = len(words) > 1 and words[-2] in ("namespaces", "nodes")
    return (words[-2], words[-1]) if is_one else (words[-1], "")


def _verb(method: str, name: str, query: Mapping[str, str]) -> str:
    if method == "GET":
        return "get" if name else "watch" if "watch" in query else "list"
    return {"POST": "create", "PATCH": "patch", "DELETE": "delete"}[method]


class NoWatches:
    """Watches that know nothing: each look asks."""

    def look(self, _: str) -> None:
        """Return nothing."""

    def close(self) -> None:
        """End nothing."""


CLUSTER = {"context": "fake", "namespace": "ns", "image": "x:1"}
RIGHTS = {"name": "rights", "level": "ok", "message": "all that is used in namespace ns"}


def image_check() -> Json:
    """Return a kept check of the image, so that runs can be frozen to what it has."""
    place = {**SAID, "image": CLUSTER["image"], "image_id": ""}
    return {"name": "image", "level": "ok", "evidence": json.dumps(place)}


def an_executor(
    api: FakeApi, *, had_rights: bool = False, places: Iterable[tuple[str | None, str | None]] = ()
) -> KubernetesExecutor:
    """Return an executor of that cluster as a new process has it; `had_rights`: its kept check saw them given."""
    known = [image_check(), *([RIGHTS] if had_rights else [])]
    made = KubernetesExecutor(
        CLUSTER,
        "w",
        api.clock,
        api.clock.uptime,
        places=places,
        known=known,
        client=FakeClient(api),
    )
    made._watches = NoWatches()  # type: ignore[assignment]  # threads have no place here
    release = made.release

    def at_once(receipt: Receipt, _: float = 0.0) -> Receipt:
        """Release without waiting: nothing comes while the clock stands."""
        return release(receipt)

    made.release = at_once  # type: ignore[method-assign,assignment]  # real time has no place here
    return made
