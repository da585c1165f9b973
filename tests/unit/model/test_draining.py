"""What an offline node does to what devices are told."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.messages.digest import digest_of
from libra.model.draining import canonical_address, drain, drained_by
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.nodestatus import Node, NodeStatus
from libra.model.policy import Policy, PolicyAction
from libra.model.pool import Condition, Member, Pool
from libra.model.webservice import Redirect, ReverseProxy

NOW = datetime(2030, 1, 1, tzinfo=UTC)
ADDRESSES = ("10.0.0.1", "10.0.0.2", "fd00::1", "app.example")
PLACES = st.sets(
    st.tuples(st.sampled_from(ADDRESSES), st.none() | st.sampled_from([80, 81])), max_size=4
).map(frozenset)


@st.composite
def balancers(draw: st.DrawFn) -> tuple[LoadBalancer, ...]:
    """Listeners that share pools, also with policies, and such with services."""
    places = st.tuples(st.sampled_from(ADDRESSES), st.sampled_from([80, 81]))
    found = []
    for number in range(draw(st.integers(0, 2))):
        pools = [_pool(draw, f"p{number}-{n}", places) for n in range(3)]
        policies = (
            Policy(id="r", action=PolicyAction.REJECT, rules=()),
            Policy(id="a", action=PolicyAction.REDIRECT_TO_POOL, rules=(), pool=pools[0]),
            Policy(id="b", action=PolicyAction.REDIRECT_TO_POOL, rules=(), pool=pools[2]),
        )
        shared = Listener(
            id=f"l{number}", protocol=Protocol.HTTP, port=80, pool=pools[0], policies=policies
        )
        services = (
            ReverseProxy(path="/", pool=pools[1]),
            Redirect(path="/a", url="/b"),
        )
        web = Listener(
            id=f"w{number}", protocol=Protocol.HTTP, port=82, pool=None, services=services
        )
        listeners = (shared, replace(shared, id=f"m{number}", port=81), web)
        found.append(LoadBalancer(id=f"b{number}", listeners=listeners))
    return tuple(found)


def _pool(draw: st.DrawFn, key: str, places: st.SearchStrategy[tuple[str, int]]) -> Pool:
    members = tuple(
        Member(
            id=f"{address}:{port}",
            address=address,
            port=port,
            condition=draw(st.sampled_from(Condition)),
        )
        for address, port in draw(st.lists(places, unique=True, max_size=4))
    )
    return Pool(id=key, members=members)


def members_of(found: tuple[LoadBalancer, ...]) -> list[Member]:
    return [member for item in found for pool in item.pools for member in pool.members]


@given(balancers(), PLACES)
def test_members_there_drain_and_nothing_else_changes(
    found: tuple[LoadBalancer, ...], places: frozenset[tuple[str, int | None]]
) -> None:
    drained = drain(found, places)
    pairs = list(zip(members_of(found), members_of(drained), strict=True))
    for before, after in pairs:
        there = {(before.address, None), (before.address, before.port)} & places
        wanted = before.condition
        if there and wanted is Condition.ENABLED:
            wanted = Condition.DRAINING
        assert after == replace(before, condition=wanted)
    for one, other in zip(found, drained, strict=True):
        assert (one is other) is (one == other)  # what is the same is not made again
        first, second = other.listeners[0].pool, other.listeners[1].pool
        assert first is second  # a shared pool stays one
        assert other.listeners[0].policies[1].pool is first
    assert drain(drained, places) == drained
    assert drain(found, frozenset()) == found


@given(balancers(), PLACES)
def test_a_controller_sees_the_difference(
    found: tuple[LoadBalancer, ...], places: frozenset[tuple[str, int | None]]
) -> None:
    """Or a device that missed it would never be told again."""
    before, after = Desired(loadbalancers=found), Desired(loadbalancers=drain(found, places))
    assert (digest_of(before) == digest_of(after)) is (before == after)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("FD00:0::1", "fd00::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("App.Example.", "app.example"),
        ("", ""),
    ],
)
def test_spellings(text: str, canonical: str) -> None:
    assert canonical_address(text) == canonical


def test_only_offline_nodes_with_an_address_drain_something() -> None:
    node = Node(id="1", name="a", group_id="g", since=NOW, created_at=NOW, address="10.0.0.1")
    offline = replace(node, status=NodeStatus.OFFLINE)
    assert drained_by([node]) == frozenset()
    assert drained_by([replace(offline, address="")]) == frozenset()
    assert drained_by([offline, replace(offline, port=80)]) == {
        ("10.0.0.1", None),
        ("10.0.0.1", 80),
    }
