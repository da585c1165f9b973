"""A preview over a real HAProxy: it changes nothing, and what it tells is what then happens."""

import random
import socket
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from libra.drivers.base import Step
from libra.drivers.haproxy.preview import FOREIGN
from libra.drivers.haproxy.running import OTHER_STRUCTURE
from libra.errors import ConfigurationRejected, DriverError
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import (
    Algorithm,
    Condition,
    Member,
    PersistenceType,
    Pool,
    SessionPersistence,
)
from tests.support.desired import build_desired
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.ports import accepts, free_port, wait_until

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

ONE, TWO = Member(id="one", address="127.0.0.1", port=9), Member(id="two", address="::1", port=10)
THREE = Member(id="three", address="127.0.0.3", port=11)
SOURCE = SessionPersistence(type=PersistenceType.SOURCE_IP)
COOKIE = SessionPersistence(type=PersistenceType.HTTP_COOKIE)


def desired(port: int, *members: Member, suspended: bool = False, **pool: object) -> Desired:
    listener = Listener(
        id="web",
        protocol=Protocol.HTTP,
        port=port,
        bind_address="127.0.0.1",
        pool=replace(Pool(id="web", members=members), **pool),
    )
    loadbalancer = LoadBalancer(id="web", listeners=(listener,))
    return Desired(loadbalancers=(loadbalancer,), suspended=suspended)


STATES: list[Callable[[int], Desired]] = [
    lambda p: desired(p, ONE, TWO),
    lambda p: desired(p, replace(ONE, weight=7), TWO),
    lambda p: desired(p, replace(ONE, condition=Condition.DRAINING), TWO, THREE),
    lambda p: desired(p, replace(TWO, condition=Condition.DISABLED), THREE),
    lambda p: desired(p, replace(ONE, port=99, backup=True), TWO),
    lambda p: desired(p, ONE, suspended=True),
    lambda p: desired(p, ONE, persistence=COOKIE),
    lambda p: desired(p, ONE, TWO, persistence=COOKIE),
    lambda p: desired(p, replace(ONE, address="localhost"), TWO),
    lambda p: desired(p, ONE, persistence=SOURCE),
    lambda p: desired(p, TWO, persistence=SOURCE),
    lambda _: Desired(),
]


def reloads(haproxy: DrivenHAProxy) -> int:
    return haproxy.master.show_processes().master.reloads


def settle(haproxy: DrivenHAProxy) -> None:
    """Removed nodes are gone: until then HAProxy has more than its file."""
    wait_until(lambda: not haproxy.driver._leaving.servers(), what="the end of removed nodes")


def look(haproxy: DrivenHAProxy) -> object:
    """Everything that a preview could have touched. Logs and counters are written at any time."""
    files = {
        path: (path.stat().st_ino, path.stat().st_mtime_ns, path.read_bytes())
        for path in haproxy.directory.glob("haproxy.cfg*")
    }
    rows = [line.split(",")[:2] for line in haproxy.admin.ask("show stat").splitlines()]
    states = [line.split(" ")[:9] for line in haproxy.admin.ask("show servers state").splitlines()]
    return files, rows, states, haproxy.pid(), reloads(haproxy)


@pytest.mark.parametrize("seed", range(2))
def test_what_was_told_is_what_happens(haproxy: DrivenHAProxy, seed: int) -> None:
    port = free_port()
    haproxy.driver.apply(STATES[0](port))
    seen = set()
    for state in random.Random(seed).choices(STATES, k=16):
        settle(haproxy)
        before = look(haproxy)
        preview = haproxy.driver.preview(state(port))
        assert look(haproxy) == before
        text, count = haproxy.text(), reloads(haproxy)
        with capture_logs() as events:
            haproxy.driver.apply(state(port))
        done = [event for event in events if event["event"] == "configuration differs"]
        assert [event["action"] for event in done] == (
            [] if preview.step is Step.NOTHING else [preview.step.value]
        )
        assert [event["changes"] for event in done] in ([], [len(preview.actions)])
        assert [event["reasons"] for event in done] in ([], ["; ".join(preview.reasons)])
        assert reloads(haproxy) - count == (preview.step is Step.RELOAD)
        assert bool(preview.diff) == (haproxy.text() != text)
        added = [line[1:] for line in preview.diff.splitlines()[2:] if line.startswith("+")]
        assert set(added) <= set(haproxy.text().splitlines())
        seen.add(preview.step)
    assert {Step.CHANGE, Step.RELOAD} <= seen


@pytest.mark.parametrize("pool", [{}, {"persistence": SOURCE}], ids=["plain", "tied"])
def test_before_anything_runs(haproxy: DrivenHAProxy, pool: dict[str, object]) -> None:
    preview = haproxy.driver.preview(desired(free_port(), ONE, **pool))
    assert preview.step is Step.START
    assert "+frontend fe-web" in preview.diff.splitlines()
    assert list(haproxy.directory.iterdir()) == []


