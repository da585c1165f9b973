"""What Cinder's clients send and get: microversions, bodies, filters, timestamps. Pure.

Contract: the seed `cinder-clusters.rst`; where its page and real Cinder differ, real Cinder, but for its faults.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from libra.messages.fields import quoted
from libra.model.cluster import FILTERS, LATER_FILTERS, Cluster

Version = tuple[int, int]
Json = dict[str, Any]

LEAST: Version = (3, 0)
MOST: Version = (3, 71)
CLUSTERS_SINCE: Version = (3, 7)
REPLICATION_SINCE: Version = (3, 26)
SERVICE = "volume"
MOST_NAME = 255
_VERSION = re.compile(r"([1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,3})")
_TRUE = frozenset(("1", "t", "true", "on", "y", "yes"))
_FALSE = frozenset(("0", "f", "false", "off", "n", "no"))
_NUMBER = re.compile(r"[0-9]{1,9}")
_KEYS = {400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound"}
_KEYS |= {409: "conflictingRequest", 413: "overLimit", 415: "badMediaType"}
_KEYS |= {501: "notImplemented", 503: "serviceUnavailable"}


class Fault(Exception):
    """What is answered instead."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


def render_fault(status: int, text: str) -> Json:
    """The body that its client shows."""
    return {_KEYS.get(status, "computeFault"): {"code": status, "message": text}}


def tell_version(version: Version) -> str:
    """As headers have it."""
    return f"{version[0]}.{version[1]}"


def parse_version(header: str | None) -> Version:
    """Of the header OpenStack-API-Version: that of its first item for volumes. Raises `Fault` 400 and 406."""
    if header is None:
        return LEAST
    items = [item.split() for item in header.split(",")]
    mine = next((item for item in items if SERVICE in item), None)
    if mine is None or len(mine) != 2:
        raise Fault(400, f"API Version header must be like '{SERVICE} 3.71', not {quoted(header)}")
    if mine[1] == "latest":
        return MOST
    match = _VERSION.fullmatch(mine[1])
    if match is None:
        raise Fault(
            400, f"API Version String {quoted(mine[1])} is of invalid format. Must be MAJOR.MINOR."
        )
    version = int(match[1]), int(match[2])
    if not LEAST <= version <= MOST:
        raise Fault(
            406,
            f"Version {tell_version(version)} is not supported by the API. "
            f"Minimum is {tell_version(LEAST)} and maximum is {tell_version(MOST)}.",
        )
    return version


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """To enable or disable a cluster; `binary` None is any."""

    name: str
    binary: str | None
    reason: str | None = None


def parse_order(body: object, *, disabling: bool) -> Order:
    """Raises `Fault` 400."""
    if not isinstance(body, dict):
        raise Fault(400, "Malformed request body: it must be an object")
    known = {"name", "binary"} | ({"disabled_reason"} if disabling else set())
    unknown = sorted(set(body) - known)
    if unknown:
        names = ", ".join(map(quoted, unknown))
        raise Fault(400, f"Additional properties are not allowed ({names} unexpected)")
    if "name" not in body:
        raise Fault(400, "'name' is a required property")
    return Order(
        name=_text(body, "name"),
        binary=_text(body, "binary", blank=True) if body.get("binary", "") is not None else None,
        reason=_reason(body.get("disabled_reason")),
    )


DEFAULT_BINARY = "cinder-volume"


def _text(body: Json, name: str, *, blank: bool = False) -> str:
    value = body.get(name, DEFAULT_BINARY)
    if not isinstance(value, str) or len(value) > MOST_NAME:
        raise Fault(
            400,
            f"Invalid input for field/attribute {name}: it must be a text of 255 characters at most",
        )
    if not blank and not value.strip():
        raise Fault(400, f"Invalid input for field/attribute {name}: it must not be blank")
    return value


def _reason(value: object) -> str | None:
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else ""
    if not isinstance(value, str) or len(text) > MOST_NAME or (value and not text):
        raise Fault(
            400,
            "Invalid input for field/attribute disabled_reason: it must be a text of 1 to 255 characters",
        )
    if not text.isprintable():
        raise Fault(400, "Invalid input for field/attribute disabled_reason: it must be one line")
    return text


def parse_filters(
    given: Iterable[tuple[str, str]], version: Version
) -> dict[str, str | int | bool]:
    """Of a query; the last of several of one name counts. Raises `Fault` 400."""
    known = FILTERS + (LATER_FILTERS if version >= REPLICATION_SINCE else ())
    values = dict(given)
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise Fault(
            400, f"Invalid filters {', '.join(map(quoted, unknown))} are found in query options."
        )
    parsed = {name: _parse_filter(name, value) for name, value in values.items()}
    if parsed.get("name") == "":
        del parsed["name"]
    return parsed


def _parse_filter(name: str, value: str) -> str | int | bool:
    if name in ("is_up", "disabled", "frozen"):
        word = value.lower()
        if word not in _TRUE | _FALSE:
            raise Fault(
                400, f"Invalid value {quoted(value)} for the filter {name}: it must be a boolean"
            )
        return word in _TRUE
    if name in ("num_hosts", "num_down_hosts"):
        if not _NUMBER.fullmatch(value):
            raise Fault(
                400, f"Invalid value {quoted(value)} for the filter {name}: it must be a number"
            )
        return int(value)
    return value


def show_brief(cluster: Cluster, version: Version) -> Json:
    """An item of a list."""
    shown = {
        "name": cluster.name,
        "binary": cluster.binary,
        "state": cluster.state,
        "status": cluster.status,
    }
    if version >= REPLICATION_SINCE:
        shown["replication_status"] = cluster.replication_status
    return shown


def show_switched(cluster: Cluster, version: Version) -> Json:
    """The reply to an order."""
    return {**show_brief(cluster, version), "disabled_reason": cluster.disabled_reason}


def show_detail(cluster: Cluster, version: Version) -> Json:
    """All of it."""
    shown: Json = {
        "name": cluster.name,
        "binary": cluster.binary,
        "state": cluster.state,
        "status": cluster.status,
        "num_hosts": cluster.num_hosts,
        "num_down_hosts": cluster.num_down_hosts,
        "last_heartbeat": _time(cluster.last_heartbeat),
        "created_at": _time(cluster.created_at),
        "updated_at": _time(cluster.updated_at),
        "disabled_reason": cluster.disabled_reason,
    }
    if version >= REPLICATION_SINCE:
        shown["replication_status"] = cluster.replication_status
        shown["frozen"] = cluster.frozen
        shown["active_backend_id"] = cluster.active_backend_id
    return shown


def _time(moment: datetime | None) -> str:
    """UTC without a zone, always with six digits behind the second."""
    if moment is None:
        return ""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds")


def show_version(base: str) -> Json:
    """The entry of a document of versions."""
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": tell_version(MOST),
        "min_version": tell_version(LEAST),
        "updated": "2023-08-31T00:00:00Z",
        "links": [{"rel": "self", "href": f"{base}/v3/"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.volume+json;version=3",
            }
        ],
    }
