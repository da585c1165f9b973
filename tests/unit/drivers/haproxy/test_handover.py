"""What a reload takes along is there whole, or as it was."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Configuration, Options
from libra.drivers.haproxy.handover import Handover
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.serverstate import EMPTY
from libra.model.pool import PersistenceType, SessionPersistence
from tests.support.desired import build_desired
from tests.support.disks import full_disk

TIE = "0x1: key=10.{}.{}.{} use=0 exp=60000 shard=0 server_id=1 server_key=m0\n"
ROOM = 10_000  # bytes


class Answering(AdminSocket):
    """A HAProxy to which so many clients are tied."""

    def __init__(self, clients: int) -> None:
        super().__init__(Path("/none"))
        self.clients = clients
        self.asked: list[str] = []
        self.given: list[tuple[str, str]] = []

    def ask(self, command: str) -> str:
        self.asked.append(command)
        if command == "show servers state":
            return "1\n"
        return "".join(TIE.format(n >> 16, n >> 8 & 255, n & 255) for n in range(self.clients))

    def give(self, command: str, payload: str) -> str:
        self.given.append((command, payload))
        return ""


@pytest.fixture
def tied() -> Configuration:
    options = Options(
        admin_socket="/a", log_target="stdout", version=(2, 6), hard_stop_after=timedelta(1)
    )
    (loadbalancer,) = build_desired(1).loadbalancers
    (listener,) = loadbalancer.listeners
    tie = SessionPersistence(type=PersistenceType.SOURCE_IP)
    listener = replace(listener, pool=replace(listener.pool, persistence=tie))
    desired = replace(
        build_desired(1), loadbalancers=(replace(loadbalancer, listeners=(listener,)),)
    )
    return build(desired, options)


def test_a_full_disk_leaves_the_former_clients(tmp_path: Path, tied: Configuration) -> None:
    admin, config = Answering(10), tmp_path / "haproxy.cfg"
    handover = Handover(admin, config)
    handover.take_along(tied)
    clients = tmp_path / "haproxy.cfg.clients"
    before = clients.read_text()
    assert len(before.splitlines()) == 10
    admin.clients = 1000
    with full_disk(ROOM):
        handover.take_along(tied)
    assert clients.read_text() == before
    assert {path.name for path in tmp_path.iterdir()} == {clients.name, "haproxy.cfg.servers"}
    handover.take_along(tied)
    assert len(clients.read_text().splitlines()) == 1000


def test_the_process_that_goes_is_told_what_it_did_not_begin_with(
    tmp_path: Path, tied: Configuration
) -> None:
    admin = Answering(2)
    handover = Handover(admin, tmp_path / "haproxy.cfg")
    handover.take_along(tied)
    admin.clients = 3
    handover.take_along(tied)
    (_, first), (command, second) = admin.given
    assert command == f"add map {tmp_path / 'haproxy.cfg.clients'}"
    assert (first + second).splitlines() == (
        tmp_path / "haproxy.cfg.clients"
    ).read_text().splitlines()


def test_without_checks_haproxy_is_not_asked_how_its_servers_are(
    tmp_path: Path, tied: Configuration
) -> None:
    """But what a reload before has left behind must not be believed."""
    states = tmp_path / "haproxy.cfg.servers"
    states.write_text("stale")
    admin = Answering(0)
    handover = Handover(admin, tmp_path / "haproxy.cfg")
    for _ in range(2):
        handover.take_along(tied)
        assert "show servers state" not in admin.asked
        assert states.read_text() == EMPTY
        states.unlink()
