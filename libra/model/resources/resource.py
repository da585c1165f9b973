"""What all resources have."""

from dataclasses import dataclass
from datetime import datetime

from libra.model.status import OperatingStatus, ProvisioningStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """`id` is a UUID as a lower-case text; `project_id` is the owner's, and a child's is its load balancer's.

    `updated_at` is None until the first change has come live. `going`: its deletion was acknowledged, and will be done
    however often it fails; the status alone would forget that in ERROR.
    """

    id: str
    project_id: str
    name: str = ""
    admin_state_up: bool = True
    provisioning_status: ProvisioningStatus = ProvisioningStatus.PENDING_CREATE
    operating_status: OperatingStatus = OperatingStatus.OFFLINE
    created_at: datetime
    updated_at: datetime | None = None
    tags: tuple[str, ...] = ()
    going: bool = False
