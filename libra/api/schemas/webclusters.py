"""Request bodies of web clusters, of exact types: `true` is no 1, "80" no 80; and how clusters are shown."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
)

from libra.api.schemas.types import Body, Ciphers, Tags, Text
from libra.messages.addresses import is_group, parse_ip_address
from libra.model.webcluster import WebCluster
from libra.model.webpaths import LONGEST, is_name
from libra.usecases.pem import MOST_CHARACTERS

MAX_AGE = 10 * 365 * 24 * 3600
MOST_CERTIFICATES = 50
SEED_FIELDS = (
    *("oid", "name", "label", "description", "tags", "status", "owner_oid", "changed"),
    *("tcp_version", "tcp_port", "tcp_shared", "tcp_interface", "tcp_backlog"),
    *("tls_key", "tls_certificate", "tls_chain_certificates", "tls_ca_certificates"),
    *("tls_dhparam", "tls_ciphers", "http_client_timeout", "http_hsts", "http_hsts_max_age"),
    *("http_access_log", "http_display_tracebacks"),
)
_GIVEN_BY_LIBRA = ("oid", "status", "owner_oid", "changed")
_EXAMPLE: Any = {
    "name": "shop",
    "tcp_port": 8443,
    "tls_certificate": "-----BEGIN CERTIFICATE-----\n...",
    "tls_key": "-----BEGIN PRIVATE KEY-----\n...",
    "http_hsts": True,
}
_SERVICES: Any = [
    {
        "path": "/",
        "type": "static",
        "directory": "/srv/www",
        "options": {"default_file": "index.html"},
    },
    {
        "path": "/api",
        "type": "reverseproxy",
        "members": [{"address": "10.0.0.1", "port": 8000}, {"address": "10.0.0.2", "port": 8000}],
        "monitor": {"type": "HTTP", "url_path": "/health"},
    },
    {"path": "/settings", "type": "json", "value": {"theme": "dark"}},
]


def _name(value: str) -> str:
    if not is_name(value):
        raise ValueError("it must be 3 to 64 of a-z, 0-9 and _, a letter first")
    return value


def _interface(value: str) -> str:
    address = parse_ip_address(value.removeprefix("[").removesuffix("]"))
    if address is None or is_group(address):
        raise ValueError("it must be an address of the nodes, or 0.0.0.0 or ::")
    return address


Name = Annotated[
    str, AfterValidator(_name), Field(json_schema_extra={"pattern": "^[a-z][a-z0-9_]{2,63}$"})
]
Pem = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CHARACTERS)]
Pems = Annotated[list[Pem], Field(max_length=MOST_CERTIFICATES)]
Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[int, Field(ge=1, le=86_400)]
Age = Annotated[int, Field(ge=0, le=MAX_AGE)]
Parallel = Annotated[int, Field(ge=0, le=64)]
Description = Annotated[str, StringConstraints(max_length=1000)]


class WebClusterFields(Body):
    """What was not given, and null, mean the default."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, str_max_length=MOST_CHARACTERS
    )

    label: Text | None = None
    description: Description | None = None
    tags: Tags | None = None
    tcp_version: Annotated[
        Literal[4, 6] | None, Field(description="null takes what the interface is")
    ] = None
    tcp_port: Annotated[Port | None, Field(description="null: chosen at the first start")] = None
    tcp_shared: Annotated[
        bool | None, Field(description="whether others may listen on the same port of a node")
    ] = None
    tcp_interface: Annotated[
        Annotated[str, AfterValidator(_interface)] | None,
        Field(description="the address to listen on; null: all of IPv4"),
    ] = None
    tcp_backlog: Port | None = None
    tls_key: Annotated[
        Annotated[SecretStr, Field(max_length=MOST_CHARACTERS)] | None,
        Field(description="PEM; never shown. Left out where tls_certificate is an id"),
    ] = None
    tls_certificate: Annotated[
        Pem | None, Field(description="PEM, or the id of a certificate of /v1/certificates")
    ] = None
    tls_chain_certificates: Annotated[Pems | None, Field(description="PEM each, in order")] = None
    tls_ca_certificates: Annotated[
        Pems | None, Field(description="PEM each; clients must show one that these have issued")
    ] = None
    tls_dhparam: Annotated[Pem | None, Field(description="PEM")] = None
    tls_ciphers: Ciphers | None = None
    http_client_timeout: Annotated[Seconds | None, Field(description="seconds")] = None
    http_hsts: bool | None = None
    http_hsts_max_age: Annotated[Age | None, Field(description="seconds; null: a year")] = None
    http_access_log: bool | None = None
    http_display_tracebacks: Annotated[
        bool | None, Field(description="kept, and without effect: `notes` says why")
    ] = None

    def fields(self) -> dict[str, Any]:
        """What was sent, as the use cases take it."""
        given = {name: _plain(value) for name, value in self.given().items()}
        return {
            name: value
            for name, value in given.items()
            if name not in (*_GIVEN_BY_LIBRA, "project_id")
        }


