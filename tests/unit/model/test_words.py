"""The words of the model: frozen, comparable, hashable, and right in what they say of themselves."""

from dataclasses import FrozenInstanceError, fields, replace

import pytest
from hypothesis import given

from libra.model.listener import Listener, Protocol, Timeouts
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import HealthMonitor, Member, Pool, SessionPersistence
from libra.model.statistics import LoadBalancerStatistics, MemberStatistics, MemberStatus
from tests.support.desired import build_desired
from tests.support.messages import parse_update
from tests.support.updates import updates

WORDS = (
    *(Desired, HealthMonitor, Listener, LoadBalancer, LoadBalancerStatistics, Member),
    *(MemberStatistics, Pool, SessionPersistence, Timeouts),
)


@pytest.mark.parametrize("word", WORDS)
def test_every_word_is_frozen_slotted_and_named(word: type) -> None:
    assert word.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.kw_only for field in fields(word))
    assert set(word.__slots__) == {field.name for field in fields(word)}  # type: ignore[attr-defined]


def test_a_word_cannot_be_changed() -> None:
    member = Member(id="1", address="::1", port=80)
    with pytest.raises(FrozenInstanceError):
        member.port = 81  # type: ignore[misc]


def test_desired_is_empty_without_load_balancers() -> None:
    assert Desired().is_empty
    assert Desired(suspended=True).is_empty
    assert not build_desired(80).is_empty


@given(updates())
def test_equal_messages_give_equal_and_hashable_words(message: dict[str, object]) -> None:
    one, other = Desired(loadbalancers=parse_update(message)), parse_update(message)
    assert one == Desired(loadbalancers=other)
    assert hash(one) == hash(Desired(loadbalancers=other))
    assert one != replace(one, suspended=True)


def test_words_read_as_in_the_messages() -> None:
    assert [protocol.value for protocol in Protocol] == ["HTTP", "TCP"]
    assert [status.value for status in MemberStatus] == ["UP", "DOWN", "DRAIN", "MAINT", "no check"]
