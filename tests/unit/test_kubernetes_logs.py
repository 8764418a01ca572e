"""Reading an attempt's sources over a scripted API: by time, late workers, ends and what is gone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from quarterdeck.executors.kubernetes import names
from quarterdeck.executors.kubernetes.client import ApiError
from quarterdeck.executors.kubernetes.logs import Logs
from quarterdeck.model.errors import UnreachableError
from quarterdeck.model.ids import RunId
from quarterdeck.model.logline import Cursor, LogChunk
from quarterdeck.model.receipt import Receipt

RUN = RunId("rx0000000000")
RECEIPT = Receipt("kubernetes", RUN, 1, {"uid": "u1", "name": f"qd-{RUN}-a1", "namespace": "n"})
BEGUN = "2026-11-28T10:00:00Z"
Json = dict[str, Any]


class Api:
    """Pods with their logs; a stream that follows stays open until its pod ends."""

    def __init__(self) -> None:
        self.pods: dict[str, Json] = {}
        self.lines: dict[str, list[bytes]] = {}
        self.job: Json | None = {"metadata": {"uid": "u1"}, "status": {}}
        self.ended = threading.Event()
        self.asked: list[str] = []

    def add(self, name: str, role: str) -> None:
        container = names.CONTAINER if role == names.DRIVER else names.WORKER_CONTAINER
        self.pods[name] = {
            "metadata": {
                "name": name, "namespace": "n", "labels": {names.ROLE: role},
                "ownerReferences": [{"uid": "u1"}] if role == names.DRIVER else [],
            },
            "status": {"containerStatuses": [
                {"name": container, "state": {"running": {"startedAt": BEGUN}}}]},
        }  # fmt: skip
        self.lines[name] = []

    def end(self, name: str) -> None:
        [container] = self.pods[name]["status"]["containerStatuses"]
        container["state"] = {"terminated": {"startedAt": BEGUN, "exitCode": 0}}

    def say(self, name: str, second: int, text: str) -> None:
        number = len(self.lines[name]) + 1
        stamp = f"2026-11-28T10:00:{second:02}"
        if names.is_driver(self.pods[name]):
            at_ms = 1_795_860_000_000 + second * 1000
            text = json.dumps([number, at_ms, "payload", "stdout", 0, text])
        self.lines[name].append(f"{stamp}.000000000Z {text}\n".encode())

    def get(self, path: str, query: Any = ()) -> Json:
        del query
        if path.endswith("/pods"):
            return {"items": list(self.pods.values())}
        if self.job is None:
            raise ApiError("GET", path, {"code": 404}, 404)
        return self.job

    @contextmanager
    def stream(self, path: str, query: Any, *, read_s: float) -> Iterator[Iterator[bytes]]:
        del read_s
        name, options = path.split("/")[-2], dict(query)
        self.asked.append(f"{name} {options.get('follow', 'now')}")
        yield self._blocks(name, follows="follow" in options)

    def _blocks(self, name: str, *, follows: bool) -> Iterator[bytes]:
        lines, at = self.lines[name], 0
        while True:
            yield from lines[at:]
            at = len(lines)
            if not follows or self.ended.wait(0.01):
                return


DRIVER, ONE, TWO = f"qd-{RUN}-a1-x", f"qd-{RUN}-a1-w-abc-1", f"qd-{RUN}-a1-w-abc-2"


def now() -> datetime:
    return datetime(2026, 11, 28, 10, 1, tzinfo=UTC)


def look(logs: Logs, cursor: Cursor) -> tuple[list[str], Cursor, list[LogChunk]]:
    """Return the texts that came, as `origin text`, the cursor behind them, and the chunks that end or lack."""
    said, marked = [], []
    for chunk in logs.read(RECEIPT, (), cursor, follow=False):
        cursor = chunk.cursor
        said += [f"{line.origin} {line.text}" for line in chunk.lines]
        if chunk.ended or chunk.gap:
            marked.append(chunk)
    return said, cursor, marked


def test_sources_come_by_time_and_streams_take_over_without_loss() -> None:
    api = Api()
    logs = Logs(api, lambda _: None, now)  # type: ignore[arg-type]
    for name, role in ((DRIVER, names.DRIVER), (ONE, names.WORKER)):
        api.add(name, role)
    for second, name in ((1, DRIVER), (3, ONE), (5, DRIVER), (7, ONE)):
        api.say(name, second, f"at {second}")
    said, cursor, marked = look(logs, Cursor({"other": 3}))
    assert said == ["payload at 1", "worker-1 at 3", "payload at 5", "worker-1 at 7"]
    assert not marked
    _, cursor, _ = look(logs, cursor)  # which opens streams
    assert f"{DRIVER} true" in api.asked
    api.add(TWO, names.WORKER)  # late
    api.say(TWO, 8, "late")
    api.say(DRIVER, 9, "last")
    seen: list[str] = []
    for _ in range(400):
        more, cursor, _ = look(logs, cursor)
        seen += more
        if len(seen) >= 2:
            break
        threading.Event().wait(0.01)
    assert sorted(seen) == ["payload last", "worker-2 late"]
    api.end(ONE)
    api.end(DRIVER)
    api.ended.set()
    for _ in range(400):
        more, cursor, marked = look(logs, cursor)
        assert more == []
        if marked and marked[-1].source == RECEIPT.id:
            break
        threading.Event().wait(0.01)
    assert not any(chunk.gap for chunk in marked)
    assert cursor.positions["other"] == 3
    assert {key for key in cursor.positions if key.endswith("@ended")} == {
        f"{RECEIPT.id}/worker-1.abc@ended", f"{RECEIPT.id}/worker-2.abc@ended"
    }  # fmt: skip
    logs.close()


def test_another_writers_cursor_begins_anew_and_a_gone_worker_is_one_gap() -> None:
    api = Api()
    logs = Logs(api, lambda _: None, now)  # type: ignore[arg-type]
    for name, role in ((DRIVER, names.DRIVER), (ONE, names.WORKER)):
        api.add(name, role)
        for second in (1, 2, 3):
            api.say(name, second, f"at {second}")
    first, cursor, _ = look(logs, Cursor())
    again, same, _ = look(logs, Cursor())  # as if nothing had been kept
    assert (len(first), again, same) == (6, first, cursor)
    del api.pods[ONE]
    said, cursor, [gone] = look(Logs(api, lambda _: None, now), same)  # type: ignore[arg-type]
    assert (said, gone.source) == ([], f"{RECEIPT.id}/worker-1.abc")
    assert "with it the rest of its log" in gone.gap
    assert look(Logs(api, lambda _: None, now), cursor)[2] == []  # type: ignore[arg-type]
    api.pods.clear()
    api.job = {
        "metadata": {"uid": "u1"},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]},
    }
    [lost] = look(Logs(api, lambda _: None, now), cursor)[2]  # type: ignore[arg-type]
    assert (lost.source, lost.ended) == (RECEIPT.id, True)
    assert lost.gap
    api.job = None
    [reaped] = look(Logs(api, lambda _: None, now), cursor)[2]  # type: ignore[arg-type]
    assert (reaped.ended, reaped.gap) == (True, "")
    logs.close()


def test_a_log_that_no_node_gives_is_asked_for_ever_more_rarely_until_its_container_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: seconds[0])
    api = Api()
    logs = Logs(api, lambda _: None, now)  # type: ignore[arg-type]
    api.add(DRIVER, names.DRIVER)
    api.ended.set()  # each stream ends at once
    cursor = Cursor()
    for _ in range(120):  # two minutes
        seconds[0] += 1
        _, cursor, _ = look(logs, cursor)
        threading.Event().wait(0.005)
    asked = api.asked.count(f"{DRIVER} true")
    assert 5 <= asked <= 10, asked
    api.say(DRIVER, 9, "at last")
    api.end(DRIVER)
    said, _, [end] = look(logs, cursor)
    assert (said, end.ended) == (["payload at last"], True)
    logs.close()


@pytest.mark.parametrize("what", ["evicted", "deleted", "two minutes ago"])
def test_a_log_that_the_node_lost_is_a_gap_and_holds_up_no_end(what: str) -> None:
    api, moved = Api(), [timedelta(0)]
    logs = Logs(api, lambda _: None, lambda: now() + moved[0])  # type: ignore[arg-type]
    for name, role in ((DRIVER, names.DRIVER), (ONE, names.WORKER)):
        api.add(name, role)
        api.end(name)
        [container] = api.pods[name]["status"]["containerStatuses"]
        container["state"]["terminated"]["finishedAt"] = "2026-11-28T10:00:59Z"
        api.lines[name] = [b"unable to retrieve container logs for containerd://7c\n"]
    lost = {RECEIPT.id, f"{RECEIPT.id}/worker-1.abc"}
    if what == "evicted":
        for pod in api.pods.values():
            pod["status"]["reason"] = "Evicted"
    if what == "deleted":  # the node removes its containers before it lets the object go
        api.pods[DRIVER]["metadata"]["deletionTimestamp"] = "2026-11-28T10:01:29Z"
        del api.pods[ONE]
        lost = {RECEIPT.id}
    if what == "two minutes ago":
        with pytest.raises(UnreachableError, match="unable to retrieve"):
            look(logs, Cursor())
        moved[0] = timedelta(minutes=3)  # its runtime was down for a moment, or for good
    said, _, marked = look(logs, Cursor())
    assert said == []
    assert {chunk.source: chunk.gap for chunk in marked} == dict.fromkeys(
        lost, "the node does not have the rest of the log any more"
    )
    assert marked[-1].ended
    logs.close()


@pytest.mark.parametrize("is_deleted", [True, False])
def test_a_stream_that_ended_says_that_a_log_was_whole_only_once_its_node_will_not_give_it_again(
    is_deleted: bool,
) -> None:
    api = Api()
    logs = Logs(api, lambda _: None, now)  # type: ignore[arg-type]
    api.add(DRIVER, names.DRIVER)
    api.say(DRIVER, 1, "all")
    _, cursor, _ = look(logs, Cursor())
    _, cursor, _ = look(logs, cursor)  # which opens a stream
    api.ended.set()
    threading.Event().wait(0.2)  # until it has ended
    api.end(DRIVER)
    api.lines[DRIVER] = [b"unable to retrieve container logs for containerd://7c\n"]
    [container] = api.pods[DRIVER]["status"]["containerStatuses"]
    container["state"]["terminated"]["finishedAt"] = "2026-11-28T10:00:59Z"
    if is_deleted:
        api.pods[DRIVER]["metadata"]["deletionTimestamp"] = "2026-11-28T10:01:29Z"
        _, _, [end] = look(logs, cursor)
        assert (end.ended, end.gap) == (True, "")
    else:  # its runtime may be down for a moment, and have cut the stream off
        with pytest.raises(UnreachableError, match="unable to retrieve"):
            look(logs, cursor)
    logs.close()