class WebClusterBody(WebClusterFields):
    """A new one. What libra gives itself may be sent, and is not looked at."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    name: Name
    project_id: Text | None = None
    oid: Annotated[Any, Field(exclude=True)] = None
    status: Annotated[Any, Field(exclude=True)] = None
    owner_oid: Annotated[Any, Field(exclude=True)] = None
    changed: Annotated[Any, Field(exclude=True)] = None


class WebClusterChange(WebClusterFields):
    """Only what is given changes. Nodes that have the cluster are asked before anything is stored."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"http_client_timeout": 60}]})

    name: Name = "unnamed"


class WebNodeChange(Body):
    """How a device serves a cluster."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        json_schema_extra={"examples": [{"parallel": 2, "standby": False}]},
    )

    parallel: Annotated[
        Parallel | None, Field(description="threads of the proxy; 0 and null: all it has")
    ] = None
    standby: Annotated[
        bool | None, Field(description="whether it only takes the place of one that fails")
    ] = None


class WebNodeBody(WebNodeChange):
    """A device, by id or name."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"node": "web1", "parallel": 2}]})

    node: Annotated[Text, Field(min_length=1)]


class WebServiceChange(BaseModel):
    """Only what is given changes, null takes away; see doc/how-to/webclusters.md for what each type takes."""

    model_config = ConfigDict(
        extra="allow",
        frozen=True,
        strict=True,
        json_schema_extra={"examples": [{"value": [1, 2, 3]}, {"path": "/moved"}]},
    )

    path: Annotated[str, StringConstraints(max_length=LONGEST)] = "/"
    type: Annotated[Text, Field(min_length=1)] = ""
    label: Text | None = None
    description: Description | None = None
    tags: Tags | None = None

    def given(self) -> dict[str, Any]:
        """What was sent, what is the type's own, too."""
        known = {name: _plain(getattr(self, name)) for name in self.model_fields_set & _COMMON}
        return {**known, **(self.model_extra or {})}


_COMMON = frozenset(("path", "type", "label", "description", "tags"))


class WebServiceBody(WebServiceChange):
    """`type` is one of path, redirect, json, nodeinfo, static, reverseproxy, websocket-reverseproxy."""

    model_config = ConfigDict(json_schema_extra={"examples": _SERVICES})

    path: Annotated[str, StringConstraints(max_length=LONGEST)]
    type: Annotated[Text, Field(min_length=1)]


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return tuple(value) if isinstance(value, list) else value


def tell_notes(cluster: WebCluster) -> dict[str, str]:
    """What of it does not act, and why, by field."""
    notes = {}
    if cluster.http_display_tracebacks:
        notes["http_display_tracebacks"] = (
            "has no effect: a proxy runs no code of yours, so there are no tracebacks to show"
        )
    if cluster.http_hsts and cluster.tls_certificate is None:
        notes["http_hsts"] = "browsers heed it over TLS only, and there is no tls_certificate"
    if cluster.http_hsts_max_age is not None and not cluster.http_hsts:
        notes["http_hsts_max_age"] = "has no effect without http_hsts"
    if cluster.tls_dhparam is not None or cluster.tls_ciphers is not None:
        name = "tls_dhparam" if cluster.tls_dhparam is not None else "tls_ciphers"
        notes[name] = "is for TLS 1.2; TLS 1.3 has its own"
    return notes
