"""What a service manager hears from the installed libra-worker."""

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.gearmand import Gearmand
from tests.support.ports import free_port
from tests.support.worker import HeldDriver, NotifySocket, WorkerProcess


@pytest.fixture
def manager() -> Iterator[NotifySocket]:
    with tempfile.TemporaryDirectory(prefix="lb") as directory:
        notify = NotifySocket(Path(directory))
        yield notify
        notify.close()


def test_ready_alive_reloading_stopping(tmp_path: Path, manager: NotifySocket) -> None:
    environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "300000"}
    with (
        Gearmand() as gearmand,
        WorkerProcess(tmp_path, [gearmand.port], environ=environ) as worker,
    ):
        manager.wait_for("READY=1")
        manager.wait_for("STATUS=registered at 1 of 1 job servers; the proxy is as saved")
        manager.forget()
        manager.wait_for("WATCHDOG=1", times=5)
        worker.send(signal.SIGHUP)
        assert manager.wait_for("MONOTONIC_USEC=").partition("=")[2].isdigit()
        manager.wait_for("READY=1")
        gearmand.kill()
        manager.wait_for("STATUS=registered at 0 of 1 job servers")
        manager.forget()
        worker.send(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert worker.process is not None
        assert worker.process.wait(10) == 0


def test_ready_without_any_job_server(tmp_path: Path, manager: NotifySocket) -> None:
    environ = {"NOTIFY_SOCKET": str(manager.path)}
    with WorkerProcess(tmp_path, [free_port()], environ=environ) as worker:
        manager.wait_for("READY=1")
        manager.wait_for("STATUS=registered at 0 of 1 job servers; the proxy is as saved")
        assert worker.end() == 0


def test_a_frozen_worker_falls_silent(tmp_path: Path, manager: NotifySocket) -> None:
    environ = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "60000"}
    with WorkerProcess(tmp_path, [free_port()], environ=environ) as worker:
        manager.wait_for("READY=1")
        worker.send(signal.SIGSTOP)
        os.waitid(os.P_PID, worker.process.pid, os.WSTOPPED | os.WNOWAIT)  # type: ignore[union-attr]
        manager.forget()
        with pytest.raises(AssertionError):
            manager.wait_for("WATCHDOG=1", timeout=0.3)
        worker.send(signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")


def test_children_do_not_speak_in_its_name(tmp_path: Path, manager: NotifySocket) -> None:
    held = HeldDriver(tmp_path)
    (held.path / "held_driver.py").write_text(
        "import os, pathlib\n"
        "from libra.drivers.noop import NoopDriver\n"
        "def create_driver(settings):\n"
        "    pathlib.Path(os.environ['HELD_BY']).write_text('\\n'.join(os.environ))\n"
        "    return NoopDriver()\n"
    )
    environ = {
        **held.environ,
        "NOTIFY_SOCKET": str(manager.path),
        "WATCHDOG_USEC": "300000",
        "WATCHDOG_PID": "1",
    }
    with WorkerProcess(
        tmp_path, [free_port()], path=held.path, environ=environ, worker={"driver": "held"}
    ):
        manager.wait_for("READY=1")
        names = Path(held.environ["HELD_BY"]).read_text().split("\n")
        assert "HELD_BY" in names
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(names)
