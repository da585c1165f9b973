"""The plan of a dry run for people. It is another program's: any field may be missing, wrong, hostile or huge."""

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.text import Text

from libra.cli.tables import plain
from libra.logs.lines import escape

MOST_LINES = 2000
MOST_CHARACTERS = 500  # of one line
_VERDICTS = {
    "nothing": "It would change nothing: all is so already.",
    "install": "It would put the configuration file in place; what runs is so already.",
    "change": "It would go live at runtime, without a reload:",
    "reload": "It would be one reload, because",
    "start": "It would start the proxy, because",
}
_STYLES = (("+++", "bold"), ("---", "bold"), ("@@", "cyan"), ("+", "green"), ("-", "red"))


def build_plan(plan: Mapping[str, object]) -> RenderableType:
    """What would be done, why, and the difference to what is installed."""
    step = plan.get("step")
    verdict = _VERDICTS.get(step) if isinstance(step, str) else None
    lines = [Text(verdict or f"It would take the step {plain(step)}:", style="bold")]
    lines += [Text(f"  {line}") for name in ("reasons", "actions") for line in _texts(plan, name)]
    lines += [Text(f"note: {line}", style="yellow") for line in _texts(plan, "notes")]
    return Group(*lines, *_build_diff(plan.get("diff")))


def _build_diff(diff: object) -> Iterator[Text]:
    if not isinstance(diff, str) or not diff:
        return
    yield Text("")
    lines = diff.split("\n")
    yield from (_build_line(line) for line in lines[:MOST_LINES])
    if len(lines) > MOST_LINES:
        yield Text(f"and {len(lines) - MOST_LINES:,} lines more; -o json shows all")


def _build_line(line: str) -> Text:
    style = next((style for start, style in _STYLES if line.startswith(start)), "")
    return Text(_shown(line), style=style)


def _texts(plan: Mapping[str, object], name: str) -> list[str]:
    value = plan.get(name)
    lines = value[:MOST_LINES] if isinstance(value, list) else []
    return [_shown(line) if isinstance(line, str) else plain(line) for line in lines]


def _shown(line: str) -> str:
    return escape(line if len(line) <= MOST_CHARACTERS else line[:MOST_CHARACTERS] + "...")
