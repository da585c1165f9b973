"""HAProxy refuses a step, for somebody changed it behind the worker's back: one reload, and nothing is half done."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from libra.drivers.haproxy.observe import parse_servers_state
from libra.errors import ConfigurationRejected
from libra.model.loadbalancer import Desired
from libra.model.pool import Condition, Member
from tests.support.desired import build_desired
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.load import Load
from tests.support.ports import free_port, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

BAD_LUCK = 113
SUPERSTITIOUS = f"""\
#!/bin/sh
[ "$1" = -c ] && grep -q 'weight {BAD_LUCK}$' "$3" && echo '[ALERT] (1) : config : bad luck' && exit 1
exec %s "$@"
"""
"""Its check refuses a text that every HAProxy would run."""


def member(name: str, port: int, **fields: object) -> Member:
    return replace(Member(id=name, address="127.0.0.1", port=port), **fields)


def desired(listen: int, *members: Member) -> Desired:
    """One load balancer of these."""
    (item,) = build_desired(listen=listen).loadbalancers
    (front,) = item.listeners
    front = replace(front, pool=replace(front.pool, members=members))
    return Desired(loadbalancers=(replace(item, listeners=(front,)),))


def servers(haproxy: DrivenHAProxy) -> dict[str, tuple[int, int, bool]]:
    """Port, weight and maintenance of each, as HAProxy says."""
    states = parse_servers_state(haproxy.admin.ask("show servers state"))
    return {item.name: (item.port, item.weight, item.in_maintenance) for item in states}


def reloads(haproxy: DrivenHAProxy) -> int:
    return haproxy.master.show_processes().master.reloads


@pytest.fixture
def webs() -> Iterator[tuple[int, ...]]:
    """Three web servers' ports."""
    with WebServer("one") as one, WebServer("two") as two, WebServer("three") as three:
        yield one.port, two.port, three.port


DELETE_ONE = ["set server be-web/one state maint", "del server be-web/one"]
ADD_FOUR = ["add server be-web/four 127.0.0.1:9 weight 5", "enable server be-web/four"]
Change = Callable[[int, int, int], tuple[Member, ...]]


@pytest.mark.parametrize(
    ("meddling", "change"),
    [
        # the second step of three is refused: the first was done by then
        (DELETE_ONE, lambda a, b, c: (member("one", a, weight=3), member("two", b, weight=4))),
        (DELETE_ONE, lambda a, b, c: (member("one", c), member("two", b, weight=4))),
        (
            DELETE_ONE,
            lambda a, b, c: (
                member("one", a, condition=Condition.DISABLED),
                member("two", b, weight=4),
            ),
        ),
        (DELETE_ONE, lambda a, b, c: (member("two", b, weight=4), member("three", c))),
        (
            ADD_FOUR,
            lambda a, b, c: (
                member("one", a),
                member("two", b, weight=4),
                member("three", c),
                member("four", c, weight=2),
            ),
        ),
    ],
    ids=["weight", "move", "maintenance", "removal", "addition"],
)
def test_a_refused_step_is_one_reload(
    haproxy: DrivenHAProxy, webs: tuple[int, int, int], meddling: list[str], change: Change
) -> None:
    listen = free_port()
    haproxy.driver.apply(desired(listen, member("one", webs[0]), member("two", webs[1])))
    haproxy.admin.order(meddling)
    members = change(*webs)
    with Load(listen) as load:
        haproxy.driver.apply(desired(listen, *members))
    assert load.failures == []
    assert reloads(haproxy) == 1
    off = Condition.DISABLED
    assert servers(haproxy) == {
        item.id: (item.port, item.weight, item.condition is off) for item in members
    }


@pytest.mark.parametrize(
    "meddling",
    [
        DELETE_ONE,
        [*DELETE_ONE, "add server be-web/one 127.0.0.1:9 weight 77"],
        [*DELETE_ONE, "add server be-web/one 127.0.0.1:9", "enable server be-web/one"],
        ["set server be-web/one state maint"],
        ["set server be-web/one state drain"],
        ["set server be-web/two weight 50%"],
        ADD_FOUR,
        ["disable frontend fe-web"],
    ],
    ids=["gone", "other", "other ready", "maint", "drain", "weight", "more", "suspended"],
)
def test_what_somebody_did_is_undone_by_whoever_looks_next(
    haproxy: DrivenHAProxy,
    webs: tuple[int, int, int],
    meddling: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every half minute the worker looks by itself."""
    listen = free_port()
    members = member("one", webs[0]), member("two", webs[1], weight=2)
    haproxy.driver.apply(desired(listen, *members))
    haproxy.admin.order(meddling)
    monkeypatch.setattr("libra.drivers.haproxy.driver.LOOK_EVERY_SECONDS", 0.0)
    haproxy.driver.ensure_running()
    wanted = {item.id: (item.port, item.weight, False) for item in members}
    wait_until(lambda: servers(haproxy) == wanted, what=f"{servers(haproxy)} to be as wanted")
    assert {get(listen) for _ in range(6)} == {(200, "one"), (200, "two")}


def superstitious(haproxy: DrivenHAProxy, sockets: Path) -> DrivenHAProxy:
    """The same host, with a HAProxy whose check may refuse what runs at runtime."""
    program = haproxy.directory / "superstitious"
    program.write_text(SUPERSTITIOUS % haproxy.settings.haproxy.binary)
    program.chmod(stat.S_IRWXU)
    return DrivenHAProxy(program, haproxy.directory, sockets)


def test_where_the_reload_fails_too_nothing_of_the_steps_stays(
    haproxy: DrivenHAProxy, webs: tuple[int, int, int], socket_directory: Path
) -> None:
    """`two` had its new weight when `one` was refused: it has the old one when that is told."""
    haproxy = superstitious(haproxy, socket_directory)
    listen = free_port()
    before = member("one", webs[0]), member("two", webs[1])
    haproxy.driver.apply(desired(listen, *before))
    text = haproxy.text()
    haproxy.admin.order(DELETE_ONE)
    after = member("two", webs[1], weight=9), member("one", webs[0], weight=BAD_LUCK)
    with (
        Load(listen) as load,
        pytest.raises(ConfigurationRejected, match=r"bad luck$"),
    ):
        haproxy.driver.apply(desired(listen, *after))
    assert load.failures == []
    assert haproxy.text() == text
    assert servers(haproxy) == {item.id: (item.port, 1, False) for item in before}
    haproxy.driver.apply(desired(listen, *before))
    haproxy.driver.close()
