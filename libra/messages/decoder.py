"""Decodes messages that are nearly the one before: load balancers and nodes whose bytes came before are not read again.

A large UPDATE that changes one of thousands of nodes is read in a fraction of the time. What comes out is always what
`decode` would give; whatever is not as expected is left to it, faults and their sentences included.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Any, NamedTuple

from libra.messages.codec import (
    MAX_DEPTH,
    JsonObject,
    as_text,
    build_strict_decoder,
    decode,
    is_deeper,
    unique,
)
from libra.messages.fields import fold

SMALLEST = 4096  # bytes; below it there is nothing to win
RUN = 512  # nodes that are recognised at once
BEGINNING = 80  # characters by which a load balancer is looked for: its id is among the first ones most often
_ABOVE_NODES = 6  # containers around a node at most: message, two lists with their objects, nodes
_SPACE = re.compile(r"[ \t\n\r]*")
_NAMES = {name: name for name in ("id", "address", "port", "weight", "condition", "backup")}
_IRREGULAR = (ValueError, IndexError, RecursionError)

Reader = Callable[[int], tuple[Any, int]]  # from the position of a value to the value and its end


class Message(JsonObject):
    """A message that came from a `Decoder`: parts of it may be those of the one before, and must not be changed."""


class Nodes(list[object]):
    """The nodes of a `Message`; a part that came before is the same list."""

    def __init__(self, parts: tuple[list[object], ...]) -> None:
        super().__init__()
        self.parts = parts


def known_ends(one: object, other: object) -> tuple[int, int]:
    """How many nodes both surely begin and end with: the very same objects, without counting any twice."""
    if not isinstance(one, Nodes) or not isinstance(other, Nodes):
        return 0, 0
    start = _same_parts(one.parts, other.parts)
    rest = one.parts[start:], other.parts[start:]
    end = _same_parts(*(parts[::-1] for parts in rest))
    return sum(map(len, one.parts[:start])), sum(map(len, one.parts[len(one.parts) - end :]))


def _same_parts(one: Sequence[object], other: Sequence[object]) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], pairs))


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive nodes and the text that they were read from, first brace to last.

    `bounds` are where each node begins and ends in the text.
    """

    first: str  # the text of the first node
    text: str
    nodes: list[object]
    bounds: list[tuple[int, int]]

    @property
    def last(self) -> str:
        """The text of the last node."""
        return self.text[self.bounds[-1][0] :]

    def cut(self, start: int, stop: int) -> "_Run":
        """These nodes of it, at least one."""
        begin, end = self.bounds[start][0], self.bounds[stop - 1][1]
        first = self.text[begin : self.bounds[start][1]]
        bounds = [(one - begin, other - begin) for one, other in self.bounds[start:stop]]
        return _Run(first, self.text[begin:end], self.nodes[start:stop], bounds)

    def count_same(self, text: str, at: int) -> int:
        """How many of its nodes, counted from the first, stand there; the first one does."""
        low, high = 1, len(self.nodes)
        while low < high:
            middle = (low + high + 1) // 2
            end = self.bounds[middle - 1][1]
            if text.startswith(self.text[:end], at):
                low = middle
            else:
                high = middle - 1
        return low


class _Whole(NamedTuple):
    """A load balancer, the text that it was read from, and the runs of its nodes as a memory has them."""

    text: str
    value: JsonObject
    runs: dict[str, _Run]
    behind: dict[str, _Run]


class _Memory(NamedTuple):
    """Of the last message: runs by their first node, load balancers by how they begin, and the run that stood behind a
    node which ended one.
    """

    runs: dict[str, _Run]
    wholes: dict[str, _Whole]
    behind: dict[str, _Run]


class _Piece(NamedTuple):
    """Where a run stands in a text."""

    start: int
    end: int
    run: _Run


class Decoder:
    """Remembers the last large message. Threads may share it."""

    def __init__(self, smallest: int = SMALLEST, run: int = RUN) -> None:
        self._smallest = smallest
        self._run = run
        self._known = _Memory({}, {}, {})

    def decode(self, data: bytes) -> JsonObject:
        """As `libra.messages.codec.decode`."""
        if len(data) < self._smallest:
            return decode(data)
        scan = _Scan(as_text(data), self._known, self._run)
        try:
            message = scan.read_message()
        except _IRREGULAR:
            return decode(data)
        self._known = _Memory(scan.runs, scan.wholes, scan.behind)
        return message


