"""What HAProxy's rows mean for load balancers and members."""

from dataclasses import replace

import pytest

from libra.drivers.haproxy.counters import Counters
from libra.drivers.haproxy.report import Observed, build_report, member_status, row_names
from libra.drivers.haproxy.rows import Row
from libra.model.loadbalancer import Desired
from libra.model.pool import Condition
from libra.model.statistics import MemberStatus, OperatingStatus
from tests.support.desired import build_desired

OPEN = Row("OPEN")
UP, DOWN = Row("UP", 1, "L4OK"), Row("DOWN", 1, "L4CON")
NO_CHECK, MAINT, DRAIN = Row("no check", 1), Row("MAINT", 1), Row("DRAIN", 0)

STATUSES = [
    ("UP", 1, MemberStatus.UP),
    ("UP 1/3", 1, MemberStatus.UP),
    ("UP", 0, MemberStatus.DRAIN),
    ("no check", 1, MemberStatus.NO_CHECK),
    ("no check", 0, MemberStatus.DRAIN),
    ("DOWN", 1, MemberStatus.DOWN),
    ("DOWN", 0, MemberStatus.DOWN),
    ("DOWN 2/3", 1, MemberStatus.DOWN),
    ("DOWN (agent)", 1, MemberStatus.DOWN),
    ("NOLB", 1, MemberStatus.DRAIN),
    ("NOLB 1/2", 1, MemberStatus.DRAIN),
    ("DRAIN", 0, MemberStatus.DRAIN),
    ("DRAIN 1/2", 0, MemberStatus.DRAIN),
    ("DRAIN (agent)", 0, MemberStatus.DRAIN),
    ("MAINT", 1, MemberStatus.MAINT),
    ("MAINT", 0, MemberStatus.MAINT),
    ("MAINT (via be-web/m1)", 1, MemberStatus.MAINT),
    ("MAINT (resolution)", 1, MemberStatus.DOWN),
    ("a word of HAProxy 9", 1, MemberStatus.DOWN),
]


@pytest.mark.parametrize(("text", "weight", "status"), STATUSES)
def test_member_status(text: str, weight: int, status: MemberStatus) -> None:
    assert member_status(Row(text, weight)) is status


def observe(*members: Row | None, front: Row | None = OPEN, stopping: bool = False) -> Observed:
    table = {("be-web", f"m{n}"): row for n, row in enumerate(members) if row is not None}
    fronts = {("fe-web", "FRONTEND"): front} if front else {}
    return Observed(table | fronts, {}, {}, stopping)


def desire(*conditions: Condition, suspended: bool = False) -> Desired:
    desired = build_desired(*range(8001, 8001 + len(conditions)), suspended=suspended)
    (loadbalancer,) = desired.loadbalancers
    (listener,) = loadbalancer.listeners
    members = tuple(
        replace(member, condition=condition)
        for member, condition in zip(listener.pool.members, conditions, strict=True)
    )
    listener = replace(listener, pool=replace(listener.pool, members=members))
    return replace(desired, loadbalancers=(replace(loadbalancer, listeners=(listener,)),))


ON, OFF, DRAINING = Condition.ENABLED, Condition.DISABLED, Condition.DRAINING
ONLINE, DEGRADED, ERROR = OperatingStatus.ONLINE, OperatingStatus.DEGRADED, OperatingStatus.ERROR


@pytest.mark.parametrize(
    ("conditions", "rows", "status"),
    [
        ((ON, ON), (UP, UP), ONLINE),
        ((ON, ON), (NO_CHECK, NO_CHECK), ONLINE),
        ((ON, ON), (UP, DOWN), DEGRADED),
        ((ON, ON), (DOWN, DOWN), ERROR),
        ((ON, OFF), (UP, MAINT), ONLINE),
        ((ON, DRAINING), (UP, DRAIN), ONLINE),
        ((ON, DRAINING), (UP, DOWN), ONLINE),  # out on purpose: that its check fails is no fault
        ((OFF, DRAINING), (MAINT, DRAIN), ERROR),  # no fault, but nothing takes traffic
        ((ON, OFF), (DOWN, MAINT), ERROR),
        ((ON, ON), (UP, MAINT), ONLINE),  # somebody's hand on the socket
        ((ON, ON), (UP, None), DEGRADED),  # HAProxy does not know it (yet)
        ((ON,), (None,), ERROR),
    ],
)
def test_load_balancer_status(
    conditions: tuple[Condition, ...], rows: tuple[Row | None, ...], status: OperatingStatus
) -> None:
    (report,) = build_report(desire(*conditions), observe(*rows))
    assert report.status is status


def test_suspended_wins() -> None:
    (report,) = build_report(desire(ON, suspended=True), observe(DOWN, front=None))
    assert report.status is OperatingStatus.SUSPENDED


@pytest.mark.parametrize(("front", "status"), [(None, ERROR), (Row("STOP"), ERROR), (OPEN, ONLINE)])
def test_where_nobody_listens_nothing_takes_traffic(
    front: Row | None, status: OperatingStatus
) -> None:
    (report,) = build_report(desire(ON), observe(UP, front=front))
    assert report.status is status


def test_a_process_that_finishes_has_shut_its_frontends() -> None:
    (report,) = build_report(desire(ON), observe(UP, front=Row("STOP"), stopping=True))
    assert report.status is ONLINE


def test_one_dead_listener_of_two_is_degraded() -> None:
    desired = build_desired(8001)
    (loadbalancer,) = desired.loadbalancers
    (listener,) = loadbalancer.listeners
    second = replace(listener, id="two", pool=replace(listener.pool, id="two"))
    desired = Desired(loadbalancers=(replace(loadbalancer, listeners=(listener, second)),))
    dead = {("fe-two", "FRONTEND"): OPEN, ("be-two", "m0"): MAINT}
    observed = observe(UP)
    (report,) = build_report(desired, replace(observed, table={**observed.table, **dead}))
    assert report.status is DEGRADED
    assert [member.status for member in report.members] == [MemberStatus.UP, MemberStatus.MAINT]


def test_numbers_and_names() -> None:
    desired = build_desired(8001, 8002)
    totals = {
        ("fe-web", "FRONTEND"): Counters(100, 200, 30, 4),
        ("be-web", "BACKEND"): Counters(99, 199, 33, 5),
        ("be-web", "m0"): Counters(60, 110, 20, 3),
        ("be-other", "m0"): Counters(7, 7, 7, 7),
    }
    sessions = {("fe-web", "FRONTEND"): 6, ("be-web", "m1"): 2}
    observed = replace(observe(UP, DOWN), totals=totals, sessions=sessions)
    (report,) = build_report(desired, observed)
    assert (report.id, report.name, report.protocol) == ("web", None, "HTTP")
    assert (report.bytes_in, report.bytes_out, report.total_sessions) == (100, 200, 30)
    assert (report.current_sessions, report.errors) == (6, 9)
    one, two = report.members
    assert (one.id, one.address, one.port, one.last_check) == ("m0", "127.0.0.1", 8001, "L4OK")
    assert (one.bytes_in, one.bytes_out, one.total_sessions, one.errors) == (60, 110, 20, 3)
    assert (two.status, two.current_sessions, two.total_sessions) == (MemberStatus.DOWN, 2, 0)


def test_nothing_configured() -> None:
    assert build_report(Desired(), observe()) == ()


def test_the_rows_of_a_desired_state() -> None:
    assert list(row_names(build_desired(8001))) == [
        ("fe-web", "FRONTEND"),
        ("be-web", "BACKEND"),
        ("be-web", "m0"),
    ]
