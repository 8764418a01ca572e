"""An attempt as Kubernetes objects: pure, from launch and cluster definition. Creating them: `executor`."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from quarterdeck.executors import environment, sail
from quarterdeck.executors.folder import RUNNER, demand_plain, runner_source
from quarterdeck.executors.kubernetes import names, pods, references
from quarterdeck.model import wire
from quarterdeck.model.errors import PrerequisiteError
from quarterdeck.model.receipt import attempt_id
from quarterdeck.ports.executor import FencedError, InputFile, Launch

Json = dict[str, Any]

PIECE_BYTES: Final = 500 * 1024  # of one file in one ConfigMap; base64 makes 667 KiB of it
MAP_BYTES: Final = 700 * 1024
_MIB: Final = 1024 * 1024
ALL_BYTES: Final = 8 * _MIB
PAYLOAD_GRACE_S: Final = 10
NET_S: Final = 120  # the runner's own timeout fires first and can explain itself
EVIDENCE_S: Final = 604_800
DEFAULT_TIMEOUT_S: Final = 3_600
_DISRUPTED: Final = [{"type": "DisruptionTarget", "status": "True"}]


@dataclass(frozen=True, slots=True)
class Piece:
    """A file, or a part of one that is too large for one ConfigMap, by its path in the input folder.

    `of` is the path of the whole file.
    """

    key: str
    path: str
    data: bytes
    of: str

    @property
    def encoded(self) -> str:
        """Its content as a ConfigMap carries it."""
        return base64.b64encode(self.data).decode()


Groups = Sequence[Sequence[Piece]]


def k8s_job(launch: Launch, cluster: Mapping[str, Any], workspace: str, groups: Groups) -> Json:
    """Return the suspended Job; `groups` are the pieces of its ConfigMaps."""
    labels = names.labels(workspace, launch, names.DRIVER)
    name = names.k8s_job(launch.run, launch.attempt)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name, "labels": labels, "annotations": notes(launch)},
        "spec": {
            "suspend": True,  # the UID is in the store before any pod can be made
            "backoffLimit": 0,  # attempts are ours
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "activeDeadlineSeconds": deadline_s(launch),
            "ttlSecondsAfterFinished": EVIDENCE_S,
            "podFailurePolicy": {"rules": [{"action": "FailJob", "onPodConditions": _DISRUPTED}]},
            "template": pods.driver(
                launch, cluster, labels, notes(launch), projected(name, groups)
            ),
        },
    }


def config_maps(launch: Launch, workspace: str, owner: str, groups: Groups) -> list[Json]:
    """Return the immutable ConfigMaps of the inputs, owned by the Job with this UID."""
    job = names.k8s_job(launch.run, launch.attempt)
    reference = {
        "apiVersion": "batch/v1", "kind": "Job", "name": job, "uid": owner,
        "controller": True, "blockOwnerDeletion": False,
    }  # fmt: skip
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"{job}-{number}",
                "labels": names.labels(workspace, launch, names.DRIVER),
                "annotations": {names.SPEC: launch.frozen_sha256},
                "ownerReferences": [reference],
            },
            "immutable": True,
            "binaryData": {piece.key: piece.encoded for piece in pieces},
        }
        for number, pieces in enumerate(groups, 1)
    ]


def packed(
    launch: Launch, cluster: Mapping[str, Any], workspace: str, namespace: str
) -> list[list[Piece]]:
    """Return the input folder's pieces, grouped into ConfigMaps; PrerequisiteError if they are too large."""
    pieces = list(_pieces(launch))
    wheel = workers_wheel(launch, _grouped(pieces))
    document = launch_document(launch, cluster, workspace, namespace, wheel)
    document["parts"] = _parts(pieces)
    said = json.dumps(document).encode()
    pieces.append(Piece("launch", wire.LAUNCH_FILE, said, wire.LAUNCH_FILE))
    total = sum(len(piece.encoded) for piece in pieces)
    if total > ALL_BYTES:
        raise PrerequisiteError(
            f"The run's files have {total / _MIB:.1f} MiB as the cluster would carry them; at most"
            f" {ALL_BYTES // _MIB} MiB can be carried.",
            advice="Read large files from object storage in the job.",
        )
    return _grouped(pieces)


def _grouped(pieces: Iterable[Piece]) -> list[list[Piece]]:
    """Return the pieces, in order, in groups for a ConfigMap each: what comes later moves no earlier one."""
    groups: list[list[Piece]] = [[]]
    size = 0
    for piece in pieces:
        length = len(piece.encoded)
        if groups[-1] and size + length > MAP_BYTES:
            groups.append([])
            size = 0
        groups[-1].append(piece)
        size += length
    return groups


