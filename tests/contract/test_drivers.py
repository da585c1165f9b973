"""What every driver must do, whichever proxy it drives. A new driver adds one line to DRIVERS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from libra.config.settings import Settings
from libra.drivers.base import LoadBalancerDriver, Step
from libra.drivers.noop import NoopDriver, create_driver
from libra.errors import LibraError, ProxyNotRunning
from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.statistics import (
    ListenerStatus,
    LoadBalancerStatistics,
    MemberStatus,
    OperatingStatus,
)
from tests.support.haproxy import (
    DrivenHAProxy,
    find_haproxy,
    is_running,
    kill,
    socket_directory,
)
from tests.support.messages import http, tcp, update
from tests.support.ports import free_ports, wait_until
from tests.support.second import listener, loadbalancer, node, pool
from tests.support.second import update as second_update

__all__ = ["socket_directory"]


@dataclass(frozen=True)
class Lab:
    """A driver that has done nothing yet, and the means to disturb it."""

    driver: LoadBalancerDriver
    again: Callable[[], LoadBalancerDriver]
    """What a restarted worker has, over the same proxy."""
    kill: Callable[[], None]
    """End the proxy as a crash does."""


def run_noop(_request: pytest.FixtureRequest, _stack: ExitStack) -> Lab:
    driver = NoopDriver()

    def kill() -> None:
        driver.running = False

    return Lab(driver, again=lambda: driver, kill=kill)


def run_haproxy(request: pytest.FixtureRequest, stack: ExitStack) -> Lab:
    directory: Path = request.getfixturevalue("tmp_path")
    sockets: Path = request.getfixturevalue("socket_directory")
    binary = find_haproxy(request.param.removeprefix("haproxy-"))
    driven = DrivenHAProxy(binary, directory, sockets)

    def again() -> LoadBalancerDriver:
        return stack.enter_context(closing(driven.new_driver()))

    def end() -> None:
        processes = driven.master.show_processes()
        pids = [processes.master.pid, *(worker.pid for worker in processes.workers)]
        for pid in pids:
            kill(pid)
        wait_until(lambda: not any(map(is_running, pids)), what="the end of HAProxy")

    return Lab(stack.enter_context(closing(driven.driver)), again, end)


DRIVERS: dict[str, Callable[[pytest.FixtureRequest, ExitStack], Lab]] = {
    "noop": run_noop,
    "haproxy-system": run_haproxy,
    "haproxy-packaged": run_haproxy,
}


@pytest.fixture(params=DRIVERS)
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with ExitStack() as stack:
        yield DRIVERS[request.param](request, stack)


@pytest.fixture
def ports() -> tuple[int, ...]:
    return free_ports(3)


def desired(*loadbalancers: dict[str, object], suspended: bool = False) -> Desired:
    """What an UPDATE asks for, on loopback only."""
    items = [{"bind_address": "127.0.0.1", **item} for item in loadbalancers]
    request = parse_request(update(*items))
    assert isinstance(request, Update)
    return Desired(loadbalancers=request.loadbalancers, suspended=suspended)


def nodes(*ports: int, **fields: object) -> list[dict[str, object]]:
    return [{"id": f"n{port}", "address": "127.0.0.1", "port": port, **fields} for port in ports]


def only(statistics: tuple[LoadBalancerStatistics, ...]) -> LoadBalancerStatistics:
    (one,) = statistics
    return one


def test_it_has_a_name_and_a_version(lab: Lab) -> None:
    assert lab.driver.name
    version = lab.driver.version()
    assert version.name
    assert version.version
    assert lab.driver.version() == version


def test_statistics_prove_that_the_proxy_runs(lab: Lab) -> None:
    with pytest.raises(ProxyNotRunning, match=r"^cannot "):
        lab.driver.statistics(Desired())
    lab.driver.apply(Desired())
    assert lab.driver.statistics(Desired()) == ()
    lab.kill()
    with pytest.raises(ProxyNotRunning, match=r"^cannot "):
        lab.driver.statistics(Desired())


def second(ports: tuple[int, ...], **enabled: bool) -> Desired:
    """A 2.0 load balancer: a listener with a pool of two, one without; `enabled` by kind of what it is of."""
    flags = {kind: {"enabled": value} for kind, value in enabled.items()}
    listeners = [
        {**listener("web", ports[0], pool="p"), **flags.get("listener", {})},
        listener("bare", ports[1]),
    ]
    pools = [{**pool("p", node("n1", 1), node("n2", 2)), **flags.get("pool", {})}]
    item = {**loadbalancer("lb", listeners, pools), **flags.get("loadbalancer", {})}
    request = parse_request(second_update(item))
    assert isinstance(request, Update)
    return Desired(loadbalancers=request.loadbalancers, version="2.0")


def test_listeners_and_pools_are_told_of_one_by_one(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = second(ports)
    lab.driver.apply(wanted)
    found = only(lab.driver.statistics(wanted))
    assert [(item.id, item.status) for item in found.listeners] == [
        ("web", ListenerStatus.OPEN),
        ("bare", ListenerStatus.OPEN),
    ]
    (told,) = found.pools
    assert (told.id, told.status) == ("p", MemberStatus.NO_CHECK)
    assert told.members == found.members
    assert [item.id for item in told.members] == ["n1", "n2"]


@pytest.mark.parametrize(
    ("kind", "status", "listeners", "member"),
    [
        ("loadbalancer", "SUSPENDED", ["STOPPED", "STOPPED"], "no check"),
        ("listener", "ONLINE", ["STOPPED", "OPEN"], "no check"),
        ("pool", "ERROR", ["OPEN", "OPEN"], "MAINT"),
    ],
)
@pytest.mark.parametrize("starts_so", [True, False])
def test_what_is_not_enabled(
    lab: Lab,
    ports: tuple[int, ...],
    kind: str,
    status: str,
    listeners: list[str],
    member: str,
    starts_so: bool,
) -> None:
    if not starts_so:
        lab.driver.apply(second(ports))
    wanted = second(ports, **{kind: False})
    lab.driver.apply(wanted)
    found = only(lab.driver.statistics(wanted))
    assert found.status.value == status
    assert [item.status.value for item in found.listeners] == listeners
    assert {item.status.value for item in found.members} == {member}


def test_statistics_are_those_of_what_is_asked(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(
        http(id="15", name="lb #1 ü", port=ports[0], nodes=nodes(1, 2)),
        tcp(id="16", port=ports[1], nodes=nodes(3)),
    )
    lab.driver.apply(wanted)
    web, mail = lab.driver.statistics(wanted)
    assert (web.id, web.name, web.protocol) == ("15", "lb #1 ü", "HTTP")
    assert (mail.id, mail.name, mail.protocol) == ("16", None, "TCP")
    assert web.status is mail.status is OperatingStatus.ONLINE
    assert [(m.id, m.address, m.port) for m in web.members] == [
        ("n1", "127.0.0.1", 1),
        ("n2", "127.0.0.1", 2),
    ]
    counters = (web.bytes_in, web.bytes_out, web.current_sessions, web.total_sessions, web.errors)
    assert counters == (0, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({}, MemberStatus.NO_CHECK),
        ({"weight": 256, "backup": True}, MemberStatus.NO_CHECK),
        ({"condition": "DISABLED"}, MemberStatus.MAINT),
        ({"condition": "DRAINING"}, MemberStatus.DRAIN),
        ({"weight": 0}, MemberStatus.DRAIN),
    ],
)
def test_a_member_s_status_without_checks(
    lab: Lab, ports: tuple[int, ...], fields: dict[str, object], status: MemberStatus
) -> None:
    wanted = desired(http(port=ports[0], nodes=nodes(1, **fields)))
    lab.driver.apply(wanted)
    loadbalancer = only(lab.driver.statistics(wanted))
    assert [(m.status, m.last_check) for m in loadbalancer.members] == [(status, None)]
    serves = status is MemberStatus.NO_CHECK
    assert loadbalancer.status is (OperatingStatus.ONLINE if serves else OperatingStatus.ERROR)


def test_what_is_taken_out_on_purpose_is_no_fault(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(
        http(port=ports[0], nodes=nodes(1) + nodes(2, condition="DISABLED") + nodes(3, weight=0))
    )
    lab.driver.apply(wanted)
    assert only(lab.driver.statistics(wanted)).status is OperatingStatus.ONLINE


def test_suspended_and_back(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(port=ports[0]))
    suspended = replace(wanted, suspended=True)
    for state, status in (
        (suspended, OperatingStatus.SUSPENDED),
        (wanted, OperatingStatus.ONLINE),
        (suspended, OperatingStatus.SUSPENDED),
        (suspended, OperatingStatus.SUSPENDED),
        (wanted, OperatingStatus.ONLINE),
    ):
        lab.driver.apply(state)
        assert only(lab.driver.statistics(state)).status is status


def test_a_question_about_what_is_not_applied_is_answered(lab: Lab, ports: tuple[int, ...]) -> None:
    """A STATS beside an UPDATE may still ask for what was before it."""
    before = desired(http(id="before", port=ports[0], nodes=nodes(1, 2)))
    lab.driver.apply(desired(tcp(id="after", port=ports[1])))
    loadbalancer = only(lab.driver.statistics(before))
    assert loadbalancer.id == "before"
    assert [m.id for m in loadbalancer.members] == ["n1", "n2"]
    with lab.driver.access_log(before.loadbalancers[0]) as blocks:
        assert b"".join(blocks) == b""


def test_the_same_again_is_fine_and_nothing_too(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(port=ports[0]))
    for state in (Desired(), Desired(), wanted, wanted, Desired(), wanted, Desired()):
        lab.driver.apply(state)
        assert len(lab.driver.statistics(state)) == len(state.loadbalancers)


def test_a_preview_changes_nothing_and_comes_true(lab: Lab, ports: tuple[int, ...]) -> None:
    one = desired(http(port=ports[0], nodes=nodes(1, 2)))
    states = (
        one,
        desired(http(port=ports[0], nodes=nodes(1, 2, weight=7))),
        replace(one, suspended=True),
        one,
        desired(http(port=ports[0]), tcp(port=ports[1])),
        Desired(),
    )
    first = lab.driver.preview(one)
    assert first.step is Step.START
    assert first.reasons
    assert first.diff
    with pytest.raises(ProxyNotRunning):
        lab.driver.statistics(one)
    lab.driver.apply(Desired())
    before = Desired()
    for state in states:
        preview = lab.driver.preview(state)
        assert preview.step in (Step.CHANGE, Step.RELOAD)
        assert preview.diff
        assert lab.driver.preview(state) == preview
        assert lab.driver.preview(before).step is Step.NOTHING
        lab.driver.apply(state)
        assert len(lab.driver.statistics(state)) == len(state.loadbalancers)
        again = lab.driver.preview(state)
        assert (again.step, again.actions, again.reasons, again.diff) == (Step.NOTHING, (), (), "")
        before = state


def test_a_preview_of_a_proxy_that_died_does_not_start_it(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(port=ports[0]))
    lab.driver.apply(wanted)
    lab.kill()
    preview = lab.driver.preview(wanted)
    assert (preview.step, preview.diff) == (Step.START, "")
    with pytest.raises(ProxyNotRunning):
        lab.driver.statistics(wanted)


def test_it_comes_back_after_a_crash(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(port=ports[0]))
    lab.driver.apply(wanted)
    lab.driver.ensure_running()
    for revive in (lab.driver.ensure_running, lambda: lab.driver.apply(wanted)):
        lab.kill()
        revive()
        assert only(lab.driver.statistics(wanted)).status is OperatingStatus.ONLINE


def test_a_restarted_worker_finds_the_proxy_again(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(port=ports[0]))
    lab.driver.apply(wanted)
    lab.driver.close()
    driver = lab.again()
    assert only(driver.statistics(wanted)).status is OperatingStatus.ONLINE
    driver.apply(wanted)
    assert only(driver.statistics(wanted)).status is OperatingStatus.ONLINE


def test_forgetting_is_idempotent(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(port=ports[0]))
    lab.driver.forget()
    lab.driver.apply(wanted)
    lab.driver.apply(Desired())
    for _ in range(2):
        lab.driver.forget()
        assert lab.driver.statistics(Desired()) == ()
    lab.driver.apply(wanted)
    assert only(lab.driver.statistics(wanted)).total_sessions == 0


def test_without_traffic_there_is_no_log(lab: Lab, ports: tuple[int, ...]) -> None:
    wanted = desired(http(id="../15 'x' %[src]", port=ports[0]))
    lab.driver.apply(wanted)
    with lab.driver.access_log(wanted.loadbalancers[0]) as blocks:
        assert b"".join(blocks) == b""


def test_questions_beside_changes(lab: Lab, ports: tuple[int, ...]) -> None:
    """Every question is answered or refused with a sentence while the proxy is changed."""
    states = [desired(http(port=port, nodes=nodes(1, port))) for port in ports]
    lab.driver.apply(states[0])
    done = threading.Event()
    faults: list[BaseException] = []

    def ask() -> None:
        while not done.is_set():
            for state in states:
                try:
                    assert only(lab.driver.statistics(state)).members
                    lab.driver.version()
                except LibraError:
                    pass
                except BaseException as error:  # noqa: BLE001 - shown below
                    faults.append(error)
                    return

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for state in (*states, replace(states[0], suspended=True), Desired(), states[0]):
        lab.driver.apply(state)
    done.set()
    for thread in threads:
        thread.join(30)
    assert not faults
    assert only(lab.driver.statistics(states[0])).status is OperatingStatus.ONLINE


# the twin's own means


@pytest.fixture
def noop() -> NoopDriver:
    driver = create_driver(Settings())
    assert isinstance(driver, NoopDriver)
    return driver


def a_load_balancer(identity: str = "15") -> LoadBalancer:
    return desired(http(id=identity, nodes=nodes(1, 2))).loadbalancers[0]


def test_the_noop_driver_counts_what_it_is_told(noop: NoopDriver) -> None:
    wanted = Desired(loadbalancers=(a_load_balancer(),))
    noop.apply(wanted)
    noop.count("15", "n1", {"total_sessions": 1, "bytes_in": 10, "bytes_out": 20, "errors": 1})
    noop.count("15", "n1", {"bytes_in": 5})
    noop.count("15", "n2", {"total_sessions": 2})
    statistics = only(noop.statistics(wanted))
    assert (statistics.total_sessions, statistics.bytes_in) == (3, 15)
    assert (statistics.bytes_out, statistics.errors) == (20, 1)
    assert [m.bytes_in for m in statistics.members] == [15, 0]


def test_the_noop_driver_logs_what_it_is_told(noop: NoopDriver) -> None:
    noop.apply(Desired(loadbalancers=(a_load_balancer(),)))
    noop.log("15", [b"one\n"])
    noop.log("15", [b"two\n"])
    noop.log("16", [b"other\n"])
    with noop.access_log(a_load_balancer()) as blocks:
        noop.log("15", [b"later\n"])
        assert list(blocks) == [b"one\n", b"two\n"]


def test_the_noop_driver_forgets_what_is_gone(noop: NoopDriver) -> None:
    kept, gone = a_load_balancer("15"), a_load_balancer("16")
    noop.apply(Desired(loadbalancers=(kept, gone)))
    for identity in ("15", "16"):
        noop.count(identity, "n1", {"total_sessions": 1})
        noop.log(identity, [b"x\n"])
    noop.apply(Desired(loadbalancers=(kept,)))
    noop.forget()
    noop.apply(Desired(loadbalancers=(kept, gone)))
    assert [lb.total_sessions for lb in noop.statistics(noop.desired)] == [1, 0]
    with noop.access_log(gone) as blocks:
        assert list(blocks) == []
