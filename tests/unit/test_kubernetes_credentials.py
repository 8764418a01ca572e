"""A kubeconfig's credential command: how often it runs when it fails, and what it is told of its cluster."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
import yaml

from quarterdeck.executors.kubernetes import credentials
from quarterdeck.executors.kubernetes.client import Client, CredentialsError
from quarterdeck.model.errors import UnreachableError

NOWHERE = "https://127.0.0.1:1"  # nobody listens there
GIVES = {"apiVersion": "v1", "kind": "ExecCredential", "status": {"token": "t"}}


class Place:
    """A kubeconfig whose credential command notes each call; it fails unless it `works`."""

    def __init__(self, folder: Path, **command: Any) -> None:
        self.folder = folder
        self.path = folder / "kubeconfig"
        self.calls = folder / "calls"
        self.calls.touch()
        (folder / "answer").write_text(json.dumps(GIVES))
        self.program = folder / "login"
        self.fails()
        exec_ = {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(self.program),
            **command,
        }
        self.write({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {
                "server": NOWHERE, "certificate-authority": "ca.pem", "tls-server-name": "api.test",
                "extensions": [{"name": "client.authentication.k8s.io/exec", "extension": {"a": 1}}],
            }}],
            "users": [{"name": "u", "user": {"exec": exec_}}],
        })  # fmt: skip
        self.client = Client(str(self.path), "test")

    def write(self, document: dict[str, Any]) -> None:
        (self.folder / "ca.pem").write_text("no certificate")
        self.path.write_text(yaml.safe_dump(document))

    def says(self, end: str) -> None:
        note = f"printf '%s\\n' \"$KUBERNETES_EXEC_INFO\" >> {self.calls}"
        self.program.write_text(f"#!/bin/sh\n{note}\n{end}\n")
        self.program.chmod(0o755)

    def fails(self) -> None:
        self.says("echo 'please log in' >&2; exit 3")

    def works(self) -> None:
        self.says(f"cat {self.folder}/answer")

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.calls.read_text().splitlines()]

    def refused(self) -> str:
        with pytest.raises(CredentialsError) as caught:
            self.client.get("/version")
        return caught.value.message


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(credentials, "time", made)
    return made


@pytest.mark.row("F-14")
def test_a_command_that_fails_runs_ever_more_seldom_and_at_most_once_a_minute(
    tmp_path: Path, time: Time
) -> None:
    place = Place(tmp_path)
    ran_at = []
    for second in range(200):
        time.now = 1000.0 + second
        before = len(place.told())
        said = place.refused()
        if len(place.told()) > before:
            ran_at.append(second)
            assert "please log in" in said
            assert "run again in" in said
    assert ran_at == [0, 2, 6, 14, 30, 62, 122, 182]


def test_a_person_asks_immediately_and_so_does_another_kubeconfig(
    tmp_path: Path, time: Time
) -> None:
    place = Place(tmp_path)
    place.refused()
    place.refused()
    said = place.refused()
    assert len(place.told()) == 1
    assert "exit code 3: please log in" in said
    assert "(run again in 2 s)" in said
    place.client.ask_now()
    place.refused()
    assert len(place.told()) == 2
    place.path.write_text(place.path.read_text() + "# changed\n")
    stat = place.path.stat()
    os.utime(place.path, (stat.st_atime, stat.st_mtime + 5))
    place.refused()
    assert len(place.told()) == 3
    place.works()
    time.now += 5
    with pytest.raises(UnreachableError, match=r"does not answer|cannot be read") as caught:
        place.client.get("/version")
    assert not isinstance(caught.value, CredentialsError)


@pytest.mark.parametrize("wants", [True, False])
def test_a_command_is_told_of_its_cluster_if_it_wants_to_be(tmp_path: Path, wants: bool) -> None:
    place = Place(tmp_path, provideClusterInfo=wants)
    place.refused()
    [told] = place.told()
    assert told["kind"] == "ExecCredential"
    if not wants:
        assert "cluster" not in told["spec"]
        return
    assert told["spec"]["cluster"] == {
        "server": NOWHERE, "tls-server-name": "api.test", "config": {"a": 1},
        "certificate-authority-data": b64encode(b"no certificate").decode(),
    }  # fmt: skip
