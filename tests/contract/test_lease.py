"""The right to manage: one process has it, whoever dies lets it go."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text

from libra.errors import LeaseLost, StorageUnavailable
from libra.storage.base import Lease
from libra.storage.fences import FencedStorage
from libra.storage.lease import open_lease
from libra.storage.schema import upgrade
from libra.storage.sql import open_storage
from tests.contract.test_storage import postgres, url
from tests.support.ports import wait_until

__all__ = ["postgres", "url"]

Open = Callable[[], Lease]
TAKE_OVER = 15.0
IN_A_TRANSACTION = """
import sys
from libra.storage.fences import FencedStorage
from libra.storage.lease import open_lease
from libra.storage.sql import open_storage
lease = open_lease(sys.argv[1])
storage = FencedStorage(open_storage(sys.argv[1]), lease)
assert lease.hold()
with storage.writing() as unit:
    print("writing", flush=True)
    sys.stdin.read()
"""
HOLD = """
import sys
from libra.storage.lease import open_lease
lease = open_lease(sys.argv[1])
print(lease.hold(), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def opened(url: str) -> Iterator[Open]:
    """Makes leases on one database."""
    upgrade(url)
    leases: list[Lease] = []

    def open_one() -> Lease:
        leases.append(open_lease(url))
        return leases[-1]

    yield open_one
    for lease in leases:
        lease.release()


def test_one_has_it_until_it_lets_it_go(opened: Open) -> None:
    first, second = opened(), opened()
    assert first.hold()
    assert first.hold()
    assert not second.hold()
    assert f"pid {os.getpid()}" in second.holder
    first.release()
    # PostgreSQL's process of a connection ends when it reads that it was closed.
    wait_until(second.hold, what="the lease")
    assert not first.hold()


def test_the_death_of_its_holder_frees_it(opened: Open, url: str) -> None:
    command = [sys.executable, "-c", HOLD, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        lease = opened()
        assert not lease.hold()
        assert f"pid {holder.pid}" in lease.holder
        holder.send_signal(signal.SIGKILL)
        wait_until(lease.hold, what="the lease")


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_a_lost_connection_loses_it(opened: Open, url: str) -> None:
    first, second = opened(), opened()
    assert first.hold()
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
        connection.execute(text(ended))
    engine.dispose()
    wait_until(second.hold, what="the lease")
    with pytest.raises(StorageUnavailable):
        first.hold()
    assert not first.hold()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("script", [HOLD, IN_A_TRANSACTION], ids=["idle", "in a transaction"])
def test_a_frozen_holder_loses_it_in_time(opened: Open, url: str, script: str) -> None:
    command = [sys.executable, "-c", script, url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        lease = opened()
        assert not lease.hold()
        holder.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: _hold_patiently(lease), timeout=TAKE_OVER, what="the lease")
        finally:
            holder.send_signal(signal.SIGCONT)
            holder.kill()


def _hold_patiently(lease: Lease) -> bool:
    """While a transaction of the holder before keeps it from being written, it is no error of the database."""
    try:
        return lease.hold()
    except StorageUnavailable:
        return False


def test_a_writer_of_before_is_fenced_off(opened: Open, url: str) -> None:
    first, second = opened(), opened()
    storage = open_storage(url)
    fenced = FencedStorage(storage, first)
    try:
        assert first.hold()
        with fenced.writing() as unit:
            unit.tokens.remove("none")
        before = first.number
        first.release()
        wait_until(second.hold, what="the lease")
        if url.startswith("sqlite"):
            return  # whoever has the lock of the file is alone on this machine
        assert second.number == before + 1
        with pytest.raises(LeaseLost), fenced.writing():
            pytest.fail("it writes on")
        with FencedStorage(storage, second).writing() as unit:
            unit.tokens.remove("none")
    finally:
        storage.close()


@pytest.mark.parametrize("url", ["postgresql"], indirect=True)
def test_to_renew_it_waits_for_no_writer(
    opened: Open, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("libra.storage.lease.RENEW_SECONDS", 0.0)
    lease = opened()
    storage = open_storage(url)
    try:
        assert lease.hold()
        with FencedStorage(storage, lease).writing():
            assert lease.hold()
    finally:
        storage.close()
