"""A worker daemon in this process, on the in-memory job server."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from signal import SIGHUP, SIGTERM
from typing import Any, Self

from libra.daemon.signals import SignalQueue
from libra.daemon.systemd import Notifier
from libra.drivers.noop import NoopDriver
from libra.jobs.memory import MemoryJobServer
from libra.messages.codec import JsonObject
from libra.worker.controller import LBaaSController
from libra.worker.daemon import Registration, Renewal, Renewer, Timing, WorkerDaemon

DEVICE = "web1"
WAIT = 30.0
QUICK = Timing(
    drain=timedelta(seconds=WAIT),
    ensure_every=timedelta(milliseconds=1),
    registration_grace=timedelta(),
    watchdog=timedelta(milliseconds=6),
)


class PutSignals(SignalQueue):
    """Gets its signals by `put`, so that the daemon need not run in the main thread."""

    @contextmanager
    def installed(self) -> Iterator[SignalQueue]:
        yield self


class Heard(Notifier):
    """Keeps what the service manager would be told."""

    lines: list[str]
    changed: threading.Condition

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "lines", [])  # the class is frozen
        object.__setattr__(self, "changed", threading.Condition())

    def send(self, *lines: str) -> None:
        with self.changed:
            self.lines.extend(lines)
            self.changed.notify_all()

    def wait_for(self, fits: Callable[[str], bool], *, times: int = 1, after: int = 0) -> None:
        with self.changed:
            assert self.changed.wait_for(
                lambda: sum(map(fits, self.lines[after:])) >= times, WAIT
            ), self.lines[-10:]


class GatedController:
    """The real controller over the noop driver; calls of an action named in `hold` wait until it is let go.

    `calls` holds what was begun, in order: actions, "restore" and "ensure"; `running` what has not ended.
    """

    def __init__(self) -> None:
        self.driver = NoopDriver()
        self._controller = LBaaSController(self.driver)
        self._changed = threading.Condition()
        self._held: set[str] = set()
        self._faults: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.messages: list[JsonObject] = []
        self.running: Counter[str] = Counter()
        self.together: set[frozenset[str]] = set()

    def hold(self, *names: str) -> None:
        with self._changed:
            self._held.update(names)

    def let_go(self, *names: str) -> None:
        with self._changed:
            self._held.difference_update(names or set(self._held))
            self._changed.notify_all()

    def fail(self, name: str, fault: Exception | None) -> None:
        """Raise this from now on; None ends it."""
        with self._changed:
            if fault is None:
                self._faults.pop(name, None)
            else:
                self._faults[name] = fault

    def wait_running(self, name: str, count: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.running[name] >= count, WAIT), self.running

    def wait_called(self, name: str, times: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: self.calls.count(name) >= times, WAIT), name

    def handle(self, message: object) -> JsonObject:
        assert isinstance(message, dict)
        with self._call(str(message.get("hpcs_action", "")).upper()):
            self.messages.append(message)
            return self._controller.handle(message)

    def pass_over(self, message: object) -> JsonObject:
        assert isinstance(message, dict)
        self.messages.append(message)
        return self._controller.pass_over(message)

    def restore(self) -> None:
        with self._call("restore"):
            self._controller.restore()

    def ensure(self) -> None:
        with self._call("ensure"):
            self._controller.ensure()

    @contextmanager
    def _call(self, name: str) -> Iterator[None]:
        with self._changed:
            self.calls.append(name)
            self.running[name] += 1
            self.together.add(frozenset(+self.running))
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: name not in self._held, 3 * WAIT)
            fault = self._faults.get(name)
        try:
            if fault is not None:
                raise fault
            yield
        finally:
            with self._changed:
                self.running[name] -= 1
                self._changed.notify_all()


class DaemonLab:
    """Starts the daemon in a thread; at the end everything held is let go and the daemon is stopped."""

    def __init__(self, timing: Timing = QUICK, renew: Renewer = Renewal) -> None:
        self.server = MemoryJobServer()
        self.client = self.server.client()
        self.controller = GatedController()
        self.heard = Heard()
        self.signals = PutSignals()
        self.ready = threading.Event()
        self.timing = timing
        self.renew = renew
        self._senders = ThreadPoolExecutor(40)
        self._runner = ThreadPoolExecutor(1)
        self._run: Future[bool] | None = None

    def start(self) -> Self:
        """Return at once; `ready` is set by the daemon."""
        daemon = WorkerDaemon(
            Registration(self.server.source(DEVICE), servers=1),
            self.controller,
            timing=self.timing,
            notifier=self.heard,
            signals=self.signals,
            renew=lambda: self.renew(),
            on_ready=self.ready.set,
        )
        self._run = self._runner.submit(daemon.run)
        return self

    def send_bytes(self, payload: bytes) -> Future[Any]:
        """The decoded reply, some time."""
        return self._senders.submit(
            lambda: json.loads(self.client.submit(DEVICE, payload, timeout=3 * WAIT))
        )

    def send(self, action: str, **fields: object) -> Future[Any]:
        return self.send_bytes(json.dumps({"hpcs_action": action, **fields}).encode())

    def ask(self, action: str, **fields: object) -> Any:
        """The decoded reply."""
        return self.send(action, **fields).result(WAIT)

    def renew_with(self, renewal: Renewal) -> None:
        """What the next `reload` brings."""
        self.renew = lambda: renewal

    def reload(self) -> None:
        self.signals.put(SIGHUP)

    def terminate(self) -> None:
        self.signals.put(SIGTERM)

    def ended(self) -> bool:
        """What `run` returned; waits for it."""
        assert self._run is not None
        return self._run.result(WAIT)

    @property
    def runs(self) -> bool:
        return self._run is not None and not self._run.done()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.controller.let_go()
        self.terminate()
        self.terminate()
        self.client.close()
        self._senders.shutdown()
        self._runner.shutdown()
