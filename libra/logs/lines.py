"""Events as lines: nothing that came from outside can start a line, move a cursor or fill the disk."""

import json
import re
from collections.abc import MutableMapping
from typing import Any

from libra.messages.replies import masked

MAX_VALUE = 4096  # characters of one field
MAX_TRACE_LINES = 200
_BARE = re.compile(r"[A-Za-z0-9_.:/@+-]+")
_SECRET_NAME = re.compile(r"token|password|secret", re.IGNORECASE)
_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
_COLOURS = {"critical": 31, "error": 31, "warning": 33, "info": 32, "debug": 2}
_OWN = "libra."

Event = MutableMapping[str, Any]


class TextLines:
    """`<time> <level> <event>  name=value ...`, and a traceback's lines below it, indented."""

    def __init__(self, in_journal: bool = False, *, colours: bool = False) -> None:
        self._in_journal = in_journal
        self._colours = colours

    def __call__(self, _logger: object, _method: str, event: Event) -> str:
        """The last step of structlog's chain."""
        time, level, trace = event.pop("timestamp"), event.pop("level"), event.pop("exception", "")
        if event.get("logger", "").startswith(_OWN):
            del event["logger"]  # the event tells enough
        head = f"{self._colour(level)} {escape(cut(str(event.pop('event'))))}"
        if not self._in_journal:  # which keeps the time itself
            head = f"{time} {head}"
        fields = [
            f"{name}={_text_field(name, value)}"
            for name, value in event.items()
            if value is not None
        ]
        lines = ["  ".join([head, " ".join(fields)]).rstrip()]
        lines += [f"    {escape(cut(line))}" for line in _trace_lines(trace)]
        return "\n".join(_with_priority(lines, level) if self._in_journal else lines)

    def _colour(self, level: str) -> str:
        word = f"{level:<8}"
        return f"\x1b[{_COLOURS.get(level, 0)}m{word}\x1b[0m" if self._colours else word


class JsonLines:
    """One object a line; a traceback is one text in it, under `exception`."""

    def __init__(self, in_journal: bool = False) -> None:
        self._in_journal = in_journal

    def __call__(self, _logger: object, _method: str, event: Event) -> str:
        """The last step of structlog's chain."""
        level = event["level"]
        if "exception" in event:
            event["exception"] = _trace_lines(event["exception"])
        first = {name: event.pop(name) for name in ("timestamp", "level", "event")}
        fields = {**first, **event}
        line = ", ".join(f"{_dump(name)}: {_json_field(name, fields[name])}" for name in fields)
        return _with_priority([f"{{{line}}}"], level)[0] if self._in_journal else f"{{{line}}}"


def escape(text: str) -> str:
    """The text in one line and printable: line ends, terminal codes, direction marks, half surrogates are spelt out."""
    return text if text.isprintable() else "".join(map(_escape_character, text))


def cut(text: str) -> str:
    """The text at a length that a log can bear."""
    return text if len(text) <= MAX_VALUE else f"{text[:MAX_VALUE]}... ({len(text)} characters)"


def _escape_character(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def _text_field(name: str, value: object) -> str:
    """Bare where that is clear, else as a JSON text."""
    if _SECRET_NAME.search(name):
        return "***"
    if isinstance(value, dict | list | tuple):
        return cut(_dump(_masked(value)))
    text = cut(_text(value))
    if _BARE.fullmatch(text):
        return text
    return '"' + escape(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def _json_field(name: str, value: object) -> str:
    """Each as JSON of its own, so that one that cannot be written costs itself and not the event."""
    if _SECRET_NAME.search(name):
        return _dump("***")
    if name == "exception" and isinstance(value, list):
        return _dump("\n".join(map(cut, value)))
    if isinstance(value, dict | list | tuple):
        text = _dump(_masked(value))
        return text if len(text) <= MAX_VALUE else _dump(cut(text))
    return _dump(value if isinstance(value, int | float) or value is None else cut(_text(value)))


def _masked(value: object) -> object:
    return masked(value) if isinstance(value, dict) else value


def _text(value: object) -> str:
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - a broken __str__ must not cost the event
        return f"a {type(value).__name__} that cannot be shown"


def _dump(value: object) -> str:
    """ASCII, so in one line; what JSON does not know is shown as text, and what is nested too deep is not shown."""
    try:
        return json.dumps(value, default=_text)
    except (ValueError, RecursionError, TypeError):
        return '"a value that cannot be shown"'


def _trace_lines(trace: str) -> list[str]:
    lines = trace.splitlines()
    if len(lines) <= MAX_TRACE_LINES:
        return lines
    half = MAX_TRACE_LINES // 2
    return [*lines[:half], f"... {len(lines) - 2 * half} lines ...", *lines[-half:]]


def _with_priority(lines: list[str], level: str) -> list[str]:
    """sd-daemon's prefix, on each line, for the journal takes each as an entry of its own."""
    return [f"<{_PRIORITIES.get(level, 6)}>{line}" for line in lines]
