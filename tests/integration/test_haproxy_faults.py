"""What can be wrong with a host: each fault is told in a sentence, and what runs goes on."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.binary import Binary
from libra.errors import ConfigurationRejected, DriverError, LibraError
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired
from tests.support.haproxy import (
    DrivenHAProxy,
    haproxy,
    haproxy_binary,
    is_running,
    socket_directory,
    stop_master,
)
from tests.support.ports import free_port, wait_until
from tests.support.web import WebServer, get

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def write_program(path: Path, script: str) -> Path:
    """A shell script in HAProxy's place."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(stat.S_IRWXU)
    return path


@pytest.fixture
def serving(haproxy: DrivenHAProxy) -> Iterator[DrivenHAProxy]:
    """A HAProxy that serves; after the test's fault it still serves the same."""
    port = free_port()
    with WebServer("one") as one:
        haproxy.driver.apply(build_desired(one.port, listen=port))
        pid, text = haproxy.pid(), haproxy.text()
        yield haproxy
        assert get(port) == (200, "one")
        assert (haproxy.pid(), haproxy.text()) == (pid, text)


def with_binary(haproxy: DrivenHAProxy, binary: Path, sockets: Path) -> DrivenHAProxy:
    """The same host with another program, and less patience: enough for what does not hang, on a busy machine."""
    return DrivenHAProxy(binary, haproxy.directory, sockets, reload_timeout_seconds=2.0)


def test_a_missing_binary(serving: DrivenHAProxy, socket_directory: Path, tmp_path: Path) -> None:
    haproxy = serving
    missing = with_binary(haproxy, tmp_path / "nowhere", socket_directory)
    with pytest.raises(DriverError, match=r"^cannot find HAProxy: haproxy.binary is .*/nowhere"):
        missing.driver.apply(build_desired(1, listen=free_port()))
    assert missing.driver.version().version is None


def test_a_program_that_is_no_haproxy(
    serving: DrivenHAProxy, socket_directory: Path, tmp_path: Path
) -> None:
    haproxy = serving
    other = with_binary(haproxy, write_program(tmp_path / "other", "echo hello"), socket_directory)
    with pytest.raises(DriverError, match=r"^cannot read HAProxy's version: it says 'hello"):
        other.driver.apply(build_desired(1, listen=free_port()))


def test_a_check_that_hangs(serving: DrivenHAProxy, socket_directory: Path, tmp_path: Path) -> None:
    """Nothing of it stays behind, the children of a wrapper script neither."""
    haproxy = serving
    child = tmp_path / "child"
    script = f'case "$1" in -v) exec {haproxy.settings.haproxy.binary} -v;; esac'
    script += f"\nsleep 60 & echo $! >{child}; wait"
    hung = with_binary(haproxy, write_program(tmp_path / "hung", script), socket_directory)
    with pytest.raises(DriverError, match=r"^cannot run '.*/hung -c -f .*': no end within 2 s$"):
        hung.driver.apply(build_desired(1, listen=free_port()))
    pid = int(child.read_text())
    wait_until(lambda: not is_running(pid))


def test_a_check_that_crashes(
    serving: DrivenHAProxy, socket_directory: Path, tmp_path: Path
) -> None:
    haproxy = serving
    script = f'case "$1" in -v) exec {haproxy.settings.haproxy.binary} -v;; esac; kill -SEGV $$'
    crashing = with_binary(haproxy, write_program(tmp_path / "crashing", script), socket_directory)
    with pytest.raises(ConfigurationRejected, match=r"its check ended with status -11$"):
        crashing.driver.apply(build_desired(1, listen=free_port()))


def test_a_start_that_hangs(haproxy: DrivenHAProxy, socket_directory: Path, tmp_path: Path) -> None:
    """Nothing ran before: nothing stays behind either."""
    script = f'case "$1" in -W) exec sleep 60;; esac; exec {haproxy.settings.haproxy.binary} "$@"'
    hung = with_binary(haproxy, write_program(tmp_path / "hung", script), socket_directory)
    with pytest.raises(DriverError, match=r"^cannot start HAProxy: it does not answer at "):
        hung.driver.apply(Desired())
    assert not haproxy.config_file.exists()
    haproxy.driver.apply(Desired())


def test_a_start_that_fails(haproxy: DrivenHAProxy, socket_directory: Path) -> None:
    binary = haproxy.settings.haproxy.binary
    assert binary is not None
    mortal = DrivenHAProxy(
        binary, haproxy.directory, socket_directory, extra_global=["chroot /no/such/directory"]
    )
    with pytest.raises(DriverError, match=r"^cannot start HAProxy: Cannot chroot\("):
        mortal.driver.apply(Desired())
    haproxy.driver.apply(Desired())


