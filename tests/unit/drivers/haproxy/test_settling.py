"""A worker that starts waits for what the one before it had begun."""

from datetime import timedelta

import pytest

from libra.drivers.haproxy import settling
from libra.drivers.haproxy.master import MasterRestarting, Process, Processes
from libra.drivers.haproxy.settling import settle
from libra.errors import ProxyNotRunning

OLD, NEW = 11, 22


def processes(*pids: int) -> Processes:
    master, *workers = (
        Process(pid=pid, reloads=0, uptime=timedelta(), version="2.8") for pid in (1, *pids)
    )
    return Processes(master=master, workers=tuple(workers), old_workers=(), failed_reloads=0)


class Scripted:
    """A HAProxy whose two sockets answer as written, a line an answer; the last one stays."""

    def __init__(self, *answers: object) -> None:
        self._answers = list(answers)
        self.asked = 0

    def _next(self) -> object:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def ask(self, _command: str) -> str:
        """As the admin socket."""
        return f"Pid: {self._next()}\nVersion: 2.8"

    def show_processes_now(self) -> Processes:
        """As the master."""
        pid = self._next()
        assert isinstance(pid, int)
        return processes(pid)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "TAKE_OVER", timedelta(milliseconds=50))


def run(admin: Scripted, master: Scripted) -> None:
    settle(admin, master, timedelta(milliseconds=50))  # type: ignore[arg-type]


def test_a_master_that_loads_is_waited_for_and_then_its_process() -> None:
    loading = MasterRestarting("nobody listens there")
    admin, master = Scripted(OLD, OLD, OLD, OLD, OLD, NEW), Scripted(loading, loading, NEW)
    run(admin, master)
    assert admin.ask("") == f"Pid: {NEW}\nVersion: 2.8"
    assert master.asked > 3


@pytest.mark.parametrize(
    ("admin", "master"),
    [
        (Scripted(ProxyNotRunning("x")), Scripted(MasterRestarting("x"))),  # nobody is there
        (Scripted(OLD), Scripted(ProxyNotRunning("no such socket"))),  # nothing more is known
        (Scripted(OLD), Scripted(OLD)),
    ],
)
def test_there_is_nothing_to_wait_for(admin: Scripted, master: Scripted) -> None:
    run(admin, master)
    assert admin.asked <= 2
    assert master.asked <= 2


@pytest.mark.parametrize("master", [Scripted(MasterRestarting("x")), Scripted(NEW)])
def test_it_does_not_wait_for_ever(master: Scripted) -> None:
    admin = Scripted(OLD)
    run(admin, master)
    assert admin.asked > 2
