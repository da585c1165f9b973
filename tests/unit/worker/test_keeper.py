"""When the proxy is looked after."""

from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

from libra.errors import DriverError
from libra.worker.dispatcher import Dispatcher
from libra.worker.keeper import ProxyKeeper
from libra.worker.lanes import Task


class Steps:
    """The controller's two steps; `fault` is what they raise."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.fault: Exception | None = None

    def restore(self) -> None:
        self._step("restore")

    def ensure(self) -> None:
        self._step("ensure")

    def handle(self, message: object) -> Any:
        raise NotImplementedError

    def pass_over(self, message: object) -> Any:
        raise NotImplementedError

    def _step(self, name: str) -> None:
        self.calls.append(name)
        if self.fault is not None:
            raise self.fault


def keeper(steps: Steps, put: Callable[[Task], bool], every: timedelta) -> ProxyKeeper:
    lane = SimpleNamespace(put=lambda task, _timeout=0.0: put(task))
    return ProxyKeeper(cast(Dispatcher, SimpleNamespace(changes=lane)), steps, every)


def run_at_once(task: Task) -> bool:
    """A lane so quick that the task is done before `put` returns."""
    task.run()
    return True


def test_a_quick_lane_is_used_again_and_again() -> None:
    steps = Steps()
    proxy = keeper(steps, run_at_once, timedelta())
    for _ in range(3):
        proxy.tick()
    assert steps.calls == ["restore", "ensure", "ensure"]


def test_a_full_lane_is_tried_again() -> None:
    steps = Steps()
    answers = [False, True]
    proxy = keeper(steps, lambda task: answers.pop(0) and run_at_once(task), timedelta())
    proxy.tick()
    assert not proxy.settled
    proxy.tick()
    assert (steps.calls, proxy.settled) == (["restore"], True)


def test_one_at_a_time() -> None:
    queued: list[Task] = []

    def keep(task: Task) -> bool:
        queued.append(task)
        return True

    proxy = keeper(Steps(), keep, timedelta())
    proxy.tick()
    proxy.tick()
    assert len(queued) == 1


def test_nothing_before_it_is_due() -> None:
    steps = Steps()
    proxy = keeper(steps, run_at_once, timedelta(hours=1))
    proxy.tick()
    proxy.tick()
    assert steps.calls == ["restore"]


def test_what_it_says() -> None:
    steps = Steps()
    proxy = keeper(steps, run_at_once, timedelta())
    assert proxy.state == "restoring the proxy"
    steps.fault = DriverError("cannot find HAProxy")
    proxy.tick()
    assert proxy.state == "cannot find HAProxy"
    steps.fault = None
    proxy.tick()
    assert proxy.state == "the proxy is as saved"
