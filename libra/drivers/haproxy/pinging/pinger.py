"""Pings the members whose monitor says so, and tells HAProxy which of them answer.

HAProxy does the rest as with checks of its own: it asks nobody and starts nothing. What it was told stays when the
worker ends; one that starts goes on from there.
"""

import math
import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import structlog

from libra.drivers.haproxy.install import Installed
from libra.drivers.haproxy.pinging.health import PingOutcome, parse_seen, render_health
from libra.drivers.haproxy.pinging.links import Links
from libra.drivers.haproxy.pinging.schedule import Schedule
from libra.drivers.haproxy.pinging.sockets import LocalFault, OpenLink
from libra.drivers.haproxy.pinging.targets import (
    ServerKey,
    build_targets,
    is_installed,
    needed_versions,
)
from libra.drivers.haproxy.runtime import AdminSocket
from libra.errors import DriverError
from libra.model.loadbalancer import Desired

log = structlog.get_logger(__name__)

LOOK_EVERY = 2.0  # seconds; how soon HAProxy is told again what it forgot, as at its restart
LOOK_SHARE = 20  # or so many times as long as a look takes, where there are thousands of servers
LATE = 1.0  # seconds; after a longer silence of this thread no ping that was under way counts
TOGETHER = 0.02  # seconds; pings and answers of so long go and come at once
AT_ONCE = 250  # pings; then answers are read, which have only so much room
REST = 1.0  # seconds, after a fault of ours
SHOWN = 5  # names in an event


