"""Whatever comes in: never an exception, always a reply, and a FAIL that changes nothing."""

import copy
from collections import OrderedDict, UserDict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.noop import NoopDriver
from libra.errors import Invalid
from libra.messages.codec import decode, encode
from libra.messages.replies import ERROR, RESPONSE, passed
from libra.worker.controller import INTERNAL, LBaaSController
from tests.support.messages import http, load_pairs, places, update
from tests.support.updates import respelt, updates

SETTINGS = load_pairs()
NAMES = sorted(
    {"hpcs_action", "loadbalancers", "protocol", "nodes", "address", "port", "id", "name", "weight"}
    | {"condition", "backup", "monitor", "type", "path", "expected_codes", "options", "bind_address"}
    | {"session_persistence", "cookie_name", "hpcs_object_store_token", "hpcs_object_store_type"}
)  # fmt: skip
WORDS = [
    "UPDATE",
    "STATS",
    "ARCHIVE",
    "DELETE",
    "HTTP",
    "tcp",
    "80",
    "10.0.0.1",
    "::1",
    "swift",
    "",
]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.builds(lambda: 10**5000),  # not just(): hypothesis would print it
    st.floats(),
    st.text(),
    st.sampled_from(WORDS),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner),
    max_leaves=25,
)
python_values = st.recursive(
    scalars | st.binary() | st.complex_numbers() | st.dates() | st.builds(object),
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(st.text() | st.sampled_from(NAMES) | st.integers() | st.binary(), inner),
    ),
    max_leaves=25,
)


def build_controller() -> tuple[LBaaSController, NoopDriver]:
    driver = NoopDriver()
    controller = LBaaSController(driver=driver)
    assert passed(controller.handle(update(http(id="before"))))
    return controller, driver


def check(controller: LBaaSController, driver: NoopDriver, message: object) -> dict[str, Any]:
    """Handle a message, and check everything that holds for each of them."""
    before = driver.desired
    reply = controller.handle(message)
    assert reply[RESPONSE] in ("PASS", "FAIL")
    if passed(reply):
        assert ERROR not in reply
    else:
        assert str(reply[ERROR]).startswith(("cannot ", INTERNAL))
        assert len(str(reply[ERROR])) < 2000
        assert driver.desired == before
    return reply


@given(python_values)
def test_any_object_gets_a_reply(message: object) -> None:
    reply = check(*build_controller(), message)
    try:
        data = encode(reply)
    except Invalid:
        return
    assert decode(data)[RESPONSE] == reply[RESPONSE]


@given(st.dictionaries(st.sampled_from(NAMES), json_values))
def test_any_values_of_known_fields_get_a_reply(message: dict[str, Any]) -> None:
    reply = check(*build_controller(), message)
    assert reply[ERROR] != INTERNAL if ERROR in reply else passed(reply)


@given(updates())
def test_a_good_update_in_any_spelling_passes_and_is_echoed(message: dict[str, Any]) -> None:
    original = copy.deepcopy(message)
    controller, driver = build_controller()
    reply = check(controller, driver, message)
    assert reply == {**original, RESPONSE: "PASS"}
    assert encode(reply).startswith(encode(original)[:-1])
    assert len(driver.desired.loadbalancers) == len(
        next(value for name, value in original.items() if name.lower() == "loadbalancers")
    )


@given(st.sampled_from(SETTINGS), json_values, st.data())
def test_a_good_message_with_one_value_replaced(
    pair: Any, junk: object, data: st.DataObject
) -> None:
    message = data.draw(respelt(copy.deepcopy(pair.request)))
    container, key = data.draw(st.sampled_from(places(message)))
    container[key] = junk
    reply = check(*build_controller(), message)
    assert reply.get(ERROR) != INTERNAL


@given(st.sampled_from(SETTINGS), st.data())
def test_a_good_message_cut_or_changed_by_bytes(pair: Any, data: st.DataObject) -> None:
    payload = bytearray(encode(pair.request))
    for _ in range(data.draw(st.integers(1, 3))):
        position = data.draw(st.integers(0, len(payload) - 1))
        payload[position : position + data.draw(st.integers(0, 2))] = data.draw(
            st.binary(max_size=2)
        )
    try:
        message = decode(bytes(payload))
    except Invalid:
        return
    reply = check(*build_controller(), message)
    assert reply.get(ERROR) != INTERNAL
    encode(reply)


