"""Runs libra.serving: starts it, tells it what to answer, and starts it again where it ends.

The process outlives the worker, as HAProxy does, and the next worker finds it by its socket. It ends by itself when its
socket is taken away, so nothing that is lost sight of goes on for ever.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from libra import __version__
from libra.daemon.apart import has_ended, load_words, send, start_apart
from libra.durable import remove_file, replace_file
from libra.errors import Invalid, ServingError
from libra.model.loadbalancer import Desired
from libra.model.webservice import Static
from libra.serving.book import Book, Node, parse_book
from libra.serving.question import Serving, ask_serving
from libra.worker.web import Directories, Services, check_directory, local_services

log = structlog.get_logger(__name__)

START_SECONDS = 20.0
RELOAD_SECONDS = 5.0
ANSWER_SECONDS = 5.0  # it only has to say which book it has; who takes longer, hangs
STOP_SECONDS = 5.0
STEP_SECONDS = 0.01
LOOK_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0
LONGEST_LOG = 1 << 20  # bytes
MODULE = "libra.serving"
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "PYTHONPATH", "PYTHONHOME", "MALLOC_ARENA_MAX", "TZ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Files of the server: all below directories that the worker may write to. `user` and `group` may connect.

    `statistics` is HAProxy's admin socket.
    """

    socket: Path
    services: Path
    log: Path
    pid_file: Path
    statistics: Path | None = None
    user: str | None = None
    group: str | None = None


