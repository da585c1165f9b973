"""Bytes to a message and back: what is taken can be written again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.codec import MAX_DEPTH, MAX_MESSAGE_BYTES, decode, encode, is_deeper

numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    max_leaves=20,
)


def nested(depth: int, opening: str, closing: str) -> bytes:
    """An object whose field holds containers `depth` deep in all."""
    inner = opening * (depth - 1) + ("1" if opening.endswith(":") else "") + closing * (depth - 1)
    return f'{{"a":{inner}}}'.encode()


def fault(data: bytes) -> str:
    with pytest.raises(Invalid) as caught:
        decode(data)
    return str(caught.value)


@given(st.dictionaries(st.text(), values))
def test_every_message_comes_back_equal_and_in_order(message: dict[str, object]) -> None:
    once = decode(json.dumps(message, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    assert json.dumps(once) == json.dumps(message)
    assert decode(encode(once)) == once
    assert list(decode(encode(once))) == list(once)


@pytest.mark.parametrize(
    "text",
    [
        *('{"b":1,"a":2}', '{"n":1.0}', '{"n":-0.0}', '{"n":1e+16}', '{"n":1e-07}', '{"n":0.1}'),
        *('{"n":%s}' % ("9" * 4000), '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"a":"\\u00fc"}', "{}"),
        *('{"a":{"b":[null,true,false,[],{}]}}', '{"":0}', '{"a":"\\"\\\\/"}', '{"a":"\\ud83d\\ude00"}'),
    ],
)  # fmt: skip
def test_compact_ascii_comes_back_byte_for_byte(text: str) -> None:
    assert encode(decode(text.encode())) == text.encode()


@pytest.mark.parametrize("text", ['{"n":1e2}', '{"n":1E+02}', '{"n":100.000}'])
def test_other_spellings_of_numbers_keep_their_value(text: str) -> None:
    assert encode(decode(text.encode())) == b'{"n":100.0}'


def test_a_byte_order_mark_is_skipped() -> None:
    assert decode(b'\xef\xbb\xbf {"a":1}\r\n') == {"a": 1}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "cannot read the message: it is empty"),
        (b" \r\n\t", "cannot read the message: it is empty"),
        (b"UPDATE", "cannot read the message: it is not JSON (Expecting value: line 1"),
        (b'{"hpcs_action": "STATS"', "cannot read the message: it is not JSON (Expecting ',' "),
        (b"{'hpcs_action': 'STATS'}", "cannot read the message: it is not JSON (Expecting prop"),
        (b'{"a":1} {"a":1}', "cannot read the message: it is not JSON (Extra data"),
        (b'{"a":"\n"}', "cannot read the message: it is not JSON (Invalid control character"),
        (b'{"a":NaN}', "cannot read the message: NaN is no JSON number"),
        (b'{"a":[-Infinity]}', "cannot read the message: -Infinity is no JSON number"),
        (b'{"a":1e400}', "cannot read the message: a number in it is too large"),
        (b'{"a":-1e999}', "cannot read the message: a number in it is too large"),
        (b'{"a":%s}' % (b"9" * 5000), "cannot read the message: a number in it has too many digits"),
        (b'{"a":1,"a":1}', "cannot read the message: the name 'a' stands twice in one object"),
        (b'{"x":[{"b":0,"\\n":1,"\\n":2}]}', r"cannot read the message: the name '\n' stands twice"),
        (b'{"hpcs_action":"STATS","hpcs_action":"DELETE"}', "cannot read the message: the name"),
        (b'{"a":1,"\\u0061":2}', "cannot read the message: the name 'a' stands twice in one object"),
        (b"[]", "cannot read the message: it must be a JSON object"),
        (b'"STATS"', "cannot read the message: it must be a JSON object"),
        (b"null", "cannot read the message: it must be a JSON object"),
        (b"12", "cannot read the message: it must be a JSON object"),
        (b"\xff\xfe{\x00}\x00", "cannot read the message: it is not UTF-8 at byte 0"),
        (b'{"a":"\xc0\xaf"}', "cannot read the message: it is not UTF-8 at byte 6"),
        (b'{"a":"\xed\xa0\x80"}', "cannot read the message: it is not UTF-8 at byte 6"),
        (bytes(range(256)), "cannot read the message: it is not UTF-8 at byte 128"),
        (b"{}" + b" " * MAX_MESSAGE_BYTES, "cannot read the message: it has 16777218 bytes, at"),
    ],
    ids=range(25),
)  # fmt: skip
def test_what_is_no_message(data: bytes, sentence: str) -> None:
    assert fault(data).startswith(sentence)


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 200, 900, 1000, 3000, 100_000])
def test_deep_nesting_is_refused(depth: int, opening: str, closing: str) -> None:
    assert fault(nested(depth, opening, closing)) == (
        "cannot read the message: it is nested more than 100 deep"
    )


@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a":', "}")])
def test_nesting_up_to_the_limit_is_taken(opening: str, closing: str) -> None:
    data = nested(MAX_DEPTH, opening, closing)
    assert encode(decode(data)) == data


def test_brackets_in_texts_are_no_nesting() -> None:
    data = b'{"a":"%s"}' % (b"[{" * 3000)
    assert encode(decode(data)) == data


def test_many_brackets_side_by_side_are_no_nesting() -> None:
    data = b'{"a":[%s]}' % b",".join([b'{"b":[]}'] * 3000)
    assert encode(decode(data)) == data


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_a_sentence(data: bytes) -> None:
    try:
        message = decode(data)
    except Invalid as error:
        sentence = str(error)
    else:
        assert decode(encode(message)) == message
        return
    assert sentence.startswith("cannot read the message: ")
    assert sentence.isprintable()


def build_circle() -> dict[str, Any]:
    circle: dict[str, Any] = {}
    circle["again"] = {"list": [circle]}
    return circle


def build_deep(depth: int) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(depth):
        deep = {"a": deep}
    return deep


class Rude:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class RudeDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("items")


@pytest.mark.parametrize(
    "message",
    [
        *({"a": float("nan")}, {"a": float("inf")}, {"a": 10**5000}, {"a": b"x"}, {"a": {1, 2}}),
        *({(1, 2): 3}, build_circle(), build_deep(100_000), {"a": Rude()}, RudeDict(a=1)),
        {"a": RudeDict(a=1)},
    ],
    ids=range(11),
)
def test_what_is_no_json_cannot_be_written(message: dict[str, object]) -> None:
    with pytest.raises(Invalid, match=r"^cannot write the message as JSON$"):
        encode(message)


def test_depth_ends_for_circles_and_for_shared_values() -> None:
    shared: list[Any] = []
    for _ in range(90):
        shared = [shared, shared]  # 2 ** 90 paths
    assert is_deeper(build_circle(), MAX_DEPTH)
    assert not is_deeper(shared, MAX_DEPTH)
    assert is_deeper(shared, 50)


@pytest.mark.parametrize("depth", [1, 2, 50])
def test_depth_counts_containers(depth: int) -> None:
    deep = build_deep(depth - 1)
    assert not is_deeper(deep, depth)
    assert is_deeper(deep, depth - 1)
