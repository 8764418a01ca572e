"""A real Kubernetes for tests: namespaces of their own, an image, and what only the machine beneath can do."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from quarterdeck import wiring
from quarterdeck.executors.kubernetes import KubernetesExecutor, names, rbac
from quarterdeck.executors.kubernetes.client import ApiError, Client
from quarterdeck.model import wire
from quarterdeck.model.receipt import Receipt
from quarterdeck.ports.executor import Place

VARIABLE = "QUARTERDECK_TEST_KUBECONFIG"
FAULT = "QUARTERDECK_TEST_FAULT"  # a program, called as `program stop kubelet-2`
IMAGE = os.environ.get("QUARTERDECK_TEST_IMAGE", "localhost/quarterdeck-runner:test")
CONTEXT = "test"
HOST = "10.88.0.1"  # this machine, as pods see it


def kubeconfig() -> str:
    """Return the path of the cluster's kubeconfig; skips the test where none is given."""
    path = os.environ.get(VARIABLE)
    if not path:
        pytest.skip(f"{VARIABLE} names no kubeconfig")
    return path


@contextmanager
def namespace() -> Iterator[str]:
    """Make a namespace and delete it at the end."""
    client = Client(kubeconfig(), CONTEXT)
    name = f"qd-test-{uuid.uuid4().hex[:10]}"  # noqa: TID251  # the world's, not the product's
    document = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    client.create("/api/v1/namespaces", document)
    account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
    end = time.monotonic() + 20
    while True:
        with suppress(ApiError):
            client.get(account)
            break
        assert time.monotonic() < end, f"{name} gets no service account"
        time.sleep(0.02)
    try:
        yield name
    finally:
        with suppress(ApiError):
            client.delete(f"/api/v1/namespaces/{name}", {})
        client.close()


def cluster(namespace: str, **more: Any) -> dict[str, Any]:
    """Return a cluster's definition without its name."""
    return {
        "kubeconfig": kubeconfig(), "context": CONTEXT, "namespace": namespace, "image": IMAGE, **more,
    }  # fmt: skip


def definition(namespace: str, name: str = "kube", **more: Any) -> dict[str, Any]:
    """Return a cluster's definition as its document."""
    return {"name": name, "kind": "kubernetes", **cluster(namespace, **more)}


def executor(namespace: str, **more: Any) -> KubernetesExecutor:
    """Return an executor that remembers nothing."""
    return KubernetesExecutor(
        cluster(namespace, **more),
        "wtest",
        wiring.clock,
        wiring.uptime,
    )


def place() -> Place:
    """Return what a check would know of an image; launches that freeze none of it are not held against it."""
    return Place("", "", "", "", "", IMAGE)


class Counting:
    """A server on this machine that counts what payloads in pods tell it."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        seen, lock = self.seen, threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with lock:
                    seen[self.path.strip("/")] += 1
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((HOST, 0), Handler)
        self.address = f"http://{HOST}:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def processes_of(receipt: Receipt) -> list[int]:
    """Return the processes in the attempt's containers, as this machine counts."""
    needle = f"{wire.MARKER_ENV}={receipt.id}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                is_ours = needle in (entry / "environ").read_bytes().split(b"\0")
                state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                if is_ours and state not in "ZX":
                    found.append(int(entry.name))
    return found


def demand_faults() -> None:
    """Skip the test where no program is named that stops, kills and starts parts of the cluster."""
    if not os.environ.get(FAULT):
        pytest.skip(f"{FAULT} names no program that stops parts of the cluster")


def fault(action: str, part: str) -> None:
    """Stop, kill or start a part of the cluster: `kubelet-2`, `kube-apiserver` and the like."""
    command = [os.environ[FAULT], action, part]
    subprocess.run(command, check=True, timeout=90, stdout=subprocess.DEVNULL)


