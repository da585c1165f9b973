"""Why a reload is needed, from two texts."""

from dataclasses import replace

import pytest
from hypothesis import given

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.render import description_of, render, structure_in
from libra.drivers.haproxy.sections import MOST, SETTINGS, explain_reload
from libra.model.listener import Listener
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Algorithm, Condition, Member, PersistenceType, SessionPersistence
from tests.support.desired import build_desired, desireds
from tests.unit.drivers.haproxy.test_build import OPTIONS

TIED = replace(OPTIONS, peers_socket="/run/a.peers", clients_file="/c")


def text_of(desired: Desired, **options: object) -> str:
    return render(build(desired, replace(TIED, **options)))


def changed(fields: dict[str, object], pool: dict[str, object]) -> Desired:
    (lb,) = build_desired(81).loadbalancers
    (listener,) = lb.listeners
    listener = replace(listener, pool=replace(listener.pool, **pool), **fields)
    return Desired(loadbalancers=(replace(lb, listeners=(listener,)),))


def many(count: int) -> Desired:
    (listener,) = build_desired(81).loadbalancers[0].listeners
    listeners: tuple[Listener, ...] = tuple(
        replace(listener, id=f"n{n}", pool=replace(listener.pool, id=f"n{n}")) for n in range(count)
    )
    return Desired(loadbalancers=(LoadBalancer(id="x", listeners=listeners),))


@given(desireds(), desireds())
def test_another_structure_has_a_reason_and_the_same_has_none(one: Desired, two: Desired) -> None:
    before, after = text_of(one), text_of(two)
    if structure_in(description_of(before)) == structure_in(description_of(after)):
        assert explain_reload(before, after) == ()
    elif {lb.id for lb in one.loadbalancers} != {lb.id for lb in two.loadbalancers}:
        assert explain_reload(before, after)


@pytest.mark.parametrize(
    ("fields", "pool", "reasons"),
    [
        ({}, {}, ()),
        ({"port": 99}, {}, ("the listener fe-web changed: bind",)),
        (
            {"connection_limit": 9, "x_forwarded_for": True},
            {},
            ("the listener fe-web changed: maxconn, option forwardfor",),
        ),
        (
            {},
            {"algorithm": Algorithm.LEAST_CONNECTIONS},
            ("the pool be-web changed: balance",),
        ),
        (
            {},
            {"persistence": SessionPersistence(type=PersistenceType.SOURCE_IP)},
            (
                "the listener fe-web changed: tcp-request",
                "the pool be-web changed: stick-table, use-server, stick",
            ),
        ),
        ({}, {"members": (Member(id="x", address="::1", port=1),)}, ()),
        (
            {},
            {
                "members": (
                    Member(id="m0", address="127.0.0.1", port=81, condition=Condition.DISABLED),
                )
            },
            (),
        ),
        (
            {"port": 99},
            {"id": "other"},
            (
                "the listener fe-web changed: bind, default_backend",
                "the pool be-web was removed",
                "the pool be-other was added",
            ),
        ),
    ],
)
def test_reasons(
    fields: dict[str, object], pool: dict[str, object], reasons: tuple[str, ...]
) -> None:
    assert explain_reload(text_of(build_desired(81)), text_of(changed(fields, pool))) == reasons


def test_listeners_and_pools_that_come_and_go() -> None:
    empty, full = text_of(Desired()), text_of(build_desired(81))
    names = ("the listener fe-web", "the pool be-web")
    assert explain_reload(empty, full) == tuple(f"{name} was added" for name in names)
    assert explain_reload(full, empty) == tuple(f"{name} was removed" for name in names)
    suspended = text_of(build_desired(81, suspended=True))
    assert explain_reload(full, suspended) == ()


def test_settings_are_told_by_keyword_only() -> None:
    before = text_of(Desired())
    after = text_of(
        Desired(),
        user="haproxy",
        extra_global=("stats auth admin:open-sesame", "nbthread 2"),
        extra_defaults=("timeout http-request 7s", "no option dontlognull"),
    )
    (reason,) = explain_reload(before, after)
    assert reason == (
        f"{SETTINGS} changed: user, stats auth, nbthread, timeout http-request, no option"
    )


def test_hundreds_of_reasons_are_counted() -> None:
    reasons = explain_reload(text_of(Desired()), text_of(many(200)))
    assert len(reasons) == MOST + 1
    assert reasons[-1] == f"{400 - MOST} more such reasons"
