"""Waits until devices are gone, and tells how many are left."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from libra.cli.overview.asking import JSON
from libra.cli.rows import Json
from libra.cli.segments import segment
from libra.cli.verbs import POLL_SECONDS
from libra.errors import NotFound

if TYPE_CHECKING:
    from libra.cli.rest import Rest

PLAIN_SECONDS = 1.0
"""How often a line is written where there is no terminal to draw on."""
Tell = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Devices of a pool that are to go: by id their names. `destroys`: until their hosts are, too."""

    cloud: str
    names: dict[str, str]
    destroys: bool


def wait_until_gone(rest: "Rest", wanted: Wanted, timeout: float) -> Sequence[str]:
    """The names of those that are left when the time is over. Raises as `Rest.call`."""
    deadline = time.monotonic() + timeout
    with _telling(len(wanted.names)) as tell:
        tell(len(wanted.names))
        while True:
            left = _find_left(rest, wanted)
            tell(len(left))
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(POLL_SECONDS)


def _find_left(rest: "Rest", wanted: Wanted) -> Sequence[str]:
    try:
        answer = rest.call_with(JSON, "GET", f"/clusters/{segment(wanted.cloud)}")
    except NotFound:  # the pool has gone with its devices
        return []
    here: dict[str, Json] = {item["id"]: item for item in answer["vms"]}
    return [
        name
        for key, name in wanted.names.items()
        if key in here and (wanted.destroys or here[key]["state"] != "RETIRED")
    ]


@contextmanager
def _telling(total: int) -> Iterator[Tell]:
    """On standard error: a bar for people, now and then a line for logs."""
    if not sys.stderr.isatty():
        yield _Lines(total).tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"{total} left", total=total)
        yield lambda left: progress.update(task, completed=total - left, description=f"{left} left")


class _Lines:
    """The first, the last, and at most one a second in between."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._told: int | None = None
        self._not_before = 0.0

    def tell(self, left: int) -> None:
        """Where it is another number."""
        now = time.monotonic()
        if left == self._told or (left and now < self._not_before):
            return
        self._told, self._not_before = left, now + PLAIN_SECONDS
        typer.echo(f"{left} of {self._total} left", err=True)
