"""Calls a cluster's API: one context of a kubeconfig, plain documents in and out, limits on everything.

The `kubernetes` package is imported on first use. What goes wrong becomes one of ours: no answer and refused
credentials are UnreachableError (news is late, nothing has ended), all else that the API refuses is ApiError.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from quarterdeck.executors.kubernetes import credentials
from quarterdeck.executors.kubernetes.apierror import ApiError as ApiError  # noqa: PLC0414  # told by its calls
from quarterdeck.executors.kubernetes.stream import Stream
from quarterdeck.model.errors import PrerequisiteError, UnreachableError

INSTALL: Final = "pip install 'quarterdeck[kubernetes]'"
CONNECT_S: Final = 5.0
READ_S: Final = 15.0
REFUSED_S: Final = 5.0  # refused credentials are not shown again before that
SHOWN_BYTES: Final = 300
TOLD_S: Final = 60.0  # how long we wait at most when the server says how long

Json = dict[str, Any]
Query = Sequence[tuple[str, str]]

_METADATA: Final = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_TOO_MANY: Final = 429
_BROKEN: Final = 500
_ANONYMOUS: Final = "system:anonymous"


class CredentialsError(UnreachableError):
    """The cluster does not know who calls: expired, revoked or none."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a context leads: a context may be pointed elsewhere while receipts still name what it was."""

    server: str
    ca_sha256: str


