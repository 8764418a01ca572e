"""The base of what users write, and the types of its fields; a wrong value says so in the user's words."""

import math
import re
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainValidator

from quarterdeck.model import limits
from quarterdeck.model.text import flaw, name_flaw, shown
from quarterdeck.model.units import (
    DURATION_FORM,
    SIZE_FORM,
    format_duration,
    format_size,
    parse_cpu,
    parse_duration,
    parse_size,
)

EMPTY: Final = "is empty"  # the form's line of help is put behind it
_NUMBER_LENGTH: Final = 32  # characters of a duration, size or CPU; longer is no number of ours
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_SUBDOMAIN: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_INSTANCE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_SECRET: Final = re.compile(r"secret://[A-Za-z0-9][A-Za-z0-9._-]{0,252}/[A-Za-z0-9._-]{1,253}")
_SECRET_START: Final = re.compile(r"\s*secret:/", re.IGNORECASE)
_ENV_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPTION_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_RESERVED_PREFIX: Final = ("SAIL_", "QUARTERDECK_")
_RESERVED: Final = frozenset({
    "LD_PRELOAD", "NO_PROXY", "PATH", "PYTHONHOME", "PYTHONPATH", "PYTHONUNBUFFERED", "RUST_LOG",
    "SPARK_HOME", "SPARK_REMOTE", "TMPDIR", "no_proxy",
})  # fmt: skip


