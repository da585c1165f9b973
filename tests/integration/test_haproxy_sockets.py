"""The admin socket and the master socket of a real HAProxy, old and new."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.runtime import AdminSocket, build_command
from libra.errors import ProxyNotRunning, RuntimeRefused
from tests.support.asking import Asking
from tests.support.haproxy import StartedHAProxy, haproxy_binary, socket_directory
from tests.support.ports import free_port, wait_until

__all__ = ["haproxy_binary", "socket_directory"]

TEXT = """
global
    hard-stop-after 5s
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend fe
    bind 127.0.0.1:{port}
    http-request return status 200
    default_backend be
backend be
    balance roundrobin
    server one 127.0.0.1:1
"""


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def text(port: int) -> str:
    return TEXT.format(port=port)


@pytest.fixture
def haproxy(haproxy_binary: Path, socket_directory: Path, text: str) -> Iterator[StartedHAProxy]:
    started = StartedHAProxy(haproxy_binary, socket_directory)
    with started.running(text):
        yield started


def test_a_question_is_answered_whole(haproxy: StartedHAProxy) -> None:
    assert "Name: HAProxy" in haproxy.admin.ask("show info")
    assert haproxy.admin.ask("set server be/one weight 7") == ""
    assert "7 (initial 1)" in haproxy.admin.ask("get weight be/one")


def test_a_refusal_has_haproxys_words(haproxy: StartedHAProxy) -> None:
    with pytest.raises(RuntimeRefused, match=r"cannot run 'bogus': HAProxy says .Unknown command"):
        haproxy.admin.ask("bogus")
    command = build_command("set", "server", "be/two", "weight", 5)
    with pytest.raises(RuntimeRefused, match=r"be/two weight 5': HAProxy says 'No such server"):
        haproxy.admin.order([command])


def test_thousands_of_commands_are_answered_one_by_one(haproxy: StartedHAProxy) -> None:
    commands = [build_command("set", "server", "be/one", "weight", n % 256) for n in range(3000)]
    commands[1234] = "set server be/nobody weight 1"
    commands[2345] = "bogus"
    commands[-1] = "set server be/one addr 127.0.0.1 port 2"
    answers = haproxy.admin.ask_all(commands)
    assert [answer.command for answer in answers] == commands
    assert [n for n, answer in enumerate(answers) if answer.refused] == [1234, 2345]
    assert "port changed" in answers[-1].text
    assert haproxy.admin.ask_all([]) == ()


def test_a_large_answer_comes_whole(
    haproxy_binary: Path, socket_directory: Path, text: str
) -> None:
    haproxy = StartedHAProxy(haproxy_binary, socket_directory)
    servers = "".join(f"    server s{n} 127.0.0.1:1\n" for n in range(2000))
    with haproxy.running(text + servers):
        for answer in (
            haproxy.admin.ask("show stat"),
            haproxy.master.ask_worker(None, "show stat"),
        ):
            assert len(answer) > 200_000
            assert "be,s1999," in answer
            assert "be,BACKEND," in answer


def test_processes_are_listed(haproxy: StartedHAProxy) -> None:
    processes = haproxy.master.show_processes()
    assert [worker.pid for worker in processes.workers] == [haproxy.pid()]
    assert processes.old_workers == ()
    assert (processes.master.reloads, processes.failed_reloads) == (0, 0)
    assert processes.master.uptime < timedelta(minutes=1)
    assert processes.master.version.startswith("2.")


def test_one_worker_is_asked_through_the_master(haproxy: StartedHAProxy) -> None:
    pid = haproxy.pid()
    assert f"\nPid: {pid}\n" in haproxy.master.ask_worker(None, "show info")
    assert f"\nPid: {pid}\n" in haproxy.master.ask_worker(pid, "show info")
    with pytest.raises(RuntimeRefused):
        haproxy.master.ask_worker(pid, "bogus")
    with pytest.raises(ProxyNotRunning, match="it has ended"):
        haproxy.master.ask_worker(1, "show info")


def test_an_old_worker_is_asked_while_it_still_serves(haproxy: StartedHAProxy, port: int) -> None:
    old = haproxy.pid()
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\n")  # half a request keeps the old process busy
        wait_until(lambda: "fe,FRONTEND,,,1," in haproxy.admin.ask("show stat"))
        haproxy.master.reload(timedelta(seconds=10))
        wait_until(lambda: haproxy.pid() != old)
        processes = haproxy.master.show_processes()
        assert [worker.pid for worker in processes.old_workers] == [old]
        assert "fe,FRONTEND,,,1," in haproxy.master.ask_worker(old, "show stat")
        assert "fe,FRONTEND,,,0," in haproxy.master.ask_worker(None, "show stat")
        client.sendall(b"\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    wait_until(lambda: not haproxy.master.show_processes().old_workers)


def test_a_reload_that_fails_is_told(haproxy: StartedHAProxy, text: str) -> None:
    old = haproxy.pid()
    haproxy.write(text + "    bogus\n")
    answer = haproxy.master.reload(timedelta(seconds=10))
    wait_until(lambda: haproxy.master.show_processes().failed_reloads == 1)
    processes = haproxy.master.show_processes()
    assert [worker.pid for worker in processes.workers] == [old] == [haproxy.pid()]
    if answer.succeeded is not None:
        assert answer.succeeded is False
        assert "unknown keyword 'bogus'" in answer.log
    haproxy.write(text)
    haproxy.master.reload(timedelta(seconds=10))
    wait_until(lambda: haproxy.pid() != old)
    assert haproxy.master.show_processes().failed_reloads == 0


def test_questions_are_answered_while_reloads_go_on(haproxy: StartedHAProxy) -> None:
    def ask() -> None:
        haproxy.admin.ask("show stat")
        haproxy.master.show_processes()
        haproxy.master.ask_worker(None, "show info")

    with Asking(ask, threads=2) as asking:
        for _ in range(10):
            before = haproxy.pid()
            haproxy.master.show_processes()  # a master that restarts itself would lose the command
            haproxy.master.reload(timedelta(seconds=10))
            wait_until(lambda before=before: haproxy.pid() != before)
    assert asking.answers


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ProxyNotRunning, match="there is no such socket"):
        AdminSocket(tmp_path / "a").ask("show info")
    stale = tmp_path / "stale"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(stale))
    with pytest.raises(ProxyNotRunning, match="nobody listens there"):
        AdminSocket(stale).ask("show info")
    with pytest.raises(ProxyNotRunning, match="nobody listens there"):
        MasterSocket(stale, patience=timedelta(0)).show_processes()


def test_silence_hits_the_deadline(tmp_path: Path) -> None:
    path = tmp_path / "silent"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        with pytest.raises(ProxyNotRunning, match=r"no whole answer within 0\.05 s"):
            AdminSocket(path, timedelta(milliseconds=50)).ask("show info")


def test_half_an_answer_is_none(tmp_path: Path) -> None:
    path = tmp_path / "half"
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()

        def answer() -> None:
            with sock.accept()[0] as connection:
                connection.recv(100)
                connection.sendall(b"Name: HAProxy\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(ProxyNotRunning, match="it ended amid the answer"):
            AdminSocket(path).ask("show info")
        thread.join()