class Client:
    """One context's API; may be called from any thread. `told` is given the time that each answer carries."""

    def __init__(
        self, kubeconfig: str | None, context: str,
        told: Callable[[str | None], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._kubeconfig = kubeconfig
        self._context = context
        self._told_date = told
        self._lock = threading.Lock()
        self._api: Any = None
        self._target: Target | None = None
        self._stamp: tuple[tuple[str, float], ...] = ()
        self._renew_at: float | None = None
        self._refusal: tuple[float, CredentialsError] | None = None
        self._told: tuple[float, UnreachableError] | None = None
        self._silent_at: float | None = None
        self._failures = credentials.Failures()

    def silent_s(self) -> float | None:
        """Return how many seconds ago there was no answer last; None if there was one always."""
        at = self._silent_at
        return None if at is None else time.monotonic() - at

    def get(self, path: str, query: Query = (), *, read_s: float = READ_S) -> Json:
        """Return one object or list."""
        return self._call("GET", path, query, read_s=read_s)

    def names(self, path: str) -> list[str]:
        """Return the names of a list's objects; what they hold is not sent."""
        found = self._call("GET", path, content=_METADATA)["items"] or ()  # none: null
        return [str(one["metadata"]["name"]) for one in found]

    def create(self, path: str, body: Json, query: Query = ()) -> Json:
        """Create an object and return it as it was stored."""
        return self._call("POST", path, query, body=body)

    def patch(self, path: str, operations: list[Json]) -> Json:
        """Apply a JSON patch."""
        return self._call("PATCH", path, body=operations, content="application/json-patch+json")

    def delete(self, path: str, options: Json, query: Query = ()) -> Json:
        """Delete one object or, with a selector, many."""
        return self._call("DELETE", path, query, body=options)

    @contextmanager
    def stream(
        self, path: str, query: Query, *, read_s: float, documents: bool = False
    ) -> Iterator[Stream]:
        """Open an answer that comes bit by bit; of `documents` it must say that it is some."""
        response = self._request("GET", path, query, None, "application/json", read_s)
        try:
            kind = str(response.headers.get("Content-Type") or "")
            if response.status >= 400:  # noqa: PLR2004  # HTTP's refusals begin here
                with self._reached(path):
                    data = response.read()
                self._refuse("GET", path, response, data)
            if documents and not kind.startswith("application/json"):
                with self._reached(path):
                    data = response.read(SHOWN_BYTES)
                raise self._no_kubernetes(path, response.status, data)
            yield Stream(response, self._chunks(response))
        finally:
            response.close()

    def target(self) -> Target:
        """Return server and CA of the context as the kubeconfig says now."""
        self._ready()
        if self._target is None:
            raise AssertionError("a client without a target")
        return self._target

    def ask_now(self) -> None:
        """Wait for nothing that failed before: somebody wants to know now."""
        self._refusal = self._told = None  # without the lock: a command may be running under it
        self._failures = credentials.Failures()

    def close(self) -> None:
        """Let go of the connections."""
        with self._lock:
            api, self._api = self._api, None
        if api is not None:
            api.rest_client.pool_manager.clear()

    # --- within

    def _call(
        self, method: str, path: str, query: Query = (), *, body: Any = None,
        content: str = "application/json", read_s: float = READ_S,
    ) -> Json:  # fmt: skip
        for again in (True, False):
            response = self._request(method, path, query, body, content, read_s)
            with self._reached(path):
                data = response.read()
            if response.status == _UNAUTHORIZED and again and self._renewable():
                continue
            if response.status >= 400:  # noqa: PLR2004
                self._refuse(method, path, response, data)
            return self._document(path, response.status, data)
        raise AssertionError("unreachable")

    def _request(
        self, method: str, path: str, query: Query, body: Any, content: str, read_s: float
    ) -> Any:
        self._wait_as_told()
        api = self._ready()
        url = api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        accept = content if body is None else "application/json"
        headers = {"Accept": accept, "User-Agent": "quarterdeck"}
        if body is not None:
            headers["Content-Type"] = content
        api.update_params_for_auth(headers, [], ["BearerToken"], url, method, body)
        with self._reached(path):
            response = api.rest_client.request(
                method, url, headers=headers, body=body, _request_timeout=(CONNECT_S, read_s)
            ).response
        self._told_date(response.headers.get("Date"))
        return response

    @contextmanager
    def _reached(self, path: str) -> Iterator[None]:
        """Turn every way of getting no answer into UnreachableError."""
        import urllib3
        from kubernetes.client.exceptions import ApiException

        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError, ApiException) as error:
            self._silent_at = time.monotonic()
            raise UnreachableError(
                f"Context {self._context} does not answer ({path}): {_said(error)}.",
                advice="Look at the network, the VPN and the API server; it is asked again.",
            ) from error

    def _chunks(self, response: Any) -> Iterator[bytes]:
        with self._reached("a stream"):
            yield from response.stream(64 * 1024, decode_content=True)

    def _wait_as_told(self) -> None:
        """Raise what the server said last, as long as it said that nothing shall be asked."""
        with self._lock:
            if self._told is not None and time.monotonic() >= self._told[0]:
                self._told = None
            if self._told is not None:
                until, error = self._told
                left = max(1, round(until - time.monotonic()))
                said = f"{error.message} (asked again in {left} s)"
                raise UnreachableError(said, advice=error.advice)

    def _refuse(self, method: str, path: str, response: Any, data: bytes) -> None:
        code = response.status
        try:
            status = json.loads(data)
        except ValueError:
            status = None
        if code == _UNAUTHORIZED or (
            code == _FORBIDDEN and status and _ANONYMOUS in str(status.get("message"))
        ):
            raise self._no_credentials(code)
        if code == _TOO_MANY or code >= _BROKEN:
            if code >= _BROKEN:
                self._silent_at = time.monotonic()
            said = (status or {}).get("message") if isinstance(status, dict) else None
            shown = said or data[:SHOWN_BYTES].decode(errors="replace")
            error = UnreachableError(
                f"Context {self._context} answers {code} to {method} {path}: {' '.join(shown.split())}",
                advice="The API server is overloaded or broken; it is asked again.",
            )
            told = str(response.headers.get("Retry-After") or "")
            if told.isdecimal() and int(told) > 0:
                with self._lock:
                    self._told = (time.monotonic() + min(float(told), TOLD_S), error)
            raise error
        if not isinstance(status, dict) or status.get("kind") != "Status":
            raise self._no_kubernetes(path, code, data)
        raise ApiError(method, path, status, code)

    def _document(self, path: str, code: int, data: bytes) -> Json:
        try:
            document = json.loads(data)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise self._no_kubernetes(path, code, data)
        return document

    def _no_kubernetes(self, path: str, code: int, data: bytes) -> UnreachableError:
        shown = " ".join(data[:SHOWN_BYTES].decode(errors="replace").split())
        return UnreachableError(
            f"Context {self._context} answers {code} to {path} with what is no Kubernetes answer: {shown}",
            advice="A proxy or a login page may stand in between; look at the server's address.",
        )

    def _no_credentials(self, code: int) -> CredentialsError:
        error = CredentialsError(
            f"Context {self._context} does not accept these credentials ({code}): expired, revoked or none.",
            advice=f"Log in again, then try `kubectl --context {self._context} auth whoami`.",
        )
        with self._lock:
            self._api = None  # what the files say then is read anew
            self._refusal = (time.monotonic() + REFUSED_S, error)
        return error

    def _renewable(self) -> bool:
        """Whether a credential command may know better; it is asked at the next call."""
        with self._lock:
            is_renewable, self._renew_at = self._renew_at is not None, None
            if is_renewable:
                self._api = None
        return is_renewable

    def _ready(self) -> Any:
        with self._lock:
            stamp = self._files()
            if stamp != self._stamp:
                self._failures = credentials.Failures()
            is_due = self._renew_at is not None and time.monotonic() >= self._renew_at
            if self._api is not None and stamp == self._stamp and not is_due:
                return self._api
            if self._refusal is not None:
                until, error = self._refusal
                if time.monotonic() < until and stamp == self._stamp:
                    raise error
                self._refusal = None
            self._stamp, self._api = stamp, None  # what cannot be read any more is not used on
            self._api = self._load()
            return self._api

    def _files(self) -> tuple[tuple[str, float], ...]:
        found = []
        for path in self._paths():
            try:
                found.append((str(path), path.stat().st_mtime))
            except OSError:
                continue
        return tuple(found)

    def _paths(self) -> list[Path]:
        text = self._kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
        return [Path(each).expanduser() for each in text.split(os.pathsep) if each]

    def _load(self) -> Any:
        """Read the kubeconfig and return a client; PrerequisiteError names what it lacks."""
        try:
            import kubernetes.client as package
            from kubernetes.config import kube_config
            from kubernetes.config.config_exception import ConfigException
        except ModuleNotFoundError as error:
            text = f"The package {error.name} is not installed, which clusters of kind kubernetes need."
            raise PrerequisiteError(text, advice=f"{INSTALL}.") from error
        import yaml

        places = os.pathsep.join(map(str, self._paths()))
        configuration = package.Configuration()
        configuration.retries = False
        try:
            merged: Any = kube_config.KubeConfigMerger(places).config
            if merged is None:
                raise PrerequisiteError(
                    f"There is no kubeconfig at {places}.",
                    advice="Give its path in field kubeconfig, or set KUBECONFIG.",
                )
            context = merged["contexts"].get_with_name(self._context)["context"]
            user = context.safe_get("user")
            found = merged["users"].get_with_name(user, safe=True) if user else None
            command = None if found is None else found["user"].value.pop("exec", None)
            if found is not None and command is not None:
                cluster = merged["clusters"].get_with_name(context["cluster"])
                given = self._credentials(command, found["user"], cluster)
                found["user"].value.update(given)
            loader = kube_config.KubeConfigLoader(
                config_dict=merged, active_context=self._context, config_base_path=None
            )
            loader.load_and_set(configuration)
        except (
            ConfigException,
            OSError,
            yaml.YAMLError,
            KeyError,
            TypeError,
            ValueError,
        ) as error:
            raise PrerequisiteError(
                f"Context {self._context} cannot be read from {places}: {_said(error)}.",
                advice="See `kubectl config get-contexts`, or fix the file.",
            ) from error
        if command is None:
            self._renew_at = None
        configuration.refresh_api_key_hook = None
        self._target = Target(configuration.host, _digest(configuration.ssl_ca_cert))
        return package.ApiClient(configuration)

    def _credentials(self, command: Any, user: Any, cluster: Any) -> dict[str, str]:
        """Run the credential command; one that failed is run again ever more seldom."""
        if (left_s := self._failures.left_s()) > 0:
            raise self._command_failed(self._failures.why, left_s)
        try:
            info = None
            if command.get("provideClusterInfo"):
                info = credentials.cluster_info(cluster["cluster"].value, _folder(cluster))
            given = credentials.run(command, _folder(user), info)
        except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
            why = f"{credentials.shown(command)}: {credentials.why(error)}"
            raise self._command_failed(why, self._failures.again(why)) from error
        self._failures = credentials.Failures()
        self._renew_at = time.monotonic() + given.seconds
        return given.user

    def _command_failed(self, why: str, left_s: float) -> CredentialsError:
        return CredentialsError(
            f"The credential command of context {self._context} failed: {why} (run again in"
            f" {max(1, round(left_s))} s)",
            advice="Run it in a terminal: it may want you to log in. Then `R` in the application, or any command,"
            " asks immediately.",
        )


def _folder(found: Any) -> Path:
    """Return the folder of the file that a part of the kubeconfig was read from."""
    return Path(found.path).parent if found.path else Path.cwd()


def _said(error: BaseException) -> str:
    """Return the innermost text: urllib3 wraps what happened in what it was doing."""
    reason = getattr(error, "reason", None)
    return " ".join(str(reason or error).split())[:SHOWN_BYTES] or type(error).__name__


def _digest(path: str | None) -> str:
    if not path:
        return ""
    try:
        return hashlib.sha256(Path(path).read_bytes()).hexdigest()
    except OSError:
        return ""
