"""Reloads of a real HAProxy: nothing is lost, nothing is left behind, and a failure changes nothing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from libra.drivers.haproxy.reload import Reloader
from libra.errors import ConfigurationRejected, DriverError, ReloadFailed
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Member, Pool
from tests.support.asking import Asking
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy,
    haproxy_binary,
    is_running,
    kill,
    socket_directory,
)
from tests.support.load import Load
from tests.support.ports import LOOPBACK, accepts, free_port, free_ports, wait_until
from tests.support.web import EchoServer, WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]


def build_one(
    *ports: int, listen: int, limit: int = 1000, address: str | None = LOOPBACK
) -> Desired:
    """One load balancer; another connection limit, or another address, takes a reload."""
    (loadbalancer,) = build_desired(*ports, listen=listen).loadbalancers
    (listener,) = loadbalancer.listeners
    listener = replace(listener, connection_limit=limit, bind_address=address)
    return Desired(loadbalancers=(replace(loadbalancer, listeners=(listener,)),))


def build_both(web: int, echo: int, web_port: int, echo_port: int, limit: int) -> Desired:
    """An HTTP and a TCP load balancer."""
    http = build_one(web, listen=web_port, limit=limit).loadbalancers[0]
    member = Member(id="e", address=LOOPBACK, port=echo)
    tcp = Listener(
        id="echo",
        protocol=Protocol.TCP,
        port=echo_port,
        bind_address=LOOPBACK,
        pool=Pool(id="echo", members=(member,)),
    )
    return Desired(loadbalancers=(http, LoadBalancer(id="echo", listeners=(tcp,))))


@contextmanager
def listening(host: str, port: int) -> Iterator[None]:
    """Another program, which has the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family):
        yield


@pytest.mark.load
def test_reloads_under_load_lose_nothing(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path
) -> None:
    haproxy = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, max_old_processes=30)
    web_port, echo_port = free_ports(2)
    with WebServer("one") as one, EchoServer("echo") as echo:

        def desired(limit: int) -> Desired:
            return build_both(one.port, echo.port, web_port, echo_port, limit)

        haproxy.driver.apply(desired(1000))
        with Load(web_port, tcp=2, tcp_port=echo_port) as load:
            for limit in range(1001, 1021):
                before = load.total
                haproxy.driver.apply(desired(limit))
                wait_until(lambda before=before: load.total > before + 20)
        haproxy.driver.close()
        assert load.failures == []
        assert set(load.counts) == {"keep-alive", "idle", "short", "tcp"}
        assert haproxy.master.show_processes().master.reloads == 20


