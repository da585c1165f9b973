"""Files that survive a crash: written beside, synced, renamed.

The name beside is always the same, `.NAME.new`: what a killed process leaves there is overwritten by the next one, so
that nothing piles up. Two writers of one path have to wait for each other.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path


def replace_file(path: Path, data: bytes, *, mode: int = 0o600, synced: bool = True) -> None:
    """Put `data` at `path` whole or not at all; raises OSError and leaves the old file in place.

    `synced` False is for what a loss of power makes worthless anyway.
    """
    write_beside(path, data, mode=mode, synced=synced)
    install_beside(path, synced=synced)


def write_beside(path: Path, data: bytes, *, mode: int = 0o600, synced: bool = True) -> None:
    """The first half of `replace_file`: what `install_beside` puts in place, or `remove_beside` takes away."""
    write_new(_beside(path), data, mode=mode, synced=synced)


def install_beside(path: Path, *, synced: bool = True) -> None:
    """The second half of `replace_file`; raises OSError."""
    beside = _beside(path)
    with removed_on_failure(beside):
        beside.replace(path)
    if synced:
        sync_directory(path.parent)


def remove_beside(path: Path) -> None:
    """Take away what was written and not installed; raises OSError."""
    _beside(path).unlink(missing_ok=True)


def replace_files(files: Mapping[Path, bytes], *, mode: int = 0o600) -> None:
    """As `replace_file`, for several of one directory, in a fraction of the time: the disk has all of them to sync
    when it is first asked. Where it fails, some may be in place.
    """
    beside = {_beside(path): data for path, data in files.items()}
    with ExitStack() as stack:
        for path, data in beside.items():
            stack.enter_context(removed_on_failure(path))
            write_new(path, data, mode=mode, synced=False)
        for path in beside:
            sync_file(path)
        for path in files:
            _beside(path).replace(path)
    for directory in {path.parent for path in files}:
        sync_directory(directory)


def write_new(path: Path, data: bytes, *, mode: int = 0o600, synced: bool = True) -> None:
    """A new file in place of any other, its data on disk; its name is made durable by the rename that installs it.

    `synced` False leaves the data to whoever syncs it later. Raises OSError, and then there is none: it would take the
    last room of a full disk.
    """
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with removed_on_failure(path), os.fdopen(handle, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        if synced:
            os.fsync(file.fileno())


@contextmanager
def removed_on_failure(path: Path) -> Iterator[None]:
    """Leave no file there where the block fails."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def remove_file(path: Path) -> None:
    """Remove a file for good, and what a killed process left of a new one; no error where there is none."""
    path.unlink(missing_ok=True)
    remove_beside(path)
    sync_directory(path.parent)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.new")


def sync_file(path: Path) -> None:
    """Its data is on disk when this returns; raises OSError."""
    _sync(path, os.O_RDONLY)


def sync_directory(directory: Path) -> None:
    """A rename is on disk only when its directory is."""
    _sync(directory, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
