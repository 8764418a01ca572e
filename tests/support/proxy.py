"""A server on this machine before a cluster's API: counts what is asked, and can be away, mute or answer amiss."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from tests.support import kubernetes


@dataclass(frozen=True)
class Asked:
    """One request: `kind` is `list pods`, `watch jobs`, `get jobs`, `patch jobs` and the like."""

    kind: str
    path: str
    query: dict[str, list[str]]


@dataclass(frozen=True)
class Answer:
    """What is said instead of the API's answer."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cut:
    """The API's answer, cut off behind so many bytes of its body."""

    after: int


@dataclass(frozen=True)
class Old:
    """The API's answer to a watch from the first of all versions, which it has forgotten."""


@dataclass(frozen=True)
class Quiet:
    """A log that is followed and says nothing, in place of the API's answer."""


Amiss = Answer | Cut | Old | Quiet


class Proxy:
    """Forwards to the API that the tests' kubeconfig names; who brings no token is its user."""

    def __init__(self, folder: Path) -> None:
        config = yaml.safe_load(Path(kubernetes.kubeconfig()).read_text())
        self._upstream = urlsplit(config["clusters"][0]["cluster"]["server"]).netloc
        self._trusted = _context(config, folder, identified=False)
        self._identified = _context(config, folder, identified=True)
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.asked: list[Asked] = []
        self.connections = 0
        self.amiss: Callable[[Asked], Amiss | None] = lambda _: None
        self._muted: tuple[str, ...] = ()
        self._talks = threading.Event()
        self._talks.set()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.back()
        document = {
            "apiVersion": "v1", "kind": "Config", "current-context": kubernetes.CONTEXT,
            "clusters": [
                {"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{self._port}"}}
            ],
            "users": [{"name": "user", "user": {}}],
            "contexts": [
                {"name": kubernetes.CONTEXT, "context": {"cluster": "proxy", "user": "user"}}
            ],
        }  # fmt: skip
        self._document: dict[str, Any] = document
        self.kubeconfig = folder / "proxy.kubeconfig"
        self.give_token(None)

    def give_token(self, token: str | None) -> None:
        """Write the kubeconfig with this token; without one the proxy says who asks."""
        self._document["users"][0]["user"] = {} if token is None else {"token": token}
        self.kubeconfig.write_text(yaml.safe_dump(self._document))

    def counts(self) -> Counter[str]:
        with self._lock:
            return Counter(one.kind for one in self.asked)

    def forget(self) -> None:
        with self._lock:
            self.asked.clear()

    def away(self) -> None:
        """Be gone: no port, and what was open is cut off."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        self.cut()

    def cut(self) -> None:
        """Cut off what is open."""
        with self._lock:
            for one in self._open:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def back(self) -> None:
        """Be there, at the same port."""
        proxy = self

        class Handler(_Handler):
            owner = proxy

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 100

            def handle_error(self, *_: Any) -> None:
                """Say nothing: who asked has gone, or was cut off."""

        self._server = Server(("127.0.0.1", self._port), Handler)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def mute(self, *verbs: str) -> None:
        """Let connections stand and say nothing more, or nothing to requests of these verbs."""
        self._muted = verbs
        self._talks.clear()

    def speak(self) -> None:
        self._talks.set()

    @contextmanager
    def going_amiss(self, *kinds: str, by: Amiss) -> Iterator[None]:
        """Answer requests of these kinds so; no kinds: all."""
        self.amiss = lambda asked: by if not kinds or asked.kind in kinds else None
        try:
            yield
        finally:
            self.amiss = lambda _: None

    def close(self) -> None:
        self.away()
        self.speak()

    # --- one request

    def opened(self, one: socket.socket) -> None:
        with self._lock:
            self._open.add(one)
            self.connections += 1

    def closed(self, one: socket.socket) -> None:
        with self._lock:
            self._open.discard(one)

    def note(self, method: str, target: str) -> Asked:
        parts = urlsplit(target)
        query = parse_qs(parts.query)
        words = parts.path.strip("/").split("/")
        plurals = ("jobs", "pods", "configmaps", "events", "namespaces")
        plural = next((word for word in reversed(words) if word in plurals), parts.path)
        verb = method.lower()
        if verb == "get" and words[-1] == plural:
            verb = "watch" if "watch" in query else "list"
        elif words[-1] == "log":
            verb = "log"
        asked = Asked(f"{verb} {plural}", parts.path, query)
        with self._lock:
            self.asked.append(asked)
        return asked

    def wait(self, asked: Asked) -> None:
        if not self._muted or asked.kind.split()[0] in self._muted:
            self._talks.wait(120)

    def upstream(self, *, is_named: bool) -> http.client.HTTPSConnection:
        context = self._trusted if is_named else self._identified
        return http.client.HTTPSConnection(self._upstream, context=context, timeout=60)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: Proxy
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.owner.opened(self.connection)

    def finish(self) -> None:
        self.owner.closed(self.connection)
        super().finish()

    def _forward(self) -> None:
        owner = self.owner
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length) if length else None
        asked = owner.note(self.command, self.path)
        owner.wait(asked)
        amiss = owner.amiss(asked)
        if isinstance(amiss, Answer):
            self._say(amiss)
            return
        if isinstance(amiss, Quiet):
            self.send_response(200)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Connection", "close")
            self.end_headers()
            self.connection.recv(1)  # until who asked goes away
            return
        named = self.headers.get("Authorization")
        upstream = owner.upstream(is_named=named is not None)
        kept = ("Accept", "Content-Type", "Authorization", "User-Agent")
        headers = {key: self.headers[key] for key in kept if self.headers.get(key)}
        path = self.path
        if isinstance(amiss, Old):
            path = re.sub("resourceVersion=[0-9]+", "resourceVersion=1", path)
        try:
            upstream.request(self.command, path, body, headers)
            after = amiss.after if isinstance(amiss, Cut) else None
            self._relay(asked, upstream.getresponse(), after)
        finally:
            upstream.close()

    do_GET = do_POST = do_PATCH = do_DELETE = _forward  # noqa: N815  # the library's names

    def _say(self, answer: Answer) -> None:
        self.send_response(answer.status)
        headers = {"Content-Type": "application/json", **answer.headers}
        for key, value in (*headers.items(), ("Content-Length", str(len(answer.body)))):
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def _relay(self, asked: Asked, response: http.client.HTTPResponse, after: int | None) -> None:
        self.send_response(response.status)
        for key in ("Content-Type", "Retry-After", "Date", "Warning"):
            if response.headers.get(key):
                self.send_header(key, response.headers[key])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        left = after
        while block := response.read1(65536):
            self.owner.wait(asked)
            part = block if left is None else block[:left]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n" if part else b"")
            left = None if left is None else left - len(part)
            if left == 0:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _context(config: dict[str, Any], folder: Path, *, identified: bool) -> ssl.SSLContext:
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cafile=_file(cluster, "certificate-authority", folder))
    if identified:
        certificate = _file(user, "client-certificate", folder)
        context.load_cert_chain(certificate, _file(user, "client-key", folder))
    return context


def _file(of: dict[str, Any], key: str, folder: Path) -> str:
    if key in of:
        return str(of[key])
    path = folder / key
    path.write_bytes(base64.b64decode(of[f"{key}-data"]))
    return str(path)


def kinds(counted: Counter[str], *verbs: str) -> int:
    """Return how many requests of these verbs there are."""
    return sum(n for kind, n in counted.items() if kind.split()[0] in verbs)
