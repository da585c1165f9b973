"""HAProxy's master process: which processes there are, a reload, and a word with each of them."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from libra.drivers.haproxy.runtime import Answer, checked, raise_refused
from libra.drivers.haproxy.sockets import exchange, is_whole, reason
from libra.drivers.haproxy.waiting import EVERY, Deadline
from libra.errors import DriverError, ProxyNotRunning
from libra.messages.fields import quoted

T = TypeVar("T")

_COLUMN = re.compile(r"<([^>]+)>")
_FORMER = re.compile(r"\[was: (\d+)\]")  # up to 2.4: an old worker's number
_NOTE = re.compile(r"\[[^]]*\]")
_SUCCESS = re.compile(r"Success=([01])")
_FAILED = re.compile(r"\[failed: (\d+)\]")
_UPTIME = re.compile(r"(\d+)d(\d+)h(\d+)m(\d+)s")
# 2.8 does not even close the connection after these, and none of them ends in an empty line
_GONE = (b"Can't find the target", b"Can't connect to the target")


class MasterRestarting(ProxyNotRunning):
    """No answer from the master, as while it starts itself anew for a reload (or because it is gone)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process; `reloads` counts how many it has seen (a master), or how many newer ones there are (a worker)."""

    pid: int
    reloads: int
    uptime: timedelta
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """The master and its workers. `old_workers` finish their connections after a reload.

    `failed_reloads` counts those since the last one that succeeded.
    """

    master: Process
    workers: tuple[Process, ...]
    old_workers: tuple[Process, ...]
    failed_reloads: int


@dataclass(frozen=True, slots=True)
class ReloadAnswer:
    """What the master said to `reload`: `succeeded` None and no log up to HAProxy 2.6, which says nothing."""

    succeeded: bool | None
    log: str


class MasterSocket:
    """The master's own CLI. During a reload it hangs up and refuses for a while, so questions are asked again.

    `timeout` is for one answer, `patience` for how long a refusal is taken for a reload. Threads may share it.
    """

    def __init__(
        self,
        path: Path,
        timeout: timedelta = timedelta(seconds=5),
        patience: timedelta = timedelta(seconds=2),
    ) -> None:
        self._path = path
        self._timeout = timeout
        self._patience = patience

    def show_processes(self) -> Processes:
        """Raises `ProxyNotRunning` where no master answers."""
        return self._patiently(self.show_processes_now)

    def show_processes_now(self) -> Processes:
        """As `show_processes`, and without patience: raises `MasterRestarting` while it loads a configuration."""
        return parse_processes(self._whole(self._ask("show proc", self._timeout)))

    def ask_worker(self, pid: int | None, command: str) -> str:
        """A command in one process, also an old one; None means the one that serves now.

        Raises `ProxyNotRunning` where that process has ended, `RuntimeRefused`.
        """
        target = "@1" if pid is None else f"@!{pid}"
        text = self._patiently(lambda: self._ask_target(target, checked(command)))
        answer = Answer(command, text.strip("\n"))
        raise_refused(answer)
        return answer.text

    def reload(self, timeout: timedelta) -> ReloadAnswer:
        """Tell the master to load its configuration file. Raises `ProxyNotRunning` where no master listens.

        Up to HAProxy 2.6 it only begins with this; whether it succeeds is for the caller to watch. To be sent to a
        master that answers: one that just restarts itself, as it does after each start and reload, loses it.
        """
        return parse_reload(self._patiently(lambda: self._ask_to_reload(timeout)))

    def _ask_target(self, target: str, command: str) -> str:
        text = self._ask(f"{target} {command}", self._timeout)
        if text.encode().startswith(_GONE):
            raise ProxyNotRunning(f"cannot ask HAProxy's process {target}: it has ended")
        return self._whole(text)

    def _ask_to_reload(self, timeout: timedelta) -> str:
        try:
            return self._ask("reload", timeout)
        except _HungUp:
            return ""  # older ones close the connection by starting themselves anew

    def _ask(self, command: str, timeout: timedelta) -> str:
        try:
            return exchange(self._path, f"{command}\n", timeout, last_words=_GONE)
        except ConnectionRefusedError as error:
            raise MasterRestarting(self._cannot(reason(error, timeout))) from error
        except ConnectionError as error:
            raise _HungUp(self._cannot(reason(error, timeout))) from error
        except OSError as error:
            raise ProxyNotRunning(self._cannot(reason(error, timeout))) from error

    def _whole(self, answer: str) -> str:
        if not is_whole(answer):
            raise _HungUp(self._cannot("it ended amid the answer"))
        return answer

    def _cannot(self, why: str) -> str:
        return f"cannot reach HAProxy's master at {self._path}: {why}"

    def _patiently(self, question: Callable[[], T]) -> T:
        deadline = Deadline(self._patience)
        while True:
            last = deadline.passed
            try:
                return question()
            except MasterRestarting:
                if last:
                    raise
            time.sleep(EVERY.total_seconds())


class _HungUp(MasterRestarting):
    """The connection ended before the answer did."""


def parse_processes(text: str) -> Processes:
    """What `show proc` prints: a table with headings, the master first; raises `DriverError`."""
    heading, *lines = text.strip().split("\n")
    columns = _COLUMN.findall(heading)
    groups: dict[str, list[Process]] = {"master": []}
    group = "master"
    try:
        for line in lines:
            if line.startswith("#"):
                group = line.strip("# ")
            elif line.strip() and group != "programs":
                groups.setdefault(group, []).append(_parse_process(columns, line))
        return Processes(
            master=groups["master"][0],
            workers=tuple(groups.get("workers", ())),
            old_workers=tuple(groups.get("old workers", ())),
            failed_reloads=_parse_failed(lines[0]),
        )
    except (IndexError, KeyError, ValueError) as error:
        raise DriverError(f"cannot read HAProxy's list of processes: {quoted(text)}") from error


def _parse_process(columns: list[str], line: str) -> Process:
    row = dict(zip(columns, _NOTE.sub("", _FORMER.sub(r"\1", line)).split(), strict=False))
    days, hours, minutes, seconds = (int(n) for n in _UPTIME.findall(row["uptime"])[0])
    return Process(
        pid=int(row["PID"]),
        reloads=int(row["reloads"]),
        uptime=timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds),
        version=row["version"],
    )


def _parse_failed(line: str) -> int:
    match = _FAILED.search(line)
    return int(match[1]) if match else 0


def parse_reload(text: str) -> ReloadAnswer:
    """ "Success=1", a line of dashes, and what HAProxy logged; or nothing."""
    first, _, rest = text.partition("\n")
    match = _SUCCESS.match(first)
    if match is None:
        return ReloadAnswer(None, text)
    return ReloadAnswer(match[1] == "1", rest.removeprefix("--\n").strip("\n"))
