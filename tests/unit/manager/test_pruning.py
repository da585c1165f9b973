"""Old events and jobs go some at a time."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from libra.jobs.memory import MemoryJobServer
from libra.manager import chores
from libra.manager.daemon import Manager
from libra.manager.pace import Pace
from libra.model.event import Event
from libra.model.job import JobState
from libra.storage.lease import open_lease
from libra.storage.sql import SqlStorage
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.storages import at, build_device, build_job, migrated

LATER = 365 * 24 * 3600  # seconds


class Clock:
    """A year after everything that is stored, and a minute more with each turn."""

    def __init__(self) -> None:
        self.seconds = LATER

    def __call__(self) -> datetime:
        return at(self.seconds)


def left(storage: SqlStorage) -> tuple[int, int]:
    with storage.reading() as unit:
        return len(unit.events.since(0, limit=100)), unit.jobs.count({})


def test_a_turn_takes_some_and_the_next_ones_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chores, "PRUNE_MOST", 2)
    url, clock = f"sqlite:///{tmp_path / 'libra.db'}", Clock()
    with migrated(url) as storage:
        with storage.writing() as unit:
            ended = [build_job(build_device(), state=JobState.COMPLETE) for _ in range(3)]
            unit.jobs.add_all(ended)
            for n in range(5):
                unit.events.add(Event(at=at(n), kind="device.error", subject_id="x"))
        services = Services(storage=storage, sealer=open_vault(tmp_path / "key"), clock=clock)
        client = MemoryJobServer().client()
        manager = Manager(services, open_lease(url), client, Counter, Pace())
        seen = [turn(manager, clock, storage) for _ in range(4)]
        manager.stop()
    assert seen == [(3, 1), (1, 0), (0, 0), (0, 0)]


def turn(manager: Manager, clock: Clock, storage: SqlStorage) -> tuple[int, int]:
    """How many events and jobs are left after it."""
    clock.seconds += 60
    manager.turn()
    return left(storage)
