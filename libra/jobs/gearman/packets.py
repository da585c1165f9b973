"""gear's packets and their framing, made safe for large and for hostile data."""

import logging
import struct

import gear

from libra.errors import Invalid
from libra.messages.fields import quoted

MOST_BYTES = 64 * 1024 * 1024
"""Largest packet that is sent or read."""
MOST_LINE_BYTES = 8 * 1024
"""Longest line of the administrative protocol."""
MOST_NAME_BYTES = 512
"""Longest name of a function."""
PIECE_BYTES = 64 * 1024
"""How much is read at once."""

HEADER = struct.Struct("!4sII")


def quiet_gear() -> None:
    """Keep gear's log at warnings: below that it writes whole jobs, and with them what they hold in secrets."""
    logging.getLogger("gear").setLevel(logging.WARNING)


class NotGearman(gear.DisconnectError):
    """What came in is not the Gearman protocol, or too large. gear's server drops such a connection quietly."""


class Packet(gear.Packet):
    """gear's packet. Its own `getArgument` splits the whole payload at every NUL, and is called for each log line."""

    def getArgument(self, index: int, last: bool = False) -> bytes:  # noqa: N802 - gear's name
        """Argument number `index`; the last one may hold NULs. IndexError where there are fewer."""
        start = 0
        for _ in range(index):
            start = self.data.find(b"\0", start) + 1
            if start == 0:
                raise IndexError(f"packet has no argument {index}")
        end = -1 if last else self.data.find(b"\0", start)
        return bytes(self.data[start:] if end < 0 else self.data[start:end])


class Framed(gear.Connection):
    """Hands exactly one whole packet at a time to gear's `readPacket`.

    Left alone that one appends pieces of 4 KiB to bytes, which takes quadratic time (10 MB: seconds), believes any
    length in a header (a negative one makes it spin for ever), and collects text without end.
    """

    _partial: bytearray  # set by the subclass, before gear's own __init__

    def _readRawBytes(self, bytes_to_read: int) -> bytes:  # noqa: ARG002, N802 - as gear calls it
        """One whole packet or line; b"" at the end of the stream. Raises RetryIOError where more must come first."""
        while (size := self._first_size()) is None:
            piece = self._receive_piece()
            if not piece:
                return b""
            self._partial += piece
        with memoryview(self._partial) as view:
            first = bytes(view[:size])
        del self._partial[:size]
        return first

    def _receive_piece(self) -> bytes:
        """What the socket has; b"" at the end of the stream. Raises RetryIOError where it has nothing yet."""
        raise NotImplementedError

    def _first_size(self) -> int | None:
        """Size of the first packet or line, once it is there as a whole. Raises `NotGearman`."""
        if not self._partial:
            return None
        size = self._packet_size() if self._partial[0] == 0 else self._line_size()
        return size if size is not None and size <= len(self._partial) else None

    def _packet_size(self) -> int | None:
        if len(self._partial) < HEADER.size:
            return None
        magic, kind, length = HEADER.unpack_from(self._partial)
        if magic not in (b"\0REQ", b"\0RES"):
            raise NotGearman(f"it sends {bytes(magic)!r} where a packet should begin")
        if length > MOST_BYTES:
            raise NotGearman(f"it announces a packet (type {kind}) of {length} bytes")
        return HEADER.size + int(length)

    def _line_size(self) -> int | None:
        end = self._partial.find(b"\n", 0, MOST_LINE_BYTES)
        if end < 0 and len(self._partial) >= MOST_LINE_BYTES:
            raise NotGearman(f"it sends more than {MOST_LINE_BYTES} bytes in one line")
        return None if end < 0 else end + 1


def ensure_function(name: str) -> None:
    """Raises `Invalid` for what cannot be a function's name: NUL separates arguments, line feeds end lines in lists."""
    if not name or not name.isprintable() or len(name.encode(errors="replace")) > MOST_NAME_BYTES:
        raise Invalid(f"cannot use {quoted(name)} as the name of a function")


def ensure_sendable(size: int) -> None:
    """Raises `Invalid` for more bytes than one packet may have (some are needed for names and handles)."""
    most = MOST_BYTES - 4096
    if size > most:
        raise Invalid(f"cannot send {size} bytes in one packet: at most {most} are allowed")
