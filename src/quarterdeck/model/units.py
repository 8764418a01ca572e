"""Durations (`1h30m`) and sizes (`4Gi`) as users write them: parse and print."""

import re
from datetime import timedelta
from typing import Final

_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_DURATION: Final = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)(Ki|Mi|Gi|Ti|K|M|G|T)?")
_BYTES: Final = {
    None: 1, "K": 1000, "M": 1000**2, "G": 1000**3, "T": 1000**4,
    "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3, "Ti": 1024**4,
}  # fmt: skip
_CPU: Final = re.compile(r"(\d+)m|(\d+(?:\.\d+)?)")
DURATION_FORM: Final = "a whole number with a unit: 45s, 30m, 2h, 1d, 1h30m"
SIZE_FORM: Final = "a number with a unit: 512Mi, 4Gi"


def parse_duration(text: str) -> timedelta:
    """Return the length of `45s`, `30m`, `2h`, `1d` or `1h30m`; ValueError names the form."""
    match = _DURATION.fullmatch(text.strip())
    if not text.strip() or match is None:
        raise ValueError(f"{text!r} is no duration; write {DURATION_FORM}")
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        raise ValueError(f"{text!r} is too long") from None


def format_duration(length: timedelta) -> str:
    """Return the shortest text that `parse_duration` reads back: `1h30m`; fractions are cut."""
    left = int(length.total_seconds())
    parts = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, _SECONDS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """Return the bytes of `512Mi` or `4Gi`; a bare number is bytes."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size; write {SIZE_FORM}")
    return int(float(match[1]) * _BYTES[match[2]])


def format_size(size_bytes: int) -> str:
    """Return `size_bytes` in the largest binary unit that divides it."""
    for unit in ("Ti", "Gi", "Mi", "Ki"):
        if size_bytes and size_bytes % _BYTES[unit] == 0:
            return f"{size_bytes // _BYTES[unit]}{unit}"
    return str(size_bytes)


def parse_cpu(text: str) -> float:
    """Return the cores of `2`, `0.5` or `500m`."""
    match = _CPU.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no number of CPUs; write 2, 0.5 or 500m")
    return int(match[1]) / 1000 if match[1] else float(match[2])
