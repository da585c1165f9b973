"""How often the manager looks at all devices."""

from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

from libra.jobs.memory import MemoryJobServer
from libra.manager.daemon import Manager
from libra.manager.pace import Pace
from libra.model.device import Device
from libra.storage.fleet import SqlDevices
from libra.storage.lease import open_lease
from libra.storage.query import EVERYTHING, Query
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.storages import at, migrated


def test_all_devices_are_looked_at_four_times_a_second_however_often_the_bell_rings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[Query] = []

    def find(_: SqlDevices, query: Query = EVERYTHING) -> list[Device]:
        looks.append(query)
        return []

    monkeypatch.setattr(SqlDevices, "find", find)
    url, seconds = f"sqlite:///{tmp_path / 'libra.db'}", 0.0

    def clock() -> datetime:
        return at(seconds)

    with migrated(url) as storage:
        services = Services(storage=storage, sealer=open_vault(tmp_path / "key"), clock=clock)
        client = MemoryJobServer().client()
        manager = Manager(services, open_lease(url), client, Counter, Pace())
        for turn in range(100):
            seconds = turn * 0.01
            manager.turn()
        manager.stop()
    assert len(looks) == 4
