"""The device: a host with a worker, as the controller knows it."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

FIRST_VERSION = "1.0"


class DeviceState(Enum):
    """Whether load balancers may be put there."""

    NEW = "NEW"  # was added, and has not answered yet
    READY = "READY"
    ERROR = "ERROR"  # does not answer, or its proxy does not run; what it has stays assigned to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """`name` is the worker's, and so the function that jobs are sent to. `address` is where traffic reaches it.

    `generation` grows with every change of what it shall run; `acknowledged` is the newest one that its worker has
    confirmed, and `digest` what it said it runs then. `protocol` is the version that its worker understands ("1.0",
    "2.0"; "" while unknown).
    """

    id: str
    name: str
    address: str = ""
    state: DeviceState = DeviceState.NEW
    generation: int = 0
    acknowledged: int = 0
    digest: str = ""
    protocol: str = ""
    release: str = ""
    proxy: str = ""
    created_at: datetime
    last_seen: datetime | None = None
    reason: str = ""

    @property
    def is_older(self) -> bool:
        """True where its worker understands messages of 1.0 only."""
        return self.protocol == FIRST_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A device that is ready, and how many load balancers it has: what there is to choose by."""

    device_id: str
    name: str
    address: str
    protocol: str
    loadbalancers: int

    @property
    def is_older(self) -> bool:
        """As the device's."""
        return self.protocol == FIRST_VERSION