def kill_runner(receipt: Receipt) -> None:
    """End process 1 of the attempt's container with SIGKILL, from outside."""
    for pid in processes_of(receipt):
        with suppress(OSError):
            status = Path(f"/proc/{pid}/status").read_text()
            if re.search(r"^NSpid:.*\t1$", status, re.M):
                os.kill(pid, signal.SIGKILL)


def eventually(what: Callable[[], bool], limit_s: float = 60) -> bool:
    """Wait until it is true; False at the limit."""
    deadline = time.monotonic() + limit_s
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def left(namespace: str, limit_s: float = 20) -> list[str]:
    """Return the names of what of ours is there after a moment.

    Where a process was killed in a check of its cluster, that check's own Job goes within two minutes.
    """
    client = Client(kubeconfig(), CONTEXT)
    found: list[str] = []

    def is_empty() -> bool:
        found.clear()
        for path in (names.jobs(namespace), names.pods(namespace), names.config_maps(namespace)):
            items = client.get(path, (("labelSelector", f"{names.OWNER}={names.PRODUCT}"),))[
                "items"
            ]
            found.extend(f"{path.rpartition('/')[2]}/{one['metadata']['name']}" for one in items)
        return not found

    eventually(is_empty, limit_s)
    client.close()
    return found


def give_driver_rights(namespace: str) -> None:
    """Bind what drivers of mode cluster need to the namespace's default service account."""
    client = Client(kubeconfig(), CONTEXT)
    apply(
        client,
        [
            d
            for d in rbac.documents(namespace, ["default"], full=False)
            if "driver" in d["metadata"]["name"]
        ],
    )
    client.close()


def apply(client: Client, documents: list[dict[str, Any]]) -> None:
    """Create roles and bindings."""
    for one in documents:
        where = one["metadata"].get("namespace")
        base = "/apis/rbac.authorization.k8s.io/v1"
        plural = one["kind"].lower() + "s"
        client.create(f"{base}/namespaces/{where}/{plural}" if where else f"{base}/{plural}", one)


def viewer_kubeconfig(folder: Path) -> Path:
    """Write a kubeconfig of the cluster's second user, who has no right until one is bound to `viewers`."""
    document = yaml.safe_load(Path(kubeconfig()).read_text())
    document["users"] = [{"name": "admin", "user": {"token": "viewer-token"}}]
    path = folder / "viewer.kubeconfig"
    path.write_text(yaml.safe_dump(document))
    return path


class Account:
    """A service account with a token that may do some verbs with our kinds, and be deleted."""

    def __init__(self, namespace: str, name: str) -> None:
        self._client = Client(kubeconfig(), CONTEXT)
        self._namespace, self.name = namespace, name
        self._path = f"/api/v1/namespaces/{namespace}/serviceaccounts"
        self._client.create(self._path, {"metadata": {"name": name}})

    def token(self) -> str:
        request = {"spec": {"expirationSeconds": 3600}}
        answer = self._client.create(f"{self._path}/{self.name}/token", request)
        return str(answer["status"]["token"])

    def may(self, *verbs: str) -> None:
        """Let it do these and no others."""
        base = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{self._namespace}"
        rules = [
            {"apiGroups": ["", "batch"], "resources": ["jobs", "pods", "events"], "verbs": verbs}
        ]
        with suppress(ApiError):
            self._client.delete(f"{base}/roles/{self.name}", {})
        role = {"metadata": {"name": self.name}, "rules": rules}
        self._client.create(f"{base}/roles", role)
        subject = {"kind": "ServiceAccount", "name": self.name, "namespace": self._namespace}
        binding = {
            "metadata": {"name": self.name}, "subjects": [subject],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self.name},
        }  # fmt: skip
        with suppress(ApiError):
            self._client.create(f"{base}/rolebindings", binding)

    def delete(self) -> None:
        """Delete it: its token is refused after some seconds."""
        self._client.delete(f"{self._path}/{self.name}", {})
        self._client.close()


def account(namespace: str, name: str, *verbs: str) -> Account:
    """Make a service account that may do these verbs with Jobs, pods and events."""
    made = Account(namespace, name)
    made.may(*verbs)
    return made
