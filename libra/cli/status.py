"""`libra lb status` for people: the tree of a load balancer, with both statuses of each part."""

from typing import TYPE_CHECKING

from libra.cli.console import open_console
from libra.cli.rows import Json, styled

if TYPE_CHECKING:  # heavy
    from rich.text import Text
    from rich.tree import Tree

PARTS = (("listener", "listeners"), ("pool", "pools"), ("member", "members"))


def show_statuses(statuses: Json) -> None:
    """The answer's `statuses`, as Octavia has them."""
    from rich.tree import Tree

    owner = statuses["loadbalancer"]
    tree = Tree(_line("", owner))
    _grow(tree, owner)
    open_console().print(tree)


def _grow(tree: "Tree", parent: Json) -> None:
    """A pool is below each of its listeners, and below the load balancer only where it has none."""
    for kind, plural in PARTS:
        for part in parent.get(plural) or ():
            _grow(tree.add(_line(kind, part)), part)
    monitor = parent.get("health_monitor") or parent.get("healthmonitor")
    if monitor:
        tree.add(_line(f"health monitor {monitor.get('type') or ''}".rstrip(), monitor))


def _line(kind: str, part: Json) -> "Text":
    from rich.text import Text

    from libra.logs.lines import escape

    name = part.get("name") or _where(part) or ("" if "monitor" in kind else part["id"])
    what = " ".join(filter(None, (kind, name)))
    line = Text(escape(what), style="bold" if not kind else "")
    for name in ("provisioning_status", "operating_status"):
        if part.get(name):
            line.append("  ").append_text(styled(str(part[name])))
    return line


def _where(part: Json) -> str:
    """Of a member or a listener without a name."""
    if part.get("address"):
        return f"{part['address']}:{part.get('protocol_port')}"
    return ""