class Frozen(BaseModel):
    """Immutable, strict (no text becomes a number), without unknown fields; built on first use."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


def kind_word(value: object) -> str:
    """Return what `value` is, as a user of YAML would say."""
    words = {
        bool: "true or false", int: "a number", float: "a number", str: "text",
        list: "a list", dict: "a mapping", type(None): "nothing",
    }  # fmt: skip
    return words.get(str if isinstance(value, str) else type(value), "something else")


def _text(value: object) -> object:
    if isinstance(value, str) and (found := flaw(value)):
        raise ValueError(found)
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and (found := name_flaw(value)):
        raise ValueError(found)
    return value


def _reference(value: str) -> str:
    if not value.strip():
        raise ValueError(EMPTY)
    return value


def _duration(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError(f"needs a unit; write {DURATION_FORM}")  # noqa: TRY004  # pydantic collects it
    if len(value) > _NUMBER_LENGTH or value.strip().isdecimal() or value.strip().startswith("-"):
        raise ValueError(f"{shown(value)} is no duration; write {DURATION_FORM}")
    length = parse_duration(value)
    if length > limits.LENGTH_MOST:
        most = format_duration(limits.LENGTH_MOST)
        raise ValueError(f"{value} is too long; at most {most}")
    return length.total_seconds()


def _positive(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError(f"must be more than 0; write {DURATION_FORM}")
    return seconds


def _size(value: object) -> int:
    least, most = format_size(limits.MEMORY_LEAST_BYTES), format_size(limits.MEMORY_BYTES)
    allowed = f"from {least} to {most}; write {SIZE_FORM}"
    if not isinstance(value, str) or len(value) > _NUMBER_LENGTH:
        raise ValueError(f"must be a size {allowed}")
    try:
        size = parse_size(value)
    except ValueError:
        raise ValueError(f"{shown(value)} is no size {allowed}") from None
    if not limits.MEMORY_LEAST_BYTES <= size <= limits.MEMORY_BYTES:
        raise ValueError(f"{value} is not {allowed}")
    return size


def _cpu(value: object) -> float:
    allowed = f"from {limits.CPU_LEAST:g} to {limits.CPU:,.0f} CPUs; write 2, 0.5 or 500m"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"must be a number {allowed}")  # noqa: TRY004
    try:
        cpu = parse_cpu(value[: _NUMBER_LENGTH + 1]) if isinstance(value, str) else float(value)
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(value)} is not {allowed}") from None
    if not limits.CPU_LEAST <= cpu <= limits.CPU:  # not a number is neither
        raise ValueError(f"{shown(value)} is not {allowed}")
    return cpu


def whole(least: int, most: int, example: int) -> BeforeValidator:
    """Return a check for a whole number within `least` and `most`, both allowed."""

    def check(value: object) -> object:
        allowed = f"a whole number from {least:,} to {most:,}, such as {example}"
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"must be {allowed}")  # noqa: TRY004  # pydantic collects it
        if not least <= value <= most:
            raise ValueError(f"{shown(value)} is not {allowed}")
        return value

    return BeforeValidator(check)


def pattern(expression: re.Pattern[str], form: str) -> AfterValidator:
    """Return a check for a text that matches whole; `form` says what does."""

    def check(value: str) -> str:
        if not expression.fullmatch(value):
            raise ValueError(f"{shown(value)} is not {form}")
        return value

    return AfterValidator(check)


def longest(most: int) -> AfterValidator:
    """Return a check for a text of at most `most` characters."""

    def check(value: str) -> str:
        if len(value) > most:
            raise ValueError(f"has {len(value):,} characters; at most {most:,} are allowed")
        return value

    return AfterValidator(check)


def _secret(value: str) -> str:
    if not _SECRET.fullmatch(value):
        raise ValueError("must be a reference, never the value: secret://name/key")
    return value


def _env_name(value: str) -> str:
    if not _ENV_NAME.fullmatch(value):
        raise ValueError("is no name of a variable; use letters, digits and _, not a digit first")
    upper = value.upper()
    if upper.startswith(_RESERVED_PREFIX) or value in _RESERVED:
        raise ValueError("is reserved: set by Quarterdeck itself; choose another name")
    return value


def _env_value(value: object) -> object:
    if value is None:
        raise ValueError('is empty; write "" for an empty value')
    if not isinstance(value, str):
        raise ValueError(f"is {kind_word(value)}; write it in quotes")  # noqa: TRY004
    if _SECRET_START.match(value) and not _SECRET.fullmatch(value):
        raise ValueError("is no reference to a secret; write secret://name/key")
    return value


def _option(value: object) -> object:
    if value is None:
        raise ValueError("is empty; leave it out for the engine's own value")
    return _json(value)


def _json(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("must be finite")
    if isinstance(value, str):
        return _text(value)
    for item in [*value, *value.values()] if isinstance(value, dict) else ():
        _json(item)
    for item in value if isinstance(value, list) else ():
        _json(item)
    return value


def _parameter(value: object) -> object:
    if isinstance(value, list | dict):
        raise ValueError(  # noqa: TRY004
            f"is {kind_word(value)}; a parameter is text, a number, true, false or null"
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError("is beyond the engine's whole numbers of 64 bits; write it in quotes")
    return _json(value)


def _identifier(value: str) -> str:
    if not value.isidentifier():
        raise ValueError("is no name of a parameter; use letters, digits and _, not a digit first")
    return value


Text = Annotated[str, BeforeValidator(_text)]
Name = Annotated[str, BeforeValidator(_name)]
Reference = Annotated[Text, AfterValidator(_reference)]
Duration = Annotated[float, BeforeValidator(_duration)]
PositiveDuration = Annotated[Duration, AfterValidator(_positive)]
Size = Annotated[int, BeforeValidator(_size)]
Cpu = Annotated[float, BeforeValidator(_cpu)]
DiskGib = Annotated[int, whole(1, limits.DISK_GIB, 20)]
Workers = Annotated[int, whole(1, limits.WORKERS, 4)]
ConcurrentRuns = Annotated[int, whole(1, limits.CONCURRENT_RUNS, 1)]
InstanceType = Annotated[
    Text, pattern(_INSTANCE, "an instance type; write it as the cloud does: m7i.large")
]
Label = Annotated[Text, pattern(_LABEL, "a DNS label: a-z, 0-9 and -, at most 63")]
Subdomain = Annotated[
    Text, pattern(_SUBDOMAIN, "a Kubernetes name: a-z, 0-9, - and ., at most 253")
]
Secret = Annotated[Text, AfterValidator(_secret)]
OptionName = Annotated[
    Text,
    longest(limits.OPTION_LENGTH),
    pattern(_OPTION_NAME, "the name of an option, such as execution.batch_size"),
]
Json = Annotated[object, PlainValidator(_json)]
Options = dict[OptionName, Annotated[object, PlainValidator(_option)]]
Parameters = dict[
    Annotated[Text, AfterValidator(_identifier)], Annotated[object, PlainValidator(_parameter)]
]
Env = dict[
    Annotated[Text, AfterValidator(_env_name)],
    Annotated[str, BeforeValidator(_env_value), BeforeValidator(_text)],
]
