"""Thousands of functions in one thread, at a real gearmand."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from libra.errors import JobDeadlinePassed
from libra.jobs.gearman import GearmanJobClient
from libra.jobs.gearman.switchboard import Switchboard
from tests.support.gearmand import Gearmand
from tests.support.jobservers import settings_for
from tests.support.ports import free_port

WAIT = 60.0


class Crowd:
    """A switchboard that is turned by the test itself, and gives every job its own name back."""

    def __init__(self, *ports: int) -> None:
        self.board = Switchboard(settings_for(*ports))
        self.answered: list[str] = []

    def turn(self) -> None:
        for name, job in self.board.take(0.05):
            self.answered.append(name)
            job.complete(name.encode() + job.payload)

    def turn_until_connected(self, count: int) -> None:
        deadline = time.monotonic() + WAIT
        while self.board.connected() != count:
            assert time.monotonic() < deadline, f"{self.board.connected()} are connected"
            self.turn()


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


def ask(crowd: Crowd, port: int, name: str, timeout: float = WAIT) -> bytes:
    """What the crowd answers, which is turned meanwhile."""
    client = GearmanJobClient(settings_for(port))
    try:
        with ThreadPoolExecutor(1) as pool:
            asking = pool.submit(client.submit, name, b"!", timeout=timeout)
            while not asking.done():
                crowd.turn()
            return asking.result()
    finally:
        client.close()


def test_each_answers_for_itself(gearmand: Gearmand) -> None:
    crowd = Crowd(gearmand.port)
    names = [f"sim{number}" for number in range(500)]
    for name in names:
        crowd.board.plug(name)
    crowd.turn_until_connected(500)
    for name in names[::50]:
        assert ask(crowd, gearmand.port, name) == f"{name}!".encode()
    crowd.board.close()


def test_a_muted_one_answers_once_it_is_heard_again(gearmand: Gearmand) -> None:
    crowd = Crowd(gearmand.port)
    crowd.board.plug("one")
    crowd.board.plug("other")
    crowd.turn_until_connected(2)
    crowd.board.mute("one", muted=True)
    with pytest.raises(JobDeadlinePassed):
        ask(crowd, gearmand.port, "one", timeout=0.5)
    assert ask(crowd, gearmand.port, "other") == b"other!"
    assert crowd.answered == ["other"]
    crowd.board.mute("one", muted=False)
    assert ask(crowd, gearmand.port, "one") == b"one!"
    crowd.board.close()


def test_unplugged_its_function_is_gone_and_plugged_it_is_back(gearmand: Gearmand) -> None:
    crowd = Crowd(gearmand.port)
    crowd.board.plug("one")
    crowd.turn_until_connected(1)
    crowd.board.unplug("one")
    crowd.turn_until_connected(0)
    with pytest.raises(JobDeadlinePassed):
        ask(crowd, gearmand.port, "one", timeout=0.3)
    crowd.board.plug("one")
    crowd.turn_until_connected(1)
    assert ask(crowd, gearmand.port, "one") == b"one!"
    crowd.board.close()


def test_two_servers_of_which_one_comes_and_goes(gearmand: Gearmand) -> None:
    port = free_port()
    crowd = Crowd(gearmand.port, port)
    for number in range(20):
        crowd.board.plug(f"sim{number}")
    while "connection refused" not in crowd.board.fault:
        crowd.turn()
    assert crowd.board.connected() == 0
    assert ask(crowd, gearmand.port, "sim7") == b"sim7!"
    with Gearmand(port=port) as second:
        crowd.turn_until_connected(20)
        assert ask(crowd, second.port, "sim7") == b"sim7!"
        second.kill()
        crowd.turn_until_connected(0)
        second.start()
        crowd.turn_until_connected(20)
        assert crowd.board.fault == ""
    crowd.board.close()
