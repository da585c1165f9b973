"""What 1.0 can say of load balancers, and what it cannot."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libra.errors import Invalid
from libra.messages.older import build_older, runs_older, widen_statistics
from libra.messages.requests import Update, parse_request
from libra.model.listener import Listener, Protocol, Timeouts, ToldHeader
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import HealthMonitor, Member, MonitorType, Pool, PoolProtocol

MEMBER = Member(id="m", address="10.0.0.1", port=80)
POOL = Pool(id="p", name="web", members=(MEMBER,), protocol=PoolProtocol.HTTP)
LISTENER = Listener(id="l", name="http", protocol=Protocol.HTTP, port=80, pool=POOL)
OWNER = LoadBalancer(id="b", name="shop", address="10.9.9.9", listeners=(LISTENER,))
TCP = replace(
    LISTENER,
    id="t",
    protocol=Protocol.TCP,
    port=25,
    pool=replace(POOL, id="q", protocol=PoolProtocol.TCP),
)


def with_listener(**fields: object) -> LoadBalancer:
    return replace(OWNER, listeners=(replace(LISTENER, **fields),))  # type: ignore[arg-type]


def with_pool(**fields: object) -> LoadBalancer:
    return with_listener(pool=replace(POOL, **fields))  # type: ignore[arg-type]


def test_a_listener_is_a_load_balancer_under_its_own_id() -> None:
    request = parse_request(build_older([replace(OWNER, listeners=(LISTENER, TCP))]))
    assert isinstance(request, Update)
    assert [item.id for item in request.loadbalancers] == ["l", "t"]
    assert [item.name for item in request.loadbalancers] == ["shop", "shop"]
    assert {item.listeners[0].bind_address for item in request.loadbalancers} == {"10.9.9.9"}


@pytest.mark.parametrize(
    "nothing",
    [
        [],
        [replace(OWNER, enabled=False)],
        [with_listener(enabled=False)],
        [with_listener(pool=None)],
        [with_pool(enabled=False)],
        [with_pool(members=())],
    ],
)
def test_what_serves_nobody_is_left_out(nothing: list[LoadBalancer]) -> None:
    assert build_older(nothing) == {"hpcs_action": "DELETE"}


@pytest.mark.parametrize(
    ("owner", "lost"),
    [
        (with_listener(allowed_cidrs=("10.0.0.0/8",)), "the listener's allowed_cidrs"),
        (with_listener(headers=(ToldHeader.REAL_IP,)), "the listener's headers"),
        (with_listener(timeouts=Timeouts(inspect=timedelta(seconds=1))), "the listener's timeouts"),
        (with_pool(protocol=PoolProtocol.PROXY), "the pool's protocol"),
        (with_pool(members=(replace(MEMBER, monitor_port=81),)), "the pool's members"),
        (
            with_pool(
                monitor=HealthMonitor(
                    type=MonitorType.HTTP,
                    delay=timedelta(seconds=5),
                    timeout=timedelta(seconds=2),
                    attempts=3,
                    method="HEAD",
                )
            ),
            "the pool's monitor",
        ),
        (replace(OWNER, listeners=(LISTENER, replace(LISTENER, id="x", port=81))), "2 of HTTP"),
    ],
)
def test_what_it_has_no_words_for_is_named(owner: LoadBalancer, lost: str) -> None:
    with pytest.raises(Invalid, match=lost):
        build_older([owner])


def test_a_check_that_both_can_say_is_said() -> None:
    monitor = HealthMonitor(
        type=MonitorType.HTTP,
        delay=timedelta(seconds=5),
        timeout=timedelta(seconds=2),
        attempts=3,
        attempts_down=3,
        http_version="1.0",
        path="/health",
        expected_codes=((200, 204),),
    )
    message = build_older([with_pool(monitor=monitor)])
    assert message["loadbalancers"][0]["monitor"]["attempts"] == 3  # type: ignore[index,call-overload]


def test_its_nodes_tell_whether_it_runs_what_it_should() -> None:
    node = {"id": "m", "address": "10.0.0.1", "port": 80, "status": "UP"}
    reply = {"loadbalancers": [{"id": "l", "bytes_in": 7, "nodes": [node]}]}
    assert runs_older(reply, [OWNER])
    assert not runs_older(reply, [with_pool(members=(replace(MEMBER, port=81),))])
    assert not runs_older({"loadbalancers": "?"}, [OWNER])
    assert not runs_older(reply, [])
    wide = widen_statistics(reply, [OWNER])["b"]
    assert wide["listeners"][0]["bytes_in"] == 7  # type: ignore[index,call-overload]
    assert wide["pools"] == [{"id": "p", "nodes": [node]}]