class Pinger:
    """One thread, from the first member that is to be pinged until `close`, or until there is none any more."""

    def __init__(self, admin: AdminSocket, open_link: OpenLink) -> None:
        self._admin = admin
        self._links = Links(open_link)
        self._schedule = Schedule()
        self._lock = threading.Lock()  # of the schedule, and of the thread's beginning and end
        self._desired: Desired | None = None
        self._unable: frozenset[int] = frozenset()  # versions of IP
        self._left_out: frozenset[int] = frozenset()
        self._thread: threading.Thread | None = None
        self._ending = False
        self._look_at = 0.0
        self._troubles: dict[str, str] = {}
        self._bell: int | None = None  # an eventfd, from the first thread on

    def admit(self, desired: Desired, load: Callable[[], Installed]) -> None:
        """Call before HAProxy is made to run it.

        Raises `DriverError` where this host does not let the worker ping the members of a pool. Where HAProxy's
        installed file, which `load` reads, says that they are pinged already, a HAProxy that serves them unchecked is
        better than none, as at the start of a host whose settings have changed.
        """
        unable: set[int] = set()
        for version, pool in needed_versions(desired).items():
            try:
                self._links.open(version)
            except DriverError as error:
                if not is_installed(desired, load().text):
                    raise DriverError(f"cannot check pool '{pool.id}' by PING: {error}") from error
                unable.add(version)
                self._report("open", str(error))
        self._unable = frozenset(unable)

    def watch(self, desired: Desired) -> None:
        """Ping its members from now on, where that was admitted. HAProxy runs it already."""
        if desired is self._desired and self._unable == self._left_out:
            return
        self._desired, self._left_out = desired, self._unable
        targets = build_targets(desired, self._unable)
        with self._lock:
            self._schedule.watch(targets)
            self._look_at = 0.0
            if targets and self._thread is None and not self._ending:
                self._start()
            self._wake()

    def outcomes(self) -> Mapping[ServerKey, PingOutcome | None]:
        """The last ping of each member. Any thread."""
        with self._lock:
            return self._schedule.outcomes()

    def close(self) -> None:
        """Stop; members stay as HAProxy has them."""
        with self._lock:
            self._ending, thread = True, self._thread
            self._wake()
        if thread is not None:
            thread.join()
        if self._bell is not None:
            os.close(self._bell)
            self._bell = None
        self._links.close()

    def _start(self) -> None:
        if self._bell is None:
            self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(
            target=self._run, args=(self._bell,), name="pinger", daemon=True
        )
        self._thread.start()

    def _wake(self) -> None:
        if self._bell is not None:
            os.eventfd_write(self._bell, 1)

    # The thread.

    def _run(self, bell: int) -> None:
        last = time.monotonic()
        while not self._is_over():
            try:
                self._wait(bell, self._pause())
                last = self._turn(last)
            except Exception:
                log.exception("internal error", action="ping")
                time.sleep(REST)

    def _is_over(self) -> bool:
        with self._lock:
            if self._ending or not len(self._schedule):
                self._thread = None
                return True
            return False

    def _pause(self) -> float:
        """Seconds."""
        with self._lock:
            event = self._schedule.next_event()
            due = min(self._look_at, event) if event is not None else self._look_at
        return max(0.0, min(due - time.monotonic(), LATE / 2))

    def _wait(self, bell: int, seconds: float) -> None:
        """Whatever comes; then a little more comes at once, for thousands of turns a second would cost too much."""
        _wait_for([bell, *(link.fileno() for link in self._links.all())], seconds)
        time.sleep(TOGETHER)
        with suppress(BlockingIOError):
            os.eventfd_read(bell)

    def _turn(self, last: float) -> float:
        """Answers come before the end of their time, for this thread may have been kept from reading them."""
        now = time.monotonic()
        with self._lock:
            if now - last > LATE:
                self._schedule.void_all(now)
            self._receive(now)
            self._schedule.expire(now)
            self._send(now)
            turned = self._schedule.take_turned()
            look = now >= self._look_at
        if turned:
            self._tell(turned)
        if look:
            self._look()
        return now

    def _receive(self, now: float) -> None:
        for number, address in self._links.receive():
            if self._schedule.awaits(number) == address:
                self._schedule.settle(number, PingOutcome.ANSWERED, now)

    def _send(self, now: float) -> None:
        for number, address in self._schedule.take_due(now, AT_ONCE):
            try:
                self._links.send(address, number)
            except (LocalFault, DriverError) as error:
                self._schedule.void(number, now)
                self._report("send", str(error))
            except OSError:
                self._schedule.settle(number, PingOutcome.UNREACHABLE, now)

    def _tell(self, turned: Mapping[ServerKey, bool]) -> None:
        for is_up in (False, True):
            names = ["/".join(key) for key, up in turned.items() if up is is_up]
            if names:
                words = "answer pings again" if is_up else "do not answer pings any more"
                shown = ", ".join(names[:SHOWN])
                log.info(f"members {words}", action="ping", count=len(names), servers=shown)
        self._order(turned)

    def _order(self, changes: Mapping[ServerKey, bool]) -> None:
        """One that HAProxy does not know (any more) is no fault; the next look says what was not heard."""
        try:
            self._admin.ask_all(render_health(changes))
        except DriverError as error:
            self._report("tell", str(error))

    def _look(self) -> None:
        """What HAProxy takes its servers for, and what it has to be told."""
        began = time.monotonic()
        with self._lock:
            keys = self._schedule.keys()
            self._look_at = math.inf
        try:
            seen = parse_seen(self._admin.ask(_question(keys)), keys)
        except (DriverError, ValueError) as error:
            self._report("look", str(error))
        else:
            self._report("look", "")
            with self._lock:
                changes = self._schedule.see(seen, time.monotonic())
            if changes:
                self._order(changes)
        now = time.monotonic()
        with self._lock:
            again = now + max(LOOK_EVERY, LOOK_SHARE * (now - began))
            self._look_at = min(self._look_at, again)  # it may have been asked for meanwhile

    def _report(self, step: str, trouble: str) -> None:
        """An event when it changes."""
        if trouble and trouble != self._troubles.get(step):
            log.warning("cannot check members by ping", action=f"ping: {step}", error=trouble)
        self._troubles[step] = trouble


def _question(keys: frozenset[ServerKey]) -> str:
    """About one backend where there is one only."""
    backends = {backend for backend, _ in keys}
    return f"show servers state {backends.pop()}" if len(backends) == 1 else "show servers state"


def _wait_for(numbers: list[int], seconds: float) -> None:
    """Until one of these files has something to read. Not select(), which cannot take numbers above 1023."""
    poll = select.poll()
    for number in numbers:
        poll.register(number, select.POLLIN)
    poll.poll(seconds * 1000)
