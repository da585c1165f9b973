"""A plan as a field of a reply: JSON, and never too long."""

import json

import pytest

from libra.drivers.base import Preview, Step
from libra.worker.plan import MOST_CHARACTERS, MOST_LINES, MOST_SENTENCES, render_plan


def test_every_field_is_there() -> None:
    preview = Preview(
        step=Step.RELOAD, reasons=("because",), actions=("do",), diff="-a\n+b", notes=("mind",)
    )
    assert render_plan(preview) == {
        "step": "reload",
        "reload": True,
        "reasons": ["because"],
        "actions": ["do"],
        "diff": "-a\n+b",
        "notes": ["mind"],
    }


@pytest.mark.parametrize("step", list(Step))
def test_nothing_but_a_reload_is_a_reload(step: Step) -> None:
    assert render_plan(Preview(step=step)) == {
        "step": step.value,
        "reload": step is Step.RELOAD,
        "reasons": [],
        "actions": [],
        "diff": "",
        "notes": [],
    }


def test_what_does_not_fit_is_left_out_and_counted() -> None:
    many = tuple(map(str, range(MOST_SENTENCES + 1)))
    lines = [f"+{n}" for n in range(MOST_LINES + 1234)]
    plan = render_plan(
        Preview(step=Step.CHANGE, actions=many, reasons=many, diff="\n".join(lines), notes=("n",))
    )
    assert plan["actions"] == plan["reasons"] == list(many[:-1])
    assert plan["diff"] == "\n".join(lines[:MOST_LINES])
    assert plan["notes"] == [
        "n",
        "1 more reasons are left out",
        "1 more actions are left out",
        "1,234 more lines of the diff are left out",
    ]


def test_what_just_fits_is_whole() -> None:
    many = tuple(map(str, range(MOST_SENTENCES)))
    diff = "\n".join(["+x"] * MOST_LINES)
    plan = render_plan(Preview(step=Step.CHANGE, actions=many, diff=diff))
    assert (plan["actions"], plan["diff"], plan["notes"]) == (list(many), diff, [])


@pytest.mark.parametrize(
    ("length", "count"), [(1, 3000), (500, 1000), (2000, 100), (MOST_CHARACTERS, 3), (10**6, 2)]
)
def test_long_lines_are_bounded_too(length: int, count: int) -> None:
    plan = render_plan(Preview(step=Step.CHANGE, diff="\n".join(["x" * length] * count)))
    assert len(json.dumps(plan)) < 1.1 * MOST_CHARACTERS
    assert str(plan["notes"]).endswith(" more lines of the diff are left out']")
