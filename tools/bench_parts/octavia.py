"""Answers to the same requests of libra and of Octavia's own API, by turns, and how long it takes until traffic flows.

Octavia with its noop driver makes nothing, as libra does with its provider `noop`, so these two are compared. libra
with HAProxy is asked beside them: until it has answered, until a client is served accordingly, and until it says
ACTIVE. One load balancer with as many members is on its device all the while; every other one is deleted before the
next is made.
"""

import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from tools.bench_parts.api import REQUEST, percentiles, wait
from tools.bench_parts.member import PORT_HEADER, running_members
from tools.bench_parts.octavia_sides import BASE, Side, Sides, running_sides, target
from tools.bench_parts.restclient import PORT, TIMEOUT_SECONDS

MEMBERS = 20
HEAVY = 256
"""The weight of a member that is added: it gets one of the next requests, whoever else is there."""
Found = dict[str, list[float]]
"""Seconds, by what was waited for; Octavia first where it is there."""


@dataclass(frozen=True, slots=True)
class Counts:
    """How often."""

    creates: int
    additions: int
    balancers: int
    lists: int
    shows: int


FULL = Counts(creates=100, additions=100, balancers=1000, lists=20, shows=500)
QUICK = Counts(creates=5, additions=10, balancers=50, lists=5, shows=20)


def run(console: Console, *, quick: bool) -> None:
    """One table."""
    counts = QUICK if quick else FULL
    table = Table("request", "who", "p50 ms", "p99 ms", "of Octavia's p50", "p99")
    with running_members(MEMBERS + 1) as members, running_sides() as sides:
        if sides.fault:
            console.print(sides.fault)
        lab = Lab(sides, members)
        title = f"create: listener, pool, {MEMBERS} members, monitor"
        _add(table, title, lab.creates(counts.creates))
        _add(table, f"member added to {MEMBERS}", lab.additions(counts.additions))
        lab.fill(counts.balancers)
        _add(table, f"list of {counts.balancers:,}", lab.lists(counts.lists, counts.balancers))
        _add(table, "show", lab.shows(counts.shows))
    console.print(table)


def _add(table: Table, title: str, found: Found) -> None:
    """Ratios where Octavia was asked."""
    rows = {name: percentiles(values) for name, values in found.items()}
    first = next(iter(rows))
    for name, row in rows.items():
        ratios = ["", ""]
        if first.startswith("Octavia") and name != first:
            ratios = [f"{one / other:.2f} x" for one, other in zip(row, rows[first], strict=True)]
        shown = title if name == first else ""
        table.add_row(shown, name, *(f"{value * 1000:.1f}" for value in row), *ratios)
    table.add_section()


class Lab:
    """The sides, with a load balancer each; `members` are the ports of the twenty, and of the one that is added."""

    def __init__(self, sides: Sides, members: list[int]) -> None:
        self._sides = sides
        self._serving = sides.serving
        *self._members, self._added = members
        self._first = {
            side.name: side.create("first", self._members)
            for side in (*sides.without_traffic(), sides.serving)
        }
        for side in (*sides.without_traffic(), sides.serving):
            side.settle(self._first[side.name]["id"])
        self._middle: dict[str, str] = {}

    def creates(self, count: int) -> Found:
        """One after the other, each gone before the next."""
        found: Found = {}
        for _ in range(count):
            for side in self._sides.without_traffic():
                clock = Clock(found, side)
                made = side.create("one", self._members)
                clock.note("answered")
                side.settle(made["id"])
                side.delete(made["id"])
            self._create_serving(found)
        return found

    def _create_serving(self, found: Found) -> None:
        clock = Clock(found, self._serving)
        made = self._serving.create("one", self._members)
        clock.note("answered")
        address = made["vip_address"]
        wait(lambda: bool(_who_answers(address)), f"an answer of {address}")
        clock.note("traffic")
        self._serving.settle(made["id"])
        clock.note("ACTIVE")
        self._serving.delete(made["id"])
        wait(lambda: not _who_answers(address), f"the end of {address}")  # the next one has it

    def additions(self, count: int) -> Found:
        """To the first load balancer of each, which has the same members before each."""
        found: Found = {}
        address = self._first[self._serving.name]["vip_address"]
        for _ in range(count):
            for side in self._sides.without_traffic():
                self._add_member(found, side, lambda: None)
            self._add_member(found, self._serving, lambda: self._wait_for_added(address))
        return found

    def _add_member(self, found: Found, side: Side, wait_for_traffic: Callable[[], None]) -> None:
        first = self._first[side.name]
        path = f"{BASE}/pools/{first['pools'][0]['id']}/members"
        clock = Clock(found, side)
        made = side.client.post(path, {"member": target(self._added, weight=HEAVY)})["member"]
        clock.note("answered")
        wait_for_traffic()
        if side is self._serving:
            clock.note("traffic")
        side.settle(first["id"])
        if side is self._serving:
            clock.note("ACTIVE")
        side.client.delete(f"{path}/{made['id']}")
        side.settle(first["id"])
        wait(lambda: not side.client.get(f"{path}?id={made['id']}")["members"], "a member to go")

    def _wait_for_added(self, address: str) -> None:
        wait(lambda: _who_answers(address) == str(self._added), "an answer of the added member")

    def fill(self, count: int) -> None:
        """Each has so many load balancers, with a listener, a pool and a member."""
        for side in self._sides.without_traffic():
            made = self._first[side.name]
            for _ in range(count - len(side.list())):
                made = side.create("more", self._members[:1], checked=False)
            side.settle(made["id"])
            self._middle[side.name] = side.list()[count // 2]["id"]

    def lists(self, count: int, rows: int) -> Found:
        """All of them, in one page."""
        found: Found = {}
        for _ in range(count):
            for side in self._sides.without_traffic():
                clock = Clock(found, side)
                listed = side.list()
                clock.note("answered")
                assert len(listed) == rows, (side.name, len(listed))
        return found

    def shows(self, count: int) -> Found:
        """Of one in their middle."""
        found: Found = {}
        for _ in range(count):
            for side in self._sides.without_traffic():
                path = f"{BASE}/loadbalancers/{self._middle[side.name]}"
                clock = Clock(found, side)
                side.client.get(path)
                clock.note("answered")
        return found


class Clock:
    """Runs from its making on."""

    def __init__(self, found: Found, side: Side) -> None:
        self._found = found
        self._side = side
        self._started = time.perf_counter()

    def note(self, what: str) -> None:
        """So much later."""
        seconds = time.perf_counter() - self._started
        self._found.setdefault(f"{self._side.name}: {what}", []).append(seconds)


def _who_answers(address: str) -> str:
    """The port of the member that has answered with 200; empty where none has."""
    with (
        suppress(ConnectionError),
        socket.create_connection((address, PORT), timeout=TIMEOUT_SECONDS) as connection,
    ):
        connection.sendall(REQUEST)
        head = connection.recv(65536).decode("latin-1")
        if head.startswith("HTTP/1.1 200"):
            return head.lower().partition(f"{PORT_HEADER.lower()}: ")[2].partition("\r\n")[0]
    return ""
