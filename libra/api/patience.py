"""How long a client may take over one request: a connection that never says all it has to say costs memory."""

import asyncio

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


class TimedProtocol(H11Protocol):
    """uvicorn's HTTP, which closes a connection whose request is not whole within `receive_seconds`.

    Counted from the connection's beginning, later on from the request's first byte; between requests uvicorn's own
    keep-alive time counts.
    """

    receive_seconds = 60.0
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """asyncio's."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self._forget()
        super().connection_lost(exc)

    def drop_unread(self) -> None:
        """End the connection where its client leaves unread what was sent, or does not close its side."""
        if self.transport.is_closing() or self.transport.get_write_buffer_size():
            self.transport.abort()

    def _watch(self) -> None:
        if not self._is_owed():
            self._forget()
        elif self._patience is None:
            self._patience = self.loop.call_later(self.receive_seconds, self.transport.close)

    def _is_owed(self) -> bool:
        """Whether bytes of a request are still to come; on a new connection all of them."""
        if self.conn.their_state is h11.IDLE:
            is_new = self.scope is None
            return is_new or bool(self.conn.trailing_data[0])
        return self.conn.their_state is h11.SEND_BODY

    def _forget(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


def build_protocol(receive_seconds: float) -> type[TimedProtocol]:
    """The protocol with this time."""
    return type("Protocol", (TimedProtocol,), {"receive_seconds": receive_seconds})
