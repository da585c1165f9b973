"""The daemons' own log: events with fields, as text or as JSON, on standard error or in a file.

Import this before anything else imports structlog, for what it keeps out of the process.
"""

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from libra.logs.handlers import is_journal, is_terminal, open_file, open_stream
from libra.logs.lines import JsonLines, TextLines

if TYPE_CHECKING or "rich" in sys.modules:
    import structlog
else:
    # structlog takes rich along where it is installed: 15 ms and 4 MB for tracebacks that would show local variables,
    # and so tokens. None makes its import fail, which structlog expects.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules["rich"]

VERBOSE = logging.DEBUG - 1
_NAMES = ("debug", "info", "warning", "error", "critical")
_LEVELS = {**{name: getattr(logging, name.upper()) for name in _NAMES}, "verbose": VERBOSE}
# They log whole payloads or tokens below WARNING. The root's level covers them, unless one has set its own.
_TALKATIVE = ("gear", "keystoneclient", "requests", "swiftclient", "urllib3")


def configure_logging(
    *,
    level: str = "info",
    as_json: bool = False,
    file: Path | None = None,
    stream: TextIO | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Send events from `level` on to `file`, or else to `stream` (default: standard error). May be called again.

    Libraries are heard from WARNING on, and come out in the same form. Under systemd's journal lines carry their
    level as it understands it, and text lines no time; on a terminal the level has a colour. A log that cannot be
    written later on never disturbs the work. Raises `StateError` where the file cannot be opened.

    `environ` (default: the process's) tells of JOURNAL_STREAM, NO_COLOR and TERM.
    """
    environ = os.environ if environ is None else environ
    target = sys.stderr if stream is None else stream
    handler = open_stream(target) if file is None else open_file(file)
    in_journal = file is None and is_journal(target, environ)
    colours = file is None and is_terminal(target, environ)
    lines = JsonLines(in_journal) if as_json else TextLines(in_journal, colours=colours)
    shared: list[Any] = [
        structlog.stdlib.add_logger_name,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(_build_formatter(shared, lines))
    _install(handler, _LEVELS[level])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=_build_filter(level),
    )


def set_level(level: str) -> None:
    """From now on, for every logger that there is: debug, info, warning, error, critical, or verbose.

    verbose is debug, and every turn of every loop.
    """
    logging.getLogger("libra").setLevel(_LEVELS[level])
    structlog.configure(wrapper_class=_build_filter(level))


def _build_filter(level: str) -> Any:
    """structlog knows nothing below debug but everything."""
    number = _LEVELS[level]
    return structlog.make_filtering_bound_logger(logging.NOTSET if number == VERBOSE else number)


def _build_formatter(shared: list[Any], lines: Any) -> logging.Formatter:
    """Records of the standard library's logging take the same way as our events."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, lines],
    )


def _install(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    old = list(root.handlers)
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("libra").setLevel(level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    for other in old:
        other.close()
