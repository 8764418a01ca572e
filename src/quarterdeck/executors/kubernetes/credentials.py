"""Runs a kubeconfig's credential command: no terminal, a time limit, and its own words when it fails."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

LIMIT_S: Final = 30.0
KEPT_S: Final = 600.0  # credentials that name no end are asked for anew after that
EARLY_S: Final = 30.0
SHOWN: Final = 300
FIRST_S: Final = 2.0  # until a command that failed is run again; then doubled
LONGEST_S: Final = 60.0
_CONFIG: Final = "client.authentication.k8s.io/exec"
_TOLD: Final = (
    "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority-data", "proxy-url",
    "disable-compression",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """What goes into the kubeconfig's user instead of the command, and for how many seconds."""

    user: dict[str, str]
    seconds: float


class Failures:
    """How often a command failed in a row, and when it may be run again: each time later, at most a minute."""

    def __init__(self) -> None:
        self.why = ""
        self._wait_s = FIRST_S
        self._until = 0.0

    def left_s(self) -> float:
        """Return in how many seconds it may be run again."""
        return self._until - time.monotonic()

    def again(self, why: str) -> float:
        """Keep that it failed; return how many seconds are to be waited."""
        wait_s, self.why = self._wait_s, why
        self._until = time.monotonic() + wait_s
        self._wait_s = min(LONGEST_S, wait_s * 2)
        return wait_s


def cluster_info(cluster: Mapping[str, Any], base: Path) -> dict[str, Any]:
    """Return what a command with `provideClusterInfo` is told of its cluster; paths are below `base`."""
    found = {key: cluster[key] for key in _TOLD if cluster.get(key) is not None}
    if "certificate-authority-data" not in found and cluster.get("certificate-authority"):
        data = (base / cluster["certificate-authority"]).read_bytes()
        found["certificate-authority-data"] = base64.b64encode(data).decode()
    for one in cluster.get("extensions") or ():
        if one["name"] == _CONFIG:
            found["config"] = one.get("extension")
    return found


def run(command: Mapping[str, Any], base: Path, cluster: Mapping[str, Any] | None = None) -> Given:
    """Run the command and return what it gives; OSError, SubprocessError or ValueError say why not.

    `cluster` is what it is told of the cluster, if it wants to be.
    """
    name = command["command"]
    program = str(base / name) if os.sep in name else shutil.which(name)
    if program is None:
        raise FileNotFoundError(f"{name} is not installed or not in PATH")
    spec: dict[str, Any] = {"interactive": False}
    if cluster is not None:
        spec["cluster"] = cluster
    info = {"apiVersion": command["apiVersion"], "kind": "ExecCredential", "spec": spec}
    env = dict(os.environ)
    env |= {each["name"]: each["value"] for each in command.get("env") or ()}
    env["KUBERNETES_EXEC_INFO"] = json.dumps(info)
    done = subprocess.run(  # noqa: S603  # the user's kubeconfig names it
        [program, *(command.get("args") or ())], env=env, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=LIMIT_S, check=True, text=True,
    )  # fmt: skip
    status = json.loads(done.stdout)["status"]
    user = {}
    if "token" in status:
        user["token"] = status["token"]
    if "clientCertificateData" in status:
        user["client-certificate-data"] = _base64(status["clientCertificateData"])
        user["client-key-data"] = _base64(status["clientKeyData"])
    if not user:
        raise ValueError("it gave neither a token nor a certificate")
    return Given(user, _seconds(status.get("expirationTimestamp")))


def shown(command: Mapping[str, Any]) -> str:
    """Return the command as a person would type it."""
    return " ".join([str(command.get("command")), *map(str, command.get("args") or ())])


def why(error: BaseException) -> str:
    """Return what went wrong, in its own last words where it has any."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"it did not end within {LIMIT_S:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        said = " ".join((error.stderr or "").split())[-SHOWN:]
        return f"exit code {error.returncode}{': ' if said else ''}{said}"
    if isinstance(error, KeyError):
        return f"its answer lacks {error}"
    return str(error)


def _base64(pem: str) -> str:
    return base64.b64encode(pem.encode()).decode()


def _seconds(expires: str | None) -> float:
    if not expires:
        return KEPT_S
    at = datetime.fromisoformat(expires.replace("Z", "+00:00"))
    left = at - datetime.now(UTC) - timedelta(seconds=EARLY_S)  # noqa: TID251  # it is compared with the world's time
    return max(1.0, left.total_seconds())
