"""The event: something that happened, who did it, and why."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`id` grows by time and has no order but that; 0 before it is stored.

    `kind` is like "loadbalancer.active" or "device.error": the thing, a dot, what became of it. `subject_id` is the
    thing's id. `actor` is a token's name, or "manager". `reason` is a sentence, or empty. `remote` is the address that
    the actor asked from, `comment` what it said why; both empty where nobody asked.
    """

    id: int = 0
    at: datetime
    kind: str
    subject_id: str
    project_id: str | None = None
    actor: str = ""
    reason: str = ""
    request_id: str = ""
    remote: str = ""
    comment: str = ""
