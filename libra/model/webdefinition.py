"""The definition of a web cluster: all that its nodes are told, of one revision; and its text. Pure."""

import json
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from libra.model.webcluster import StoredWebService, WebCluster


@dataclass(frozen=True, slots=True, kw_only=True)
class WebTls:
    """`chain`, `client_ca` and `dhparam` are PEM; `sealed` is the key, encrypted. Clients of a cluster with `client_ca`
    must show a certificate.
    """

    chain: str = field(repr=False)
    sealed: str = field(repr=False)
    client_ca: str | None = field(default=None, repr=False)
    dhparam: str | None = field(default=None, repr=False)
    ciphers: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebDefinition:
    """As the cluster's fields, None where they were not given; `tcp_port` is None until it starts first.

    `tls_given` holds its `TLS_FIELDS`, the key encrypted: nodes are told nothing of them, who takes a change back
    needs them. None in definitions of before they were kept.
    """

    cluster_oid: str
    name: str
    tcp_version: int | None = None
    tcp_port: int | None = None
    tcp_shared: bool | None = None
    tcp_interface: str | None = None
    tcp_backlog: int | None = None
    http_client_timeout: int | None = None
    http_hsts: bool | None = None
    http_hsts_max_age: int | None = None
    http_access_log: bool | None = None
    tls: WebTls | None = None
    tls_given: tuple[Any, ...] | None = field(default=None, repr=False)
    services: tuple[StoredWebService, ...] = ()


TLS_FIELDS = (
    *("tls_key", "tls_certificate", "tls_chain_certificates", "tls_ca_certificates"),
    *("tls_dhparam", "tls_ciphers"),
)
"""Of a cluster: what `tls` is made of."""
COPIED = tuple(
    item.name
    for item in fields(WebDefinition)
    if item.name not in ("cluster_oid", "tls", "tls_given", "services")
)


def define(
    cluster: WebCluster, tls: WebTls | None, services: tuple[StoredWebService, ...]
) -> WebDefinition:
    """What it is to be from now on."""
    copied: dict[str, Any] = {name: getattr(cluster, name) for name in COPIED}
    given = tuple(getattr(cluster, name) for name in TLS_FIELDS)
    return WebDefinition(
        cluster_oid=cluster.oid, tls=tls, tls_given=given, services=services, **copied
    )


def fields_of(definition: WebDefinition) -> dict[str, Any]:
    """Those of a cluster that the definition was made of, but for its name."""
    copied = {name: getattr(definition, name) for name in COPIED if name != "name"}
    return copied | dict(zip(TLS_FIELDS, definition.tls_given or (), strict=False))


def write_definition(definition: WebDefinition) -> str:
    """The document of a `WebRevision`."""
    return json.dumps(asdict(definition), default=datetime.isoformat, separators=(",", ":"))


def read_definition(document: str) -> WebDefinition:
    """What `write_definition` wrote."""
    given = json.loads(document)
    tls, services = given.pop("tls"), given.pop("services")
    secured = given.pop("tls_given", None)
    return WebDefinition(
        **given,
        tls_given=tuple(map(_frozen, secured)) if secured is not None else None,
        tls=WebTls(**tls) if tls is not None else None,
        services=tuple(map(_read_service, services)),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _read_service(given: dict[str, Any]) -> StoredWebService:
    tags = given.pop("tags")
    made = datetime.fromisoformat(given.pop("created_at"))
    return StoredWebService(
        **given, tags=tuple(tags) if tags is not None else None, created_at=made
    )