def test_the_actions_are_told(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO))
    preview = haproxy.driver.preview(desired(port, replace(ONE, weight=5), THREE))
    assert (preview.step, preview.reasons) == (Step.CHANGE, ())
    assert preview.actions == (
        "add be-web/three at 127.0.0.3:11 with weight 1",
        "set weight of be-web/one to 5",
        "remove be-web/two once its connections have ended",
    )
    reload = haproxy.driver.preview(desired(port, replace(ONE, backup=True), TWO))
    assert (reload.step, reload.actions) == (Step.RELOAD, ())
    assert reload.reasons == ("one changed between backup and active in be-web",)


def test_what_of_another_structure_needs_the_reload_is_told(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    haproxy.driver.apply(desired(port, ONE, TWO))
    for wanted, reasons in (
        (
            desired(port, ONE, TWO, algorithm=Algorithm.LEAST_CONNECTIONS),
            ("the pool be-web changed: balance",),
        ),
        (Desired(), ("the listener fe-web was removed", "the pool be-web was removed")),
    ):
        preview = haproxy.driver.preview(wanted)
        assert (preview.step, preview.reasons) == (Step.RELOAD, reasons)
    haproxy.config_file.unlink()
    haproxy.config_file.with_name("haproxy.cfg.last-good").unlink()
    assert haproxy.driver.preview(Desired()).reasons == (OTHER_STRUCTURE,)


def test_what_cannot_be_reached_is_not_ended(haproxy: DrivenHAProxy) -> None:
    """An UPDATE would have it finish, for another to take its place."""
    port = free_port()
    haproxy.driver.apply(build_desired(1, listen=port))
    processes = haproxy.master.show_processes()
    names = (haproxy.settings.haproxy.admin_socket, haproxy.settings.haproxy.master_socket)
    for name in names:
        name.rename(name.with_suffix(".away"))
    with suppress(DriverError):  # the port is taken, as far as one can see
        assert haproxy.driver.preview(build_desired(1, listen=port)).step is Step.START
    assert accepts(port)
    for name in names:
        name.with_suffix(".away").rename(name)
    assert haproxy.master.show_processes().workers[0].pid == processes.workers[0].pid
    assert haproxy.driver.preview(build_desired(1, listen=port)).step is Step.NOTHING


def test_while_a_removed_node_drains_there_is_nothing_to_do(haproxy: DrivenHAProxy) -> None:
    """Also for the driver itself, which looks again every half minute."""
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as server:
        old = replace(ONE, port=server.getsockname()[1])
        haproxy.driver.apply(desired(port, old))
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            served, _ = server.accept()
            haproxy.driver.apply(desired(port, TWO))
            before = look(haproxy)
            for _ in range(2):
                preview = haproxy.driver.preview(desired(port, TWO))
                assert (preview.step, preview.actions) == (Step.NOTHING, ())
                haproxy.driver.apply(desired(port, TWO))
                haproxy.driver._live.forget()
            assert look(haproxy) == before
            back = haproxy.driver.preview(desired(port, old, TWO))
            assert back.actions == ("take be-web/one out of maintenance",)
            served.close()
    settle(haproxy)
    assert haproxy.driver.preview(desired(port, TWO)).step is Step.NOTHING
    haproxy.driver.apply(desired(port, replace(TWO, weight=3)))
    assert reloads(haproxy) == 0


@pytest.mark.parametrize("line", ["bogus line", "timeout nonsense 1s"])
def test_a_refused_configuration_is_haproxys_words(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path, line: str
) -> None:
    desired = build_desired(1, listen=free_port())
    good = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory)
    bad = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, extra_defaults=[line])
    with closing(good.driver), closing(bad.driver):
        good.driver.apply(desired)
        before = look(good)
        with pytest.raises(
            ConfigurationRejected, match=rf"^cannot use the configuration: line \d+: .*{line[:5]}"
        ):
            bad.driver.preview(desired)
        assert look(good) == before


def test_a_taken_port_is_told(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.apply(build_desired(1, listen=free_port()))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(DriverError, match=rf"cannot listen on 127\.0\.0\.1 port {port}: "):
            haproxy.driver.preview(build_desired(1, listen=port))


@pytest.mark.parametrize("adopt", [True, False])
def test_somebody_elses_file_is_neither_shown_nor_touched(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path, adopt: bool
) -> None:
    driven = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, adopt=adopt)
    driven.config_file.write_text("global\n# sesame\n")
    with closing(driven.driver):
        if adopt:
            preview = driven.driver.preview(build_desired(1, listen=free_port()))
            assert preview.notes == (FOREIGN,)
            assert "sesame" not in preview.diff
        else:
            with pytest.raises(DriverError, match="it was not written by libra"):
                driven.driver.preview(build_desired(1, listen=free_port()))
    assert driven.text() == "global\n# sesame\n"
    assert [path.name for path in tmp_path.iterdir()] == ["haproxy.cfg"]


def test_thousands_of_nodes(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    many = [Member(id=f"n{n}", address=f"10.0.{n >> 8}.{n & 255}", port=80) for n in range(3000)]
    haproxy.driver.apply(desired(port, *many))
    few = haproxy.driver.preview(desired(port, *many[:1500], replace(many[1500], weight=9)))
    assert few.step is Step.RELOAD
    one = haproxy.driver.preview(desired(port, *many[:-1], replace(many[-1], weight=9)))
    assert (one.step, one.actions) == (Step.CHANGE, ("set weight of be-web/n2999 to 9",))
    assert len(one.diff.splitlines()) < 30
