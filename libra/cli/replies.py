"""Prints replies: as JSON, as tables, or in one line. Tokens are masked, for a reply echoes its message."""

import json
from typing import TYPE_CHECKING

import typer

from libra.cli.console import open_console
from libra.cli.exchange import Answer
from libra.messages.replies import ERROR, PLAN, masked, masked_text, passed
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


def print_plan(action: Action, device: str, answer: Answer) -> None:
    """The plan of a dry run; as `print_reply` for a reply without one."""
    plan = plan_of(answer)
    if plan is None:
        print_reply(action, device, answer)
        return
    from libra.cli.plans import build_plan

    typer.echo(f"DRY RUN  {action.value} on {device} in {_duration(answer.seconds)}")
    _print(build_plan(plan), soft_wrap=True)


def plan_of(answer: Answer) -> dict[str, object] | None:
    """What the answer to a dry run holds; None where the worker carried it out."""
    plan = answer.reply.get(PLAN)
    return plan if passed(answer.reply) and isinstance(plan, dict) else None


def _print(renderable: "RenderableType", *, soft_wrap: bool = False) -> None:
    open_console().print(renderable, soft_wrap=soft_wrap)


def _duration(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"
