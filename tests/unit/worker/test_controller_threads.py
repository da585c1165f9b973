"""Many threads at one controller: changes wait for each other, questions wait for nobody."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libra.messages.replies import passed
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.drivers import SlowDriver
from tests.support.messages import http, update

PATIENCE = 30.0  # seconds: a deadline, not a measure
DISCOVER = {"hpcs_action": "DISCOVER"}
STATS = {"hpcs_action": "STATS"}
SUSPEND = {"hpcs_action": "SUSPEND"}


@pytest.fixture
def driver() -> Iterator[SlowDriver]:
    driver = SlowDriver()
    yield driver
    driver.go.set()


@pytest.fixture
def pool(driver: SlowDriver) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool
        driver.go.set()


def ids(reply: dict[str, object]) -> list[str]:
    loadbalancers = reply["loadbalancers"]
    assert isinstance(loadbalancers, list)
    return [item["id"] for item in loadbalancers]


def test_questions_are_answered_while_a_change_takes_long(
    driver: SlowDriver, pool: ThreadPoolExecutor
) -> None:
    controller = LBaaSController(driver)
    driver.go.set()
    assert passed(controller.handle(update(http(id="old"))))
    driver.go.clear()
    driver.entered.clear()
    change = pool.submit(controller.handle, update(http(id="new")))
    assert driver.entered.wait(PATIENCE)
    questions = [pool.submit(controller.handle, message) for message in (DISCOVER, STATS) * 4]
    replies = [question.result(PATIENCE) for question in questions]
    assert all(map(passed, replies))
    assert {tuple(ids(reply)) for reply in replies if "driver" not in reply} == {("old",)}
    assert not change.done()
    driver.go.set()
    assert passed(change.result(PATIENCE))
    assert ids(controller.handle(STATS)) == ["new"]


def test_questions_are_answered_while_the_worker_restores(
    driver: SlowDriver, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    controller = LBaaSController(driver, FileState(tmp_path / "desired.json"))
    restoring = pool.submit(controller.restore)
    assert driver.entered.wait(PATIENCE)
    assert passed(pool.submit(controller.handle, DISCOVER).result(PATIENCE))
    driver.running = True  # as a HAProxy that outlived its worker
    assert passed(pool.submit(controller.handle, STATS).result(PATIENCE))
    assert not restoring.done()
    driver.go.set()
    restoring.result(PATIENCE)


@pytest.mark.parametrize("step", ["restore", "ensure"])
def test_chores_wait_for_a_change(driver: SlowDriver, pool: ThreadPoolExecutor, step: str) -> None:
    controller = LBaaSController(driver)
    change = pool.submit(controller.handle, update(http(id="new")))
    assert driver.entered.wait(PATIENCE)
    chore: Callable[[], None] = getattr(controller, step)
    waiting = pool.submit(chore)
    driver.go.set()
    assert passed(change.result(PATIENCE))
    waiting.result(PATIENCE)
    assert not driver.overlapped
    assert driver.desired.loadbalancers[0].id == "new"


def test_changes_from_many_threads_are_made_one_after_the_other(
    driver: SlowDriver, pool: ThreadPoolExecutor, tmp_path: Path
) -> None:
    path = tmp_path / "desired.json"
    controller = LBaaSController(driver, FileState(path))
    driver.go.set()
    assert passed(controller.handle(update(http(id="first"))))
    start = threading.Barrier(16)

    def change(number: int) -> list[bool]:
        start.wait(PATIENCE)
        messages = [
            update(http(id=f"lb-{number}")),
            SUSPEND,
            STATS,
            {"hpcs_action": "ENABLE"},
            update(http(id=f"again-{number}", port=0)),
        ]
        return [passed(controller.handle(message)) for message in messages]

    results = [future.result(PATIENCE) for future in [pool.submit(change, n) for n in range(16)]]
    assert results == [[True, True, True, True, False]] * 16
    assert not driver.overlapped
    assert driver.desired == FileState(path).load()
    assert not driver.desired.suspended
    assert ids(controller.handle(STATS)) == [driver.desired.loadbalancers[0].id]
