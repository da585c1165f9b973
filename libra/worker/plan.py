"""What a dry run answers, as the field `plan` of the reply, and never longer than a reply should be."""

from collections.abc import Sequence

from libra.drivers.base import Preview, Step
from libra.messages.codec import JsonObject

MOST_SENTENCES = 200
MOST_LINES = 1000
MOST_CHARACTERS = 100_000  # of the diff


def render_plan(preview: Preview) -> JsonObject:
    """What does not fit is left out, and `notes` say how much that is."""
    lines = preview.diff.splitlines()
    shown = lines[: _fitting(lines)]
    left_out = (
        *_left_out("reasons", len(preview.reasons) - MOST_SENTENCES),
        *_left_out("actions", len(preview.actions) - MOST_SENTENCES),
        *_left_out("lines of the diff", len(lines) - len(shown)),
    )
    return {
        "step": preview.step.value,
        "reload": preview.step is Step.RELOAD,
        "reasons": list(preview.reasons[:MOST_SENTENCES]),
        "actions": list(preview.actions[:MOST_SENTENCES]),
        "diff": "\n".join(shown),
        "notes": [*preview.notes, *left_out],
    }


def _left_out(what: str, count: int) -> tuple[str, ...]:
    return (f"{count:,} more {what} are left out",) if count > 0 else ()


def _fitting(lines: Sequence[str]) -> int:
    """How many lines fit, counted from the first."""
    room = MOST_CHARACTERS
    for number, line in enumerate(lines[:MOST_LINES]):
        room -= len(line) + 1
        if room < 0:
            return number
    return min(len(lines), MOST_LINES)
