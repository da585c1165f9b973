"""Lock files: what only one process at a time may use."""

import fcntl
import os
from pathlib import Path
from typing import Self

from libra.errors import Conflict, StateError


class LockFile:
    """Holds `path` locked until it is closed, or its process ends in whatever way.

    The file says the holder's pid to people. It stays when the lock goes: to remove it would let two processes hold
    two files of one name.
    """

    def __init__(self, path: Path, directory_mode: int = 0o755) -> None:
        """Makes its directory where that is missing.

        Raises `Conflict` where another process holds it, `StateError` where it cannot be written.
        """
        self._handle = _open(path, directory_mode)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._handle, 20).decode("ascii", "replace").strip() or "unknown"
            os.close(self._handle)
            raise Conflict(
                f"cannot lock {path}: it is held by a running process, pid {holder}"
            ) from error

    def write_pid(self) -> None:
        """Say who holds it."""
        os.ftruncate(self._handle, 0)
        os.pwrite(self._handle, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Let it go."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _open(path: Path, directory_mode: int) -> int:
    """Never through a symbolic link: the directory may be writable by others."""
    try:
        path.parent.mkdir(mode=directory_mode, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"cannot make the directory {path.parent}: {error.strerror}") from error
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise StateError(f"cannot write {path}: {error.strerror}") from error
