"""Replies for people. A reply is another program's: any field may be missing, wrong, hostile or huge."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from libra.logs.lines import escape

MOST_ROWS = 1000
MOST_CHARACTERS = 120
_GOOD = ("UP", "ONLINE")
_BAD = ("DOWN", "ERROR")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
_DISCOVER = ("version", "release", "driver", "proxy", "proxy_version")

Fields = Mapping[str, object]
Column = tuple[str, Literal["left", "right"], Callable[[Fields], Text]]


def build_discover(device: str, reply: Fields) -> RenderableType:
    """What a worker says of itself."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name in _DISCOVER:
        table.add_row(name.replace("_", " "), cell(reply.get(name)))
    return Group(Text(plain(device), style="bold"), table)


def build_stats(reply: Fields) -> RenderableType:
    """A table a load balancer."""
    loadbalancers = _objects(reply.get("loadbalancers"))
    if not loadbalancers:
        return Text("no load balancer is configured")
    return Group(*(_build_loadbalancer(item) for item in loadbalancers[:MOST_ROWS]))


def _build_loadbalancer(fields: Fields) -> RenderableType:
    nodes = _objects(fields.get("nodes"))
    shown = nodes[:MOST_ROWS]
    columns = _build_columns(shown)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for head, justify, _ in columns:
        table.add_column(head, justify=justify, overflow="fold")
    for node in shown:
        table.add_row(*(build(node) for _, _, build in columns))
    if len(nodes) > len(shown):
        table.caption = f"and {len(nodes) - len(shown)} nodes more; -o json shows all"
    return Group(_build_title(fields), table)


def _build_columns(nodes: list[Fields]) -> list[Column]:
    """Without the ids, where they say nothing that the addresses do not."""
    columns: list[Column] = [
        ("node", "left", lambda node: cell(_short(node.get("id")))),
        ("address", "left", lambda node: Text(_address(node))),
        ("status", "left", lambda node: cell(node.get("status"))),
        ("check", "left", lambda node: cell(node.get("last_check"))),
        ("now", "right", lambda node: cell(node.get("current_sessions"))),
        ("sessions", "right", lambda node: cell(node.get("total_sessions"))),
        ("in", "right", lambda node: Text(_amount(node.get("bytes_in")))),
        ("out", "right", lambda node: Text(_amount(node.get("bytes_out")))),
        ("errors", "right", lambda node: cell(node.get("errors"))),
    ]
    return columns[all(node.get("id") == _address(node) for node in nodes) :]


def _build_title(fields: Fields) -> Text:
    """ "web (HTTP)  ONLINE  now 3 sessions of 1,204  in 1.2 MB, out 40.1 MB  errors 0"."""
    title = Text.assemble(
        (plain(fields.get("name") or fields.get("id")), "bold"),
        f" ({plain(fields.get('protocol'))})  ",
        cell(fields.get("status")),
    )
    for part in _counters(fields):
        title.append(f"  {part}")
    return title


def _counters(fields: Fields) -> Iterator[str]:
    now, total = plain(fields.get("current_sessions")), plain(fields.get("total_sessions"))
    yield f"sessions {total}, now {now}"
    yield f"in {_amount(fields.get('bytes_in'))}, out {_amount(fields.get('bytes_out'))}"
    yield f"errors {plain(fields.get('errors'))}"


def _short(identity: object) -> object:
    """A controller's ids are UUIDs, whose beginning is enough to tell nodes apart; -o json has all of it."""
    is_uuid = isinstance(identity, str) and _UUID.fullmatch(identity)
    return f"{identity[:8]}..." if is_uuid else identity  # type: ignore[index]


def _address(node: Fields) -> str:
    host, port = plain(node.get("address")), plain(node.get("port")).replace(",", "")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def cell(value: object) -> Text:
    """A value as it may stand on a terminal: no markup, no control characters, not too long."""
    text = plain(value)
    style = "green" if text in _GOOD else "red" if text in _BAD else ""
    return Text(text, style=style)


def plain(value: object) -> str:
    """As `cell`, without colour."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**18 else "a very large number"
    if isinstance(value, float):
        return repr(value)
    if not isinstance(value, str):
        return "(not a text)"
    return escape(value if len(value) <= MOST_CHARACTERS else value[:MOST_CHARACTERS] + "...")


def _amount(value: object) -> str:
    """Bytes, in the unit that fits."""
    if not isinstance(value, int) or isinstance(value, bool) or not 1000 <= value < 1000**7:
        return plain(value)
    amount, unit = float(value), 0
    while amount >= 1000:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}"


def _objects(value: object) -> list[Fields]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
