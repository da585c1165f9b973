"""Which addresses this host gives up because another host answers for them: pure decisions.

A device that was cut off or frozen was perhaps replaced meanwhile. It finds out by itself, for who could tell it may
take a while to reach it: where it has lost touch, it asks its neighbours, and the other one has the newer orders.
"""

from dataclasses import dataclass, field

from libra.vips.base import Address

SILENT_SECONDS = 2.0  # nothing from any job server, or nothing from this process itself
DOUBT_SECONDS = 90.0  # how long controllers have to tell a device what became of it
# How many looks must find nobody before an address is free again, drawn anew each time: of two hosts that gave it up
# to each other, one is the first to take it back, and the other one sees that.
PATIENCE = range(4, 12)

Addresses = frozenset[Address]


class Doubt:
    """Whether this device may have missed something, as it always may have at its start."""

    def __init__(self, now: float) -> None:
        self._looked = now
        self._away = now

    def look(self, now: float, heard: float, told: float) -> bool:
        """`heard`: when a job server last said something; `told`: when a job last changed what this device has.

        Called at least once a second, unless this process is frozen.
        """
        if now - heard > SILENT_SECONDS or now - self._looked > SILENT_SECONDS:
            self._away = now
        self._looked = now
        return told < self._away and now < self._away + DOUBT_SECONDS


@dataclass(frozen=True, slots=True)
class Contest:
    """What is given up, how many looks in a row found nobody else at it, and how many it takes."""

    given_up: Addresses = frozenset()
    quiet: dict[Address, int] = field(default_factory=dict)
    patience: int = PATIENCE.start

    def look(self, wanted: Addresses, rivals: Addresses) -> "Contest":
        """The next one, of what neighbours say amid doubt."""
        quiet = {
            address: 0 if address in rivals else self.quiet.get(address, 0) + 1
            for address in self.given_up & wanted
        }
        kept = frozenset(address for address, looks in quiet.items() if looks < self.patience)
        given_up = kept | (rivals & wanted)
        counts = {address: quiet.get(address, 0) for address in given_up}
        return Contest(given_up, counts, self.patience)
