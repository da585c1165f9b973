"""What is remembered of the last build changes nothing about the next one, and is not made again."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Backend
from libra.drivers.haproxy.render import description_of, render, structure_in, structure_of
from libra.drivers.haproxy.wanted import WantedBuilder
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Member, Pool
from tests.support.second import second_desireds
from tests.unit.drivers.haproxy.test_build import OPTIONS


@given(st.lists(second_desireds(), min_size=1, max_size=3), st.data())
@settings(deadline=None)
def test_a_builder_gives_what_building_anew_gives(
    desireds: list[Desired], data: st.DataObject
) -> None:
    builder = WantedBuilder()
    every = [item for desired in desireds for item in desired.loadbalancers]
    for _ in range(4):
        chosen = data.draw(st.lists(st.sampled_from(every), max_size=4)) if every else []
        unique = {item.id: item for item in chosen}
        desired = Desired(
            loadbalancers=tuple(unique.values()), suspended=data.draw(st.booleans()), version="2.0"
        )
        options = replace(OPTIONS, user=data.draw(st.sampled_from([None, "haproxy"])))
        wanted = builder.build(desired, options)
        plain = build(desired, options)
        assert wanted.configuration == plain
        assert wanted.text == render(plain)
        assert wanted.description == description_of(wanted.text)
        assert structure_in(wanted.description) == structure_of(plain)


def loadbalancer(name: str, weight: int = 1, members: int = 1) -> LoadBalancer:
    pool = Pool(
        id=f"p-{name}",
        members=tuple(
            Member(id=f"{name}-{n}", address="10.0.0.1", port=n + 1, weight=weight)
            for n in range(members)
        ),
    )
    listener = Listener(id=f"li-{name}", protocol=Protocol.HTTP, port=80, pool=pool)
    return LoadBalancer(id=name, listeners=(listener,))


def test_what_did_not_change_is_the_same_object() -> None:
    one, two = loadbalancer("one"), loadbalancer("two")
    builder = WantedBuilder()
    before = builder.build(Desired(loadbalancers=(one, two)), OPTIONS).configuration
    changed = loadbalancer("two", weight=2)
    after = builder.build(Desired(loadbalancers=(one, changed)), OPTIONS).configuration
    assert after.backends[0] is before.backends[0]
    assert after.frontends[0] is before.frontends[0]
    assert after.backends[1].servers[0].weight == 2


def test_servers_are_remembered_while_only_others_change() -> None:
    """Then one member of thousands that changes is made alone, still."""
    large = loadbalancer("large", members=500)
    pool = large.listeners[0].pool
    assert pool is not None
    builder = WantedBuilder()

    def build_with(item: LoadBalancer, weight: int) -> Sequence[Backend]:
        desired = Desired(loadbalancers=(item, loadbalancer("other", weight=weight)))
        return builder.build(desired, OPTIONS).configuration.backends

    servers = build_with(large, 1)[0].servers
    build_with(large, 2)
    build_with(large, 3)
    members = (*pool.members[:-1], replace(pool.members[-1], weight=7))
    changed = replace(large.listeners[0], pool=replace(pool, members=members))
    fresh = build_with(replace(large, listeners=(changed,)), 3)[0].servers
    assert fresh[-1].weight == 7
    assert all(one is other for one, other in zip(servers[:-1], fresh[:-1], strict=True))
