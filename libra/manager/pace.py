"""How often the manager does what, how long things may take, and how many at once."""

from dataclasses import dataclass, field
from datetime import timedelta

from libra.model.webplan import Pace as WebPace


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """As the settings say."""

    probe: timedelta = timedelta(seconds=10)
    probe_deadline: timedelta = timedelta(seconds=5)
    repair: timedelta = timedelta(seconds=5)
    concurrent: int = 256
    web: WebPace = field(default_factory=WebPace)
    keep_jobs: timedelta = timedelta(days=30)
    keep_events: timedelta = timedelta(days=90)
    keep_rollouts: timedelta = timedelta(days=90)
