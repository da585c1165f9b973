"""What a device is told: everything that is well, one bad load balancer never in the way of the others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.manager.plan import plan_device
from libra.messages.requests import Update, parse_request
from libra.messages.version2.writer import build_update
from libra.model.listener import Protocol
from libra.model.pool import MonitorType
from libra.model.resources.listener import ListenerProtocol
from libra.model.resources.monitor import HealthMonitorType
from libra.model.resources.pool import PersistenceKind, PoolPersistence
from libra.model.resources.tree import LoadBalancerTree, PoolTree
from libra.model.status import ProvisioningStatus
from libra.model.translate import parse_codes, translate, without_deleted
from tests.support.storages import (
    build_listener,
    build_loadbalancer,
    build_member,
    build_monitor,
    build_pool,
)


def build_tree(number: int = 0, **fields: object) -> LoadBalancerTree:
    owner = build_loadbalancer(number, vip_address=f"10.0.0.{number + 1}", **fields)
    pool = build_pool(owner)
    return LoadBalancerTree(
        loadbalancer=owner,
        listeners=(build_listener(owner, default_pool_id=pool.id),),
        pools=(PoolTree(pool=pool, members=(build_member(pool),), monitor=build_monitor(pool)),),
    )


def with_status(
    tree: LoadBalancerTree, status: ProvisioningStatus, *, going: bool = False
) -> LoadBalancerTree:
    return replace(
        tree, loadbalancer=replace(tree.loadbalancer, provisioning_status=status, going=going)
    )


settled = st.sampled_from([ProvisioningStatus.ACTIVE, ProvisioningStatus.ERROR])
states = st.tuples(st.sampled_from(ProvisioningStatus), st.booleans(), st.booleans())


@given(st.lists(states, max_size=6))
def test_who_is_sent_and_who_is_settled(
    several: list[tuple[ProvisioningStatus, bool, bool]],
) -> None:
    trees = [
        with_status(build_tree(n), status, going=going)
        for n, (status, going, _) in enumerate(several)
    ]
    applied = {
        tree.loadbalancer.id: tree
        for tree, (_, _, known) in zip(trees, several, strict=True)
        if known
    }
    plan = plan_device(trees, applied, 7)
    sent = {item.id for item in plan.desired.loadbalancers}
    assert plan.desired.generation == 7
    assert plan.current <= sent
    assert not plan.deleted & sent
    for tree in trees:
        owner = tree.loadbalancer
        assert (owner.id in plan.pending) == owner.provisioning_status.is_pending
        assert not (owner.going and owner.provisioning_status.is_pending and owner.id in sent)
        if owner.provisioning_status is ProvisioningStatus.ERROR:
            assert (owner.id in sent) == (owner.id in applied and not owner.going)


def test_one_that_is_tried_alone_leaves_the_others_as_they_are() -> None:
    pending = ProvisioningStatus.PENDING_UPDATE
    old, new = build_tree(0), build_tree(1)
    trees = [with_status(old, pending), with_status(new, ProvisioningStatus.ERROR)]
    before = {old.loadbalancer.id: replace(old, listeners=())}
    plan = plan_device(trees, before, 3, only=new.loadbalancer.id)
    assert plan.pending == {new.loadbalancer.id}
    listeners = {item.id: len(item.listeners) for item in plan.desired.loadbalancers}
    assert listeners == {old.loadbalancer.id: 0, new.loadbalancer.id: 1}
    gone = [trees[0], with_status(new, ProvisioningStatus.ERROR, going=True)]
    assert plan_device(gone, before, 3, only=new.loadbalancer.id).deleted == {new.loadbalancer.id}


def test_what_is_going_is_left_out_with_all_that_names_it() -> None:
    tree = build_tree()
    (pool,) = tree.pools
    without_pool = replace(tree, pools=(replace(pool, pool=replace(pool.pool, going=True)),))
    left = without_deleted(without_pool)
    assert left.pools == ()
    assert left.listeners[0].default_pool_id is None
    bare = replace(pool, members=(replace(pool.members[0], going=True),), monitor=None)
    assert without_deleted(replace(tree, pools=(bare,))).pools[0].members == ()


def test_records_become_what_the_message_says() -> None:
    tree = build_tree(name="shop")
    (pool,), (listener,) = tree.pools, tree.listeners
    assert pool.monitor is not None
    monitor = replace(
        pool.monitor,
        type=HealthMonitorType.HTTP,
        url_path="/up",
        expected_codes="200-204,302",
        max_retries_down=2,
    )
    tied = PoolPersistence(
        type=PersistenceKind.APP_COOKIE, cookie_name="sid", persistence_timeout=5
    )
    tree = replace(
        tree,
        listeners=(
            replace(
                listener,
                connection_limit=10,
                insert_headers=(("X-Forwarded-For", "true"), ("X-Real-IP", "false")),
                allowed_cidrs=("fd00::/8", "10.0.0.0/8"),
            ),
        ),
        pools=(replace(pool, monitor=monitor, pool=replace(pool.pool, session_persistence=tied)),),
    )
    found = translate(tree)
    request = parse_request(build_update((found,)))
    assert isinstance(request, Update)
    assert request.loadbalancers == (found,)
    (only,) = found.listeners
    assert (only.protocol, only.connection_limit, only.x_forwarded_for) == (Protocol.HTTP, 10, True)
    assert only.headers == ()
    assert only.allowed_cidrs == ("10.0.0.0/8", "fd00::/8")
    checked = found.pools[0].monitor
    assert checked is not None
    assert (checked.type, checked.attempts, checked.attempts_down) == (MonitorType.HTTP, 3, 2)
    assert checked.expected_codes == ((200, 204), (302, 302))


def test_every_check_is_told_as_it_is() -> None:
    tree = build_tree()
    (pool,) = tree.pools
    assert pool.monitor is not None
    told = {}
    for kind in HealthMonitorType:
        monitor = replace(pool.monitor, type=kind)
        found = translate(replace(tree, pools=(replace(pool, monitor=monitor),)))
        (sent,) = build_update((found,))["loadbalancers"]
        told[kind.value] = sent["pools"][0]["monitor"]["type"]
    assert told.pop("TCP") == "CONNECT"
    assert all(name == word for name, word in told.items())


@pytest.mark.parametrize("protocol", [ListenerProtocol.HTTPS, ListenerProtocol.TCP])
def test_what_is_passed_through_is_tcp(protocol: ListenerProtocol) -> None:
    tree = build_tree()
    passed = replace(tree, listeners=(replace(tree.listeners[0], protocol=protocol),))
    assert translate(passed).listeners[0].protocol is Protocol.TCP


@pytest.mark.parametrize(
    ("text", "ranges"),
    [
        ("200", ((200, 200),)),
        ("202,200, 201", ((200, 202),)),
        ("200-204", ((200, 204),)),
        ("junk", ((200, 200),)),
    ],
)
def test_expected_codes(text: str, ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_codes(text) == ranges
