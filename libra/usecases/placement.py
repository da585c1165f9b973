"""Which device gets a load balancer."""

from collections.abc import Sequence

from libra.errors import PoolExhausted
from libra.messages.version2.loadbalancers import MAX_LOADBALANCERS
from libra.model.device import Device, Place
from libra.storage.base import UnitOfWork

MAX_OLDER = 2


def choose_device(unit: UnitOfWork, address: str | None = None) -> Device:
    """The ready device with the fewest load balancers; with that address, where one is given.

    One whose worker is of an older release only where there is no other.

    Raises `PoolExhausted`.
    """
    place = pick_place(unit.devices.places(), address)
    device = unit.devices.get(place.device_id)
    if device is None:  # it was removed in between
        raise PoolExhausted(_explain(address))
    return device


def pick_place(places: Sequence[Place], address: str | None = None) -> Place:
    """Pure: see `choose_device`."""
    able = [place for place in places if address in (None, place.address)]
    if not able:
        raise PoolExhausted(_explain(address))
    free = [place for place in able if place.loadbalancers < room(place)]
    if not free:
        raise PoolExhausted(
            f"cannot place it: every device that could take it has {max(map(room, able))} load balancers"
        )
    return min(free, key=lambda place: (place.is_older, place.loadbalancers, place.name))


def room(place: Place) -> int:
    """How many load balancers it takes; an older one has a listener of HTTP and one of TCP, no more."""
    return MAX_OLDER if place.is_older else MAX_LOADBALANCERS


def _explain(address: str | None) -> str:
    if address is not None:
        return f"cannot place it: no device that is ready has the address {address}"
    return "cannot place it: no device is ready; 'libra device list' shows them"
