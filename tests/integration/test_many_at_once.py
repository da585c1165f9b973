"""Many changes at once: each gets its own device, and nobody waits for a connection that a waiting writer has."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from libra.model.access import Caller, Role
from libra.model.device import DeviceState
from libra.storage.schema import upgrade
from libra.storage.sql import SqlStorage, open_storage
from libra.usecases.loadbalancers import Vip, create
from libra.usecases.services import AddressPool, Services
from tests.support.postgres import running_postgres
from tests.support.storages import build_device, migrated, sqlite_storage

ADMIN = Caller(name="admin", role=Role.ADMIN)
POOL = AddressPool(id="pool", name="default", ranges=("10.0.0.0/24",))
SOON = 10.0


class NoSealer:
    """Nothing here is secret."""

    def seal(self, secret: str) -> str:
        return secret

    def unseal(self, sealed: str) -> str:
        return sealed


@pytest.fixture(params=["sqlite", "postgresql"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    if request.param == "sqlite":
        with sqlite_storage(tmp_path) as storage:
            yield storage
        return
    with running_postgres() as server, migrated(server.new_url()) as storage:
        yield storage


def test_load_balancers_made_at_once_are_spread_over_the_devices(storage: SqlStorage) -> None:
    devices = [build_device(f"web{n}", state=DeviceState.SPARE, protocol="2.0") for n in range(8)]
    with storage.writing() as unit:
        unit.devices.add_all(devices)
        for pool in unit.device_pools.find():
            unit.device_pools.replace(replace(pool, shared=True))
    services = Services(storage=storage, sealer=NoSealer(), address_pools=(POOL,))
    barrier = threading.Barrier(8)

    def make(number: int) -> str | None:
        barrier.wait(SOON)
        made = create(services, ADMIN, "p1", Vip(pool="default"), {"name": f"lb{number}"})
        return made.loadbalancer.device_id

    with ThreadPoolExecutor(8) as pool:
        chosen = list(pool.map(make, range(8)))
    assert sorted(map(str, chosen)) == sorted(device.id for device in devices)


def test_writers_that_wait_keep_no_connection_from_readers(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'libra.db'}"
    upgrade(url)
    storage = open_storage(url, connections=2)
    first_writes, first_may_end = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with storage.writing() as unit:
            first_writes.set()
            assert first_may_end.wait(SOON)
            unit.devices.add(build_device("first"))

    def write(number: int) -> None:
        assert first_writes.wait(SOON)
        with storage.writing() as unit:
            unit.devices.add(build_device(f"web{number}"))

    def read() -> int:
        with storage.reading() as unit:
            return len(unit.devices.find())

    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write_slowly), *(pool.submit(write, n) for n in range(4))]
        assert first_writes.wait(SOON)
        try:
            assert [pool.submit(read).result(SOON) for _ in range(20)] == [0] * 20
        finally:
            first_may_end.set()
        for writer in writers:
            writer.result(SOON)
    assert read() == 5
    storage.close()
