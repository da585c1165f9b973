"""Replies: the original message plus the answer, and secrets kept out of everything else."""

import json
from typing import Any

import pytest

from libra.messages.replies import build_fail, build_pass, masked, masked_text, passed

TOKEN = "MY_AUTH_TOKEN"


def test_a_reply_is_the_message_plus_the_answer_in_this_order() -> None:
    message = {"Z": 1, "HPCS_ACTION": "discover", "a": {"B": [1]}}
    assert json.dumps(build_pass(message, {"version": "1.0"})) == json.dumps(
        {**message, "version": "1.0", "hpcs_response": "PASS"}
    )
    assert json.dumps(build_fail(message, "cannot")) == json.dumps(
        {**message, "hpcs_response": "FAIL", "hpcs_error": "cannot"}
    )
    assert message == {"Z": 1, "HPCS_ACTION": "discover", "a": {"B": [1]}}


def test_a_message_that_could_not_be_read_has_a_bare_reply() -> None:
    assert build_fail(None, "cannot") == {"hpcs_response": "FAIL", "hpcs_error": "cannot"}


@pytest.mark.parametrize("name", ["hpcs_response", "HPCS_RESPONSE", "hpcs_error", "Hpcs_Error"])
def test_the_answer_fields_of_a_request_are_stale(name: str) -> None:
    message = {name: "PASS", "hpcs_action": "STATS"}
    assert build_pass(message) == {"hpcs_action": "STATS", "hpcs_response": "PASS"}
    assert list(build_fail(message, "e")) == ["hpcs_action", "hpcs_response", "hpcs_error"]


def test_an_added_field_takes_the_place_of_the_request_s_however_spelt() -> None:
    message = {"LoadBalancers": [1], "version": "0", "hpcs_action": "STATS"}
    reply = build_pass(message, {"loadbalancers": [], "version": "1.0"})
    assert list(reply) == ["hpcs_action", "loadbalancers", "version", "hpcs_response"]
    assert reply["loadbalancers"] == []
    assert list(build_fail(message, "e"))[:2] == ["LoadBalancers", "version"]


def test_passed() -> None:
    assert passed(build_pass({}))
    assert not passed(build_fail({}, "e"))
    assert not passed({})


@pytest.mark.parametrize(
    "name",
    ["hpcs_object_store_token", "HPCS_OBJECT_STORE_TOKEN", " hpcs_object_store_to\u212aen "],
)
def test_secrets_are_masked(name: str) -> None:
    message = {name: TOKEN, "hpcs_object_store_type": "swift"}
    assert masked(message) == {name: "***", "hpcs_object_store_type": "swift"}
    assert masked_text(f"Swift said: bad token {TOKEN}!", message) == "Swift said: bad token ***!"


def test_the_reply_to_the_sender_keeps_the_token() -> None:
    message = {"hpcs_object_store_token": TOKEN}
    assert build_pass(message)["hpcs_object_store_token"] == TOKEN


@pytest.mark.parametrize("token", ["", "e", "word", None, 12345678, ["MY_AUTH_TOKEN"]])
def test_what_can_be_no_secret_garbles_no_sentence(token: object) -> None:
    message = {"hpcs_object_store_token": token}
    assert masked_text("cannot do that with one word", message) == "cannot do that with one word"


def test_names_that_are_no_text_are_echoed() -> None:
    odd: Any = {1: "a", None: "b"}
    assert build_pass(odd) == {1: "a", None: "b", "hpcs_response": "PASS"}
    assert masked(odd) == odd
