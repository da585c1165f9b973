"""Clusters as Cinder's clients see them: groups of hosts with one worker program, and whether they are alive.

Contract: the seed `cinder-clusters.rst`, and how Cinder really answers. Ours are the device pools by their names, and
the web clusters as `web@NAME`, where two projects have one of the same name as `web@NAME#PROJECT`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from libra.model.device import WATCHED, Device
from libra.model.devicepool import DevicePool
from libra.model.webcluster import WebCluster, WebClusterNode

BINARY = "libra-worker"
ALIASES = frozenset((BINARY, "cinder-volume"))
"""Cinder's client names cinder-volume where its user names nothing."""
DOWN_AFTER = timedelta(seconds=60)
"""Cinder's `service_down_time`; a worker announces itself every 30 s, and is probed more often."""
NOT_CAPABLE = "not-capable"
WEB = "web"  # stands before the names of web clusters, as a host before its backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """`key` is our id of what it is made of: a web cluster where `is_web`, else a device pool."""

    key: str
    name: str
    is_up: bool
    num_hosts: int
    num_down_hosts: int
    last_heartbeat: datetime | None
    created_at: datetime
    updated_at: datetime | None
    disabled: bool
    disabled_reason: str | None
    binary: str = BINARY
    replication_status: str = NOT_CAPABLE
    frozen: bool = False
    active_backend_id: str | None = None
    is_web: bool = False

    @property
    def state(self) -> str:
        """Whether a worker of it has been heard of lately."""
        return "up" if self.is_up else "down"

    @property
    def status(self) -> str:
        """Whether something new may be placed there."""
        return "disabled" if self.disabled else "enabled"


def build_clusters(
    pools: Iterable[DevicePool], devices: Iterable[Device], now: datetime
) -> list[Cluster]:
    """One a device pool, in their order."""
    hosts: dict[str, list[Device]] = {}
    for device in devices:
        if device.state in WATCHED:
            hosts.setdefault(device.pool_id, []).append(device)
    return [_build(pool, hosts.get(pool.id, []), now) for pool in pools]


def _build(pool: DevicePool, hosts: list[Device], now: datetime) -> Cluster:
    return Cluster(
        key=pool.id,
        name=pool.name,
        created_at=pool.created_at,
        updated_at=pool.updated_at,
        disabled=pool.disabled,
        disabled_reason=pool.disabled_reason,
        **_pulse(hosts, now),
    )


def _pulse(hosts: list[Device], now: datetime) -> dict[str, Any]:
    """What is told of hosts by their heartbeats."""
    beats = [beat for beat in map(heartbeat_of, hosts) if beat is not None]
    last = max(beats, default=None)
    limit = now - DOWN_AFTER
    return {
        "is_up": last is not None and last >= limit,
        "num_hosts": len(hosts),
        "num_down_hosts": sum(beat < limit for beat in beats),
        "last_heartbeat": last,
    }


def build_web_clusters(
    clusters: Iterable[WebCluster],
    nodes: Iterable[WebClusterNode],
    devices: Iterable[Device],
    now: datetime,
) -> list[Cluster]:
    """One a web cluster, by name. Its hosts are its nodes, standby ones too."""
    clusters = list(clusters)
    twice = {name for name, count in Counter(item.name for item in clusters).items() if count > 1}
    by_id = {device.id: device for device in devices}
    hosts: dict[str, list[Device]] = {}
    for node in nodes:
        if node.node_oid in by_id:
            hosts.setdefault(node.cluster_oid, []).append(by_id[node.node_oid])
    built = (
        _build_web(item, hosts.get(item.oid, []), now, item.name in twice) for item in clusters
    )
    return sorted(built, key=lambda item: item.name)


def _build_web(cluster: WebCluster, hosts: list[Device], now: datetime, twice: bool) -> Cluster:
    name = f"{WEB}@{cluster.name}" + (f"#{cluster.project_id}" if twice else "")
    return Cluster(
        key=cluster.oid,
        name=name,
        created_at=cluster.created_at,
        updated_at=datetime.fromtimestamp(cluster.changed / 10**9, UTC),
        disabled=cluster.disabled,
        disabled_reason=cluster.disabled_reason,
        is_web=True,
        **_pulse(hosts, now),
    )


def heartbeat_of(device: Device) -> datetime | None:
    """When its worker was heard of last: by what it announced, or by what it answered."""
    return max(filter(None, (device.last_seen, device.announced_at)), default=None)


def is_meant(name: str, wanted: str) -> bool:
    """Cinder's rule: a name without its backend ("@...") or pool ("#...") means all of them."""
    if name == wanted:
        return True
    if "#" in wanted:
        return False
    return name.startswith(f"{wanted}#") or ("@" not in wanted and name.startswith(f"{wanted}@"))


def has_binary(cluster: Cluster, wanted: str) -> bool:
    """By any of its names."""
    return cluster.binary == wanted or (cluster.binary == BINARY and wanted in ALIASES)


def pick(clusters: Iterable[Cluster], name: str, binary: str | None) -> Cluster | None:
    """The one of exactly this name, else the first that is meant by it; `binary` None is any."""
    able = [
        item
        for item in clusters
        if is_meant(item.name, name) and (binary is None or has_binary(item, binary))
    ]
    return min(able, key=lambda item: item.name != name, default=None)


Filters = Mapping[str, str | int | bool]
"""By the names of `FILTERS` and `LATER_FILTERS`, as parsed."""
FILTERS = ("name", "binary", "is_up", "disabled", "num_hosts", "num_down_hosts")
LATER_FILTERS = ("replication_status", "frozen", "active_backend_id")  # since 3.26


def narrow(clusters: Iterable[Cluster], filters: Filters) -> list[Cluster]:
    """Those that all of them fit."""
    return [item for item in clusters if all(_fits(item, *one) for one in filters.items())]


def _fits(cluster: Cluster, name: str, wanted: str | int | bool) -> bool:
    if name == "name":
        return is_meant(cluster.name, str(wanted))
    if name == "binary":
        return has_binary(cluster, str(wanted))
    return bool(getattr(cluster, name) == wanted)