class ServingProcess:
    """One server on one device. Its owner calls one method at a time; a thread of its own looks after the process."""

    def __init__(self, places: Places, node: Callable[[], Node], within: Directories) -> None:
        self._places = places
        self._node = node
        self._within = within
        self._lock = threading.RLock()
        self._book: Book | None = None  # None until it is known what an earlier worker left
        self._pid: int | None = None
        self._stopping = threading.Event()
        self._watcher: threading.Thread | None = None

    def preview(self, desired: Desired) -> None:
        """See `WebServer`. What is served already is not looked at again."""
        with self._lock:
            known = self._known().services
        for key, service in local_services(desired).items():
            if isinstance(service, Static) and known.get(key) != service:
                check_directory(service.directory, self._within)

    def prepare(self, desired: Desired) -> None:
        """See `WebServer`."""
        with self._lock:
            if wanted := {**local_services(desired), **self._known().services}:
                self._serve(wanted)

    def settle(self, desired: Desired) -> None:
        """See `WebServer`."""
        with self._lock:
            if wanted := local_services(desired):
                self._serve(wanted)
            elif self._known().services:
                self._end()

    def ensure(self) -> None:
        """See `WebServer`."""
        with self._lock:
            if self._known().services:
                self._bring_up()

    def configure(self, directories: Directories) -> None:
        """See `WebServer`."""
        self._within = directories

    def close(self) -> None:
        """See `WebServer`. Idempotent."""
        self._stopping.set()
        if self._watcher is not None:
            self._watcher.join(STOP_SECONDS)

    def stop(self) -> None:
        """See `WebServer`; requests under way are answered."""
        self.close()
        with self._lock:
            pid = self._load_pid()
            self._end()
        deadline = time.monotonic() + STOP_SECONDS
        while pid and self._is_ours(pid) and time.monotonic() < deadline:
            time.sleep(STEP_SECONDS)

    def _known(self) -> Book:
        """What is served; at first what an earlier worker left, whose process may still be running."""
        if self._book is None:
            try:
                self._book = parse_book(self._places.services.read_bytes())
            except (OSError, Invalid):
                self._book = Book()
        return self._book

    def _serve(self, services: Services) -> None:
        """Raises `ServingError`; what is in the file then is tried again by `ensure`."""
        directories = tuple(map(str, self._within))
        book = Book(
            services=services,
            node=self._node(),
            directories=directories,
            statistics=str(self._places.statistics or ""),
        )
        if book.digest != self._known().digest:
            self._write(book)
        self._book = book
        self._bring_up()

    def _write(self, book: Book) -> None:
        try:
            for path in (self._places.services, self._places.socket):
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(self._places.services, book.render())
        except OSError as error:
            why = f"{error.filename or self._places.services}: {error.strerror}"
            raise ServingError(f"cannot keep the web services: {why}") from error

    def _bring_up(self) -> None:
        """Somebody answers at the socket, by the book; raises `ServingError`."""
        self._watch()
        book = self._known()
        serving = self._ask()
        if serving is not None and serving.release == __version__:
            if serving.digest == book.digest:
                self._pid = serving.pid
                return
            send(serving.pid, signal.SIGHUP)
            if self._await(book.digest, RELOAD_SECONDS):
                return
        if not self._places.services.exists():
            self._write(book)
        self._start(book.digest)

    def _ask(self) -> Serving | None:
        """One that hangs is killed."""
        try:
            return ask_serving(self._places.socket, ANSWER_SECONDS)
        except TimeoutError:
            pid = self._load_pid()
            if pid is not None and self._is_ours(pid):
                log.warning("the server of web services hangs", action="serve", pid=pid)
                send(pid, signal.SIGKILL)
        except OSError:
            pass
        return None

    def _load_pid(self) -> int | None:
        """Perhaps one of long ago."""
        try:
            return self._pid or int(self._places.pid_file.read_text())
        except (OSError, ValueError):
            return None

    def _await(self, digest: str, seconds: float, pid: int | None = None) -> bool:
        """Whether it answers by that book before the time is over, and before the process ends, where one is given."""
        deadline = time.monotonic() + seconds
        while True:
            ended = pid is not None and has_ended(pid)
            serving = self._ask()
            if serving is not None and serving.digest == digest and pid in (None, serving.pid):
                self._pid = serving.pid
                return True
            if ended or time.monotonic() > deadline:
                return False
            time.sleep(STEP_SECONDS)

    def _start(self, digest: str) -> None:
        """In place of one that may be there: that ends when it sees that its socket is another's."""
        places = self._places
        words = [sys.executable, "-P", "-m", MODULE]
        words += ["--socket", str(places.socket), "--services", str(places.services)]
        words += ["--user", places.user] if places.user else []
        words += ["--group", places.group] if places.group else []
        environ = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        try:
            mark = self._cut_log()
            self._pid = start_apart(
                words, out=places.log, err=places.log, pid_file=places.pid_file, environ=environ
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ServingError(f"cannot start the server of web services: {error}") from error
        if not self._await(digest, START_SECONDS, self._pid):
            raise ServingError(f"cannot start the server of web services: {self._explain(mark)}")
        log.info("the server of web services started", action="serve", pid=self._pid)

    def _cut_log(self) -> int:
        """Its size; the process appends, so one that grew long begins anew."""
        self._places.log.touch(mode=0o640)
        size = self._places.log.stat().st_size
        if size <= LONGEST_LOG:
            return size
        os.truncate(self._places.log, 0)
        return 0

    def _explain(self, mark: int) -> str:
        with suppress(OSError), self._places.log.open("rb") as file:
            file.seek(mark)
            if lines := file.read(LONGEST_LOG).decode(errors="replace").split("\n")[:-1]:
                return lines[-1].strip()
        return f"it does not answer at {self._places.socket}"

    def _end(self) -> None:
        """Nothing is served any more; raises `ServingError`."""
        pid, self._pid = self._load_pid(), None
        self._book = Book()
        try:
            self._places.socket.unlink(
                missing_ok=True
            )  # by which it ends, also where it is not ours to signal
            remove_file(self._places.services)
        except OSError as error:
            raise ServingError(
                f"cannot end the server of web services: {error.filename}: {error.strerror}"
            ) from error
        if pid is not None and self._is_ours(pid):
            send(pid, signal.SIGTERM)

    def _is_ours(self, pid: int) -> bool:
        """Pids are used again."""
        words = load_words(pid) or []
        return MODULE.encode() in words and os.fsencode(self._places.services) in words

    def _watch(self) -> None:
        if self._watcher is None and not self._stopping.is_set():
            self._watcher = threading.Thread(target=self._look_after, name="serving", daemon=True)
            self._watcher.start()

    def _look_after(self) -> None:
        """HAProxy waits a second before it tries again: by then there is another one."""
        pause = LOOK_SECONDS
        while not self._stopping.wait(pause):
            pid = self._pid
            if pid is None or not has_ended(pid):
                pause = LOOK_SECONDS
                continue
            try:
                self._revive(pid)
            except ServingError as error:
                log.error("web services are not answered", action="serve", error=str(error))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            except Exception:
                log.exception("internal error", action="serve")
                pause = LONGEST_PAUSE_SECONDS

    def _revive(self, pid: int) -> None:
        with self._lock:
            if self._pid == pid and self._known().services:
                log.warning("the server of web services ended by itself", action="serve", pid=pid)
                self._bring_up()
