"""HAProxy's processes as the kernel knows them: the master that was started on our file, and its children."""

import os
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

from libra.daemon.apart import has_ended, load_words
from libra.drivers.haproxy.waiting import Deadline, wait_for

MOMENT = timedelta(seconds=1)
NOBODY = 0


class MasterPid:
    """The master's process id, kept in a file; its socket would not tell a dead one from one that restarts itself.

    The number counts only where that process runs on the configuration file, for pids are used again.
    """

    def __init__(self, file: Path, config_file: Path) -> None:
        self.file = file
        self._config_file = config_file

    def load(self) -> int | None:
        """None where no such process runs."""
        return wait_for(self._look, Deadline(MOMENT)) or None

    def is_ours(self, pid: int) -> bool:
        """Whether that process runs on our file, as the master's children do, too."""
        words = load_words(pid)
        return words is not None and bytes(self._config_file) in words

    def _look(self) -> int | None:
        """NOBODY where it is certain; None in the moment when the file is written, or the master starts itself anew."""
        try:
            text = self.file.read_text()
            pid = int(text) if text else None
        except (OSError, ValueError):
            return NOBODY
        if pid is None:
            return None
        if has_ended(pid):
            return NOBODY
        words = load_words(pid)
        if not words:
            return None
        return pid if bytes(self._config_file) in words else NOBODY


def load_other_file(pid: int, config_file: Path) -> str | None:
    """The file that a HAProxy was started from where that is not ours; None where it is, or cannot be told."""
    words = load_words(pid) or []
    given = [os.fsdecode(word) for flag, word in pairwise(words) if flag == b"-f"]
    ours = config_file.resolve()
    if any(Path(word).resolve() in (ours, ours.parent) for word in given):
        return None
    return given[-1] if given else None


def load_children(pid: int) -> tuple[int, ...]:
    """Those that were not reaped yet; none where the kernel does not say."""
    try:
        return tuple(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return ()


def load_parent(pid: int) -> int | None:
    """None where there is no such process, or nobody's."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    parent = int(text.rpartition(")")[2].split()[1])  # the name before it may hold anything
    return parent if parent > 1 else None
