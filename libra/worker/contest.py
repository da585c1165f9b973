"""Which addresses this host gives up because another host answers for them: pure decisions.

A device that was cut off or frozen was perhaps replaced meanwhile. It finds out by itself, for who could tell it may
take a while to reach it, and what reaches it first may be a job from before: so it asks its neighbours where it has
lost touch. A host that got an address by a job since then does not doubt: of the two it has the newer orders.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from libra.vips.base import Address

SILENT_SECONDS = 2.0  # nothing from any job server, or nothing from this process itself
DOUBT_SECONDS = 90.0  # how long controllers have to tell a device what became of it
UNSURE_SECONDS = (
    15.0  # how long a job that comes may be one of before, and how long they have to take it back
)
# How many looks must find nobody before an address is free again, drawn anew each time: of two hosts that gave it up
# to each other, one is the first to take it back, and the other one sees that.
PATIENCE = range(4, 12)

Addresses = frozenset[Address]
NEVER = float("-inf")


class Absence:
    """Until when this device was away, and may have missed something, by the monotonic clock."""

    def __init__(self, now: float) -> None:
        self._looked = now
        self._until = NEVER

    def look(self, now: float, heard: float) -> float:
        """Call at least once a second, unless this process is frozen.

        `heard`: when a job server last said something.
        """
        if now - heard > SILENT_SECONDS or now - self._looked > SILENT_SECONDS:
            self._until = now
        self._looked = now
        return self._until


@dataclass(frozen=True, slots=True)
class Given:
    """When a job gave this host an address that it did not have; not `sure` where that may be a job of before."""

    at: float = NEVER
    sure: bool = True

    def is_doubtful(self, away: float, now: float) -> bool:
        """Whether another host may have it by newer orders."""
        if not self.sure and now < self.at + UNSURE_SECONDS:
            return True
        return self.at < away and now < away + DOUBT_SECONDS


BEFORE = Given()


@dataclass(frozen=True, slots=True)
class Contest:
    """What is given up; how many looks in a row found nobody at that, and how many it takes; and who had it by what."""

    given_up: Addresses = frozenset()
    quiet: Mapping[Address, int] = field(default_factory=dict)
    patience: int = PATIENCE.start
    given: Mapping[Address, Given] = field(default_factory=dict)

    def doubtful(self, wanted: Addresses, away: float, now: float) -> Addresses:
        """What to ask neighbours about. `away`: until when this device was."""
        return frozenset(
            one for one in wanted if self.given.get(one, BEFORE).is_doubtful(away, now)
        )

    def look(self, doubtful: Addresses, rivals: Addresses, patience: int) -> "Contest":
        """The next one, of what neighbours say. What is not doubtful is taken back."""
        quiet = {
            address: 0 if address in rivals else self.quiet.get(address, 0) + 1
            for address in self.given_up & doubtful
        }
        kept = frozenset(address for address, looks in quiet.items() if looks < self.patience)
        given_up = kept | (rivals & doubtful)
        return replace(
            self,
            given_up=given_up,
            quiet={address: quiet.get(address, 0) for address in given_up},
            patience=self.patience if given_up == kept else patience,
        )

    def tell(self, before: Addresses, after: Addresses, away: float, now: float) -> "Contest":
        """The next one where a job changes what this host shall have. It knows better only of what is new by it."""
        new = after - before
        fresh = Given(now, sure=now > away + UNSURE_SECONDS)
        given = {one: fresh if one in new else self.given.get(one, BEFORE) for one in after}
        given_up = (self.given_up & after) - new
        return Contest(given_up, {one: self.quiet[one] for one in given_up}, self.patience, given)
