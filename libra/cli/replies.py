"""Prints replies: as JSON, as tables, or in one line. Tokens are masked, for a reply echoes its message."""

import json
from typing import TYPE_CHECKING

import typer

from libra.cli.exchange import Answer
from libra.messages.replies import ERROR, masked, masked_text, passed
from libra.messages.requests import Action

if TYPE_CHECKING:
    from rich.console import RenderableType


def print_json(answer: Answer) -> None:
    """The whole reply, indented; ASCII only, so that a terminal shows it and does not obey it."""
    shown = masked(answer.reply)
    reason = shown.get(ERROR)
    if isinstance(reason, str):
        shown[ERROR] = masked_text(reason, answer.reply)
    typer.echo(json.dumps(shown, indent=2))


def print_reply(action: Action, device: str, answer: Answer) -> None:
    """A table for STATS and DISCOVER, one line otherwise; nothing for a FAIL, whose error is told elsewhere."""
    if not passed(answer.reply):
        return
    if action is Action.STATS:
        from libra.cli.tables import build_stats

        _print(build_stats(answer.reply))
    elif action is Action.DISCOVER:
        from libra.cli.tables import build_discover

        _print(build_discover(device, answer.reply))
    else:
        typer.echo(f"PASS  {action.value} on {device} in {_duration(answer.seconds)}")


def _print(renderable: "RenderableType") -> None:
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(renderable)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
