"""The access log and its rotated files, as they are at one moment."""

import os
import re
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from libra.errors import DriverError

log = structlog.get_logger(__name__)

# haproxy.log.1, haproxy.log.2.gz, haproxy.log-20261121, haproxy.log-2026112105.gz, haproxy.log-20261121-1795238760
_ROTATED = re.compile(r"(?P<kind>[.-])(?P<digits>[0-9]+(-[0-9]+)*)(?P<suffix>\.[A-Za-z0-9]+)?")
_DATE_DIGITS = 8
_LOOKS = 10  # at a directory that changes while it is read
_BACK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class LogFile:
    """An open file of the log. Of a plain one the first `size` bytes count: the whole lines at that moment."""

    path: Path
    fd: int
    size: int
    compressed: bool


def find_log_files(names: list[str], log_name: str) -> list[str]:
    """The log's files among a directory's names, oldest first.

    logrotate's two ways: dated names (the greater the younger) and numbered ones (the greater the older); the log
    itself comes last. While `x` is compressed there are `x` and a half-written `x.gz`: `x` is taken.
    """
    found: dict[tuple[str, str], str] = {}
    for name in sorted(names):
        match = _ROTATED.fullmatch(name.removeprefix(log_name))
        if match is None or not name.startswith(log_name):
            continue
        if match["suffix"] in (None, ".gz"):
            found.setdefault((match["kind"], match["digits"]), name)
        else:
            log.warning("not archived: unknown compression", action="find logs", file=name)
    rotated = sorted(found, key=lambda key: _age(key[1]))
    current = [log_name] if log_name in names else []
    return [found[key] for key in rotated] + current


def _age(digits: str) -> tuple[int, ...]:
    """Sorts oldest first: dates before numbers, dates upwards (20261121 as 2026112100), numbers downwards."""
    first, *rest = digits.split("-")
    if len(first) < _DATE_DIGITS:
        return (1, -int(first), *map(int, rest))
    return (0, int(first.ljust(14, "0")), *map(int, rest))


@contextmanager
def open_log_files(path: Path) -> Iterator[list[LogFile]]:
    """All files of the log, oldest first, opened together: what is rotated later is read all the same.

    No files are no error. Raises `DriverError` where one cannot be opened.
    """
    with ExitStack() as stack:
        yield _open_all(path, stack)


def _open_all(path: Path, stack: ExitStack) -> list[LogFile]:
    """Again while files are renamed in between, for one could be missed or read twice."""
    for _ in range(_LOOKS):
        with ExitStack() as attempt:
            files = [_open(path.parent / name, attempt) for name in _list(path)]
            opened = [file for file in files if file is not None]
            if None not in files and _identities(path) == [_identity(f.fd) for f in opened]:
                stack.push(attempt.pop_all())
                return opened
    raise DriverError(f"cannot read the access log {path}: it is being rotated again and again")


def _list(path: Path) -> list[str]:
    try:
        return find_log_files([entry.name for entry in path.parent.iterdir()], path.name)
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DriverError(f"cannot read the access log {path}: {error.strerror}") from error


def _open(path: Path, stack: ExitStack) -> LogFile | None:
    try:
        # O_NONBLOCK: a named pipe of that name must not hold us up.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DriverError(f"cannot read the access log {path}: {error.strerror}") from error
    stack.callback(os.close, fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise DriverError(f"cannot read the access log {path}: it is no regular file")
    compressed = path.suffix == ".gz"
    return LogFile(path, fd, os.fstat(fd).st_size if compressed else _whole_lines(fd), compressed)


def _whole_lines(fd: int) -> int:
    """Where the last whole line ends: what follows is still being written."""
    end = os.fstat(fd).st_size
    while end:
        start = max(0, end - _BACK_BYTES)
        newline = os.pread(fd, end - start, start).rfind(b"\n")
        if newline >= 0:
            return start + newline + 1
        end = start
    return 0


def _identities(path: Path) -> list[tuple[int, int]]:
    found = []
    for name in _list(path):
        try:
            status = (path.parent / name).stat()
        except OSError:
            continue
        found.append((status.st_dev, status.st_ino))
    return found


def _identity(fd: int) -> tuple[int, int]:
    status = os.fstat(fd)
    return status.st_dev, status.st_ino
