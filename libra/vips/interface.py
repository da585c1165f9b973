"""Puts addresses on an interface of this host and announces them."""

import ipaddress
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

from libra.errors import DriverError, StateError
from libra.vips.announce import Announcer, NetworkAnnouncer
from libra.vips.base import Address, VipAdapter
from libra.vips.ledger import AddressLedger
from libra.vips.netlink import Addresses, KernelAddresses
from libra.vips.plan import Placed, Policy, plan_asking, plan_holding, plan_release
from libra.vips.rivals import NetworkRivals, NoRivals, Rivals

if TYPE_CHECKING:
    from libra.config.settings import Settings

LEDGER_FILE = "addresses.json"
# A neighbour may miss one, and Linux heeds none in the second after an entry of its own changed (arp locktime).
REPEATS = 3

log = structlog.get_logger(__name__)


def create_vips(settings: "Settings") -> "InterfaceVips":
    """The entry point."""
    networks = tuple(ipaddress.ip_network(network) for network in settings.vip.networks)
    return InterfaceVips(
        Policy(networks=networks, interface=settings.vip.interface),
        AddressLedger(settings.worker.state_dir / LEDGER_FILE),
        rivals=NetworkRivals() if settings.vip.give_way else NoRivals(),
    )


class InterfaceVips(VipAdapter):
    """Each address is put on alone, as /32 or /128, beside what the interface has."""

    name = "interface"

    def __init__(
        self,
        policy: Policy,
        ledger: AddressLedger,
        kernel: Addresses | None = None,
        announcer: Announcer | None = None,
        rivals: Rivals | None = None,
    ) -> None:
        self._policy = policy
        self._ledger = ledger
        self._kernel = kernel or KernelAddresses()
        self._announcer = announcer or NetworkAnnouncer()
        self._rivals = rivals or NetworkRivals()
        self._to_announce: dict[Placed, int] = {}
        self._trouble = ""
        self._started = False

    def hold(self, wanted: frozenset[Address]) -> None:
        """Noted first, then put on, then announced."""
        present = self._kernel.present()
        self._reannounce(present, wanted)
        missing = plan_holding(wanted, present, self._policy)
        if not missing:
            return
        placed = [Placed(name, one, one.max_prefixlen) for one, name in missing.items()]
        self._note(self._ledger.ours() | frozenset(placed))
        done: list[Placed] = []
        try:
            for one in placed:
                self._kernel.add(one)
                done.append(one)
        except DriverError:
            self._take_off(done)
            self._forget(placed)
            raise
        for one in placed:
            log.info("address put on", action="addresses", **_describe(one))
        self._announce_soon(placed)

    def release(self, wanted: frozenset[Address]) -> None:
        """Taken off first, then forgotten."""
        ours = self._ledger.ours()
        if not any(one.address not in wanted for one in ours):
            return
        try:
            present = self._kernel.present()
            going = plan_release(ours, present, wanted)
            self._take_off(going)
            left = frozenset(one for one in ours if one.address in wanted)
            self._note(left | (self._kernel.present() & frozenset(going)))
        except DriverError as error:
            log.warning("addresses stay for now", action="addresses", error=str(error))

    def preview(self, wanted: frozenset[Address]) -> tuple[str, ...]:
        """Reads, and changes nothing."""
        present = self._kernel.present()
        coming = plan_holding(wanted, present, self._policy)
        going = plan_release(self._ledger.ours(), present, wanted)
        return (
            *(f"the address {one} is put on {name}" for one, name in coming.items()),
            *(f"the address {one.address} is taken off {one.interface}" for one in going),
        )

    def rivals(self, wanted: frozenset[Address]) -> frozenset[Address]:
        """Nobody is asked about what the host has anyway, nor about what it may not take."""
        present = self._kernel.present()
        return self._rivals.find(plan_asking(wanted, present, self._ledger.ours(), self._policy))

    def announce(self) -> None:
        """One more time for each that is new."""
        for placed, times in list(self._to_announce.items()):
            if times <= 1:
                del self._to_announce[placed]
            else:
                self._to_announce[placed] = times - 1
            self._announce(placed)

    def _reannounce(self, present: frozenset[Placed], wanted: frozenset[Address]) -> None:
        """The first look after a start: whoever was killed amid it may not have told anybody."""
        if not self._started:
            self._started = True
            held = self._ledger.ours() & present
            self._announce_soon([one for one in held if one.address in wanted])

    def _announce_soon(self, placed: Iterable[Placed]) -> None:
        for one in placed:
            self._to_announce[one] = REPEATS
            self._announce(one)

    def _announce(self, placed: Placed) -> None:
        """The address works without it, only later, so a failure is told and no more."""
        try:
            self._announcer.announce(placed)
        except DriverError as error:
            if str(error) != self._trouble:
                log.warning("neighbours are not told", action="announce", error=str(error))
            self._trouble = str(error)

    def _take_off(self, placed: Iterable[Placed]) -> None:
        for one in placed:
            self._to_announce.pop(one, None)
            try:
                self._kernel.remove(one)
            except DriverError as error:
                log.warning("an address stays for now", action="addresses", error=str(error))
            else:
                log.info("address taken off", action="addresses", **_describe(one))

    def _forget(self, placed: Iterable[Placed]) -> None:
        """What could not be taken off stays noted."""
        with suppress(DriverError):
            gone = frozenset(placed) - self._kernel.present()
            self._note(self._ledger.ours() - gone)

    def _note(self, ours: frozenset[Placed]) -> None:
        try:
            self._ledger.note(ours)
        except StateError as error:
            raise DriverError(str(error)) from error


def _describe(placed: Placed) -> dict[str, str]:
    return {"address": str(placed.address), "interface": placed.interface}
