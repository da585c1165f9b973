"""kill -9 of anything at any moment of random changes loses nothing that was acknowledged.

LIBRA_CHAOS=all makes the full number of changes; LIBRA_CHAOS_SEED repeats a schedule.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.test_storage import postgres
from tests.support.chaos import ChaosLab, Expected, RandomChanges
from tests.support.control import LBAAS
from tests.support.haproxy import socket_directory

__all__ = ["postgres", "socket_directory"]

CHANGES = 200 if os.environ.get("LIBRA_CHAOS") == "all" else 30
SEED = int(os.environ.get("LIBRA_CHAOS_SEED", "20261126"))
KILLS_EVERY = 3  # changes, about


@pytest.fixture(params=["sqlite-embedded", "postgresql-gearmand"])
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
        lab.close()


def test_nothing_acknowledged_is_lost(lab: ChaosLab) -> None:
    changes = RandomChanges(lab, SEED)
    killer = Killer(lab, changes)
    for _ in range(CHANGES):
        if changes.random.randrange(KILLS_EVERY) == 0:
            killer.kill_soon(changes.random.choice(ChaosLab.NAMES), changes.random.random() * 0.2)
        changes.step()
        killer.wait()
    ensure_as_expected(lab, changes.expected)
    before = lab.digest()
    lab.stop()
    lab.start()
    ensure_as_expected(lab, changes.expected)
    assert lab.digest() == before


class Killer:
    """Kills beside a change, a moment after it began."""

    def __init__(self, lab: ChaosLab, changes: RandomChanges) -> None:
        self._lab = lab
        self._timer: threading.Timer | None = None

    def kill_soon(self, name: str, seconds: float) -> None:
        self._timer = threading.Timer(seconds, self._lab.kill, (name,))
        self._timer.start()

    def wait(self) -> None:
        if self._timer is not None:
            self._timer.join()
            self._timer = None


def ensure_as_expected(lab: ChaosLab, expected: Expected) -> None:
    """The database has what was acknowledged, and the device runs what the database has."""
    lab.wait(lambda: statuses(lab) <= {"ACTIVE"}, "everything ACTIVE")
    lab.wait(lab.runs_as_stored, "a device that runs what is stored")
    answer = lab.call("GET", f"{LBAAS}/loadbalancers")
    assert answer is not None
    found = {item["id"]: item["name"] for item in answer.json()["loadbalancers"]}
    assert found == expected.names
    for key, pool in expected.pools.items():
        answer = lab.call("GET", f"{LBAAS}/pools/{pool}/members")
        assert answer is not None
        weights = {item["address"]: item["weight"] for item in answer.json()["members"]}
        assert weights == expected.weights[key]


def statuses(lab: ChaosLab) -> set[str]:
    answer = lab.call("GET", f"{LBAAS}/loadbalancers")
    if answer is None:
        return {"unknown"}
    return {item["provisioning_status"] for item in answer.json()["loadbalancers"]}
