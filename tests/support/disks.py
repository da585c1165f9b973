"""Disks in trouble, without a disk of one's own."""

import errno
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import pytest

NOBODY = 65534


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: a write fails in its middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def directory_of_others() -> Iterator[Path]:
    """A new directory that everybody may write to."""
    path = Path(tempfile.mkdtemp(prefix="lb"))
    path.chmod(0o777)
    try:
        yield path
    finally:
        path.chmod(0o700)
        shutil.rmtree(path)


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """Nobody may write there, root included: it becomes somebody else meanwhile."""
    directory.chmod(0o555)
    try:
        with no_root():
            yield
    finally:
        directory.chmod(0o777)


@contextmanager
def no_root() -> Iterator[None]:
    """Root becomes somebody else meanwhile, for whom permissions count."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)


class FailingDisk:
    """From one write below `directory` on all fail, as on a disk that has just filled up, or that became read-only.

    `with FailingDisk(directory, errno.ENOSPC, at=3)` lets two writes through; `writes` counts them all. What is
    deleted is no write to a full disk.
    """

    def __init__(self, directory: Path, fault: int, *, at: int) -> None:
        self.writes = 0
        self._directory = str(directory)
        self._fault = fault
        self._at = at
        self._patch = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        names = ["open", "replace", "rename", "link", "mkdir", "fsync"]
        if self._fault == errno.EROFS:
            names.append("unlink")
        for name in names:
            self._patch.setattr(os, name, self._failing(getattr(os, name)))
        return self

    def __exit__(self, *_: object) -> None:
        self._patch.undo()

    def _failing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if self._is_write(call.__name__, *arguments):
                self.writes += 1
                if self.writes >= self._at:
                    raise OSError(self._fault, os.strerror(self._fault))
            return call(*arguments, **options)

        return wrapped

    def _is_write(self, name: str, where: object, *arguments: object) -> bool:
        if name == "fsync":
            return True
        if name == "open" and not int(str(arguments[0])) & os.O_CREAT:
            return False
        return str(where).startswith(self._directory)


@contextmanager
def small_disk(path: Path, *, megabytes: int) -> Iterator[Path]:
    """A disk of that size at an empty directory, which can be filled up; for root only."""
    options = f"size={megabytes}m"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
    try:
        yield path
    finally:
        subprocess.run(["umount", "--lazy", path], check=True)
