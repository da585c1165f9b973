"""The scheduler's URLs as its page lists them (tests/data/scheduler-urls.txt), with every alternative written out."""

import re
from collections.abc import Iterator
from pathlib import Path

FILE = Path(__file__).parent.parent.parent / "data" / "scheduler-urls.txt"
LINE = re.compile(r"(GET|PUT|POST|DELETE) (/\S*)")
# In brackets what may be left out, in parentheses one of several, and the same of a value without either.
_PART = re.compile(r"\[([^\]]*)\]|\(([^)]*)\)|(?<==)([^=&\[\]()]*\|[^=&\[\]()]*)")


def read_lines() -> list[str]:
    """ "METHOD URL", as they stand there."""
    return FILE.read_text().splitlines()


def expand(line: str) -> list[str]:
    """Each that the line means; raises ValueError for a line that is none."""
    if LINE.fullmatch(line) is None:
        raise ValueError(f"no URL: {line}")
    return list(_expand(line))


def _expand(text: str) -> Iterator[str]:
    match = _PART.search(text)
    if match is None:
        yield text
        return
    optional, several, bare = match.groups()
    choices = ["", optional] if optional is not None else (several or bare or "").split("|")
    for choice in choices:
        yield from _expand(text[: match.start()] + choice + text[match.end() :])


def every_request() -> list[str]:
    """Of all lines, none twice."""
    return list(dict.fromkeys(request for line in read_lines() for request in expand(line)))
