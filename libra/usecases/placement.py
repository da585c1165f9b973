"""Which device gets a load balancer."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from libra.errors import PoolExhausted, QuotaExceeded
from libra.messages.fields import quoted
from libra.messages.version2.loadbalancers import MAX_LOADBALANCERS
from libra.model.device import Device, DeviceState, Mover, Place, ensure_transition
from libra.storage.base import UnitOfWork
from libra.usecases.adminmaps import find_zone
from libra.usecases.devicelimits import explain_limit, narrow_by_limit

MAX_OLDER = 2


def choose_device(
    unit: UnitOfWork, project: str, address: str | None = None, zone: str | None = None
) -> Device:
    """A ready device for a new load balancer of the project; with that address, and of that availability zone, where
    one is given.

    Raises `PoolExhausted`, `QuotaExceeded` where the project may use no more devices, `Invalid` for an unknown zone.
    """
    ready = unit.devices.places() if zone is None else _places_in(unit, zone)
    places = [place for place in ready if not place.disabled]
    if ready and not places:
        raise PoolExhausted(
            "cannot place it: every device that is ready is of a disabled pool; "
            "'libra cluster list' says why, 'libra cluster enable NAME' ends it"
        )
    place = _pick_within_limit(unit, places, project, address)
    device = unit.devices.get(place.device_id)
    if device is None:  # it was removed in between
        raise PoolExhausted(_explain(address))
    return device


def _places_in(unit: UnitOfWork, zone: str) -> list[Place]:
    pools = find_zone(unit, zone)
    places = [place for place in unit.devices.places() if place.pool_id in pools]
    if not places:
        raise PoolExhausted(
            f"cannot place it: no device of the availability zone {quoted(zone)} is ready"
        )
    return places


def _pick_within_limit(
    unit: UnitOfWork, places: Sequence[Place], project: str, address: str | None
) -> Place:
    within = narrow_by_limit(unit, project, places)
    try:
        return pick_place(within, project, address)
    except PoolExhausted:
        pick_place(places, project, address)  # which would be the reason anyway
        raise QuotaExceeded(explain_limit(unit, project)) from None


def pick_place(places: Sequence[Place], project: str, address: str | None = None) -> Place:
    """Pure: the one with the fewest load balancers, of those with room that the project may use, of the pools with the
    lowest priority.

    One whose worker is of an older release only where there is no other; one of the reserve of its pool only where
    there is none beside it; and where projects do not share devices, first those that are the project's already.
    """
    able = [place for place in places if address in (None, place.address)]
    if not able:
        raise PoolExhausted(_explain(address))
    open_to = [place for place in able if place.shared or place.projects <= {project}]
    if not open_to:
        raise PoolExhausted(
            "cannot place it: every device that is ready is another project's; add one, or let projects share them: "
            "'libra device-pool set NAME shared=true'"
        )
    free = [place for place in open_to if place.loadbalancers < room(place)]
    if not free:
        raise PoolExhausted(
            f"cannot place it: every device that could take it has {max(map(room, open_to))} load balancers"
        )
    spare = Counter(place.pool_id for place in places if not place.loadbalancers)
    return min(
        free,
        key=lambda place: (
            place.is_older,
            place.priority,
            not place.loadbalancers and spare[place.pool_id] <= place.reserve,
            not place.shared and not place.projects,
            place.loadbalancers,
            place.name,
        ),
    )


def room(place: Place) -> int:
    """How many load balancers it takes; an older one has a listener of HTTP and one of TCP, no more."""
    return MAX_OLDER if place.is_older else MAX_LOADBALANCERS


def occupy(unit: UnitOfWork, key: str) -> None:
    """A ready device is SPARE or ASSIGNED by what it has; its lock is held."""
    device = unit.devices.get(key)
    if device is None or not device.is_ready:
        return
    has_some = unit.loadbalancers.count({"device_id": key}) or unit.web_nodes.count(
        {"node_oid": key}
    )
    into = DeviceState.ASSIGNED if has_some else DeviceState.SPARE
    if device.state is not into:
        ensure_transition(device, into, Mover.PLACEMENT)
        unit.devices.replace(replace(device, state=into))


def _explain(address: str | None) -> str:
    if address is not None:
        return f"cannot place it: no device that is ready has the address {address}"
    return "cannot place it: no device is ready; 'libra device list' shows them"
