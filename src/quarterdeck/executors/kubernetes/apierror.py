"""What the API says when it refuses; what it means to an attempt: `creating` and `denials`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_CONFLICT: Final = 409
_EXPIRED: Final = 410
_INVALID: Final = 422


class ApiError(Exception):
    """The API refused: HTTP code, its reason, and the details that it gave."""

    def __init__(self, method: str, path: str, status: Mapping[str, Any], code: int) -> None:
        self.code = int(status.get("code") or code)
        self.reason = str(status.get("reason") or "")
        self.message = str(status.get("message") or f"answered {code}")
        self.causes = tuple((status.get("details") or {}).get("causes") or ())
        self.method, self.path = method, path
        super().__init__(f"{method} {path}: {self.message}")

    @property
    def is_forbidden(self) -> bool:
        """Whether a right, a quota or an admission rule forbids it."""
        return self.code == _FORBIDDEN

    @property
    def is_gone(self) -> bool:
        """Whether there is no such object, or no such namespace."""
        return self.code == _NOT_FOUND

    @property
    def is_conflict(self) -> bool:
        """Whether the object is there already, or is another one than was meant."""
        return self.code == _CONFLICT

    @property
    def is_invalid(self) -> bool:
        """Whether the object is not as a patch's test has it, or would not be valid."""
        return self.code == _INVALID

    @property
    def is_expired(self) -> bool:
        """Whether a watch was asked to go on from where the server's memory does not reach."""
        return self.code == _EXPIRED

    def has_cause(self, reason: str) -> bool:
        """Whether a cause of this reason is among the details."""
        return any(cause.get("reason") == reason for cause in self.causes)
