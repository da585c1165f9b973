"""UPDATEs that wait behind one another are one change."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from libra.drivers.noop import NoopDriver
from libra.errors import DriverError
from libra.messages.codec import decode, encode
from libra.model.loadbalancer import Desired
from libra.worker.controller import LBaaSController
from libra.worker.dispatcher import Dispatcher
from tests.support.ports import wait_until


class SlowDriver(NoopDriver):
    """Takes as long as the test lets it; refuses port 666."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.asked: list[Desired] = []

    def apply(self, desired: Desired, meanwhile: Callable[[], None] | None = None) -> None:
        self.asked.append(desired)
        assert self.gate.wait(10)
        if any(item.port == 666 for lb in desired.loadbalancers for item in lb.listeners):
            raise DriverError("cannot listen on port 666")
        super().apply(desired, meanwhile)


@dataclass
class Job:
    payload: bytes
    handle: str = "H:1"
    replies: list[Any] = field(default_factory=list)

    def complete(self, reply: bytes) -> None:
        self.replies.append(decode(reply))

    def fail(self) -> None:
        raise AssertionError


class Lab:
    def __init__(self) -> None:
        self.driver = SlowDriver()
        self.controller = LBaaSController(self.driver)
        self.dispatcher = Dispatcher(self.controller)
        self.jobs: list[Job] = []
        self.released = 0

    def send(self, action: str, **fields: Any) -> None:
        job = Job(encode({"hpcs_action": action, **fields}))
        self.jobs.append(job)
        self.dispatcher.accept(job, self._release)

    def update(self, port: Any, **fields: Any) -> None:
        nodes = [{"address": "10.0.0.1", "port": 80}]
        loadbalancer = {"protocol": "HTTP", "port": port, "nodes": nodes}
        self.send("UPDATE", loadbalancers=[loadbalancer], **fields)

    def hold_up(self) -> None:
        """A first change that is under way."""
        self.update(1)
        wait_until(lambda: len(self.driver.asked) == 1, what="the first")

    def go_on(self) -> list[str]:
        """What each of the later ones was answered."""
        self.driver.gate.set()
        wait_until(lambda: all(job.replies for job in self.jobs), what="all answers")
        wait_until(lambda: self.released == len(self.jobs), what="all released")
        assert all(len(job.replies) == 1 for job in self.jobs)
        return [job.replies[0]["hpcs_response"] for job in self.jobs[1:]]

    def ports(self) -> list[int]:
        """Of each change that was made after the first."""
        return [item.loadbalancers[0].listeners[0].port for item in self.driver.asked[1:]]

    def _release(self) -> None:
        self.released += 1


@pytest.fixture
def lab() -> Lab:
    return Lab()


def test_only_the_last_is_carried_out(lab: Lab) -> None:
    lab.hold_up()
    for port in range(2, 502):
        lab.update(port)
    assert lab.dispatcher.unfinished() == 501
    assert set(lab.go_on()) == {"PASS"}
    assert lab.ports() == [501]
    assert lab.jobs[7].replies[0]["loadbalancers"][0]["port"] == 8
    wait_until(lambda: lab.dispatcher.unfinished() == 0, what="the end")


def test_what_stands_between_them_stays_there(lab: Lab) -> None:
    lab.hold_up()
    steps: list[Callable[[], None]] = [
        lambda: lab.update(2),
        lambda: lab.update(3),
        lambda: lab.send("SUSPEND"),
        lambda: lab.update(4, hpcs_dry_run=True),
        lambda: lab.update(5),
        lambda: lab.update(6),
    ]
    for step in steps:
        step()
    assert set(lab.go_on()) == {"PASS"}
    assert [
        (item.suspended, port) for item, port in zip(lab.driver.asked[1:], lab.ports(), strict=True)
    ] == [
        (False, 3),
        (True, 3),
        (True, 6),
    ]


def test_those_of_a_controller_are_carried_out_one_by_one(lab: Lab) -> None:
    lab.hold_up()
    for generation, port in ((7, 2), (5, 3), (8, 4)):
        lab.update(port, hpcs_version="1.0", HPCS_Generation=generation)
    assert lab.go_on() == ["PASS", "FAIL", "PASS"]
    assert lab.ports() == [2, 4]


def test_where_the_last_fails_the_one_before_it_counts(lab: Lab) -> None:
    lab.hold_up()
    for port in (2, 0, 3, 666, "x"):
        lab.update(port)
    assert lab.go_on() == ["PASS", "FAIL", "PASS", "FAIL", "FAIL"]
    assert lab.ports() == [666, 3]
    assert "port 666" in lab.jobs[4].replies[0]["hpcs_error"]
    assert lab.controller.handle({"hpcs_action": "STATS"})["hpcs_response"] == "PASS"
    last = lab.driver.asked[-1]
    assert last.loadbalancers[0].listeners[0].port == 3


def test_where_all_fail_nothing_changes(lab: Lab) -> None:
    lab.hold_up()
    for port in (666, 70000):
        lab.update(port)
    assert lab.go_on() == ["FAIL", "FAIL"]
    assert lab.ports() == [666]
