"""One connection to a job server: gear's, with the deadlines, the TLS rules and the socket options that it lacks."""

import contextlib
import select
import socket
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import gear
from gear import constants

from libra.jobs.gearman.deadline import Deadline
from libra.jobs.gearman.packets import PIECE_BYTES, Framed, NotGearman, Packet
from libra.jobs.gearman.sockets import connect
from libra.jobs.gearman.tls import TlsFileError, answers_in_clear, build_context, explain_tls

if TYPE_CHECKING:
    from libra.config.settings import JobServerSettings

STALL_SECONDS = 10.0
PLAIN_PROBE_SECONDS = 0.5


class WireError(Exception):
    """The connection cannot be had, or is lost; the text says why, without a name or an address."""


def name_server(server: "JobServerSettings") -> str:
    """host:port, for texts and logs."""
    host = f"[{server.host}]" if ":" in server.host else server.host
    return f"{host}:{server.port}"


class Wire(Framed):
    """One connection, used once: after it is lost, a new one is made.

    gear itself reuses the object over reconnects, and so answers old jobs on new connections, where the server
    refuses the answer. One thread reads; several may send. Every wait is bounded: by the deadline given, and
    sending by `stall_seconds` without progress. All failures are `WireError`.
    """

    def __init__(self, server: "JobServerSettings", stall_seconds: float = STALL_SECONDS) -> None:
        self._partial = bytearray()
        super().__init__(
            server.host,
            server.port,
            ssl_key=_text(server.key),
            ssl_cert=_text(server.cert),
            ssl_ca=_text(server.ca),
        )
        self.name = name_server(server)
        self._stall_seconds = stall_seconds
        self._aborted = False
        self.limit: Deadline | None = None
        """Until when whatever is being sent must be out."""
        # An SSL object must not read and write at the same time, and here two threads do.
        self._tls_lock = threading.Lock()

    def connect(self, deadline: Deadline | None = None) -> None:
        """Open the connection, TLS included."""
        deadline = deadline or Deadline(self._stall_seconds)
        try:
            plain = connect(self.host, self.port, deadline)
        except OSError as error:
            raise WireError(_explain(error)) from error
        sock = self._encrypt(plain, deadline) if self.use_ssl else plain
        sock.setblocking(False)
        self.conn = sock
        self.connected = True
        if self._aborted:  # while it was being connected
            self.close()
            raise WireError("it was closed")

    def send(self, kind: int, *arguments: bytes) -> None:
        """Send one request, wholly."""
        self.sendPacket(Packet(constants.REQ, kind, b"\0".join(arguments)))

    def sendPacket(self, packet: gear.Packet) -> None:  # noqa: N802 - gear's name
        """Send it, without the line that gear makes up for its log even where that is off."""
        self.sendRaw(packet.toBinary())

    def sendRaw(self, data: bytes) -> None:  # noqa: N802 - gear's name
        """Send these bytes once each; gear starts again from the first after a partial send."""
        rest = memoryview(data)
        with self.send_lock:
            while rest:
                sent = self._send_piece(rest)
                rest = rest[sent:]
                if not sent and not self._wait(select.POLLOUT, self._stall_deadline()):
                    # Half a packet is out: nothing sensible can follow it.
                    self.abort()
                    raise WireError("it takes no more data")

    def _stall_deadline(self) -> Deadline:
        return (
            self.limit.within(self._stall_seconds) if self.limit else Deadline(self._stall_seconds)
        )

    def receive(self, deadline: Deadline) -> Packet | None:
        """The next packet, or None once the deadline has passed."""
        while self._has_more() or self._wait(select.POLLIN, deadline):
            packet = self.receive_now()
            if packet is not None:
                return packet
        return None

    def is_silent(self) -> bool:
        """Whether nothing has come in, not even the end."""
        return not self._has_more() and not self._wait(select.POLLIN, Deadline(0.0))

    def receive_now(self) -> Packet | None:
        """The next packet if it has come already."""
        try:
            packet = self.readPacket()
        except gear.RetryIOError:
            return None
        except NotGearman as error:
            raise WireError(str(error)) from error
        except (OSError, ValueError) as error:
            raise WireError(_explain(error)) from error
        if not isinstance(packet, gear.Packet):
            raise WireError("the connection was closed by the other side")
        return Packet(packet.code, packet.ptype, packet.data)

    def fileno(self) -> int:
        """The socket's number, -1 once closed."""
        return self.conn.fileno() if self.conn else -1

    def abort(self) -> None:
        """Wake whoever waits on it, with a failure. The socket itself is closed by its owner with `close`."""
        self._aborted = True
        self._shut_down(socket.SHUT_RDWR)

    def close(self, linger_seconds: float = 0.0) -> None:
        """Close it. `linger_seconds`: how long the other side may take to read what was sent.

        Closing at once while unread data is here resets the connection, and the last answers may be lost.
        """
        if linger_seconds and self.connected:
            self._linger(Deadline(linger_seconds))
        self.connected = False
        if self.conn:
            self.conn.close()

    def _linger(self, deadline: Deadline) -> None:
        self._shut_down(socket.SHUT_WR)
        try:
            while self.receive(deadline) is not None:
                pass
        except WireError:
            pass  # the end of the stream, which was waited for

    def _shut_down(self, how: int) -> None:
        if self.conn:
            with contextlib.suppress(OSError):  # not connected any more
                # Not SSLSocket.shutdown, which also makes the next read return ciphertext.
                socket.socket.shutdown(self.conn, how)

    def _encrypt(self, plain: socket.socket, deadline: Deadline) -> ssl.SSLSocket:
        """TLS, or nothing: there is no way from here to an unencrypted connection."""
        peer = plain.getpeername()
        try:
            context = build_context(self.ssl_ca, self.ssl_cert, self.ssl_key)
            # Some of the time is kept for finding out what went wrong.
            plain.settimeout(max(0.001, deadline.left() * 0.7))
            return context.wrap_socket(plain, server_hostname=self.host)
        except (OSError, ValueError) as error:
            plain.close()
            raise WireError(_explain_tls(error, peer, deadline)) from error

    def _has_more(self) -> bool:
        """Whether a whole packet or undeciphered bytes are here already, of which no poll tells."""
        if self._first_size() is not None:
            return True
        return isinstance(self.conn, ssl.SSLSocket) and self.conn.pending() > 0

    def _send_piece(self, piece: memoryview) -> int:
        """How many bytes the socket took."""
        conn = self.conn
        if conn is None:
            raise WireError("it is not connected")
        try:
            with self._tls_lock:
                return conn.send(piece)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return 0
        except (OSError, ValueError) as error:
            raise WireError(_explain(error)) from error

    def _receive_piece(self) -> bytes:
        conn = self.conn
        if conn is None:
            return b""
        try:
            with self._tls_lock:
                return conn.recv(PIECE_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise gear.RetryIOError from None
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
            return b""

    def _getAdminRequest(self) -> gear.AdminRequest:  # noqa: N802 - gear's name
        """gear comes here at the first byte that begins no packet."""
        raise NotGearman("it answers with something that is not Gearman's")

    def _wait(self, event: int, deadline: Deadline) -> bool:
        """Whether the socket became ready (or broken) before the deadline."""
        number = self.fileno()
        if number < 0:
            raise WireError("it was closed")
        poll = select.poll()
        poll.register(number, event)
        return bool(poll.poll(deadline.left() * 1000))


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _explain_tls(error: Exception, peer: tuple[str, int], deadline: Deadline) -> str:
    silent = not isinstance(error, ssl.SSLCertVerificationError | TlsFileError)
    if silent and answers_in_clear(peer, deadline.within(PLAIN_PROBE_SECONDS).left()):
        return "it answers in clear text where TLS is configured; nothing is sent to it"
    return explain_tls(error)


def _explain(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "no answer in time"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionError():
            return "the connection was lost"
        case ssl.SSLError():
            return explain_tls(error)
        case OSError():
            return (error.strerror or str(error) or type(error).__name__).lower()
        case _:
            return "it was closed"
