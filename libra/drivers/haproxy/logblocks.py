"""Log files as blocks of whole lines, in bounded memory."""

import os
from collections.abc import Iterable, Iterator

from libra.drivers.haproxy.logfiles import LogFile
from libra.errors import DriverError

BLOCK_BYTES = 256 * 1024
LONGEST_LINE = 1024 * 1024  # HAProxy's longest is 64 KiB; what is longer is no line of a log


def read_blocks(file: LogFile) -> Iterator[bytes]:
    """A file's whole lines; raises `DriverError` where it cannot be read to the end."""
    try:
        yield from whole_lines(_decompress(file) if file.compressed else _read(file))
    except (OSError, EOFError) as error:
        raise DriverError(f"cannot read the access log {file.path}: {error}") from error


def whole_lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks cut at line ends. What follows the last one is dropped, and so is the middle of an endless line."""
    rest = b""
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        if end:
            yield rest + chunk[:end]
            rest = chunk[end:]
        elif len(rest) + len(chunk) <= LONGEST_LINE:
            rest += chunk


def cut_short(file: LogFile) -> DriverError:
    """The error for a file that lost what it had when it was opened."""
    return DriverError(
        f"cannot read the access log {file.path}: it was cut short while it was read; send the message again"
    )


def _read(file: LogFile) -> Iterator[bytes]:
    position = 0
    while position < file.size:
        chunk = os.pread(file.fd, min(BLOCK_BYTES, file.size - position), position)
        if not chunk:
            raise cut_short(file)
        position += len(chunk)
        yield chunk


def _decompress(file: LogFile) -> Iterator[bytes]:
    from isal import igzip, isal_zlib

    with os.fdopen(os.dup(file.fd), "rb") as raw, igzip.IGzipFile(fileobj=raw) as source:
        try:
            while chunk := source.read(BLOCK_BYTES):
                yield chunk
        except isal_zlib.error as error:
            raise OSError(str(error)) from error
