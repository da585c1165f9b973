"""Killing, freezing or cutting off any host of a fleet at any moment of random changes loses nothing acknowledged.

LIBRA_CHAOS=all makes 300 changes; LIBRA_CHAOS_SEED repeats a schedule.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_controller_chaos import statuses, wrong_answers
from tests.support.changes import RandomChanges
from tests.support.control import LBAAS
from tests.support.fleetlab import (
    CONTROLLERS,
    DEVICES,
    JOB_SERVERS,
    PROBE_SECONDS,
    TARGET,
    FleetLab,
    Overlaps,
)
from tests.support.haproxy import socket_directory
from tests.support.netlab import require_namespaces

__all__ = ["socket_directory"]

WHOLE = os.environ.get("LIBRA_CHAOS") == "all"
CHANGES = 300 if WHOLE else 8
# Beside other tests everything takes longer, and what is to be found is an overlap that nobody ends.
LONGEST_OVERLAP = PROBE_SECONDS if WHOLE else 4 * PROBE_SECONDS
SEED = int(os.environ.get("LIBRA_CHAOS_SEED", "20261129"))
FAULT_EVERY = 3  # changes, about
LATEST_SECONDS = 0.3
SHORTEST, LONGEST = 0.5, 8.0
LOOK_SECONDS = 0.25
HOSTS = (*JOB_SERVERS, *CONTROLLERS, *DEVICES)


@pytest.fixture
def lab(socket_directory: Path) -> Iterator[FleetLab]:
    require_namespaces()
    lab = FleetLab(socket_directory)
    try:
        lab.start()
        yield lab
    finally:
        lab.tell()
        lab.close()


class Trouble:
    """One fault at a time, beside changes: it begins a moment after one has begun, and lasts over others."""

    def __init__(self, lab: FleetLab, changes: RandomChanges) -> None:
        self._lab = lab
        self._changes = changes
        self._thread: threading.Thread | None = None
        self._faults: list[BaseException] = []
        self.over = threading.Event()

    def maybe(self) -> None:
        chance = self._changes.random
        dice, host = chance.randrange(FAULT_EVERY), chance.choice(HOSTS)
        kind = chance.choice(("kill", "freeze", "cut"))
        first, lasting = chance.random() * LATEST_SECONDS, chance.uniform(SHORTEST, LONGEST)
        if dice or (self._thread is not None and self._thread.is_alive()):
            return
        self._changes.history.append(f"{kind} {host} after {first:.3f} s for {lasting:.1f} s")
        self._thread = threading.Thread(target=self._run, args=(kind, host, first, lasting))
        self._thread.start()

    def wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
        assert self._faults == []

    def _run(self, kind: str, host: str, first: float, lasting: float) -> None:
        begin, end = {
            "kill": (self._lab.kill, self._lab.revive),
            "freeze": (self._lab.freeze, self._lab.thaw),
            "cut": (self._lab.cut, self._lab.heal),
        }[kind]
        try:
            self.over.wait(first)
            self._lab.disturbed = host
            begin(host)
            self.over.wait(lasting)
            end(host)
        except BaseException as fault:  # noqa: BLE001 - told by `wait`
            self._faults.append(fault)
        finally:
            self._lab.disturbed = None


def test_nothing_acknowledged_is_lost(lab: FleetLab) -> None:
    changes = RandomChanges(lab, SEED, TARGET)
    trouble, overlaps, over = Trouble(lab, changes), Overlaps(lab), threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_SECONDS):
            overlaps.look(lab.disturbed)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        for _ in range(CHANGES):
            trouble.maybe()
            changes.step()
        trouble.wait()
        lab.wait(lab.all_ready, "all devices")
        lab.wait(lambda: statuses(lab) <= {"ACTIVE"}, "everything ACTIVE")
        lab.wait(lambda: lab.disagreements() == [], "a fleet as it is stored")
        keys = {item["id"] for item in lab.ask(f"{LBAAS}/loadbalancers")["loadbalancers"]}
        assert {key: changes.see(key)[0] for key in keys} == changes.expected
        assert lab.net.inside("client", lambda: wrong(lab, changes)) == []
        assert overlaps.longest <= LONGEST_OVERLAP, overlaps.seen
    finally:
        over.set()
        watching.join()
        trouble.over.set()
        trouble.wait()
        print(f"LIBRA_CHAOS_SEED={SEED}", *changes.history, sep="\n")  # noqa: T201 - pytest shows it on failure
        print("two devices had one address:", *overlaps.seen, sep="\n")  # noqa: T201


def wrong(lab: FleetLab, changes: RandomChanges) -> list[str]:
    """What clients get that they should not."""
    return [
        fault
        for key, balancer in changes.expected.items()
        for fault in wrong_answers(
            lab.ask(f"{LBAAS}/loadbalancers/{key}")["loadbalancer"], balancer
        )
    ]
