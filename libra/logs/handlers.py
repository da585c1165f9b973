"""Where log lines go. A line that cannot be written is lost, and nothing else."""

import logging
import os
from collections.abc import Mapping
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TextIO

from libra.errors import StateError


def open_stream(stream: TextIO | None) -> logging.Handler:
    """A handler on a stream; None, as standard error is where the process was started without one, takes nothing."""
    return logging.NullHandler() if stream is None else _StreamHandler(stream)


def open_file(path: Path) -> logging.Handler:
    """A handler on a file, which it opens anew after logrotate moved it; raises `StateError`."""
    try:
        return _FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise StateError(f"cannot write the log {path}: {error.strerror}") from error


def is_journal(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """True where the stream is the one that systemd connected to the journal.

    The variable alone proves nothing: children inherit it, with other streams.
    """
    try:
        status = os.fstat(stream.fileno()) if stream is not None else None
    except (OSError, ValueError):
        return False
    named = environ.get("JOURNAL_STREAM")
    return status is not None and named == f"{status.st_dev}:{status.st_ino}"


def is_terminal(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """True where colours are welcome."""
    try:
        shows = stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False
    return shows and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"


class _StreamHandler(logging.StreamHandler[TextIO]):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """The stream is closed, or its reader is gone: there is nobody to tell."""


class _FileHandler(WatchedFileHandler):
    def emit(self, record: logging.LogRecord) -> None:
        """Opening anew fails outside of logging's own guard, as when the directory was removed."""
        try:
            super().emit(record)
        except OSError:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """The disk is full, or the directory is gone; the next line tries again."""
