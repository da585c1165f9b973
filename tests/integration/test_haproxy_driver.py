"""The driver and a real HAProxy that it starts itself: served, found again, brought back."""

import hashlib
import os
import re
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from libra.errors import DriverError, ProxyNotRunning
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    find_haproxy,
    haproxy,
    haproxy_binary,
    is_running,
    kill,
    socket_directory,
    stop_master,
)
from tests.support.load import Load
from tests.support.ports import accepts, free_port, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]


def test_it_serves_what_is_desired(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        haproxy.driver.apply(build_desired(one.port, two.port, listen=port))
        assert {get(port) for _ in range(4)} == {(200, "one"), (200, "two")}
        haproxy.driver.apply(build_desired(two.port, listen=port))
        assert {get(port) for _ in range(4)} == {(200, "two")}
    wait_until(lambda: 'GET / HTTP/1.1"' in (haproxy.directory / "access.log").read_text())


def test_the_version_is_the_programs_own(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.apply(Desired())
    version = haproxy.driver.version()
    assert version.name == "HAProxy"
    assert haproxy.master.show_processes().master.version.startswith(str(version.version))


def test_the_same_again_touches_nothing(haproxy: DrivenHAProxy) -> None:
    desired = build_desired(1, listen=free_port())
    haproxy.driver.apply(desired)
    pid, before = haproxy.pid(), haproxy.config_file.stat()
    haproxy.driver.apply(desired)
    haproxy.driver.ensure_running()
    after = haproxy.config_file.stat()
    assert haproxy.pid() == pid
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert haproxy.master.show_processes().master.reloads == 0


def test_only_its_own_user_reads_the_file(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.apply(Desired())
    for name in ("haproxy.cfg", "haproxy.cfg.last-good"):
        assert (haproxy.directory / name).stat().st_mode & 0o777 == 0o600


def test_nothing_desired_is_served_too(haproxy: DrivenHAProxy) -> None:
    """After a DELETE the process goes on, so that STATS can be answered."""
    port = free_port()
    haproxy.driver.apply(build_desired(1, listen=port))
    assert accepts(port)
    haproxy.driver.apply(Desired())
    wait_until(lambda: not accepts(port))
    assert haproxy.driver.statistics(Desired()) == ()


def test_suspended_and_enabled_again(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    with WebServer("one") as one:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        first = haproxy.text()
        haproxy.driver.apply(build_desired(one.port, listen=port, suspended=True))
        wait_until(lambda: not accepts(port))
        haproxy.driver.apply(build_desired(one.port, listen=port))
        assert get(port) == (200, "one")
        assert haproxy.text() == first


def test_it_outlives_the_worker_and_is_found_again(haproxy: DrivenHAProxy) -> None:
    desired = build_desired(1, listen=free_port())
    haproxy.driver.apply(desired)
    master, pid = haproxy.master.show_processes().master.pid, haproxy.pid()
    parent = Path(f"/proc/{master}/stat").read_text().rpartition(") ")[2].split()[1]
    assert int(parent) != os.getpid()
    assert os.getsid(master) != os.getsid(0)
    haproxy.driver.close()
    again = haproxy.new_driver()
    again.apply(desired)
    assert haproxy.pid() == pid
    again.apply(build_desired(2, listen=free_port()))
    assert haproxy.pid() != pid
    assert haproxy.master.show_processes().master.pid == master
    again.close()


def serves_anew(haproxy: DrivenHAProxy, pids: list[int]) -> bool:
    try:
        return haproxy.pid() not in pids
    except DriverError:
        return False


@pytest.mark.parametrize("victim", ["worker", "master"])
@pytest.mark.parametrize("revive", ["apply", "ensure_running"])
def test_it_comes_back_after_it_was_killed(
    haproxy: DrivenHAProxy, victim: str, revive: str
) -> None:
    port = free_port()
    with WebServer("one") as one:
        desired = build_desired(one.port, listen=port)
        haproxy.driver.apply(desired)
        processes = haproxy.master.show_processes()
        pids = [processes.master.pid, processes.workers[0].pid]
        kill(pids[victim == "worker"])
        if revive == "ensure_running":  # which comes every few seconds, so sees it gone at last
            wait_until(lambda: not any(map(is_running, pids)))
            haproxy.driver.ensure_running()
        else:
            with suppress(DriverError):  # it may just be found dying
                haproxy.driver.apply(desired)
            # A master that is told to reload before it has seen its process end lives on.
            wait_until(lambda: not any(map(is_running, pids)) or serves_anew(haproxy, pids))
            haproxy.driver.apply(desired)
        assert get(port) == (200, "one")
        assert haproxy.pid() not in pids


def test_a_frozen_process_gives_way_to_a_new_one(tmp_path: Path, socket_directory: Path) -> None:
    """One binary is enough: every question to a frozen process costs seconds."""
    haproxy = DrivenHAProxy(find_haproxy("system"), tmp_path, socket_directory)
    port = free_port()
    with WebServer("one") as one:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        frozen = haproxy.pid()
        kill(frozen, signal.SIGSTOP)
        status = Path(f"/proc/{frozen}/status")
        wait_until(lambda: "\nState:\tT" in status.read_text())
        haproxy.driver.ensure_running()
        assert haproxy.pid() != frozen
        wait_until(lambda: not is_running(frozen))
        assert {get(port) for _ in range(10)} == {(200, "one")}


def test_one_that_lost_its_sockets_makes_room(haproxy: DrivenHAProxy) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        processes = haproxy.master.show_processes()
        haproxy.settings.haproxy.admin_socket.unlink()
        haproxy.settings.haproxy.master_socket.unlink()
        haproxy.driver.apply(build_desired(two.port, listen=port))
        assert get(port) == (200, "two")
        wait_until(lambda: not is_running(processes.master.pid))


def test_ensure_running_has_nothing_to_do_before_the_first_state(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.ensure_running()
    with pytest.raises(ProxyNotRunning):
        haproxy.admin.ask("show info")


def test_stale_sockets_are_no_hindrance(haproxy: DrivenHAProxy) -> None:
    for path in (haproxy.settings.haproxy.admin_socket, haproxy.settings.haproxy.master_socket):
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(path))
    haproxy.driver.apply(Desired())
    assert haproxy.pid()


def test_a_reboot_in_the_middle_of_an_update(haproxy: DrivenHAProxy) -> None:
    """The file is installed, the process has not yet been told: what was asked for then goes live."""
    old, new = build_desired(1, listen=free_port()), build_desired(2, listen=free_port())
    haproxy.driver.apply(new)
    text = haproxy.text()
    haproxy.driver.apply(old)
    pid = haproxy.pid()
    haproxy.config_file.unlink()
    haproxy.config_file.write_text(text)
    haproxy.new_driver().apply(new)
    assert haproxy.pid() != pid
    haproxy.driver.apply(old)
    assert "127.0.0.1:1 " in haproxy.text()


def test_a_lost_file_is_written_again_without_a_reload(haproxy: DrivenHAProxy) -> None:
    desired = build_desired(1, listen=free_port())
    haproxy.driver.apply(desired)
    pid, text = haproxy.pid(), haproxy.text()
    haproxy.config_file.unlink()
    haproxy.driver.apply(desired)
    assert (haproxy.pid(), haproxy.text()) == (pid, text)


@pytest.mark.parametrize("text", ["# my own\nglobal\n", "", "\xff"])
def test_somebody_elses_file_is_refused(haproxy: DrivenHAProxy, text: str) -> None:
    haproxy.config_file.write_bytes(text.encode("latin-1"))
    with pytest.raises(DriverError, match=r"^cannot replace .*haproxy.cfg: it was not written"):
        haproxy.driver.apply(Desired())
    assert haproxy.config_file.read_bytes() == text.encode("latin-1")
    with pytest.raises(DriverError, match=r"^cannot replace"):
        haproxy.driver.ensure_running()


def test_a_file_changed_by_hand_is_refused_until_it_is_adopted(
    haproxy: DrivenHAProxy, socket_directory: Path
) -> None:
    haproxy.driver.apply(build_desired(1, listen=free_port()))
    pid = haproxy.pid()
    changed = haproxy.text().replace("retries 3", "retries 4")
    haproxy.config_file.unlink()
    haproxy.config_file.write_text(changed)
    with pytest.raises(DriverError, match=r"^cannot replace .*haproxy.cfg: it was changed by hand"):
        haproxy.driver.apply(Desired())
    assert (haproxy.pid(), haproxy.text()) == (pid, changed)
    binary = haproxy.settings.haproxy.binary
    assert binary is not None
    adopting = DrivenHAProxy(binary, haproxy.directory, socket_directory, adopt=True)
    adopting.driver.apply(Desired())
    assert adopting.pid() != pid
    assert (haproxy.directory / "haproxy.cfg.adopted").read_text() == changed


def test_a_haproxy_of_the_first_release_is_taken_over_by_a_reload(haproxy: DrivenHAProxy) -> None:
    """Its text has one digest, so its structure is not known."""
    port = free_port()
    with WebServer("one") as one:
        desired = build_desired(one.port, listen=port)
        haproxy.driver.apply(desired)
        haproxy.driver.stop()
        before, after = re.split(r"    description .*\n", haproxy.text())
        digest = hashlib.sha256((before + after).encode()).hexdigest()[:32]
        haproxy.config_file.unlink()
        haproxy.config_file.write_text(f"{before}    description libra {digest}\n{after}")
        (haproxy.directory / "haproxy.cfg.last-good").unlink()
        haproxy.driver.ensure_running()
        assert f"description: libra {digest}" in haproxy.admin.ask("show info").splitlines()
        driver = haproxy.new_driver()
        with Load(port) as load:
            driver.apply(desired)
        assert load.failures == []
        assert haproxy.text() not in ("", before)
        assert haproxy.master.show_processes().master.reloads == 1
        driver.close()


def test_stop_ends_all_processes(haproxy: DrivenHAProxy) -> None:
    """At once after the start, too: then the master of 2.8 is just about to start itself anew."""
    for _ in range(10):
        haproxy.driver.apply(Desired())
        pid = haproxy.pid()
        haproxy.driver.stop()
        assert not is_running(pid)
    haproxy.driver.stop()


def test_stop_needs_no_file_to_find_the_master(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.apply(Desired())
    pid = haproxy.pid()
    (haproxy.directory / "haproxy.pid").unlink()
    haproxy.driver.stop()
    assert not is_running(pid)


def test_stop_ends_frozen_processes(
    haproxy_binary: Path, tmp_path: Path, socket_directory: Path
) -> None:
    haproxy = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, reload_timeout_seconds=5)
    haproxy.driver.apply(Desired())
    processes = haproxy.master.show_processes()
    pids = [processes.master.pid, *(process.pid for process in processes.workers)]
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    haproxy.driver.stop()
    assert not any(map(is_running, pids))


def test_its_own_words_stay_bounded(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.apply(Desired())
    notices = haproxy.directory / "haproxy.err"
    with notices.open("ab") as file:
        file.write(b"x" * (2 << 20))
    haproxy.driver.apply(build_desired(1, listen=free_port()))
    haproxy.driver.apply(build_desired(2, listen=free_port()))
    assert notices.stat().st_size < 100_000


def test_another_admin_socket_is_taken_up_by_a_reload(
    haproxy: DrivenHAProxy, socket_directory: Path
) -> None:
    haproxy.driver.apply(Desired())
    master = haproxy.master.show_processes().master.pid
    binary = haproxy.settings.haproxy.binary
    assert binary is not None
    moved = DrivenHAProxy(
        binary, haproxy.directory, socket_directory, admin_socket=socket_directory / "b"
    )
    moved.driver.apply(Desired())
    assert moved.pid()
    assert moved.master.show_processes().master.pid == master
    stop_master(socket_directory / "m")
