"""A TCP proxy on loopback before an API server, which cuts what goes through it when it is told to."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from tests.support import kubernetes


class Cutting:
    """Listens on a port of its own; `kubeconfig` leads there."""

    def __init__(self, folder: Path) -> None:
        document: dict[str, Any] = yaml.safe_load(Path(kubernetes.kubeconfig()).read_text())
        cluster = document["clusters"][0]["cluster"]
        found = urlsplit(cluster["server"])
        self._server = (str(found.hostname), int(found.port or 443))
        self._listener = socket.create_server(("127.0.0.1", 0))
        cluster["server"] = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self.kubeconfig = folder / "cut.kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(document))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.cuts = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> int:
        """Cut every connection that is open; return how many there were."""
        with self._lock:
            cut, self._open = self._open, set()
        for one in cut:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.cuts += 1
        return len(cut) // 2

    def close(self) -> None:
        """Listen no more."""
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            theirs = socket.create_connection(self._server, timeout=10)
            theirs.settimeout(None)
            with self._lock:
                self._open |= {ours, theirs}
            for pair in ((ours, theirs), (theirs, ours)):
                threading.Thread(target=self._carry, args=pair, daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
        for each in (one, other):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with self._lock:
            self._open -= {one, other}
        one.close()
