"""A rollout while it goes on: a table that changes on a terminal, lines elsewhere, JSON for programs."""

import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import typer

from libra.cli.rows import Format, Json
from libra.model.rollout import WORKING, Phase, RolloutStep
from libra.model.rolloutplan import NodeSight, Sight, serving_nodes
from libra.rollout.runner import Watcher
from libra.rollout.watchers import Changes, LineWatcher

if TYPE_CHECKING:  # heavy
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    from libra.rollout.leading import Fleet, Led

_STYLES = {
    Phase.DONE: "green",
    Phase.FAILED: "red",
    Phase.SKIPPED: "dim",
    **dict.fromkeys(WORKING, "yellow"),
}
MOST_ROWS = 40


class View(Watcher, Protocol):
    """A watcher that is told of the end."""

    def end(self, led: "Led") -> None:
        """Nothing follows."""


@contextmanager
def watching(output: Format) -> Iterator[View]:
    """The one that fits."""
    if output is not Format.TABLE:
        yield JsonView()
    elif not sys.stdout.isatty():
        yield LineView(typer.echo)
    else:
        from rich.live import Live

        from libra.cli.console import open_console

        with Live(console=open_console(), auto_refresh=False) as live:
            yield TableView(live)


class LineView(LineWatcher):
    """See `LineWatcher`."""

    def end(self, led: "Led") -> None:
        """Told on standard error."""


class JsonView:
    """An object a line: a node enters a phase, its command has written a line, the end."""

    def __init__(self) -> None:
        self._changes = Changes()
        self._lock = threading.Lock()

    def show(self, led: "Led", fleet: "Fleet", waited: dict[str, float]) -> None:
        """See `Watcher`."""
        del fleet, waited
        for step in self._changes.of(led):
            self._write({"node": step.node, "phase": step.phase.value, "reason": step.reason})

    def tell(self, node: str, line: str) -> None:
        """See `Watcher`."""
        self._write({"node": node, "line": line})

    def end(self, led: "Led") -> None:
        """The rollout itself."""
        nodes = dict(Counter(step.phase.value for step in led.steps))
        shown = {"rollout": led.id, "group": led.group, "state": led.state.value}
        self._write({**shown, "reason": led.reason, "phases": nodes})

    def _write(self, shown: Json) -> None:
        with self._lock:
            typer.echo(json.dumps(shown))


class TableView:
    """A row a node; of a command the last line."""

    def __init__(self, live: "Live") -> None:
        self._live = live
        self._lines: dict[str, str] = {}

    def show(self, led: "Led", fleet: "Fleet", waited: dict[str, float]) -> None:
        """See `Watcher`."""
        self._live.update(build_table(led, fleet, waited, self._lines), refresh=True)

    def tell(self, node: str, line: str) -> None:
        """Seen when the table is drawn next."""
        if line.strip():
            self._lines[node] = line.strip()

    def end(self, led: "Led") -> None:
        """The table stays as it is."""


def build_table(
    led: "Led", fleet: "Fleet", waited: dict[str, float], lines: dict[str, str]
) -> "Table":
    """Pure. Where there are many nodes, those in work and those around them."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=_tell_title(led, fleet))
    for head in ("node", "phase", "s", "sessions", ""):
        table.add_column(
            head, no_wrap=True, justify="right" if head in ("s", "sessions") else "left"
        )
    for step in _choose(led.steps):
        table.add_row(*_build_row(step, fleet.sights.get(step.node), waited, lines))
    return table


def _tell_title(led: "Led", fleet: "Fleet") -> str:
    done = sum(step.phase is Phase.DONE for step in led.steps)
    serving = len(serving_nodes(led.steps, Sight(nodes=fleet.sights)))
    return f"{led.group}: {done} of {len(led.steps)} done, {serving} of {len(fleet.nodes)} serve"


def _choose(steps: tuple[RolloutStep, ...]) -> tuple[RolloutStep, ...]:
    if len(steps) <= MOST_ROWS:
        return steps
    first = next((n for n, step in enumerate(steps) if step.phase in WORKING), 0)
    start = max(0, min(first - MOST_ROWS // 4, len(steps) - MOST_ROWS))
    return steps[start : start + MOST_ROWS]


def _build_row(
    step: RolloutStep, seen: NodeSight | None, waited: dict[str, float], lines: dict[str, str]
) -> tuple["Text", ...]:
    from rich.text import Text

    from libra.logs.lines import escape

    sessions = "" if seen is None or seen.sessions is None else str(seen.sessions)
    seconds = f"{waited[step.node]:.0f}" if step.node in waited else ""
    note = step.reason or (lines.get(step.node, "") if step.phase is Phase.COMMAND else "")
    return (
        Text(escape(step.node)),
        Text(step.phase.value, style=_STYLES.get(step.phase, "")),
        Text(seconds),
        Text(sessions),
        Text(escape(note), overflow="ellipsis"),
    )
