"""The load balancer: an address on a device, and the lock of everything below it."""

from dataclasses import dataclass

from libra.model.resources.resource import Resource

NOOP = "noop"
"""The provider of load balancers that are on no device: they are records, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadBalancer(Resource):
    """Its provisioning status is the one lock for writes to it and to all its parts.

    `vip_address` is canonical; "" until a device without address pools is chosen. `vip_subnet_id` is the id of the
    address pool it is from. `device_id` is where it runs. `generation` is the device's generation at its last write:
    a reply for that generation or a later one settles it. `reason` says why it is in ERROR, for people.
    `availability_zone` names the device pool, or the alias of some, that it was asked to be placed in.
    """

    description: str = ""
    vip_address: str = ""
    vip_port_id: str | None = None
    vip_subnet_id: str | None = None
    vip_network_id: str | None = None
    provider: str = "libra"
    availability_zone: str | None = None
    device_id: str | None = None
    generation: int = 0
    reason: str = ""
