"""The token: in the echo, as the contract wants it, and nowhere else, whatever goes wrong."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from libra.drivers.noop import NoopDriver
from libra.errors import ObjectStoreError
from libra.messages.codec import JsonObject
from libra.messages.requests import Archive
from libra.model.loadbalancer import Desired
from libra.worker.archive import Archiver
from libra.worker.controller import INTERNAL, LBaaSController
from libra.worker.state import FileState
from tests.support.messages import http, update

TOKEN = "gAAAAAB-s3cr3t"
MESSAGE = {
    "hpcs_action": "ARCHIVE",
    "hpcs_object_store_basepath": "lbaaslogs",
    "hpcs_object_store_endpoint": "https://example.com/v1/100",
    "HPCS_Object_Store_Token": TOKEN,
    "hpcs_object_store_type": "swift",
    "loadbalancers": [{"protocol": "HTTP"}],
}


class CarelessArchiver(Archiver):
    """Puts the token into everything that it raises and logs."""

    def __init__(self, kind: type[Exception]) -> None:
        super().__init__({})
        self._kind = kind

    def archive(self, request: Archive, desired: Desired, driver: Any) -> JsonObject:
        """Fails with the token in its words, and in a local variable."""
        header = f"X-Auth-Token: {request.token}"
        raise self._kind(f"cannot store: 401 for {header!r}") from ValueError(header)


@contextmanager
def every_log(caplog: pytest.LogCaptureFixture) -> Iterator[list[Any]]:
    """All events of structlog with their tracebacks, and all of the standard library."""
    events: list[Any] = []
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as captured:
        yield events
    for event in captured:
        error = event.get("exc_info")
        if isinstance(error, BaseException):
            events.append("".join(traceback.format_exception(error)))
    events += captured
    events.append(caplog.text)


def handle(archiver: Archiver, message: JsonObject) -> JsonObject:
    controller = LBaaSController(NoopDriver(), archiver=archiver)
    controller.handle(update(http()))
    return controller.handle(message)


def without_echo(reply: JsonObject) -> JsonObject:
    return {name: value for name, value in reply.items() if value != TOKEN}


def test_an_object_store_that_tells_the_token(caplog: pytest.LogCaptureFixture) -> None:
    with every_log(caplog) as events:
        reply = handle(CarelessArchiver(ObjectStoreError), MESSAGE)
    assert reply["hpcs_error"] == "cannot store: 401 for 'X-Auth-Token: ***'"
    assert reply["HPCS_Object_Store_Token"] == TOKEN
    assert TOKEN not in repr(without_echo(reply)) + repr(events)


def test_an_internal_error_that_tells_the_token(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with every_log(caplog) as events:
        reply = handle(CarelessArchiver(RuntimeError), MESSAGE)
    assert reply["hpcs_error"] == INTERNAL
    assert "RuntimeError: cannot store: 401 for 'X-Auth-Token: ***'\n" in events[0]["traceback"]
    assert TOKEN not in repr(without_echo(reply)) + repr(events)
    handle(CarelessArchiver(RuntimeError), MESSAGE)  # now with the log's own default form
    assert TOKEN not in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    "token", [f"{TOKEN} x", f"{TOKEN}\n", f"ü{TOKEN}", [TOKEN], {"a": TOKEN}, TOKEN * 2000]
)
def test_a_token_that_is_none(token: object, caplog: pytest.LogCaptureFixture) -> None:
    message = {**MESSAGE, "HPCS_Object_Store_Token": token}
    with every_log(caplog) as events:
        reply = handle(Archiver({}), message)
    assert TOKEN not in str(reply["hpcs_error"]) + repr(events)


@pytest.mark.parametrize("field", [name for name in MESSAGE if "Token" not in name])
def test_another_field_at_fault(field: str, caplog: pytest.LogCaptureFixture) -> None:
    with every_log(caplog) as events:
        reply = handle(Archiver({}), {**MESSAGE, field: {"a": TOKEN}})
    assert reply["hpcs_response"] == "FAIL"
    assert TOKEN not in str(reply["hpcs_error"]) + repr(events)


def test_a_token_given_twice(caplog: pytest.LogCaptureFixture) -> None:
    with every_log(caplog) as events:
        reply = handle(Archiver({}), {**MESSAGE, "hpcs_object_store_token": TOKEN + "2"})
    assert reply["hpcs_error"] == (
        "cannot read hpcs_object_store_token: it is given twice, in different spellings"
    )
    assert TOKEN not in repr(events)


def test_a_token_in_a_message_that_needs_none_is_not_saved(tmp_path: Path) -> None:
    state = tmp_path / "desired.json"
    controller = LBaaSController(NoopDriver(), FileState(state))
    reply = controller.handle({**update(http()), "hpcs_object_store_token": TOKEN})
    assert reply["hpcs_response"] == "PASS"
    assert TOKEN not in state.read_text()
