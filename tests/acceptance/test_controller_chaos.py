"""kill -9 of anything at any moment of random changes loses nothing that was acknowledged.

LIBRA_CHAOS=all makes the full number of changes, on each database with each job server. LIBRA_CHAOS_SEED (one, or
several with commas) repeats a schedule.
"""

import os
import threading
import time
from collections.abc import Iterator
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
CHANGES = 200 if WHOLE else 30
SEEDS = [int(seed) for seed in os.environ.get("LIBRA_CHAOS_SEED", "20261126").split(",")]
COMBINATIONS = ["sqlite-embedded", "postgresql-gearmand"]
COMBINATIONS += ["sqlite-gearmand", "postgresql-embedded"] if WHOLE else []
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
        ensure_all_comes_back(lab, changes)
    finally:
        print(f"LIBRA_CHAOS_SEED={seed}", *changes.history, sep="\n")  # noqa: T201 - pytest shows it on failure


def make_changes(lab: ChaosLab, changes: RandomChanges) -> None:
    """With kills beside them."""
    killer = Killer(lab, changes)
    for _ in range(CHANGES):
        killer.kill_soon()
        changes.step()
        killer.wait()


def ensure_all_comes_back(lab: ChaosLab, changes: RandomChanges) -> None:
    """It is as expected, and so it is after a full stop and a start."""
    before = ensure_as_expected(lab, changes)
    lab.stop()
    assert {ask_client(place) for place in before.places} <= {REFUSED}
    lab.start()
    assert ensure_as_expected(lab, changes) == before


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


def ensure_as_expected(lab: ChaosLab, changes: RandomChanges) -> Sight:
    """The API shows what was acknowledged, HAProxy has what the API shows, and clients find it so."""
    lab.wait(lambda: statuses(lab) <= {"ACTIVE"}, "everything ACTIVE")
    keys = {item["id"] for item in lab.ask(f"{LBAAS}/loadbalancers")["loadbalancers"]}
    assert {key: changes.see(key)[0] for key in keys} == changes.expected
    lab.wait(lab.runs_as_stored, "a device that runs what is stored")
    shown = see_api(lab.ask)
    assert see_in_time(lab, shown) == shown
    for key, balancer in changes.expected.items():
        ensure_served(lab.ask(f"{LBAAS}/loadbalancers/{key}")["loadbalancer"], balancer)
    return shown


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


def ensure_served(shown: dict[str, object], balancer: Balancer) -> None:
    """Each of its ports answers as it should: by each member that has a weight, or by nobody."""
    for port, listener in balancer.listeners.items():
        place: Place = (str(shown["vip_address"]), port)
        if not (balancer.enabled and listener.enabled):
            assert ask_client(place) == REFUSED
            continue
        answers = ask_clients(place, 2 * sum(expected_members(balancer).values()) or 1)
        assert set(answers) <= (set(expected_members(balancer)) or {NOBODY}), (place, answers)
        if balancer.algorithm == "ROUND_ROBIN":  # the other one need not come to all
            assert set(answers) == (set(expected_members(balancer)) or {NOBODY}), (place, answers)


def expected_members(balancer: Balancer) -> dict[str, int]:
    """Who is to answer, with their weights."""
    return {
        address: member.weight
        for (address, _), member in balancer.members.items()
        if balancer.pool_enabled and member.enabled and member.weight
    }
