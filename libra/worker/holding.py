"""The addresses of what a device runs: put on, taken off, and given up to a host that has them by newer orders."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from libra.errors import DriverError
from libra.model.loadbalancer import Desired
from libra.vips.base import Address, VipAdapter
from libra.worker.addresses import addresses_of, without
from libra.worker.contest import NEVER, PATIENCE, Contest

log = structlog.get_logger(__name__)


class HeldAddresses:
    """One device's. `look` may be called by a thread of its own, everything else by one at a time."""

    def __init__(self, vips: VipAdapter) -> None:
        self._vips = vips
        self._contest = Contest()
        self._away = NEVER
        self.away: Callable[[], float] = lambda: NEVER
        """Until when this host was away, by `time.monotonic`: asked where a job may be one of before."""

    @property
    def given_up(self) -> frozenset[Address]:
        """To other hosts."""
        return self._contest.given_up

    def kept(self, desired: Desired) -> Desired:
        """What is left of it without what is given up."""
        return without(desired, self._contest.given_up)

    def begin(self, desired: Desired) -> Desired:
        """As at start-up: what is left of it, for an address that another host has meanwhile is not taken from that."""
        if wanted := addresses_of(desired):
            self._away = time.monotonic()
            self._contest = self._look_if_possible(self._contest, wanted)
        kept = self.kept(desired)
        if self.given_up:
            self.release(kept)  # before the proxy comes up with the others
        return kept

    def look(self, away: float, desired: Desired) -> tuple[Contest, Contest] | None:
        """The contest as it was and as it is to be; None where that is the same. Raises `DriverError`."""
        before = self._contest
        self._away = max(self._away, away)
        after = self._look_around(before, addresses_of(desired))
        same = after.given_up == before.given_up and after.quiet == before.quiet
        return None if same else (before, after)

    def follow(self, before: Contest, after: Contest) -> bool:
        """Go on with what was seen, unless a job came first, and knows better; True where something is given up, or
        taken back.
        """
        if self._contest is not before:
            return False
        self._contest = after
        if after.given_up == before.given_up:
            return False
        _tell(before, after)
        return True

    def plan(self, before: Desired | None, after: Desired) -> Contest:
        """What a job makes of the contest: for `adopt`, once it is carried out."""
        had = addresses_of(before) if before else frozenset()
        wanted = addresses_of(after)
        self._away = max(self._away, self.away())
        contest = self._contest.tell(had, wanted, self._away, time.monotonic())
        return self._look_if_possible(contest, wanted) if wanted - had else contest

    def adopt(self, contest: Contest) -> None:
        """The job is done."""
        self._contest = contest

    def hold(self, desired: Desired) -> None:
        """Have its addresses, before the proxy binds to them; raises `DriverError`."""
        self._vips.hold(addresses_of(desired))

    def release(self, desired: Desired) -> None:
        """Have none but its addresses, when the proxy has left the others. Never raises."""
        self._vips.release(addresses_of(desired))

    @contextmanager
    def addressed(self, desired: Desired) -> Iterator[None]:
        """With its addresses, and only those; one that cannot be had does not keep the proxy from the others."""
        try:
            self.hold(desired)
        finally:
            yield
        self.release(desired)

    def preview(self, desired: Desired) -> tuple[str, ...]:
        """What would be done, a sentence each; raises `DriverError` where it is known to fail."""
        return self._vips.preview(addresses_of(desired))

    def announce(self) -> None:
        """Tell neighbours once more of what is new."""
        self._vips.announce()

    def _look_around(self, contest: Contest, wanted: frozenset[Address]) -> Contest:
        """Raises `DriverError`."""
        doubtful = contest.doubtful(wanted, self._away, time.monotonic())
        rivals = self._vips.rivals(doubtful) if doubtful else doubtful
        return contest.look(doubtful, rivals, random.choice(PATIENCE))  # noqa: S311 - no secret

    def _look_if_possible(self, contest: Contest, wanted: frozenset[Address]) -> Contest:
        try:
            after = self._look_around(contest, wanted)
        except DriverError as error:
            log.warning("cannot look after addresses", action="addresses", error=str(error))
            return contest
        _tell(contest, after)
        return after


def _tell(before: Contest, after: Contest) -> None:
    for address in sorted(map(str, after.given_up - before.given_up)):
        log.warning("given up: another host answers for it", action="addresses", address=address)
    for address in sorted(map(str, before.given_up - after.given_up)):
        log.info("taken back", action="addresses", address=address)
