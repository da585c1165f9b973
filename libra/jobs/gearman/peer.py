"""The embedded server's end of one connection."""

import contextlib
import socket
from collections import deque

import gear
import structlog

from libra.jobs.gearman.packets import PIECE_BYTES, Framed, Packet

log = structlog.get_logger(__name__)

MOST_QUEUED_BYTES = 128 * 1024 * 1024
ENTRY_BYTES = 128
"""What an entry of the queue costs beside its bytes."""


class Peer(Framed, gear.ServerConnection):
    """A client or a worker. Sending to it never raises: in gear, a client that has gone takes its worker along.

    What the other side does not read waits here, up to 128 MiB; then it is dropped.
    """

    def __init__(self, address: tuple[object, ...], sock: socket.socket) -> None:
        self._partial = bytearray()
        self._waiting: deque[memoryview] = deque()
        self._waiting_bytes = 0
        super().__init__(address, sock, False, None)

    def readPacket(self) -> gear.Packet | gear.AdminRequest | None:  # noqa: N802 - gear's name
        """As gear's, with packets of our own kind."""
        packet = super().readPacket()
        if isinstance(packet, gear.Packet):
            return Packet(packet.code, packet.ptype, packet.data, connection=self)
        return packet

    def sendPacket(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Send it as soon as the other side reads."""
        self.sendRaw(packet.toBinary())

    def sendRaw(self, data: bytes) -> None:  # noqa: N802 - gear's name
        """Send these bytes as soon as the other side reads."""
        self._waiting.append(memoryview(data))
        self._waiting_bytes += len(data) + ENTRY_BYTES
        self.sendQueuedData()

    def sendQueuedData(self) -> None:  # noqa: N802 - gear's name
        """As much as the socket takes; gear copies all that is left for each piece it sends."""
        try:
            while self._waiting:
                self._send_first()
        except BlockingIOError:
            if self._waiting_bytes > MOST_QUEUED_BYTES:
                self._hang_up("it does not read what is sent to it")
        except OSError as error:
            self._hang_up(error.strerror or str(error))

    def _send_first(self) -> None:
        data = self._waiting[0]
        sent = self.conn.send(data)
        self._waiting_bytes -= sent
        if sent < len(data):
            self._waiting[0] = data[sent:]
        else:
            self._waiting.popleft()
            self._waiting_bytes -= ENTRY_BYTES

    def _receive_piece(self) -> bytes:
        try:
            return self.conn.recv(PIECE_BYTES)
        except BlockingIOError:
            raise gear.RetryIOError from None
        except OSError:
            return b""  # lost is as good as ended

    def _hang_up(self, reason: str) -> None:
        """The poll loop finds it closed then, and clears up."""
        log.info("dropping a connection", action="serve", peer=self.host, reason=reason)
        self._waiting.clear()
        self._waiting_bytes = 0
        with contextlib.suppress(OSError):
            self.conn.shutdown(socket.SHUT_RDWR)
