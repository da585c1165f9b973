"""Statuses are measured: nothing that is off on purpose, or not looked at, is an error."""

from typing import Any

import pytest

from libra.manager.statuses import measure
from libra.model.resources.tree import LoadBalancerTree, PoolTree
from libra.model.status import OperatingStatus as Status
from tests.support.storages import (
    build_listener,
    build_loadbalancer,
    build_member,
    build_monitor,
    build_pool,
)

Report = dict[str, Any]


def build(members: int = 2, **fields: Any) -> LoadBalancerTree:
    owner = build_loadbalancer(**fields)
    pool = build_pool(owner)
    several = tuple(build_member(pool, port) for port in range(1, members + 1))
    parts = PoolTree(pool=pool, members=several, monitor=build_monitor(pool))
    listener = build_listener(owner, default_pool_id=pool.id)
    return LoadBalancerTree(loadbalancer=owner, listeners=(listener,), pools=(parts,))


def report(tree: LoadBalancerTree, *words: str, listener: str = "OPEN") -> Report:
    nodes = [
        {"id": member.id, "status": word}
        for member, word in zip(tree.pools[0].members, words, strict=True)
    ]
    counts = {
        "bytes_in": 1,
        "bytes_out": 2,
        "current_sessions": 3,
        "total_sessions": 4,
        "errors": 5,
    }
    return {
        "listeners": [{"id": tree.listeners[0].id, "status": listener, **counts}],
        "pools": [{"id": tree.pools[0].pool.id, "status": "UP", "nodes": nodes}],
    }


def measured(tree: LoadBalancerTree, entry: Report) -> tuple[Status, Status, list[Status]]:
    """Of the load balancer, its pool and its members."""
    statuses = {item.id: item.operating_status for item in measure(tree, entry).changed}

    def of(record: Any) -> Status:
        status = statuses.get(record.id, record.operating_status)
        assert isinstance(status, Status)
        return status

    (pool,) = tree.pools
    return of(tree.loadbalancer), of(pool.pool), [of(member) for member in pool.members]


@pytest.mark.parametrize(
    ("words", "listener", "balancer", "pool"),
    [
        (("UP", "UP"), "OPEN", Status.ONLINE, Status.ONLINE),
        (("UP", "DOWN"), "OPEN", Status.DEGRADED, Status.DEGRADED),
        (("DOWN", "DOWN"), "OPEN", Status.ERROR, Status.ERROR),
        (("UP", "MAINT"), "OPEN", Status.ONLINE, Status.ONLINE),
        (("MAINT", "MAINT"), "OPEN", Status.ONLINE, Status.OFFLINE),
        (("UP", "DRAIN"), "OPEN", Status.ONLINE, Status.ONLINE),
        (("no check", "no check"), "OPEN", Status.ONLINE, Status.ONLINE),
        (("UP", "UP"), "FULL", Status.DEGRADED, Status.ONLINE),
        (("UP", "UP"), "STOPPED", Status.ERROR, Status.ONLINE),
    ],
)
def test_what_is_reported(
    words: tuple[str, str], listener: str, balancer: Status, pool: Status
) -> None:
    tree = build()
    found = measured(tree, report(tree, *words, listener=listener))
    assert found[:2] == (balancer, pool)


def test_an_empty_pool_is_no_error() -> None:
    tree = build(members=0)
    assert measured(tree, report(tree))[:2] == (Status.ONLINE, Status.ONLINE)


def test_what_is_switched_off_is_offline() -> None:
    tree = build(admin_state_up=False)
    assert measured(tree, report(tree, "UP", "UP"))[0] is Status.OFFLINE


def test_what_is_not_reported_is_no_error() -> None:
    tree = build()
    assert measured(tree, {}) == (Status.ONLINE, Status.OFFLINE, [Status.OFFLINE] * 2)


def test_only_what_changed_is_written_and_counters_are_taken() -> None:
    tree = build()
    found = measure(tree, report(tree, "UP", "UP"))
    (counters,) = found.counters
    assert (counters.bytes_in, counters.total_connections, counters.active_connections) == (1, 4, 3)
    assert len(found.changed) == 6  # all were OFFLINE before
    junk = {"listeners": "x", "pools": [1, {"id": 5}]}
    assert measure(tree, junk).counters == ()
