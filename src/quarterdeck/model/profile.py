"""A compute profile: execution mode, nodes, libraries and engine configuration under one name."""

from typing import Annotated, Literal

from packaging.requirements import InvalidRequirement, Requirement
from pydantic import BeforeValidator, Field

from quarterdeck.model.base import (
    Cpu,
    DiskGib,
    Env,
    Frozen,
    InstanceType,
    Name,
    Options,
    Reference,
    Size,
    Text,
    Workers,
    kind_word,
)
from quarterdeck.model.source import has_password
from quarterdeck.model.text import shown


def _library(value: object) -> object:
    """Refuse what is neither a requirement nor a wheel's address; an address is never repeated."""
    if not isinstance(value, str):
        raise ValueError(f"is {kind_word(value)}; write it in quotes")  # noqa: TRY004
    text = value.strip()
    if text.startswith("-"):
        raise ValueError("options are not taken; write one requirement: requests==2.32.5")
    name, at, address = text.partition("@")
    wheel = "://" in name or not at
    address = text if wheel else address.strip()
    if "://" in address:
        if has_password(address.partition(";")[0]):
            raise ValueError(
                "holds a user name or password; it would be kept and shown: leave it out"
            )
        if not address.startswith(("https://", "s3://")):
            raise ValueError("is no address that is read; give https:// or s3://")
        if wheel and not address.endswith(".whl"):
            raise ValueError("is no wheel; the address must end in .whl")
        if wheel:
            return value
    elif address.startswith((".", "/", "~", "file:")) or "\\" in address or "/" in address:
        raise ValueError(
            "is a path on this machine, which a node does not have; give s3:// or https://"
        )
    try:
        Requirement(text)
    except InvalidRequirement:
        what = "this" if "://" in text or "@" in text else shown(text)
        raise ValueError(
            f"{what} is no requirement; write requests==2.32.5 or requests>=2,<3"
        ) from None
    return value


Library = Annotated[Text, BeforeValidator(_library)]


class Driver(Frozen):
    """The node of the driver; without an instance type any compute node that fits."""

    instance_type: InstanceType | None = None
    disk_gib: DiskGib
    cpu: Cpu | None = None
    memory: Size | None = None


class Worker(Frozen):
    """The nodes of the workers, at most `max_nodes`."""

    instance_type: InstanceType
    disk_gib: DiskGib
    max_nodes: Workers
    capacity_type: Literal["on_demand", "spot"]
    cpu: Cpu | None = None
    memory: Size | None = None


class ProfileFile(Frozen):
    """A compute profile; `worker` belongs to mode cluster alone (checked in `problems`)."""

    name: Name
    team: Reference
    mode: Literal["standalone", "cluster"]
    driver: Driver
    worker: Worker | None = None
    libraries: list[Library] = Field(default_factory=list)
    sail_config: Options = Field(default_factory=dict)
    env: Env = Field(default_factory=dict)