class _Scan:
    """One pass over one text. Raises one of _IRREGULAR for what is no message, and for some that are."""

    def __init__(self, text: str, known: _Memory, run: int) -> None:
        self.runs: dict[str, _Run] = {}
        self.wholes: dict[str, _Whole] = {}
        self._text = text
        self.behind: dict[str, _Run] = {}
        self._known = known.runs
        self._known_behind = known.behind
        self._known_wholes = known.wholes
        self._later: list[tuple[list[JsonObject], int, JsonObject]] = []
        self._length = run
        self._fresh: list[object] = []
        self._ahead: tuple[_Run, ...] = ()  # what may come next, the likeliest first
        self._lists: list[tuple[list[object], list[_Run]]] = []

    def read_message(self) -> Message:
        """The whole text."""
        fields, at = self._object(self._skip(0), {"loadbalancers": self._loadbalancers})
        if self._skip(at) != len(self._text):
            raise ValueError("more than one value")
        # Lists of nodes, and what came as a whole, are empty still: what came before was not too deep then.
        if is_deeper(fields, MAX_DEPTH) or is_deeper(self._fresh, MAX_DEPTH - _ABOVE_NODES + 1):
            raise ValueError("too deep")
        for nodes, runs in self._lists:
            for run in runs:
                nodes.extend(run.nodes)
        for items, index, value in self._later:
            items[index] = value
        return Message(fields)

    def _skip(self, at: int) -> int:
        match = _SPACE.match(self._text, at)
        assert match is not None
        return match.end()

    def _value(self, at: int) -> tuple[Any, int]:
        return _STRICT.raw_decode(self._text, at)

    def _object(self, at: int, special: Mapping[str, Reader]) -> tuple[JsonObject, int]:
        """Lists with a special name are read by its reader."""
        pairs = []
        at, more = self._enter(at, "{}")
        while more:
            name, at = self._name(at)
            read = special.get(fold(name)) if self._text[at] == "[" else None
            value, at = read(at) if read else self._value(at)
            pairs.append((name, value))
            at, more = self._next(at, "}")
        return unique(pairs), at

    def _name(self, at: int) -> tuple[str, int]:
        if self._text[at] != '"':
            raise ValueError("no name")
        name, at = self._value(at)
        at = self._skip(at)
        if self._text[at] != ":":
            raise ValueError("no colon")
        return name, self._skip(at + 1)

    def _loadbalancers(self, at: int) -> tuple[list[JsonObject], int]:
        items: list[JsonObject] = []
        at, more = self._enter(at, "[]")
        while more:
            key = self._text[at : at + BEGINNING]
            whole = self._known_wholes.get(key)
            if whole is not None and self._text.startswith(whole.text, at):
                self._later.append((items, len(items), whole.value))
                items.append({})
                self.runs.update(whole.runs)
                self.behind.update(whole.behind)
            else:
                whole = self._read_whole(at)
                items.append(whole.value)
            self.wholes[key] = whole
            at, more = self._next(at + len(whole.text), "]")
        return items, at

    def _read_whole(self, at: int) -> _Whole:
        runs, behind = self.runs, self.behind
        self.runs, self.behind = {}, {}
        value, end = self._object(at, {"nodes": self._nodes, "pools": self._pools})
        whole = _Whole(self._text[at:end], value, self.runs, self.behind)
        runs.update(self.runs)
        behind.update(self.behind)
        self.runs, self.behind = runs, behind
        return whole

    def _pools(self, at: int) -> tuple[list[JsonObject], int]:
        return self._objects(at, {"nodes": self._nodes})

    def _objects(self, at: int, special: Mapping[str, Reader]) -> tuple[list[JsonObject], int]:
        items = []
        at, more = self._enter(at, "[]")
        while more:
            item, at = self._object(at, special)
            items.append(item)
            at, more = self._next(at, "]")
        return items, at

    def _nodes(self, at: int) -> tuple[list[object], int]:
        pieces: list[_Piece] = []
        at, more = self._enter(at, "[]")
        while more:
            run = self._read_run(at)
            pieces.append(_Piece(at, at + len(run.text), run))
            at, more = self._next(at + len(run.text), "]")
        runs = _group(self._text, pieces, self._length)
        self.runs.update((run.first, run) for run in runs)
        self.behind.update((one.last, other) for one, other in pairwise(runs))
        self._ahead = ()
        nodes = Nodes(tuple(run.nodes for run in runs))
        self._lists.append((nodes, runs))
        return nodes, at

    def _read_run(self, at: int) -> _Run:
        """The known run that begins here, as far as it is the same, or one of a single node."""
        if self._text[at] != "{":
            raise ValueError("no object")
        ahead, self._ahead = self._ahead, ()
        run = self._begun(at, ahead) or self._known.get(self._flat_object(at))
        if run is None and len(ahead) == 1:  # one node is another, is gone, or came in between
            ahead = (*self._without_first(ahead[0]), *ahead)
            run = self._begun(at, ahead)
        if run is not None:
            return self._same_part(run, at)
        node, end = self._value(at)
        first = self._text[at:end]
        run = self._known.get(first)
        if run is not None:
            return self._same_part(run, at)
        self._ahead = ahead if len(ahead) == 2 else ()  # once more, no further
        self._fresh.append(node)
        return _Run(first, first, [node], [(0, end - at)])

    def _begun(self, at: int, runs: tuple[_Run, ...]) -> _Run | None:
        return next((run for run in runs if self._text.startswith(run.first, at)), None)

    def _flat_object(self, at: int) -> str:
        """The text that is an object here if there is no brace in it, which is told without reading it."""
        return self._text[at : self._text.index("}", at) + 1]

    def _without_first(self, run: _Run) -> tuple[_Run, ...]:
        if len(run.nodes) > 1:
            return (run.cut(1, len(run.nodes)),)
        return self._behind(run)

    def _behind(self, run: _Run) -> tuple[_Run, ...]:
        found = self._known_behind.get(run.last)
        return (found,) if found is not None else ()

    def _same_part(self, run: _Run, at: int) -> _Run:
        """Most often all of it, else what stands before the first node that changed."""
        if self._text.startswith(run.text, at):
            self._ahead = self._behind(run)
            return run
        same = run.count_same(self._text, at)
        self._ahead = (run.cut(same, len(run.nodes)),)
        return run.cut(0, same)

    def _enter(self, at: int, brackets: str) -> tuple[int, bool]:
        """Behind the opening bracket; False where the closing one follows."""
        if self._text[at] != brackets[0]:
            raise ValueError("no container")
        at = self._skip(at + 1)
        return (at + 1, False) if self._text[at] == brackets[1] else (at, True)

    def _next(self, at: int, closing: str) -> tuple[int, bool]:
        """Behind the comma, or behind the closing bracket and False."""
        at = self._skip(at)
        if self._text[at] == closing:
            return at + 1, False
        if self._text[at] != ",":
            raise ValueError("no comma")
        return self._skip(at + 1), True


def _group(text: str, pieces: list[_Piece], length: int) -> list[_Run]:
    """Runs of about that length, of single nodes and of small runs; large ones stay as they are."""
    runs: list[_Run] = []
    small: list[_Piece] = []
    count = 0
    for piece in pieces:
        is_large = len(piece.run.nodes) * 2 >= length
        if small and (is_large or count >= length):
            runs.append(_join(text, small))
            small, count = [], 0
        if is_large:
            runs.append(piece.run)
        else:
            small.append(piece)
            count += len(piece.run.nodes)
    return [*runs, _join(text, small)] if small else runs


def _join(text: str, pieces: list[_Piece]) -> _Run:
    start = pieces[0].start
    nodes = [node for piece in pieces for node in piece.run.nodes]
    bounds = [
        (piece.start - start + begin, piece.start - start + end)
        for piece in pieces
        for begin, end in piece.run.bounds
    ]
    return _Run(pieces[0].run.first, text[start : pieces[-1].end], nodes, bounds)


def _share_names(pairs: list[tuple[str, object]]) -> JsonObject:
    """Thousands of nodes hold their names once."""
    return unique([(_NAMES.get(name, name), value) for name, value in pairs])


_STRICT = build_strict_decoder(_share_names)
