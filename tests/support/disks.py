"""Disks in trouble, without a disk of one's own."""

import os
import resource
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    user = os.geteuid()
    if user == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(user)
        directory.chmod(0o777)
