"""Opens what is below a directory, and nothing else, whatever links and renames somebody makes meanwhile."""

import os
from collections.abc import Sequence
from pathlib import Path

# Not blocking: a pipe that nobody writes to would hold a thread for ever.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK


def open_below(directory: str, within: Sequence[str], names: Sequence[bytes]) -> int | None:
    """The descriptor of a file or directory for these names; None where there is none, or it may not be read.

    Links are followed as long as they stay below `directory`, which is itself in one of `within`. What was opened is
    looked at, not what its name meant a moment before. The names are those of `split_below`.
    """
    root = _open(os.fsencode(directory), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    if root is None:
        return None
    try:
        base = _real_path(root)
        if not any(_is_in(base, os.fsencode(os.path.realpath(one))) for one in within):
            return None
        handle = _open(b"/".join((os.fsencode(directory), *filter(None, names))), _FLAGS)
    finally:
        os.close(root)
    if handle is not None and not _is_in(_real_path(handle), base):
        os.close(handle)
        return None
    return handle


def descriptor_path(handle: int) -> str:
    """A name that opens the very same file once more."""
    return f"/proc/self/fd/{handle}"


def _open(path: bytes, flags: int) -> int | None:
    try:
        return os.open(path, flags)
    except (OSError, ValueError):  # too long a name, a loop of links, not a directory, ...
        return None


def _real_path(handle: int) -> bytes:
    return os.fsencode(Path(descriptor_path(handle)).readlink())


def _is_in(path: bytes, directory: bytes) -> bool:
    return path == directory or path.startswith(directory.rstrip(b"/") + b"/")