# objects that no JSON text makes


class Rude:
    """Raises whatever is asked of it."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __hash__(self) -> int:
        raise RuntimeError("hash")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("eq")

    def __repr__(self) -> str:
        raise RuntimeError("repr")


class RudeText(str):
    """A text none of whose methods work."""

    __slots__ = ()

    def lower(self) -> str:
        raise RuntimeError("lower")

    upper = isascii = strip = lower  # type: ignore[assignment]

    def __len__(self) -> int:
        raise RuntimeError("len")


class RudeDict(dict[str, Any]):
    """A dict that cannot be walked."""

    def items(self) -> Any:
        raise RuntimeError("items")

    keys = values = items
    __iter__ = items


class RudeMapping(Mapping[str, Any]):
    """A mapping that raises."""

    def __getitem__(self, key: str) -> Any:
        raise RuntimeError("getitem")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("iter")

    def __len__(self) -> int:
        raise RuntimeError("len")


def build_deep(depth: int) -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(depth):
        deep = {"loadbalancers": [deep]}
    return deep


def build_circle() -> dict[str, Any]:
    circle: dict[str, Any] = {"hpcs_action": "UPDATE", "protocol": "HTTP"}
    circle["loadbalancers"] = [circle]
    circle["nodes"] = [circle]
    return circle


GOOD = update(http())
HOSTILE: list[object] = [
    *(Rude(), RudeDict(GOOD), RudeMapping(), RudeText("STATS"), UserDict(GOOD), MappingProxyType(GOOD)),
    *(10**5000, float("nan"), Decimal(1), b'{"hpcs_action":"STATS"}', bytearray(b"x"), {1, 2}, range(3)),
    *(Rude, RudeDict, dict, str, Exception("x"), NotImplemented, ..., iter([]), lambda: None, open),
    {"hpcs_action": Rude()},
    {"hpcs_action": RudeText("STATS")},
    {RudeText("hpcs_action"): "STATS"},
    {"hpcs_action": "STATS", 1: 2},
    {"hpcs_action": "STATS", (): Rude()},
    {"hpcs_action": "UPDATE", "loadbalancers": Rude()},
    {"hpcs_action": "UPDATE", "loadbalancers": RudeDict()},
    {"hpcs_action": "UPDATE", "loadbalancers": [RudeDict(http())]},
    {"hpcs_action": "UPDATE", "loadbalancers": (http(),)},
    {"hpcs_action": "UPDATE", "loadbalancers": build_deep(3000)},
    build_circle(),
    update(http(name=10**5000)),
    update(http(port=10**5000)),
    update(http(port=Rude())),
    update(http(name=RudeText("x"))),
    update(http(id=float("nan"))),
    update(http(nodes=[{"address": RudeText("10.0.0.1"), "port": 80}])),
    update(http(nodes=[{"address": b"10.0.0.1", "port": b"80"}])),
    update(http(monitor={"type": "HTTP", "expected_codes": [Rude()]})),
    update(http(session_persistence=Rude())),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(HOSTILE)))  # pytest itself would look at the objects
def test_hostile_objects_fail(number: int) -> None:
    assert not passed(check(*build_controller(), HOSTILE[number]))


EXTRA: list[object] = [
    *(10**5000, float("inf"), b"x", {1: {2: 3}}, build_deep(100_000), build_circle(), Rude()),
    RudeDict(a=1),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(EXTRA)))
def test_extraneous_values_are_never_looked_at(number: int) -> None:
    extra = EXTRA[number]
    controller, driver = build_controller()
    reply = check(controller, driver, {**update(http(id="new", x=extra)), "x": extra})
    assert passed(reply)
    assert driver.desired.loadbalancers[0].id == "new"
    assert reply["x"] is extra


def test_subclasses_of_dict_are_messages() -> None:
    assert passed(check(*build_controller(), OrderedDict(GOOD)))
