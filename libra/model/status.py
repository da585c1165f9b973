"""The two statuses that every resource of a customer carries, in the field's words.

Contract: Octavia's API v2; `provisioning_status` is the controller's own, `operating_status` is measured.
"""

from enum import Enum


class ProvisioningStatus(Enum):
    """Whether what was asked for is in place. DELETED is never stored: such a resource is gone."""

    PENDING_CREATE = "PENDING_CREATE"
    PENDING_UPDATE = "PENDING_UPDATE"
    PENDING_DELETE = "PENDING_DELETE"
    ACTIVE = "ACTIVE"
    ERROR = "ERROR"
    DELETED = "DELETED"

    @property
    def is_pending(self) -> bool:
        """True while a job decides; such a state always ends, at the job's deadline at the latest."""
        return self in PENDING


PENDING = frozenset(
    {
        ProvisioningStatus.PENDING_CREATE,
        ProvisioningStatus.PENDING_UPDATE,
        ProvisioningStatus.PENDING_DELETE,
    }
)
MUTABLE = frozenset({ProvisioningStatus.ACTIVE, ProvisioningStatus.ERROR})
"""From where a write may start. Octavia refuses writes in ERROR; here the next good write leaves it."""


class OperatingStatus(Enum):
    """How it does, as last measured."""

    ONLINE = "ONLINE"
    DRAINING = "DRAINING"
    OFFLINE = "OFFLINE"
    DEGRADED = "DEGRADED"
    ERROR = "ERROR"
    NO_MONITOR = "NO_MONITOR"
