"""Answers of the REST API for people and for programs."""

import json
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

import typer

from libra.cli.console import open_console

if TYPE_CHECKING:  # heavy
    from rich.text import Text

Json = dict[str, Any]
UUID_WIDTH = 36
_NOTES = ("error", "reason", "comment", "refused", "brake_reason", "disabled_reason")
_TIMES = (
    "at",
    "created_at",
    "updated_at",
    "last_heartbeat",
    "last_seen",
    "started_at",
    "ended_at",
    "since",
    "brake_since",
    "expires_at",
    "revoked_at",
    "not_after",
)
_AGES = ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h"), (30 * 86_400, 86_400, "d"))
_GOOD = (
    "ACTIVE",
    "ONLINE",
    "SPARE",
    "ASSIGNED",
    "complete",
    "up",
    "enabled",
    "RUNNING",
    "online",
    "done",
)
_BAD = (
    "ERROR",
    "OFFLINE",
    "failed",
    "expired",
    "down",
    "disabled",
    "DEGRADED",
    "offline",
    "aborted",
)
_UNDER_WAY = (
    *("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "running", "scheduled", "idle"),
    *("ANNOUNCED", "BUILDING", "DRAINING", "STARTING", "STOPPING", "PAUSED", "stopped"),
)
_STYLES = {
    **dict.fromkeys(_GOOD, "green"),
    **dict.fromkeys(_BAD, "red"),
    **dict.fromkeys(_UNDER_WAY, "yellow"),
}


class Format(Enum):
    """How answers are shown."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


def show_rows(rows: list[Json], columns: tuple[str, ...], output: Format) -> None:
    """A table, or the rows as they came. What went wrong with a row stands below it."""
    if output is not Format.TABLE:
        dump(rows, output)
        return
    from rich import box
    from rich.table import Table

    from libra.logs.lines import escape

    heads = [name for name in columns if name not in _NOTES]
    host = next(
        (name for name in ("id", "subject_id", "name") if name in heads and _is_wide(rows, name)),
        heads[0],
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in heads:
        table.add_column(_head(name), overflow="fold", no_wrap=name not in ("name", host))
        if name == host and _is_wide(rows, name):
            table.columns[-1].min_width = UUID_WIDTH
    for row in rows:
        cells = {name: _cell(row.get(name), name) for name in heads}
        for name in columns:
            if name in _NOTES and row.get(name):
                style = "italic" if name == "comment" else "red"
                cells[host].append("\n").append(escape(str(row[name])), style=style)
        table.add_row(*cells.values())
    open_console().print(table)


def _is_wide(rows: list[Json], name: str) -> bool:
    return any(len(str(row.get(name) or "")) >= UUID_WIDTH for row in rows)


def _head(name: str) -> str:
    """What it is called where there is little room."""
    for end in ("_status", "_at", "_name", "_id"):
        name = name.removesuffix(end)
    for start in ("vip_", "lb_", "protocol_"):
        name = name.removeprefix(start)
    return name.replace("_", " ")


def show_one(shown: Json, output: Format) -> None:
    """A line a field."""
    if output is not Format.TABLE:
        dump(shown, output)
        return
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in shown.items():
        table.add_row(name, _cell(value))
    open_console().print(table)


def _cell(value: object, name: str = "") -> "Text":
    from rich.text import Text

    from libra.logs.lines import escape

    if value is None:
        return Text()
    text = value if isinstance(value, str) else json.dumps(value)
    if name in _TIMES:
        return Text(tell_age(text, datetime.now(UTC)))
    return styled(escape(text))


def styled(text: str) -> "Text":
    """A status in its colour."""
    from rich.text import Text

    return Text(text, style=_STYLES.get(text, ""))


def tell_age(text: str, now: datetime) -> str:
    """ "3 min ago", or the day where that is long ago or still to come; what is no time, as it is."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ascii(text)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = int((now - moment).total_seconds())
    for limit, unit, word in _AGES:
        if -1 <= seconds < limit:
            return f"{max(0, seconds) // unit} {word} ago"
    return f"{moment:%Y-%m-%d}"


def dump(value: Any, output: Format) -> None:
    """For programs."""
    if output is Format.JSON:
        typer.echo(json.dumps(value, indent=2))
        return
    import yaml

    typer.echo(yaml.safe_dump(value, sort_keys=False).rstrip())
