"""A catalog: where table names resolve, one class for each kind. Tokens are references to secrets."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from quarterdeck.model.base import Frozen, Name, Reference, Secret, Text
from quarterdeck.model.source import has_password


def _address(value: str) -> str:
    """Refuse what is no http address, without repeating it: it may hold a password."""
    try:
        parts = urlsplit(value)
        host = parts.hostname and (parts.port or True)
    except ValueError:
        raise ValueError("is no address; write https://catalog.example/") from None
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError("is no address; write https://catalog.example/")
    if has_password(value):
        raise ValueError("holds a user name or password; give it as token: secret://name/key")
    return value


def _thrift(value: str) -> str:
    try:
        parts = urlsplit(value)
        host = parts.hostname and parts.port
    except ValueError:
        host = None
    if not host or has_password(value) or not value.startswith("thrift://"):
        raise ValueError("is no metastore; write thrift://host:9083")
    return value


Address = Annotated[Text, AfterValidator(_address)]


class MemoryCatalog(Frozen):
    """Tables of one run; they end with it."""

    name: Name
    kind: Literal["memory"]
    initial_database: list[Reference] = Field(default_factory=lambda: ["default"])


class IcebergRestCatalog(Frozen):
    """An Iceberg REST catalog."""

    name: Name
    kind: Literal["iceberg-rest"]
    uri: Address
    warehouse: Reference | None = None
    prefix: Reference | None = None
    namespace_separator: Reference | None = None
    token: Secret | None = None


class UnityCatalog(Frozen):
    """A Unity catalog."""

    name: Name
    kind: Literal["unity"]
    uri: Address
    default_catalog: Reference | None = None
    token: Secret | None = None


class OneLakeCatalog(Frozen):
    """A OneLake catalog; `url` is workspace and item."""

    name: Name
    kind: Literal["onelake"]
    url: Reference
    api: Literal["delta", "iceberg"] | None = None
    token: Secret | None = None


class GlueCatalog(Frozen):
    """An AWS Glue catalog."""

    name: Name
    kind: Literal["glue"]
    region: Reference
    catalog_id: Reference | None = None
    endpoint_url: Address | None = None


class HmsCatalog(Frozen):
    """A Hive metastore, at one or several addresses."""

    name: Name
    kind: Literal["hms"]
    uris: list[Annotated[Text, AfterValidator(_thrift)]]
    auth: Literal["none", "kerberos"] = "none"


CATALOGS: Final[dict[str, type[Frozen]]] = {
    "memory": MemoryCatalog,
    "iceberg-rest": IcebergRestCatalog,
    "unity": UnityCatalog,
    "onelake": OneLakeCatalog,
    "glue": GlueCatalog,
    "hms": HmsCatalog,
}
