"""Unified diffs whose time grows with the length of the texts only, whatever changed in them.

`difflib` takes quadratic time where many lines of thousands changed, and a device may have 20,000 nodes. So the
texts are first tied together by the lines that stand once in each, and only what is between those is left to it.
"""

import difflib
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise

MOST_PAIRS = 40_000  # lines times lines between two ties; beyond, all of them count as changed
Block = tuple[int, int, int]  # position in one text, position in the other, length
Lines = Sequence[str]


def render_diff(before: str, after: str, *, context: int = 3) -> str:
    """The lines of a unified diff from what is installed to what is wanted; empty where nothing differs."""
    one, other = before.splitlines(), after.splitlines()
    lines: list[str] = []
    for group in _Tied(one, other).get_grouped_opcodes(context):
        lines += [_heading(group), *_hunk(group, one, other)]
    return "\n".join(["--- installed", "+++ wanted", *lines]) if lines else ""


class _Tied(difflib.SequenceMatcher[str]):
    """Finds what is the same in its own way; the grouping is difflib's."""

    def __init__(self, one: Lines, other: Lines) -> None:
        super().__init__(None, one, other, autojunk=False)
        self._texts = one, other

    def get_matching_blocks(self) -> list[difflib.Match]:
        one, other = self._texts
        blocks = _joined(_blocks(one, other))
        return [difflib.Match(*block) for block in (*blocks, (len(one), len(other), 0))]


def _blocks(one: Lines, other: Lines) -> Iterator[Block]:
    ends = (len(one), len(other))
    for (i, j), (k, m) in pairwise([(-1, -1), *_ties(one, other), ends]):
        if i >= 0:
            yield i, j, 1
        yield from _between(one, other, (i + 1, k), (j + 1, m))


def _between(
    one: Lines, other: Lines, here: tuple[int, int], there: tuple[int, int]
) -> Iterator[Block]:
    part, counterpart = one[slice(*here)], other[slice(*there)]
    if 0 < len(part) * len(counterpart) <= MOST_PAIRS:
        matcher = difflib.SequenceMatcher(None, part, counterpart, autojunk=False)
        yield from (
            (here[0] + i, there[0] + j, length)
            for i, j, length in matcher.get_matching_blocks()
            if length
        )


def _joined(blocks: Iterator[Block]) -> Iterator[Block]:
    i = j = length = 0
    for block in blocks:
        if block[:2] == (i + length, j + length):
            length += block[2]
        else:
            if length:
                yield i, j, length
            i, j, length = block
    if length:
        yield i, j, length


def _ties(one: Lines, other: Lines) -> list[tuple[int, int]]:
    """The positions of lines that stand once in each, as many as have the same order in both."""
    places = _single(other)
    pairs = [(i, places[line]) for line, i in _single(one).items() if line in places]
    ends: list[int] = []  # smallest last position of a rising series, by its length
    last: list[int] = []  # which pair that is
    before: list[int | None] = []
    for index, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [index]
    return _series(pairs, before, last[-1] if last else None)


def _series(
    pairs: list[tuple[int, int]], before: list[int | None], index: int | None
) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    while index is not None:
        found.append(pairs[index])
        index = before[index]
    return found[::-1]


def _single(lines: Lines) -> dict[str, int]:
    counts = Counter(lines)
    return {line: index for index, line in enumerate(lines) if counts[line] == 1}


def _heading(group: Sequence[tuple[str, int, int, int, int]]) -> str:
    (_, start, _, begin, _), (_, _, stop, _, end) = group[0], group[-1]
    return f"@@ -{_range(start, stop)} +{_range(begin, end)} @@"


def _range(start: int, stop: int) -> str:
    """Lines are counted from 1; an empty range names the line before it."""
    length = stop - start
    return f"{start + (length > 0)},{length}"


def _hunk(
    group: Sequence[tuple[str, int, int, int, int]], one: Lines, other: Lines
) -> Iterator[str]:
    for tag, start, stop, begin, end in group:
        if tag == "equal":
            yield from (f" {line}" for line in one[start:stop])
            continue
        yield from (f"-{line}" for line in one[start:stop])
        yield from (f"+{line}" for line in other[begin:end])
