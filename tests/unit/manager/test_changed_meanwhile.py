"""A pool that is changed while its devices are looked at gets none that nobody wants any more."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from libra.daemon.beats import Beats
from libra.daemon.loop import Guard
from libra.manager.poolkeeper import PoolKeeper
from libra.manager.settle import MANAGER
from libra.providers.base import Host
from libra.usecases.devicepools import change_pool, create_pool, remove_pool
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.storages import NOW, sqlite_storage


class Anywhere:
    """A provider that always has one host more; they are booted at once."""

    destroys = True

    def choose(self, taken: Collection[str]) -> Host | None:
        return Host(name=f"edge-{len(taken) + 1}", address="127.0.0.1")

    def boot(self, host: Host) -> None:
        """It is there."""

    def shutdown(self, _name: str) -> None:
        """It is gone."""

    def list(self) -> list[Host]:
        return []


@pytest.mark.parametrize(
    ("changes", "booted"),
    [({}, 2), ({"min_spare": 1}, 1), ({"min_spare": 0}, 0), ({"disabled": True}, 0), (None, 0)],
    ids=str,
)
def test_what_is_wanted_is_asked_again(
    tmp_path: Path, changes: dict[str, Any] | None, booted: int
) -> None:
    beats = Beats()
    guard, boots = Guard(beats.add("pools", interval=1)), beats.add("boots", interval=1)
    with sqlite_storage(tmp_path) as storage:
        services = Services(storage=storage, sealer=open_vault(tmp_path / "key"), clock=lambda: NOW)
        fields = {"name": "edge", "provider": "anywhere", "min_spare": 2}
        pool = create_pool(services, MANAGER, fields)

        def open_provider(_name: str, _pool: str) -> Anywhere:
            """Between the look at the devices and the first boot."""
            if changes is None:
                remove_pool(services, MANAGER, pool.id)
            elif changes:
                change_pool(services, MANAGER, pool.id, changes)
            return Anywhere()

        keeper = PoolKeeper(services, open_provider, guard, boots)
        keeper.turn(NOW)
        keeper.stop()
        assert len(storage.look(lambda unit: unit.devices.find())) == booted