def test_an_upgrade_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "haproxy"
    binary = Binary(path, timedelta(seconds=10))
    write_program(path, "echo HAProxy version 2.6.12-1+deb12u4 2026/10/17")
    assert (str(binary.version()), binary.version().text) == ("2.6.12", "2.6.12-1+deb12u4")
    newer = write_program(tmp_path / "newer", "echo HA-Proxy version 3.0-dev5 2026/10/17")
    newer.replace(path)
    assert str(binary.version()) == "3.0.0"


@needs_root
@pytest.mark.parametrize("fault", ["full", "read-only"])
def test_a_disk_that_takes_nothing(
    haproxy_binary: Path, socket_directory: Path, tmp_path: Path, fault: str
) -> None:
    directory = tmp_path / "disk"
    directory.mkdir()
    _mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(directory))
    try:
        haproxy = DrivenHAProxy(haproxy_binary, directory, socket_directory)
        port = free_port()
        with WebServer("one") as one:
            haproxy.driver.apply(build_desired(one.port, listen=port))
            pid, text = haproxy.pid(), haproxy.text()
            words = _spoil(directory, fault)
            with pytest.raises(DriverError, match=rf"^cannot write .*haproxy.cfg: {words}$"):
                haproxy.driver.apply(build_desired(1, 2, 3, listen=port))
            assert (haproxy.pid(), haproxy.text()) == (pid, text)
            assert get(port) == (200, "one")
            _heal(directory, fault)
            haproxy.driver.apply(build_desired(one.port, 1, listen=port))
        stop_master(socket_directory / "m")
    finally:
        while subprocess.run(["umount", "-l", directory], capture_output=True).returncode == 0:
            pass


def _mount(*arguments: str) -> None:
    done = subprocess.run(["mount", *arguments], check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")


def _spoil(directory: Path, fault: str) -> str:
    if (
        fault == "read-only"
    ):  # by a mount on top: HAProxy's own open files would keep the first one busy
        _mount("--bind", str(directory), str(directory))
        _mount("-o", "remount,bind,ro", str(directory))
        return "Read-only file system"
    with (directory / "ballast").open("wb", buffering=0) as ballast:
        try:
            while True:
                ballast.write(b"x" * 4096)
        except OSError:
            return "No space left on device"


def _heal(directory: Path, fault: str) -> None:
    if fault == "read-only":
        subprocess.run(["umount", str(directory)], check=True)
    else:
        (directory / "ballast").unlink()


@needs_root
def test_an_ordinary_user_needs_no_right_but_to_its_directory(haproxy_binary: Path) -> None:
    directory = Path(tempfile.mkdtemp(prefix="lb"))
    os.chown(directory, NOBODY, NOBODY)
    if not _can_run(haproxy_binary):
        shutil.rmtree(directory)
        pytest.skip(f"{haproxy_binary} is not reachable for an ordinary user")
    try:
        with WebServer("one") as one:
            port = free_port()
            haproxy = DrivenHAProxy(haproxy_binary, directory / "state", directory / "run")
            _as_nobody(lambda: haproxy.driver.apply(build_desired(one.port, listen=port)))
            assert get(port) == (200, "one")
            for process in _processes(haproxy):
                assert process.stat().st_uid == NOBODY
            text = haproxy.text()
            with pytest.raises(DriverError, match="Permission denied"):
                _as_nobody(lambda: haproxy.driver.apply(build_desired(one.port, listen=81)))
            assert get(port) == (200, "one")
            assert haproxy.text() == text
    finally:
        stop_master(directory / "run" / "m")
        shutil.rmtree(directory)


def _processes(haproxy: DrivenHAProxy) -> list[Path]:
    processes = haproxy.master.show_processes()
    return [Path(f"/proc/{p.pid}") for p in (processes.master, *processes.workers)]


def _can_run(binary: Path) -> bool:
    done = (
        subprocess.run(
            [str(binary), "-v"], user=NOBODY, group=NOBODY, check=False, capture_output=True
        )
        if _is_reachable(binary)
        else None
    )
    return done is not None and done.returncode == 0


def _is_reachable(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)


def _as_nobody(action: Callable[[], object]) -> None:
    """Run it in a child that has given up all its rights; its `DriverError` is raised here.

    A child by fork, for an ordinary user may not be able to read the interpreter.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            action()
            status = 0
        except LibraError as error:
            os.write(write_end, str(error).encode())
            status = 2
        except BaseException:  # noqa: BLE001 - told to the parent
            os.write(write_end, traceback.format_exc().encode())
        finally:
            sys.stdout.flush()
            os._exit(status)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        words = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == 2:
        raise DriverError(words)
    assert code == 0, words
