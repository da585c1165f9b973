"""A kernel and a network in memory, and an adapter that writes down what it is asked."""

import ipaddress
from pathlib import Path

from libra.errors import DriverError
from libra.vips.base import Address, VipAdapter
from libra.vips.interface import InterfaceVips
from libra.vips.ledger import AddressLedger
from libra.vips.plan import Placed, Policy

HOST = Placed("eth0", ipaddress.ip_address("10.0.0.5"), 24)
HOST6 = Placed("eth0", ipaddress.ip_address("fd00::5"), 64)
POLICY = Policy(networks=(ipaddress.ip_network("10.0.0.64/26"), ipaddress.ip_network("fd00::/64")))


def addresses(*texts: str) -> frozenset[Address]:
    return frozenset(ipaddress.ip_address(text) for text in texts)


def on_eth0(text: str) -> Placed:
    address = ipaddress.ip_address(text)
    return Placed("eth0", address, address.max_prefixlen)


class FakeKernel:
    """`refused` are addresses that it does not take, `stuck` those that it does not let go."""

    def __init__(self) -> None:
        self.has = {HOST, HOST6}
        self.refused: frozenset[Address] = frozenset()
        self.stuck: frozenset[Address] = frozenset()

    def present(self) -> frozenset[Placed]:
        return frozenset(self.has)

    def add(self, placed: Placed) -> None:
        if placed.address in self.refused:
            raise DriverError(f"cannot put {placed.address} on eth0: refused")
        self.has.add(placed)

    def remove(self, placed: Placed) -> None:
        if placed.address in self.stuck:
            raise DriverError(f"cannot take {placed.address} off eth0: refused")
        self.has.discard(placed)


class FakeNetwork:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.down = False

    def announce(self, placed: Placed) -> None:
        if self.down:
            raise DriverError("cannot announce")
        self.told.append(str(placed.address))


class VipBench:
    """The interface adapter on a fake host; `restart` is a new process on the same one."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "addresses.json"
        self.kernel, self.network = FakeKernel(), FakeNetwork()
        self.boot = "one"
        self.restart()

    def restart(self) -> None:
        ledger = AddressLedger(self.path, self.boot)
        self.vips = InterfaceVips(POLICY, ledger, self.kernel, self.network)

    def reboot(self) -> None:
        self.kernel.has = {HOST, HOST6}
        self.boot += "+"
        self.restart()

    @property
    def added(self) -> set[str]:
        return {str(one.address) for one in self.kernel.has - {HOST, HOST6}}


class RecordingVips(VipAdapter):
    """`has` is what a host would have; `calls` tells what was done, in order."""

    name = "recording"

    def __init__(self) -> None:
        self.has: frozenset[Address] = frozenset()
        self.calls: list[str] = []
        self.trouble: DriverError | None = None
        self.elsewhere: frozenset[Address] = frozenset()

    def rivals(self, wanted: frozenset[Address]) -> frozenset[Address]:
        self.calls.append("ask")
        return wanted & self.elsewhere

    def hold(self, wanted: frozenset[Address]) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.has |= wanted
        self.calls.append("hold")

    def release(self, wanted: frozenset[Address]) -> None:
        self.has &= wanted
        self.calls.append("release")

    def preview(self, wanted: frozenset[Address]) -> tuple[str, ...]:
        return tuple(f"the address {one} is put on eth0" for one in wanted - self.has)

    def announce(self) -> None:
        self.calls.append("announce")
