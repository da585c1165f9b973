"""The member: one target of a pool."""

from dataclasses import dataclass

from libra.model.resources.resource import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Member(Resource):
    """Addresses are canonical; address and port are unique in the pool. Weight 0 drains.

    `..._as_given` is the spelling that answers show, where it is another one.
    """

    loadbalancer_id: str
    pool_id: str
    address: str
    protocol_port: int
    weight: int = 1
    backup: bool = False
    subnet_id: str | None = None
    monitor_address: str | None = None
    monitor_port: int | None = None
    address_as_given: str | None = None
    monitor_address_as_given: str | None = None
