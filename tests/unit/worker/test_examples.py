"""Every request and reply pair of tests/data/messages, also in other spellings and down to the bytes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from libra.drivers.noop import NoopDriver
from libra.messages.codec import decode, encode
from libra.messages.requests import Action
from libra.objectstores.memory import MemoryStore
from libra.worker.archive import Archiver
from libra.worker.controller import LBaaSController
from tests.support.messages import DIRECTORY, Pair, load_pairs, respell

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
PAIRS = load_pairs()
EACH_PAIR = pytest.mark.parametrize("pair", PAIRS, ids=[pair.name for pair in PAIRS])


def controller_for(pair: Pair) -> LBaaSController:
    driver = NoopDriver()
    archiver = Archiver({"swift": MemoryStore()}, clock=lambda: NOON)
    controller = LBaaSController(driver=driver, archiver=archiver)
    controller.restore()
    for message in pair.before:
        assert controller.handle(message)["hpcs_response"] == "PASS"
    for loadbalancer in pair.log:
        driver.log(loadbalancer, pair.blocks(loadbalancer))
    driver.running = pair.proxy == "running"
    return controller


def test_every_action_has_its_examples() -> None:
    assert {path.name for path in DIRECTORY.iterdir()} == {
        action.value.lower() for action in Action
    }
    assert all((DIRECTORY / action.value.lower() / "example.json").exists() for action in Action)


@EACH_PAIR
def test_the_reply_is_the_one_on_file(pair: Pair) -> None:
    reply = controller_for(pair).handle(pair.request)
    assert json.dumps(reply) == json.dumps(pair.reply)  # the order, too


@EACH_PAIR
def test_bytes_come_back_as_they_went_in(pair: Pair) -> None:
    message = decode(json.dumps(pair.request, indent=1).encode())
    reply = encode(controller_for(pair).handle(message))
    assert reply.startswith(encode(pair.request)[:-1] + b",")
    assert reply.endswith(encode(pair.added())[1:])


@pytest.mark.parametrize("names", [str.upper, str.lower, str.swapcase, str.title])
@pytest.mark.parametrize("words", [str.upper, str.lower, str.title])
@EACH_PAIR
def test_any_spelling_is_read_and_kept(
    pair: Pair, names: Callable[[str], str], words: Callable[[str], str]
) -> None:
    request = respell(pair.request, names, words)
    reply = controller_for(pair).handle(request)
    assert json.dumps(reply) == json.dumps({**request, **pair.added()})


@EACH_PAIR
def test_extraneous_fields_are_ignored_and_echoed(pair: Pair) -> None:
    extra = {"x_comment": {"deep": [1, None, "ü"]}, "X_COMMENT": 1, "": None, "hpcs_action ": "x"}
    request = {**extra, **pair.request, "trace-id": "7"}
    reply = controller_for(pair).handle(request)
    assert json.dumps(reply) == json.dumps({**request, **pair.added()})


@EACH_PAIR
def test_a_reply_sent_in_again_is_taken_as_its_request(pair: Pair) -> None:
    stale = {"HPCS_Response": "PASS", "hpcs_error": "of another day", "Hpcs_Error": "of yesterday"}
    reply = controller_for(pair).handle({**stale, **pair.reply, **pair.request})
    assert reply == pair.reply
