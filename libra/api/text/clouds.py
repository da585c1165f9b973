"""Pools of devices, as clouds and as clusters."""

from collections.abc import Iterable, Mapping, Sequence

from libra.api.text.layout import Column, lay_out, one_line
from libra.config.showing import Shown
from libra.usecases.admin.overview import Cloud

_CLOUD = (
    Column("NAME", 15),
    Column("CLOUD TYPE", 11),
    Column("NETWORK ADDRESS", 30),
    Column("ENABLED", 10),
)
_CLUSTER = (
    Column("ADDRESS", 25),
    Column("CLOUD TYPE", 15, "^"),
    Column("VMS/MAX", 15, "^"),
    Column("SPARE", 8, "^"),
    Column("PRIORITY", 12, "^"),
    Column("ENABLED", 12, "^"),
)
MANUAL = "manual"
"""Where an operator brings the hosts."""


def type_of(cloud: Cloud) -> str:
    """Who boots its devices."""
    return cloud.pool.provider or MANUAL


def address_of(cloud: Cloud) -> str:
    """Where its devices are, in a word or two: a pool itself has no address."""
    found = sorted({vm.device.address for vm in cloud.vms if vm.device.address})
    return found[0] if len(found) == 1 else f"{found[0]} +{len(found) - 1}" if found else ""


def render_clouds(clouds: Sequence[Cloud]) -> str:
    """One line each."""
    if not clouds:
        return "Resource pool libra has no clouds."
    rows = [
        (cloud.pool.name, type_of(cloud), address_of(cloud), not cloud.pool.disabled)
        for cloud in clouds
    ]
    return "\n".join(["Resource pool libra:", *lay_out(_CLOUD, rows)])


def render_clusters(clouds: Iterable[Cloud]) -> str:
    """One block each."""
    blocks = (f"{render_cluster(cloud)}\n" for cloud in clouds)
    return "\n".join(["Clusters in resource pool libra:", "", *blocks])


def render_cluster(cloud: Cloud) -> str:
    """How many devices it has, of how many that it may have."""
    most = cloud.pool.max_devices
    row = (
        address_of(cloud),
        type_of(cloud),
        f"{cloud.used} / {'-' if most is None else most}",
        cloud.pool.min_spare,
        cloud.pool.priority,
        not cloud.pool.disabled,
    )
    lines = [f"Cluster: {one_line(cloud.pool.name)}", *lay_out(_CLUSTER, [row])]
    if cloud.pool.disabled_reason:
        lines.append(f"Disabled: {one_line(cloud.pool.disabled_reason)}")
    if cloud.pool.brake_since is not None:
        lines.append(f"Brake: {one_line(cloud.pool.brake_reason)}")
    return "\n".join(lines)


def render_config(sections: Shown) -> str:
    """One line a section: its name, and each setting as [key,value]."""
    return "\n".join(
        f"{one_line(name)} {' '.join(_group(key, value) for key, value in values.items())}".rstrip()
        for name, values in sections.items()
    )


def _group(key: str, value: object) -> str:
    return f"[{one_line(key)},{one_line(_plain(value))}]"


def _plain(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ";".join(map(_plain, value))
    if isinstance(value, Mapping):
        return ";".join(f"{key}={_plain(item)}" for key, item in value.items())
    return str(value)
