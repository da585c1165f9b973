"""Who is pinged, what is read of HAProxy's servers, and how their rows are told."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.pinging.health import PingOutcome, Seen, parse_seen, render_health
from libra.drivers.haproxy.pinging.rows import with_pings
from libra.drivers.haproxy.pinging.targets import build_targets, is_installed, needed_versions
from libra.drivers.haproxy.render import render
from libra.drivers.haproxy.rows import Row
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import HealthMonitor, Member, MonitorType, Pool
from tests.support.desired import desireds

OPTIONS = Options(
    admin_socket="/a", log_target="stdout", version=(2, 6, 0), hard_stop_after=timedelta(hours=1)
)
PING = HealthMonitor(
    type=MonitorType.PING,
    delay=timedelta(seconds=5),
    timeout=timedelta(seconds=2),
    attempts=2,
    attempts_down=3,
)


def of_pool(pool: Pool) -> Desired:
    listener = Listener(id="l", protocol=Protocol.HTTP, port=80, pool=pool)
    return Desired(loadbalancers=(LoadBalancer(id="l", listeners=(listener,)),))


def test_members_are_pinged_where_they_are_monitored() -> None:
    members = (
        Member(id="a", address="10.0.0.1", port=80),
        Member(id="b b", address="10.0.0.2", port=80, monitor_address="fd00::2", monitor_port=7),
        Member(id="c", address="web.example", port=80),
    )
    desired = of_pool(Pool(id="p", members=members, monitor=PING))
    found = build_targets(desired)
    assert {key: one.address for key, one in found.items()} == {
        ("be-p", "a"): "10.0.0.1",
        ("be-p", "b_20b"): "fd00::2",
        ("be-p", "c"): None,
    }
    assert {one[2:] for one in found.values()} == {(5.0, 2.0, 2, 3)}
    assert set(needed_versions(desired)) == {4, 6}
    assert [key[1] for key in build_targets(desired, frozenset({4}))] == ["b_20b"]


@given(desireds())
def test_haproxy_checks_nobody_who_is_pinged(desired: Desired) -> None:
    """And its file says who is."""
    text = render(build(desired, OPTIONS))
    assert is_installed(desired, text)
    pinged = {backend for backend, _ in build_targets(desired)}
    for section in text.split("\nbackend ")[1:]:
        name, _, lines = section.partition("\n")
        marked = "    #pinged: " in lines
        assert marked is (name in pinged)
        assert not (marked and (" check" in lines or "http-check" in lines))


HEAD = "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state\n"


def test_servers_are_read_as_they_are() -> None:
    rows = "be a 10.0.0.1 2 4\nbe b - 0 32\nbe c 10.0.0.3 0 5\nother a 10.0.0.4 2 0\n"
    keys = [("be", name) for name in "abcd"]
    assert parse_seen(HEAD + rows, keys) == {
        ("be", "a"): Seen("10.0.0.1", 2, out=False),  # once in maintenance
        ("be", "b"): Seen(None, 0, out=True),
        ("be", "c"): Seen("10.0.0.3", 0, out=True),
    }


@pytest.mark.parametrize("text", ["", "No such backend.\n", "2\n# a b\n", HEAD.upper()])
def test_another_format_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - also of what is missing
        parse_seen(text, [])


def test_commands_name_servers() -> None:
    assert render_health({("be-p", "a"): True, ("be-p", "b"): False}) == [
        "set server be-p/a health up",
        "set server be-p/b health down",
    ]


@given(st.sampled_from(["no check", "DOWN", "MAINT", "DRAIN"]), st.sampled_from(PingOutcome))
def test_rows_say_what_pings_found(status: str, outcome: PingOutcome) -> None:
    table = {("be", "a"): Row(status), ("be", "b"): Row("no check")}
    told = with_pings(table, {("be", "a"): outcome, ("be", "gone"): None})
    expected = "UP" if status == "no check" else status
    assert told == {("be", "a"): Row(expected, check=outcome.value), ("be", "b"): Row("no check")}
    assert with_pings(table, {}) is table
