"""Devices as Octavia's clients see amphorae. Pure."""

from collections.abc import Iterable
from typing import Any

from libra.api.schemas.shown import plain
from libra.model.counters import ListenerCounters
from libra.model.device import DeviceState
from libra.usecases.amphorae import Amphora

Shown = dict[str, Any]
_STATUSES = {
    DeviceState.ANNOUNCED: "BOOTING",
    DeviceState.BUILDING: "BOOTING",
    DeviceState.SPARE: "READY",
    DeviceState.ASSIGNED: "ALLOCATED",
    DeviceState.DRAINING: "PENDING_DELETE",
    DeviceState.ERROR: "ERROR",
    DeviceState.RETIRED: "DELETED",
}
_NOT_HERE = (
    *("vrrp_ip", "vrrp_port_id", "ha_port_id", "cert_expiration", "vrrp_interface", "vrrp_id"),
    *("vrrp_priority", "image_id", "compute_flavor"),
)


def show_amphora(found: Amphora, wanted: str | None = None) -> Shown:
    """`wanted` is the load balancer that is asked about, of those that it has; otherwise it is the oldest."""
    device = found.device
    owner = next(
        (item for item in found.loadbalancers if wanted in (None, item.id)),
        None,
    )
    return {
        "id": device.id,
        "loadbalancer_id": owner.id if owner else None,
        "compute_id": device.name,
        "lb_network_ip": device.address or None,
        "ha_ip": owner.vip_address if owner else None,
        "role": "STANDALONE",
        "status": _STATUSES[device.state],
        "cached_zone": found.pool,
        "cert_busy": False,
        "created_at": plain("created_at", device.created_at),
        "updated_at": plain("updated_at", device.announced_at),
        **dict.fromkeys(_NOT_HERE),
    }


def show_traffic(key: str, counted: Iterable[ListenerCounters]) -> list[Shown]:
    """A row a listener."""
    return [
        {
            "id": key,
            "listener_id": item.listener_id,
            "loadbalancer_id": item.loadbalancer_id,
            "active_connections": item.active_connections,
            "bytes_in": item.bytes_in,
            "bytes_out": item.bytes_out,
            "request_errors": item.request_errors,
            "total_connections": item.total_connections,
        }
        for item in counted
    ]
