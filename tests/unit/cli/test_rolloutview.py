"""A rollout as it is shown."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from rich.console import Console
from rich.live import Live

from libra.cli.rolloutview import MOST_ROWS, JsonView, TableView, build_table
from libra.model.rollout import Phase, RolloutState, RolloutStep, Wish
from libra.model.rolloutplan import NodeSight
from libra.rollout.leading import Fleet, Led
from libra.rollout.options import Options
from libra.rollout.watchers import LineWatcher, tell_end

NOW = datetime(2026, 11, 29, tzinfo=UTC)


def build_led(*phases: Phase, reason: str = "") -> Led:
    steps = tuple(
        RolloutStep(id=f"r/{n}", rollout_id="r", position=n, node=f"web{n}", phase=phase, since=NOW)
        for n, phase in enumerate(phases)
    )
    return Led(
        id="r",
        group="web",
        state=RolloutState.RUNNING,
        reason=reason,
        lease=1,
        wish=Wish.NONE,
        options=Options(),
        steps=steps,
    )


def build_fleet(led: Led) -> Fleet:
    sights = {step.node: NodeSight(online=True, up=True, sessions=4) for step in led.steps}
    return Fleet(least=1, nodes={}, sights=sights)


def draw(led: Led, lines: dict[str, str]) -> str:
    console = Console(width=100, no_color=True, force_terminal=False)
    with console.capture() as capture:
        console.print(build_table(led, build_fleet(led), {"web1": 12.3}, lines))
    return capture.get()


def test_a_row_a_node() -> None:
    led = build_led(Phase.DONE, Phase.COMMAND, Phase.PENDING)
    text = draw(led, {"web1": "half \x1b[31mdone", "web2": "nothing"})
    rows = [line.split() for line in text.splitlines() if line.lstrip().startswith("web")]
    assert rows[0][:2] == ["web:", "1"]
    assert ["web0", "done", "4"] in rows
    assert rows[2][:4] == ["web1", "command", "12", "4"]
    assert "\x1b" not in text
    assert "nothing" not in text


def test_many_nodes_are_shown_around_those_in_work() -> None:
    phases = [Phase.DONE] * 60 + [Phase.COMMAND] + [Phase.PENDING] * 60
    text = draw(build_led(*phases), {})
    shown = [
        line for line in text.splitlines() if line.lstrip().startswith("web") and "of" not in line
    ]
    assert len(shown) == MOST_ROWS
    assert any("web60 " in line for line in shown)


def test_lines_tell_what_is_new() -> None:
    lines: list[str] = []
    watcher = LineWatcher(lines.append)
    led = build_led(Phase.DONE, Phase.PENDING)
    fleet = build_fleet(led)
    for phases in ([Phase.DONE, Phase.PENDING], [Phase.DONE, Phase.DRAINING]) * 2:
        watcher.show(build_led(*phases), fleet, {})
    watcher.tell("web1", "a\x1b[2Jb")
    assert lines[0] == "web1: draining"
    assert "\x1b" not in lines[-1]


def test_json_is_a_line_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    view = JsonView()
    led = build_led(Phase.PENDING)
    view.show(led, build_fleet(led), {})
    view.show(build_led(Phase.DRAINING), build_fleet(led), {})
    view.tell("web0", "x\ny")
    view.end(led)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert told[0] == {"node": "web0", "phase": "draining", "reason": ""}
    assert told[1] == {"node": "web0", "line": "x\ny"}
    assert told[2]["phases"] == {"pending": 1}


def test_the_end_says_what_may_be_done() -> None:
    led = build_led(Phase.DONE, Phase.FAILED, reason="web1: why")
    assert "libra rollout resume web" in tell_end(replace(led, state=RolloutState.STOPPED))
    complete = replace(led, state=RolloutState.COMPLETE, reason="")
    assert tell_end(complete) == "the rollout of web is complete, 1 of 2 nodes done"


def test_a_terminal_gets_a_table_that_changes() -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=100, height=20)
    with Live(console=console, auto_refresh=False) as live:
        view = TableView(live)
        for phase in (Phase.DRAINING, Phase.COMMAND):
            led = build_led(phase, Phase.PENDING)
            view.show(led, build_fleet(led), {"web0": 1.0})
            view.tell("web0", "unpacking\x1b[2J")
        view.show(led, build_fleet(led), {"web0": 2.0})
        view.end(led)
    assert "draining" in out.getvalue()
    assert "unpacking" in out.getvalue()
    assert "\x1b[2J" not in out.getvalue()
