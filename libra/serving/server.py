"""The process: its socket, its signals, and its end."""

import asyncio
import grp
import logging
import os
import pwd
import signal
import socket
from contextlib import suppress
from pathlib import Path

import uvicorn

from libra.errors import Invalid
from libra.serving.application import Application
from libra.serving.book import parse_book

BACKLOG = 1024
LOOK_SECONDS = 1.0
LAST_ACCEPT_SECONDS = 0.2  # who connected before the socket had another owner is answered, too
FINISH_SECONDS = 600  # for requests under way, at the end
IDLE_SECONDS = 300  # longer than HAProxy keeps a connection that it does not use

log = logging.getLogger(__name__)


class Listener:
    """The socket at `path`, in place of any other there: whoever connects is always let in by the old one or the new.

    `user` and `group` are those that may connect, beside root; by default only the user that runs this may.
    """

    def __init__(self, path: Path, user: str | None = None, group: str | None = None) -> None:
        self._path = path
        beside = path.with_name(f".{path.name}.new")
        with suppress(FileNotFoundError):
            beside.unlink()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)
        try:
            self.socket.bind(str(beside))
        finally:
            os.umask(mask)
        _hand_over(beside, user, group)
        self.socket.listen(BACKLOG)
        self._mark = _identify(beside)
        beside.replace(path)

    @property
    def is_ours(self) -> bool:
        """False once it was taken away, or another has its place: nobody can connect any more."""
        return _identify(self._path) == self._mark


class Server(uvicorn.Server):
    """Ends at SIGTERM, or when its socket is taken away; reads `services` anew at SIGHUP."""

    def __init__(self, application: Application, services: Path) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                lifespan="off",
                ws="none",
                http="h11",
                loop="asyncio",
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )
        self._application = application
        self._services = services
        self._listener: Listener | None = None

    def serve_at(self, path: Path, user: str | None, group: str | None) -> None:
        """Until it is told to end. Raises OSError where the socket cannot be had, `Invalid` for bad services."""
        # uvicorn sends itself the signal that it was ended by once more, when its own handler is gone.
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGHUP, lambda *_: None)
        self._application.use(parse_book(self._services.read_bytes()))
        self._listener = Listener(path, user, group)
        self.run([self._listener.socket])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's."""
        await super().startup(sockets)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        self._reload()  # for one that came meanwhile
        self._look(loop)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's."""
        await asyncio.sleep(LAST_ACCEPT_SECONDS)
        await super().shutdown(sockets)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._listener is not None and not self._listener.is_ours:
            self.should_exit = True
        loop.call_later(LOOK_SECONDS, self._look, loop)

    def _reload(self) -> None:
        """What cannot be used changes nothing."""
        try:
            self._application.use(parse_book(self._services.read_bytes()))
        except (OSError, Invalid) as error:
            log.error("%s", error)


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _hand_over(path: Path, user: str | None, group: str | None) -> None:
    """Raises OSError."""
    try:
        uid = pwd.getpwnam(user).pw_uid if user else -1
        gid = grp.getgrnam(group).gr_gid if group else -1
    except KeyError as error:
        raise OSError(f"there is no such user or group: {error.args[0]}") from error
    if user or group:
        os.chown(path, uid, gid)
    if group:
        path.chmod(0o660)
