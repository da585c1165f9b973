"""Columns, and what may stand in a line."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
MOST = 300  # characters of a reason


@dataclass(frozen=True, slots=True)
class Column:
    """At least `width` wide, and as wide as what is in it: a name that is cut is no name."""

    title: str
    width: int
    align: str = "<"


def lay_out(columns: Sequence[Column], rows: Iterable[Sequence[object]]) -> list[str]:
    """The header, and a line for each row, without spaces at their ends."""
    titles = [column.title for column in columns]
    cells = [titles, *([one_line(cell) for cell in row] for row in rows)]
    widths = [
        max(column.width, *(len(row[number]) for row in cells))
        for number, column in enumerate(columns)
    ]
    return [_line(columns, widths, row) for row in cells]


def _line(columns: Sequence[Column], widths: Sequence[int], row: Sequence[str]) -> str:
    filled = (
        f"{cell:{column.align}{width}}"
        for column, width, cell in zip(columns, widths, row, strict=True)
    )
    return " ".join(filled).rstrip()


def one_line(value: object) -> str:
    """Nothing that ends a line, hides in one, or makes a terminal do something; None is a dash."""
    if value is None:
        return "-"
    return _CONTROL.sub(" ", str(value)).strip()


def shorten(text: str) -> str:
    """What a proxy says may be pages."""
    line = one_line(text)
    return line if len(line) <= MOST else f"{line[:MOST]}..."
