"""The access log of a load balancer: found beside its rotated files, filtered to its frontends, as a stream."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from libra.drivers.haproxy.grep import Grep, find_grep
from libra.drivers.haproxy.logblocks import read_blocks
from libra.drivers.haproxy.logfiles import open_log_files
from libra.drivers.haproxy.logformat import build_needles, build_pattern


@contextmanager
def open_access_log(log_file: Path, frontends: Collection[str]) -> Iterator[Iterator[bytes]]:
    """The lines of these frontends, oldest first, as blocks, which may end amid a line.

    What is in the files when they are opened, no more: a line that is still being written is left out. No file
    and no line are no error, just an empty stream. Raises `DriverError`, also while the blocks are read.
    """
    pattern = build_pattern(frontends)
    program = find_grep()
    with open_log_files(log_file) as files:
        if program is None:
            blocks = (block for file in files for block in read_blocks(file))
            yield filter_lines(blocks, frontends)
            return
        with Grep(program, pattern, files) as grep:
            yield grep.lines()


def filter_lines(blocks: Iterable[bytes], frontends: Collection[str]) -> Iterator[bytes]:
    """What grep does, where there is none: from hit to hit of the fixed text, then the field itself."""
    matches = re.compile(build_pattern(frontends).encode()).match
    needle = re.compile(b"|".join(re.escape(needle) for needle in build_needles(frontends)))
    for block in blocks:
        if picked := b"".join(_pick(block, needle, matches)):
            yield picked


def _pick(
    block: bytes, needle: re.Pattern[bytes], matches: Callable[[bytes], object]
) -> Iterator[bytes]:
    position = 0
    while hit := needle.search(block, position):
        start = block.rfind(b"\n", position, hit.start()) + 1 or position
        position = block.find(b"\n", hit.end()) + 1 or len(block)
        line = block[start:position]
        if matches(line):
            yield line
