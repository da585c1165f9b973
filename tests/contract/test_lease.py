"""The right to manage: one process has it, whoever dies lets it go."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, text

from libra.errors import StorageUnavailable
from libra.storage.base import Lease
from libra.storage.lease import open_lease
from tests.contract.test_storage import postgres, url
from tests.support.ports import wait_until

__all__ = ["postgres", "url"]

Open = Callable[[], Lease]
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
