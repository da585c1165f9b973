"""The device pool: where devices come from, how many are kept spare, and how their failures are met."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DevicePool:
    """`provider` names who boots devices ("" for hosts that an operator brings), `options` is its JSON.

    `auto_enroll`: a worker that announces itself here needs no approval. `shared`: load balancers of several projects
    may share a device. `min_spare`: how many SPARE devices the keeper has ready. `probe_seconds` None: as the manager's
    settings say. At most `max_parallel_failovers` devices are evacuated at once.

    The brake: where more than `brake_percent` of the pool's devices look dead since about the same time, nothing is
    moved. `brake_since` is when it engaged last (None: it has not), `brake_reason` says why, for people.

    `disabled`: no new load balancer is placed there, and no device is booted; what runs there runs on, and what one of
    its devices loses goes to another one of them. `disabled_reason` is what the operator said about it, if anything.

    `max_devices` is its allocation: how many devices the keeper lets it have; None: as many as there are. Load
    balancers go to the pool with the lowest `priority` that has room.
    """

    id: str
    name: str
    provider: str = ""
    options: str = ""
    auto_enroll: bool = False
    shared: bool = False
    min_spare: int = 0
    probe_seconds: float | None = None
    max_parallel_failovers: int = 4
    brake_percent: int = 30
    brake_since: datetime | None = None
    brake_reason: str = ""
    disabled: bool = False
    disabled_reason: str | None = None
    max_devices: int | None = None
    priority: int = 0
    created_at: datetime
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A load balancer on its way between devices: `target` has it already, and `source` lets go once that confirms."""

    loadbalancer_id: str
    source: str
    target: str
    reason: str = ""
    confirmed: bool = False
    started_at: datetime
