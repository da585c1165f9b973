"""Reads one YAML document, strictly: what YAML 1.1 would quietly turn into something else stays as it was written.

Built from the parser's events, so nothing is constructed that a settings file has no use for: no tags, no aliases
(and so no alias bombs), no dates, no `on` as a boolean, no 22:22 as 1342, no 010 as 8, no key given twice.
"""

import re
from dataclasses import dataclass
from typing import Any

import yaml

from libra.messages.fields import quoted

MAX_DEPTH = 20
MAX_FAULTS = 50
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_FLAGS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Document:
    """A document's value (None for an empty one), and what is wrong with its text, by line."""

    value: object
    faults: tuple[str, ...] = ()


def parse_document(text: str) -> Document:
    """The value of one YAML document: dicts with text keys, lists, texts, numbers, booleans, None. Never raises."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
            if builder.stopped:
                break
    except yaml.MarkedYAMLError as error:
        builder.fault(error.problem_mark, error.problem or "not YAML")
    except yaml.YAMLError as error:
        builder.fault(None, str(error).splitlines()[0])
    except UnicodeEncodeError:
        builder.fault(None, "it holds half a surrogate pair")
    return Document(builder.value, tuple(builder.faults))


class _Builder:
    """Puts events together, with a stack of its own: nesting costs no recursion."""

    def __init__(self) -> None:
        self.value: object = None
        self.faults: list[str] = []
        self.stopped = False
        self._documents = 0
        self._open: list[dict[str, object] | list[object]] = []
        self._keys: list[str | None] = []  # the key that waits for its value, a level each

    def fault(self, mark: Any, problem: str) -> None:
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        self.faults.append(where + problem)
        self.stopped = self.stopped or len(self.faults) >= MAX_FAULTS

    def take(self, event: Any) -> None:
        if getattr(event, "tag", None) not in (None, "!"):
            self.fault(event.start_mark, "tags (!...) are not taken")
        match event:
            case yaml.DocumentStartEvent():
                self._start_document(event)
            case yaml.ScalarEvent():
                self._scalar(event)
            case yaml.AliasEvent():
                self.fault(event.start_mark, "aliases (*...) are not taken; write the value again")
                self._place(None, event)
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._push({} if isinstance(event, yaml.MappingStartEvent) else [], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._keys.pop()

    def _start_document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self.fault(event.start_mark, "a second document begins here; one is taken")
            self.stopped = True

    def _scalar(self, event: Any) -> None:
        if self._expects_key():
            self._take_key(event)
        else:
            plain = event.implicit[0]
            self._place(parse_scalar(event.value) if plain else event.value, event)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1], dict) and self._keys[-1] is None

    def _take_key(self, event: Any) -> None:
        mapping = self._open[-1]
        if event.value in mapping:
            self.fault(event.start_mark, f"the key {quoted(event.value)} is given twice")
        self._keys[-1] = event.value

    def _push(self, container: "dict[str, object] | list[object]", event: Any) -> None:
        self._place(container, event)
        self._open.append(container)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            self.fault(event.start_mark, f"nested deeper than {MAX_DEPTH} levels")
            self.stopped = True

    def _place(self, value: object, event: Any) -> None:
        """Put a finished value or a fresh container where it belongs."""
        if not self._open:
            self.value = value
            return
        container = self._open[-1]
        if isinstance(container, list):
            container.append(value)
        elif self._keys[-1] is None:
            self.fault(event.start_mark, "a key must be a text")
            self.stopped = True
        else:
            container[self._keys[-1]] = value
            self._keys[-1] = None


def parse_scalar(text: str) -> object:
    """A plain scalar by the core rules of YAML 1.2; what only looks like a number stays text."""
    if text in _NULLS:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
