"""The daemons' own log: events with fields, as text or as JSON, on standard error or in a file."""

import json
import logging
import re
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

from libra.errors import StateError

if TYPE_CHECKING or "rich" in sys.modules:
    import structlog
else:
    # structlog takes rich along where it is installed: 70 ms and 4 MB for tracebacks that would show local variables,
    # and so tokens. None makes its import fail, which structlog expects.
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        import structlog
    finally:
        del sys.modules["rich"]

_BARE = re.compile(r"[A-Za-z0-9_.:/@+-]+")
_LEVELS = {name: getattr(logging, name.upper()) for name in ("debug", "info", "warning", "error")}


def configure_logging(
    *, level: str = "info", as_json: bool = False, file: Path | None = None
) -> None:
    """Send events from `level` on to `file`, or to standard error. May be called again.

    Libraries are heard from WARNING on: some log whole payloads below that, and so tokens. Raises `StateError` where
    the file cannot be written.
    """
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler = _open_handler(file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                render_json if as_json else render_text,
            ],
        )
    )
    _install(handler, _LEVELS[level])
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[level]),
    )


def render_text(_logger: object, _method: str, event: Any) -> str:
    """`<time> <level> <event> name=value ...`: one line, but for a traceback that follows it."""
    trace = event.pop("exception", "")
    head = f"{event.pop('timestamp')} {event.pop('level'):<8} {_one_line(event.pop('event'))}"
    fields = [f"{name}={_field(value)}" for name, value in event.items() if value is not None]
    return "  ".join([head, " ".join(fields)]).rstrip() + (f"\n{trace}" if trace else "")


def render_json(_logger: object, _method: str, event: Any) -> str:
    """One object a line."""
    first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
    return json.dumps({**first, **event}, default=str)


def _field(value: object) -> str:
    """Bare where that is clear, else as a JSON text: what came from outside cannot start a line of its own."""
    text = str(value)
    return text if _BARE.fullmatch(text) else json.dumps(text)


def _one_line(text: object) -> str:
    return str(text).replace("\n", "\\n").replace("\r", "\\r")


def _open_handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return WatchedFileHandler(file, encoding="utf-8")  # opens anew after logrotate
    except OSError as error:
        raise StateError(f"cannot write the log {file}: {error.strerror}") from error


def _install(handler: logging.Handler, level: int) -> None:
    root = logging.getLogger()
    old = list(root.handlers)
    root.handlers = [handler]
    root.setLevel(max(level, logging.WARNING))
    logging.getLogger("libra").setLevel(level)
    for other in old:
        other.close()