def _pieces(launch: Launch) -> Iterator[Piece]:
    """Yield the pieces of each file."""
    files = [(RUNNER, runner_source()), (wire.FROZEN_FILE, launch.frozen)]
    files += [(_path(file.name), _content(file)) for file in launch.files]
    for number, (path, data) in enumerate(files):
        count = max(1, math.ceil(len(data) / PIECE_BYTES))
        for part in range(1, count + 1):
            block = data[(part - 1) * PIECE_BYTES : part * PIECE_BYTES]
            where = path if count == 1 else f"parts/{number}-{part}"
            yield Piece(f"file-{number}-{part}", where, block, path)


def _path(name: str) -> str:
    """Return the path of one of the job's own files in the input folder."""
    return f"{wire.FILES_FOLDER}/{demand_plain(name)}"


def _parts(pieces: Iterable[Piece]) -> dict[str, list[str]]:
    """Return the paths of the pieces of each file that is in more than one."""
    found: dict[str, list[str]] = {}
    for piece in pieces:
        if piece.path != piece.of:
            found.setdefault(piece.of, []).append(piece.path)
    return found


def workers_wheel(launch: Launch, groups: Groups) -> pods.Wheel | None:
    """Return the job's wheel as the engine's workers get it; None where the job is none."""
    source = environment.parse_frozen(launch.frozen).get("source") or {}
    if source.get("kind") != "wheel":
        return None
    path = _path(source["file"])
    needed = [[piece for piece in pieces if piece.of in (RUNNER, path)] for pieces in groups]
    parts = tuple(piece.path for pieces in needed for piece in pieces if piece.of == path)
    volume = projected(names.k8s_job(launch.run, launch.attempt), needed)
    return pods.Wheel(source["file"], source["sha256"], parts, volume)


def _content(file: InputFile) -> bytes:
    """Return an input's bytes, held against their hash: it may have changed since it was frozen."""
    with file.open() as content:
        data = content.read()
    digest = hashlib.sha256(data).hexdigest()
    if digest != file.sha256:
        raise FencedError(f"{file.name} has the SHA-256 {digest}, not {file.sha256}.")
    return data


def launch_document(
    launch: Launch,
    cluster: Mapping[str, Any],
    workspace: str,
    namespace: str,
    wheel: pods.Wheel | None = None,
) -> Json:
    """Return what the runner is told."""
    frozen = environment.parse_frozen(launch.frozen)
    options = sail.engine_options(frozen, executor_kind="kubernetes")
    from_env: dict[str, str] = {}
    if frozen["profile"]["mode"] == "cluster":
        options |= pods.worker_options(launch, cluster, workspace, namespace, wheel)
        from_env = pods.OPTIONS_FROM_ENV
    return {
        "protocol": wire.PROTOCOL,
        "run": launch.run,
        "attempt": launch.attempt,
        "marker": attempt_id(launch.run, launch.attempt),
        "frozen_sha256": launch.frozen_sha256,
        "actor": launch.actor,
        "trigger": launch.trigger,
        "tick": launch.tick,
        "wait_for_word": False,  # that the pod's gate is taken is the word
        "wait_s": launch.wait_s,
        "grace_s": PAYLOAD_GRACE_S,
        "engine_options": options,
        "engine_options_from_env": from_env,
        "isolation": "pid_namespace",
        "last_word_path": names.LAST_WORD,
        "beat_in_log": True,  # nothing else comes out of a pod
        "payload_path": [names.PACKAGES],
        "secrets": {name: str(one) for name, one in references.of(frozen.get("env")).items()},
    }


def notes(launch: Launch) -> dict[str, str]:
    """Return what may be read on Job and pod: names, which labels cannot hold, and the spec's hash."""
    found = {
        names.SPEC: launch.frozen_sha256,
        f"{names.PREFIX}actor": launch.actor,
        f"{names.PREFIX}workspace-name": launch.workspace,
    }
    known = (environment.parse_frozen(launch.frozen).get("place") or {}).get("image_id")
    if known:
        found[names.IMAGE_ID] = known
    return found | ({f"{names.PREFIX}tick": launch.tick} if launch.tick else {})


def deadline_s(launch: Launch) -> int:
    """Return the Job's own deadline in seconds from its release: a net below ours."""
    timeout = environment.parse_frozen(launch.frozen).get("timeout_s") or DEFAULT_TIMEOUT_S
    return math.ceil(launch.wait_s + launch.start_s + timeout + NET_S)


def projected(job: str, groups: Groups) -> Json:
    """Return the volume that shows these pieces of the ConfigMaps as one folder."""
    return {
        "sources": [
            {
                "configMap": {
                    "name": f"{job}-{number}",
                    "items": [{"key": piece.key, "path": piece.path} for piece in pieces],
                }
            }
            for number, pieces in enumerate(groups, 1)
            if pieces
        ]
    }
