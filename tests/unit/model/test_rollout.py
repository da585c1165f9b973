"""Phases of a node, and how many nodes must serve."""

from datetime import UTC, datetime

import pytest

from libra.errors import Conflict, Invalid
from libra.model.rollout import Phase, RolloutStep, count_minimum, enter

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def step(phase: Phase, *, taken: bool = False) -> RolloutStep:
    return RolloutStep(
        id="r/0", rollout_id="r", position=0, node="web1", phase=phase, taken=taken, since=NOW
    )


@pytest.mark.parametrize(
    ("text", "nodes", "minimum"),
    [("3", 5, 3), ("0", 5, 0), ("50%", 5, 3), ("50%", 4, 2), ("100%", 7, 7), ("1%", 3, 1)],
)
def test_the_minimum_is_rounded_up(text: str, nodes: int, minimum: int) -> None:
    assert count_minimum(text, nodes) == minimum


@pytest.mark.parametrize("text", ["", "%", "-1", "101%", "half", "1.5", "1%%", "٣", "999999"])
def test_what_is_no_minimum(text: str) -> None:
    with pytest.raises(Invalid, match="cannot keep"):
        count_minimum(text, 5)


def test_a_node_is_taken_until_it_is_back() -> None:
    draining = enter(step(Phase.PENDING), Phase.DRAINING, "", NOW)
    assert draining.taken
    failed = enter(draining, Phase.FAILED, "why", NOW)
    assert failed.taken
    assert failed.reason == "why"
    assert enter(failed, Phase.PENDING, "", NOW).taken
    restored = enter(enter(draining, Phase.RESTORING, "", NOW), Phase.FAILED, "", NOW)
    assert not restored.taken
    assert not enter(step(Phase.RETURNING, taken=True), Phase.DONE, "", NOW).taken


@pytest.mark.parametrize("ended", [Phase.DONE, Phase.SKIPPED])
@pytest.mark.parametrize("phase", list(Phase))
def test_from_an_end_nothing_goes_on(ended: Phase, phase: Phase) -> None:
    with pytest.raises(Conflict, match="web1"):
        enter(step(ended), phase, "", NOW)


def test_the_command_is_not_run_before_the_node_is_drained() -> None:
    with pytest.raises(Conflict):
        enter(step(Phase.PENDING), Phase.COMMAND, "", NOW)
