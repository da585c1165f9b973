"""Load balancers, and one of them with all its parts."""

from dataclasses import astuple

from libra.model.counters import ListenerCounters
from libra.model.device import Device
from libra.storage.query import Query
from libra.usecases import devices, loadbalancers
from libra.web.pages import Context, Look

MOST = 200


def view(look: Look) -> Context:
    """A page of them; `marker` is the last one of the page before."""
    where = {} if look.caller.sees_everything else {"project_id": look.caller.project_id}
    marker = look.asked.get("marker") or None
    with look.services.storage.reading() as unit:
        found = unit.loadbalancers.find(Query(where=where, limit=MOST + 1, marker=marker))
    names = {item.id: item.name for item in devices.list_devices(look.services)}
    return {
        "now": look.services.clock(),
        "balancers": found[:MOST],
        "next": found[MOST - 1].id if len(found) > MOST else "",
        "device_names": names,
    }


def view_one(look: Look) -> Context:
    """By id; raises `NotFound`, `Forbidden`."""
    tree = loadbalancers.show(look.services, look.caller, look.key)
    with look.services.storage.reading() as unit:
        counters = {item.listener_id: item for item in unit.counters.of_loadbalancer(look.key)}
        key = tree.loadbalancer.device_id
        device: Device | None = unit.devices.get(key) if key else None
    return {
        "now": look.services.clock(),
        "tree": tree,
        "balancer": tree.loadbalancer,
        "device": device if look.caller.sees_everything else None,
        "counters": counters,
        "total": _sum(list(counters.values())),
    }


def _sum(counters: list[ListenerCounters]) -> ListenerCounters:
    figures = [astuple(item)[2:] for item in counters]
    sums = [sum(column) for column in zip(*figures, strict=True)] or [0] * 6
    return ListenerCounters(
        listener_id="",
        loadbalancer_id="",
        active_connections=sums[0],
        bytes_in=sums[1],
        bytes_out=sums[2],
        request_errors=sums[3],
        total_connections=sums[4],
        total_requests=sums[5],
    )
