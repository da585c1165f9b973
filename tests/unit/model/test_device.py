"""The states of a device, and who may move it between them."""

from dataclasses import replace

import pytest

from libra.errors import Conflict
from libra.model.device import (
    READY,
    TRANSITIONS,
    WATCHED,
    DeviceState,
    Mover,
    ensure_transition,
)
from tests.support.storages import build_device


def test_every_state_is_reached_and_left() -> None:
    reached = {target for _, target in TRANSITIONS}
    left = {source for source, _ in TRANSITIONS}
    begins = {DeviceState.ANNOUNCED, DeviceState.BUILDING}
    assert reached | begins == set(DeviceState)
    assert left == set(DeviceState)


def test_every_mover_moves_something() -> None:
    assert set().union(*TRANSITIONS.values()) == set(Mover)


@pytest.mark.parametrize("state", DeviceState)
@pytest.mark.parametrize("into", DeviceState)
@pytest.mark.parametrize("mover", Mover)
def test_the_table_decides(state: DeviceState, into: DeviceState, mover: Mover) -> None:
    device = build_device(state=state)
    if state is into or mover in TRANSITIONS.get((state, into), ()):
        ensure_transition(device, into, mover)
        return
    with pytest.raises(Conflict, match=f"'web1' {into.value} while it is {state.value}"):
        ensure_transition(device, into, mover)


def test_nobody_but_an_operator_takes_one_back_that_was_sent_away() -> None:
    for (source, _), movers in TRANSITIONS.items():
        if source is DeviceState.RETIRED:
            assert movers == {Mover.OPERATOR}


def test_what_may_be_used_is_watched() -> None:
    assert READY < WATCHED
    assert not replace(build_device(), state=DeviceState.DRAINING).is_ready
