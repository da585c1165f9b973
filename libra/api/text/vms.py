"""Devices, as virtual machines of a scheduler."""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from libra.api.text.layout import Column, lay_out, one_line
from libra.model.overview import RETIRING, count_statuses, override_of, startup_of, status_of
from libra.usecases.admin.overview import Cloud, Vm

_VM = (
    Column("ID", 36),
    Column("HOSTNAME", 25),
    Column("VMTYPE", 12),
    Column("USER", 10),
    Column("STATUS", 12),
)
_CLUSTER = Column("CLUSTER", 15)
MOST_USERS = 3  # of one device that are named
ORDER = ("Running", "Starting", "Error", RETIRING, "Announced", "Shutdown")


def render_vm(vm: Vm, kind: str) -> str:
    """One, of a cluster that was named; `kind` is its cluster's."""
    heading = f"VM Info: {one_line(vm.device.id)}"
    return "\n".join([heading, *lay_out(_VM, [_row(vm, kind)])])


def render_vms(clouds: Sequence[Cloud], kinds: Mapping[str, str]) -> str:
    """All, and how many there are; `kinds` by the clouds' names."""
    vms = [vm for cloud in clouds for vm in cloud.vms]
    rows = [(*_row(vm, kinds[vm.pool]), vm.pool) for vm in vms]
    total = f"Total VMs: {len(vms)}. Total Clouds: {len(clouds)}"
    return "\n".join([*lay_out((*_VM, _CLUSTER), rows), "", total])


def _row(vm: Vm, kind: str) -> tuple[object, ...]:
    device = vm.device
    shown = override_of(device) or status_of(device)
    return (device.id, device.name, kind, user_of(vm), shown)


def user_of(vm: Vm) -> str:
    """The projects that it serves, not too many."""
    named, more = vm.projects[:MOST_USERS], len(vm.projects) - MOST_USERS
    return ",".join(named) + (f",+{more}" if more > 0 else "")


def render_counts(vms: Iterable[Vm]) -> str:
    """How many are in which state; those that none is in are left out."""
    counts = count_statuses(vm.device for vm in vms)
    return ", ".join(f"{counts[name]} {name}" for name in ORDER if counts[name]) or "0 Running"


def render_missing(missing: Mapping[str, Sequence[str]]) -> str:
    """Workers that are no device's."""
    lines = [f"{one_line(name)} : {' '.join(addresses)}" for name, addresses in missing.items()]
    return "\n".join(["Workers that match no VM:", *lines])


def render_startups(clouds: Iterable[Cloud]) -> str:
    """A line a cluster: the seconds of each device, and their average."""
    return "\n".join(map(_startups, clouds))


def _startups(cloud: Cloud) -> str:
    times = [time for vm in cloud.vms if (time := startup_of(vm.device)) is not None]
    average = f"{sum(times) / len(times):.0f}" if times else "-"
    each = "".join(f"{time:.1f}, " for time in times)
    return f"Cluster: {one_line(cloud.pool.name)} {each}Avg: {average}"


def render_runs(vms: Iterable[Vm]) -> str:
    """The average seconds of the last jobs of each device that has done some."""
    lines = [f"{one_line(vm.device.name)} : avg {average_of(vm):.6f}" for vm in vms if vm.runs]
    return "\n".join(["Average job run times (seconds):", *lines])


def average_of(vm: Vm) -> float:
    """Of one that has done some."""
    return sum(run.seconds for run in vm.runs) / len(vm.runs)


def find_public(vms: Iterable[Vm]) -> list[tuple[str, str]]:
    """Names and addresses of those that others can reach; one without an address is not."""
    found = [(vm.device.name, vm.device.address) for vm in vms]
    return [(name, address) for name, address in found if _is_public(address)]


def _is_public(text: str) -> bool:
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return not address.is_private


def render_munin(hosts: Iterable[tuple[str, str]]) -> str:
    """Stanzas for Munin's configuration; a name that would end one is none of a host's."""
    return "".join(
        f"[{one_line(name).replace('[', '').replace(']', '')}]\n\taddress {address}\n\n"
        for name, address in hosts
    )
