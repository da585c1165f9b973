"""What a rollout would do, by the same decisions, where nothing goes wrong."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from libra.client.rest import Json
from libra.errors import Invalid, NotFound
from libra.model.rollout import WORKING, Phase, RolloutStep, count_minimum, enter
from libra.model.rolloutplan import End, NodeSight, Sight, plan_moves
from libra.rollout.leading import Fleet
from libra.rollout.options import Options
from libra.rollout.templates import Node, fill_shell, fill_url, fill_words

_NOW = datetime(1970, 1, 1, tzinfo=UTC)  # of no matter


def preview(fleet: Fleet, nodes: Sequence[str], options: Options) -> list[Json]:
    """A row a node: in which turn it would be taken, and the command. Raises `Invalid`, `NotFound`."""
    names = list(nodes) or sorted(fleet.nodes)
    _check(fleet, names, options)
    turns, skipped = _play(fleet, names, options)
    rows = []
    for name in names:
        node, seen = fleet.nodes[name], fleet.sights[name]
        row: Json = {
            "turn": turns.get(name),
            "node": name,
            "address": node.address,
            "status": _tell_status(seen),
            "sessions": seen.sessions,
            "command": None if name in skipped else _tell_command(options, node),
            "reason": skipped.get(name, "" if name in turns else "too few would serve"),
        }
        urls = [url for url in (options.health, *options.warm_up) if url]
        rows.append({**row, "urls": [fill_url(url, node) for url in urls]})
    return sorted(rows, key=lambda row: (row["turn"] is None, row["turn"]))


def _check(fleet: Fleet, names: Sequence[str], options: Options) -> None:
    for name in names:
        if name not in fleet.nodes:
            raise NotFound(f"cannot find the node {name!a} in the group")
    if not names:
        raise Invalid("cannot roll out: the group has no nodes")
    total = len(fleet.nodes)
    minimum = max(fleet.least, count_minimum(options.min_online, total))
    if minimum >= total:
        raise Invalid(
            f"cannot roll out: {minimum} of {total} nodes must stay online, which leaves none to take out"
        )


def _play(
    fleet: Fleet, names: Sequence[str], options: Options
) -> tuple[dict[str, int], dict[str, str]]:
    """The turn of each node that would be taken, and why others would not."""
    steps = tuple(
        RolloutStep(id="", rollout_id="", position=n, node=name, since=_NOW)
        for n, name in enumerate(names)
    )
    sights = dict(fleet.sights)
    turns: dict[str, int] = {}
    skipped: dict[str, str] = {}
    policy = replace(options.policy(), capacity_timeout=0.0)
    turn = 1
    while True:
        outcomes = {step.node: "" for step in steps if step.phase in WORKING}
        moves = plan_moves(policy, steps, Sight(nodes=sights, least=fleet.least, outcomes=outcomes))
        for move in moves:
            if isinstance(move, End):
                return turns, skipped
            steps = tuple(
                enter(step, move.phase, "", _NOW) if step.node == move.node else step
                for step in steps
            )
            if move.phase is Phase.SKIPPED:
                skipped[move.node] = move.reason
            elif move.phase is Phase.DRAINING:
                turns[move.node] = turn
                sights[move.node] = NodeSight(online=False)
            elif move.phase is Phase.RETURNING:
                sights[move.node] = NodeSight(online=True, up=True)
        if not any(step.phase in WORKING for step in steps):
            turn += 1


def _tell_status(seen: NodeSight) -> str:
    if not seen.online:
        return "offline"
    return "down" if seen.up is False else "online"


def _tell_command(options: Options, node: Node) -> str:
    if options.shell:
        return fill_shell(" ".join(options.command), node)
    return shlex.join(fill_words(options.command, node))