def test_fifty_reloads_leave_nothing_behind(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    haproxy.driver.apply(build_one(1, listen=port))
    pids = {haproxy.pid()}
    for limit in range(1001, 1051):
        haproxy.driver.apply(build_one(1, listen=port, limit=limit))
        now = {haproxy.pid() for _ in range(3)}
        assert len(now) == 1, "the old process still answered on the admin socket"
        assert not now & pids
        pids |= now
    wait_until(lambda: sum(map(is_running, pids)) == 1)
    assert haproxy.master.show_processes().old_workers == ()


def test_a_long_connection_ends_in_the_old_process(haproxy: DrivenHAProxy) -> None:
    web_port, echo_port = free_ports(2)
    with WebServer("one") as one, EchoServer("echo") as echo:
        haproxy.driver.apply(build_both(one.port, echo.port, web_port, echo_port, 1001))
        with socket.create_connection((LOOPBACK, echo_port)) as client:
            assert client.recv(100) == b"echo\n"
            old = haproxy.pid()
            haproxy.driver.apply(build_both(one.port, echo.port, web_port, echo_port, 1002))
            processes = haproxy.master.show_processes()
            assert [worker.pid for worker in processes.old_workers] == [old]
            client.sendall(b"still here")
            assert client.recv(100) == b"still here"
        wait_until(lambda: not is_running(old))


def test_a_rejected_configuration_changes_nothing(
    haproxy: DrivenHAProxy, socket_directory: Path
) -> None:
    port = free_port()
    with WebServer("one") as one:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        text, pid = haproxy.text(), haproxy.pid()
        binary = haproxy.settings.haproxy.binary
        assert binary is not None
        wrong = DrivenHAProxy(
            binary,
            haproxy.directory,
            socket_directory,
            extra_defaults=["bogus"],
        )
        with pytest.raises(ConfigurationRejected) as caught:
            wrong.driver.apply(build_desired(one.port, listen=port))
        assert "unknown keyword 'bogus' in 'defaults' section" in str(caught.value)
        assert "candidate" not in str(caught.value)
        assert (haproxy.text(), haproxy.pid()) == (text, pid)
        assert "bogus" in (haproxy.directory / "haproxy.cfg.rejected").read_text()
        assert get(port) == (200, "one")
        haproxy.driver.apply(build_desired(one.port, listen=port))
        assert haproxy.pid() == pid


def test_a_port_that_another_program_shares_is_told_before_haproxy_pauses(
    haproxy: DrivenHAProxy,
) -> None:
    """It is ours on one address, and somebody else's on another, so we cannot have it on all."""
    port = free_port()
    with WebServer("one") as one, listening("127.0.0.2", port), listening("::1", port):
        haproxy.driver.apply(build_one(one.port, listen=port))
        text, pid = haproxy.text(), haproxy.pid()
        with (
            Load(port) as load,
            pytest.raises(DriverError, match=r"port .*: another program has it"),
        ):
            haproxy.driver.apply(build_one(one.port, listen=port, address=None))
        assert load.failures == []
        assert (haproxy.text(), haproxy.pid()) == (text, pid)
    with WebServer("two") as two, listening("::1", port):
        haproxy.driver.apply(build_one(two.port, listen=port, address=None))
        assert get(port) == (200, "two")
        with pytest.raises(DriverError, match=r"port .*: another program has it"):
            haproxy.driver.apply(build_one(two.port, listen=port, address="::"))


@pytest.mark.parametrize("moment", ["make_room", "_replace", "_watch", "_has_let_go"])
def test_a_haproxy_that_is_killed_amid_a_reload_is_started_again(
    haproxy: DrivenHAProxy, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The change is made all the same."""
    port, other = free_ports(2)
    original = getattr(Reloader, moment)

    def killing(self: Reloader, *arguments: object) -> object:
        monkeypatch.setattr(Reloader, moment, original)
        everything = haproxy.master.show_processes()
        for process in (everything.master, *everything.workers, *everything.old_workers):
            kill(process.pid)
        return original(self, *arguments)

    with WebServer("one") as one:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        monkeypatch.setattr(Reloader, moment, killing)
        wanted = build_desired(one.port, listen=other)
        haproxy.driver.apply(wanted)
        haproxy.driver.ensure_running()
        assert get(other) == (200, "one")
        assert not accepts(port)


def test_a_failed_reload_goes_back(haproxy: DrivenHAProxy) -> None:
    """The port is bound elsewhere, but nobody listens, so only HAProxy finds out that it cannot have it on all."""
    port = free_port()
    with WebServer("one") as one, socket.socket() as other:
        other.bind(("127.0.0.2", port))
        haproxy.driver.apply(build_desired(one.port, listen=port))
        text, pid = haproxy.text(), haproxy.pid()
        with pytest.raises(ReloadFailed, match=r"^cannot reload HAProxy: .*cannot bind socket"):
            haproxy.driver.apply(build_one(one.port, listen=port, address=None))
        assert (haproxy.text(), haproxy.pid()) == (text, pid)
        assert get(port) == (200, "one")
    with WebServer("two") as two:
        haproxy.driver.apply(build_one(two.port, listen=port))
        assert haproxy.pid() != pid
        assert get(port) == (200, "two")


def test_a_new_process_that_ends_at_once_goes_back(
    haproxy: DrivenHAProxy, socket_directory: Path
) -> None:
    """HAProxy's master gives up then, the old process with it: it has to be started again."""
    port = free_port()
    with WebServer("one") as one:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        text = haproxy.text()
        binary = haproxy.settings.haproxy.binary
        assert binary is not None
        mortal = DrivenHAProxy(
            binary, haproxy.directory, socket_directory, extra_global=["chroot /no/such/directory"]
        )
        with pytest.raises(
            DriverError, match=r"^cannot reload HAProxy: Cannot chroot\(/no/such/directory\)"
        ):
            mortal.driver.apply(build_desired(one.port, listen=port))
        assert haproxy.text() == text
        assert get(port) == (200, "one")


def test_a_taken_port_is_told_and_nothing_is_touched(haproxy: DrivenHAProxy) -> None:
    port, other = free_ports(2)
    with WebServer("one") as one, listening(LOOPBACK, other):
        desired = build_desired(one.port, listen=other)
        sentence = f"^cannot listen on 127.0.0.1 port {other}: another program has it$"
        with pytest.raises(DriverError, match=sentence):
            haproxy.driver.apply(desired)
        assert not haproxy.config_file.exists()
        haproxy.driver.apply(build_desired(one.port, listen=port))
        text, pid = haproxy.text(), haproxy.pid()
        with pytest.raises(DriverError, match=sentence):
            haproxy.driver.apply(desired)
        assert (haproxy.text(), haproxy.pid()) == (text, pid)
    haproxy.driver.apply(desired)


def test_a_port_shared_by_reuseport_is_told(haproxy: DrivenHAProxy) -> None:
    """Without the question beforehand both would take connections, and nobody would say a word."""
    port = free_port()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind((LOOPBACK, port))
        other.listen()
        with pytest.raises(DriverError, match="another program has it"):
            haproxy.driver.apply(build_desired(1, listen=port))


def test_an_address_of_another_host_is_told(haproxy: DrivenHAProxy) -> None:
    desired = build_one(1, listen=free_port(), address="192.0.2.1")
    with pytest.raises(DriverError, match=r"192\.0\.2\.1 port .*: this host has no such address"):
        haproxy.driver.apply(desired)


def test_ports_move_back_and_forth(haproxy: DrivenHAProxy) -> None:
    """What the old process is just letting go is nobody else's."""
    ports = free_ports(2)
    for number in range(12):
        haproxy.driver.apply(build_desired(1, listen=ports[number % 2]))
        assert accepts(ports[number % 2])
        wait_until(lambda left=ports[1 - number % 2]: not accepts(left))
    haproxy.driver.apply(build_one(1, listen=ports[0], address=None))
    assert accepts(ports[0], host="127.0.0.2")
    haproxy.driver.apply(build_desired(1, listen=ports[0]))
    assert accepts(ports[0])
    wait_until(lambda: not accepts(ports[0], host="127.0.0.2"))
    assert haproxy.master.show_processes().master.reloads == 13


def test_statistics_are_answered_while_reloads_go_on(haproxy: DrivenHAProxy) -> None:
    desired = build_desired(1, listen=free_port())
    haproxy.driver.apply(desired)
    with Asking(lambda: haproxy.driver.statistics(desired)) as asking:
        for _ in range(10):
            haproxy.driver.apply(build_desired(1, listen=free_port()))
    assert asking.answers > 0  # and none of them was an error, which would have been raised


def test_a_master_that_does_not_answer_is_started_anew(haproxy: DrivenHAProxy) -> None:
    """Somebody listens where its command line was, and never says a word."""
    port = free_port()
    with WebServer("one") as one:
        haproxy.driver.apply(build_one(one.port, listen=port))
        haproxy.driver.apply(build_one(one.port, listen=port, limit=999))
        haproxy.master.show_processes()
        path = haproxy.settings.haproxy.master_socket
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent, Load(port) as load:
            silent.bind(f"{path}.silent")
            silent.listen(64)
            Path(f"{path}.silent").replace(path)
            haproxy.driver.apply(build_one(one.port, listen=port, limit=500))
        assert load.failures == []
        assert "maxconn 500" in haproxy.text()
        haproxy.driver.apply(build_one(one.port, listen=port, limit=600))
