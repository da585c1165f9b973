"""kill -9 of anything at any moment of random changes loses nothing that was acknowledged.

LIBRA_CHAOS=all makes the full number of changes, on each database with each job server. LIBRA_CHAOS_SEED (one, or
several with commas) repeats a schedule.
"""

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.contract.test_storage import postgres
from tests.support.balancers import Balancer
from tests.support.changes import RandomChanges
from tests.support.chaos import WAIT, ChaosLab
from tests.support.control import LBAAS
from tests.support.haproxy import socket_directory
from tests.support.witness import (
    NOBODY,
    REFUSED,
    Place,
    Sight,
    ask_client,
    ask_clients,
    see_api,
    see_haproxy,
    targets,
)

__all__ = ["postgres", "socket_directory"]

WHOLE = os.environ.get("LIBRA_CHAOS") == "all"
CHANGES = 200 if WHOLE else 15
SEEDS = [int(seed) for seed in os.environ.get("LIBRA_CHAOS_SEED", "20261126").split(",")]
COMBINATIONS = ["postgresql-gearmand"]
COMBINATIONS += ["sqlite-embedded", "sqlite-gearmand", "postgresql-embedded"] if WHOLE else []
KILLS_EVERY = 3  # changes, about
LATEST_KILL_SECONDS = 0.3


@pytest.fixture(params=COMBINATIONS)
def lab(request: pytest.FixtureRequest, socket_directory: Path) -> Iterator[ChaosLab]:
    database, _, server = str(request.param).partition("-")
    url = f"sqlite:///{socket_directory / 'libra.db'}"
    if database == "postgresql":
        url = request.getfixturevalue("postgres").new_url()
    lab = ChaosLab(socket_directory, url, gearmand=server == "gearmand")
    try:
        lab.start()
        yield lab
    finally:
        lab.tell()
        lab.close()


@pytest.fixture(scope="module")
def target_port() -> Iterator[int]:
    with targets() as port:
        yield port


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_acknowledged_is_lost(lab: ChaosLab, target_port: int, seed: int) -> None:
    changes = RandomChanges(lab, seed, target_port)
    try:
        make_changes(lab, changes)
        before = see_all(lab, changes)
        assert before.stored == changes.expected
        assert before.haproxy == before.api
        assert before.wrong == ()
        lab.stop()
        assert {ask_client(place) for place in before.api.places} <= {REFUSED}
        lab.start()
        assert see_all(lab, changes) == before
    finally:
        print(f"LIBRA_CHAOS_SEED={seed}", *changes.history, sep="\n")  # noqa: T201 - pytest shows it on failure


def make_changes(lab: ChaosLab, changes: RandomChanges) -> None:
    """With kills beside them."""
    killer = Killer(lab, changes)
    for _ in range(CHANGES):
        killer.kill_soon()
        changes.step()
        killer.wait()


@dataclass(frozen=True)
class Seen:
    """What is stored by key, what the API shows, what HAProxy has, and what clients got that they should not."""

    stored: dict[str, Balancer]
    api: Sight
    haproxy: Sight | None
    wrong: tuple[str, ...]


class Killer:
    """Kills beside a change, a moment after it began: mostly one, now and then several."""

    def __init__(self, lab: ChaosLab, changes: RandomChanges) -> None:
        self._lab = lab
        self._changes = changes
        self._timers: list[threading.Timer] = []

    def kill_soon(self) -> None:
        chance = self._changes.random
        if chance.randrange(KILLS_EVERY):
            return
        for name in chance.sample(ChaosLab.NAMES, chance.choice((1, 1, 1, 2, 4))):
            seconds = chance.random() * LATEST_KILL_SECONDS
            self._changes.history.append(f"kill {name} after {seconds:.3f} s")
            self._timers.append(threading.Timer(seconds, self._lab.kill, (name,)))
        for timer in self._timers:
            timer.start()

    def wait(self) -> None:
        for timer in self._timers:
            timer.join()
        self._timers = []


def see_all(lab: ChaosLab, changes: RandomChanges) -> Seen:
    """Once everything is ACTIVE, and the device says that it runs what is stored."""
    lab.wait(lambda: statuses(lab) <= {"ACTIVE"}, "everything ACTIVE")
    keys = {item["id"] for item in lab.ask(f"{LBAAS}/loadbalancers")["loadbalancers"]}
    stored = {key: changes.see(key)[0] for key in keys}
    lab.wait(lab.runs_as_stored, "a device that runs what is stored")
    shown = see_api(lab.ask)
    haproxy = see_in_time(lab, shown)
    wrong = (
        fault
        for key, balancer in changes.expected.items()
        for fault in wrong_answers(
            lab.ask(f"{LBAAS}/loadbalancers/{key}")["loadbalancer"], balancer
        )
    )
    return Seen(stored, shown, haproxy, tuple(wrong))


def statuses(lab: ChaosLab) -> set[str]:
    """Of everything that there is."""
    kinds = ("loadbalancers", "listeners", "pools", "healthmonitors")
    return {
        item["provisioning_status"] for kind in kinds for item in lab.ask(f"{LBAAS}/{kind}")[kind]
    }


def see_in_time(lab: ChaosLab, shown: Sight) -> Sight | None:
    """HAProxy's own words, as soon as they are these: what leaves it ends its last connections first."""
    seen: Sight | None = None
    deadline = time.monotonic() + WAIT
    while seen != shown and time.monotonic() < deadline:
        time.sleep(0.05)
        try:
            seen = see_haproxy(lab.admin_socket, lab.network)
        except (OSError, ValueError):
            continue
    return seen


def wrong_answers(shown: dict[str, object], balancer: Balancer) -> Iterator[str]:
    """Each of its ports should answer by each member that has a weight, or by nobody."""
    for port, listener in balancer.listeners.items():
        place: Place = (str(shown["vip_address"]), port)
        if not (balancer.enabled and listener.enabled):
            answers, wanted = {ask_client(place)}, {REFUSED}
        else:
            members = expected_members(balancer)
            answers = set(ask_clients(place, 2 * sum(members.values()) or 1))
            wanted = set(members) or {NOBODY}
        # an algorithm that is not ROUND_ROBIN need not come to all
        if not answers <= wanted or (balancer.algorithm == "ROUND_ROBIN" and answers != wanted):
            yield f"{place} is answered by {answers}, not by {wanted}"


def expected_members(balancer: Balancer) -> dict[str, int]:
    """Who is to answer, with their weights."""
    return {
        address: member.weight
        for (address, _), member in balancer.members.items()
        if balancer.pool_enabled and member.enabled and member.weight
    }
