"""Orders of `libra admin` to the controller itself: how much it logs, its settings, its end."""

import threading
from collections.abc import Iterator

import pytest

from libra.cmd.steering import Steering
from libra.errors import Invalid
from libra.usecases.admin.daemon import Reconfiguration
from tests.support.operating import Operator, operating

COMMENT = "before the upgrade"


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with operating() as operator:
        yield operator


@pytest.fixture
def steering(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> Steering:
    """What the process would do is done in this one."""
    steering = operator.lab.controller.steering
    monkeypatch.setattr(steering, "set_log_level", lambda level: None)
    return steering


def ensure_event(operator: Operator, kind: str) -> None:
    event = operator.last_event(kind)
    assert (event["actor"], event["remote"], event["comment"]) == ("admin", "127.0.0.1", COMMENT)


@pytest.mark.usefixtures("steering")
def test_the_log_level(operator: Operator) -> None:
    assert "VERBOSE" in operator.run("admin", "log-level", "verbose", "-C", COMMENT)
    ensure_event(operator, "controller.log_level")
    assert operator.json("admin", "log-level", "INFO") == {"log_level": "INFO"}
    operator.run("admin", "log-level", "LOUD", status=2)


def test_the_settings_are_read_again(operator: Operator, steering: Steering) -> None:
    steering.renew = None
    assert "has no file of them" in operator.run("admin", "reconfig", status=1)
    steering.renew = lambda: Reconfiguration(("logging.level",), ("api.port",))
    table = operator.run("admin", "reconfig", "-C", COMMENT)
    assert "logging.level" in table
    assert "api.port" in table
    ensure_event(operator, "controller.reconfigured")
    assert operator.json("admin", "reconfig")["needs_restart"] == ["api.port"]

    def refuse() -> Reconfiguration:
        raise Invalid("cannot use api.port: it is none")

    steering.renew = refuse
    told = operator.run("admin", "reconfig", status=1)
    assert "cannot use the new settings, all is as it was: cannot use api.port" in told


def test_a_quick_shutdown(
    operator: Operator, steering: Steering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one: nobody answers afterwards."""
    ends: list[threading.Thread] = []

    def end() -> None:
        ends.append(threading.Thread(target=operator.lab.controller.api.stop))
        ends[-1].start()

    monkeypatch.setattr(steering, "_end", end)
    told = operator.run("admin", "quick-shutdown", status=2)
    assert "stop the controller, and leave all devices running? --yes says so" in told
    assert not steering.is_quick
    table = operator.run("admin", "quick-shutdown", "--yes", "--wait", "-C", COMMENT)
    assert "leaves all devices running" in table
    assert steering.is_quick
    (thread,) = ends
    thread.join()
    assert "cannot reach the API" in operator.run("status", status=3)
    with operator.lab.controller.services.storage.reading() as unit:
        kinds = [event.kind for event in unit.events.since(0, limit=1000)]
    assert kinds[-1] == "controller.quick_shutdown"
