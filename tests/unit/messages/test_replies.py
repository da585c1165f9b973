"""Replies: the original message plus the answer, and secrets kept out of everything else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.messages.codec import JsonObject, decode
from libra.messages.replies import (
    MASK,
    build_fail,
    build_pass,
    masked,
    masked_text,
    passed,
    splice,
)

TOKEN = "MY_AUTH_TOKEN"


def test_private_keys_are_masked_wherever_they_are() -> None:
    key = "-----BEGIN EC PRIVATE KEY-----\nx\n-----END EC PRIVATE KEY-----"
    message = {"loadbalancers": [{"listeners": [{"tls": {"key": key, "ciphers": "a"}}]}]}
    shown = {"loadbalancers": [{"listeners": [{"tls": {"key": MASK, "ciphers": "a"}}]}]}
    assert masked(message) == shown
    broken = {"loadbalancers": [{"tls": {"KEY": "half a secret", "id": "a"}}]}
    assert masked(broken) == {"loadbalancers": [{"tls": {"KEY": MASK, "id": "a"}}]}


def test_private_keys_in_a_text_are_masked_also_where_they_are_cut() -> None:
    whole = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"
    text = f"cannot use {whole} nor {whole!r}; nor {whole[:40]}"
    assert masked_text(text, {}) == f"cannot use {MASK} nor '{MASK}'; nor {MASK}"


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


values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
field_names = st.sampled_from(
    ["a", "loadbalancers", "hpcs_response", "HPCS_ERROR", "hpcs_error", "plan"]
)


@given(
    st.dictionaries(field_names, values),
    st.dictionaries(st.sampled_from(["plan", "a"]), values),
    st.sampled_from([None, 2]),
    st.booleans(),
)
def test_a_spliced_reply_is_the_reply(
    message: JsonObject, added: JsonObject, indent: int | None, ascii_only: bool
) -> None:
    data = f" {json.dumps(message, indent=indent, ensure_ascii=ascii_only)}\n".encode(
        "utf-8", "replace"
    )
    message = decode(data)
    for reply in (
        build_pass(message, added),
        build_fail(message, "cannot"),
        build_fail(None, "no"),
    ):
        spliced = splice(data, message, reply, smallest=0)
        if spliced is not None:
            assert spliced.isascii()
            assert json.dumps(decode(spliced)) == json.dumps(reply)


def test_the_usual_reply_is_spliced() -> None:
    data = b'{"a": [1, 2.50], "b": 1e2 } '
    message = decode(data)
    assert splice(data, message, build_pass(message), smallest=0) == (
        b'{"a": [1, 2.50], "b": 1e2 ,"hpcs_response":"PASS"}'
    )
    assert splice(data, message, build_pass(message)) is None
    assert splice(data, {**message, "a": [1, 2.5]}, build_pass(message), smallest=0) is None
