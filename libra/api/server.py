"""Serves the application in a thread of its own."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence

import uvicorn
from fastapi import FastAPI

from libra.api.board import NodeBoard
from libra.api.patience import TimedProtocol, build_protocol
from libra.config.controller import ApiSettings
from libra.daemon.beats import Beat, Beats
from libra.errors import StateError

START_SECONDS = 30.0
TICK_SECONDS = 0.1
STOP_SECONDS = 10.0
UNREAD_STOP_SECONDS = 2.0  # for answers that a client has not taken yet when the API stops
UNREAD_SECONDS = (
    60.0  # until a connection is dropped whose client takes nothing, or is gone without a word
)


class ApiServer:
    """Owned by who makes it: `start`, then `stop`. Port 0 picks a free one; see `port`."""

    def __init__(
        self, app: FastAPI, settings: ApiSettings, port: int | None = None, beat: Beat | None = None
    ) -> None:
        self._app = app
        self._beat = beat or Beats().add("api", interval=TICK_SECONDS, endless=True)
        self._settings = settings
        self.port = settings.port if port is None else port
        self._board: NodeBoard | None = getattr(app.state, "board", None)
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns when it answers; raises `StateError` where the port cannot be had."""
        listener = self._listen()
        if self._board is not None:
            self._board.start()
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            http=build_protocol(self._settings.receive_timeout_seconds),
            timeout_keep_alive=30,
            timeout_graceful_shutdown=int(STOP_SECONDS),
            ssl_certfile=str(self._settings.cert) if self._settings.cert else None,
            ssl_keyfile=str(self._settings.key) if self._settings.key else None,
        )
        self._server = _Server(config, getattr(self._app.state, "endings", ()), self._beat)
        self._thread = threading.Thread(
            target=self._server.run, args=([listener],), name="api", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise StateError("cannot serve the API: the log says why")
            time.sleep(0.005)

    def stop(self) -> None:
        """Requests under way are answered, within seconds; streams of events end at once. Idempotent."""
        server, self._server = self._server, None
        if server is not None and self._thread is not None:
            server.should_exit = True
            self._thread.join(STOP_SECONDS + 5)
        self._beat.rest()
        if self._board is not None:
            self._board.stop()

    @property
    def has_ended(self) -> bool:
        """Whether it serves no more, though nobody has stopped it."""
        thread = self._thread
        return self._server is not None and thread is not None and not thread.is_alive()

    def renew_certificate(self, settings: ApiSettings) -> None:
        """Whoever connects from now on sees what is in these files now; served with TLS already.

        Raises `StateError` where they are not good, and keeps the old ones.
        """
        server = self._server
        context = server.config.ssl if server is not None else None
        if server is None or context is None or settings.cert is None or settings.key is None:
            return
        try:  # in one of its own, for a certificate and a key that do not belong together would stay half loaded
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.cert, settings.key)
        except OSError as error:
            why = error.strerror or str(error)
            raise StateError(f"cannot use {settings.cert} with {settings.key}: {why}") from error
        server.call(lambda: context.load_cert_chain(str(settings.cert), str(settings.key)))

    def _listen(self) -> socket.socket:
        host = self._settings.host
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            return open_listener(host, self.port, family)
        except OSError as error:
            reason = str(error.strerror).partition(" (")[0].lower()
            raise StateError(f"cannot serve the API on {host}:{self.port}: {reason}") from error


class _Server(uvicorn.Server):
    """Lets others call something between two of its steps, and waits for no stream when it stops."""

    _loop: asyncio.AbstractEventLoop | None = None

    def __init__(
        self, config: uvicorn.Config, endings: Sequence[Callable[[], None]], beat: Beat
    ) -> None:
        super().__init__(config)
        self._endings = endings
        self._beat = beat

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second, between everything that the loop does."""
        self._beat.beat()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for end in self._endings:
            end()
        asyncio.get_running_loop().call_later(UNREAD_STOP_SECONDS, self._drop_unread)
        await super().shutdown(sockets)

    def _drop_unread(self) -> None:
        """Answers that nobody takes: their connections would not close by themselves."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, TimedProtocol):
                connection.drop_unread()

    def call(self, action: Callable[[], None]) -> None:
        """A connection that is being made must not see it half done."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(action)


def open_listener(host: str, port: int, family: int) -> socket.socket:
    """As `socket.create_server`, but with its protocol named.

    asyncio sets TCP_NODELAY only where a connection says that it is TCP's, which it inherits from its listener.
    Without it each answer whose head and body are sent apart waits 40 ms for the client's delayed acknowledgement.
    """
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        milliseconds = int(UNREAD_SECONDS * 1000)  # connections have it of their listener, too
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener
