"""A host that never came is given up, and that is told of its pool."""

from collections.abc import Collection
from datetime import timedelta
from pathlib import Path

import pytest

from libra.daemon.beats import Beats
from libra.daemon.loop import Guard
from libra.manager.poolkeeper import PoolKeeper
from libra.manager.settle import MANAGER
from libra.model.device import DeviceState
from libra.model.sizing import BOOT_TIME
from libra.providers.base import Host
from libra.usecases.admin import failures
from libra.usecases.devicepools import create_pool
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.storages import NOW, build_device, sqlite_storage


class Nowhere:
    """A provider whose hosts are none."""

    destroys = True

    def choose(self, _taken: Collection[str]) -> Host | None:
        return None

    def boot(self, host: Host) -> None:
        raise AssertionError(host)

    def shutdown(self, _name: str) -> None:
        """There is nothing."""

    def list(self) -> list[Host]:
        return []


@pytest.mark.parametrize("reason", ["", "it hides"])
def test_it_is_told_of_its_pool(tmp_path: Path, reason: str) -> None:
    beats = Beats()
    guard, boots = Guard(beats.add("pools", interval=1)), beats.add("boots", interval=1)
    with sqlite_storage(tmp_path) as storage:
        now = NOW + BOOT_TIME + timedelta(seconds=1)
        services = Services(storage=storage, sealer=open_vault(tmp_path / "key"), clock=lambda: now)
        pool = create_pool(services, MANAGER, {"name": "edge", "provider": "nowhere"})
        lost = build_device("edge-1", pool_id=pool.id, state=DeviceState.ERROR, reason=reason)
        with storage.writing() as unit:
            unit.devices.add(lost)
        keeper = PoolKeeper(services, lambda _name, _pool: Nowhere(), guard, boots)
        keeper.turn(now)
        keeper.stop()
        (told,) = failures.list_image_failures(services).never_online
        assert told.subject == "edge"
        assert told.reason == f"'edge-1': {reason or 'it never answered'}"
