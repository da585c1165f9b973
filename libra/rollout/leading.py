"""A rollout as the API has it: begun, led and ended by this client."""

import getpass
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

from libra.client.rest import Json, NotNow, Rest
from libra.errors import JobServerUnavailable
from libra.model.rollout import Phase, RolloutState, RolloutStep, Wish, step_key
from libra.model.rolloutplan import NodeSight
from libra.rollout.options import Options, read_options, write_options
from libra.rollout.templates import Node

T = TypeVar("T")
BASE = "/v1/rollouts"
PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Led:
    """What the API last said of it."""

    id: str
    group: str
    state: RolloutState
    reason: str
    lease: int
    wish: Wish
    options: Options
    steps: tuple[RolloutStep, ...]

    @property
    def skipped(self) -> tuple[str, ...]:
        """The nodes that were left as they were."""
        return tuple(step.node for step in self.steps if step.phase is Phase.SKIPPED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """The nodes of a group by name, and what is seen of them; `least` of them must stay online."""

    least: int
    nodes: Mapping[str, Node]
    sights: Mapping[str, NodeSight]


def read_rollout(answer: Json) -> Led:
    """One rollout, whole."""
    shown = answer["rollout"]
    return Led(
        id=shown["id"],
        group=shown["group"],
        state=RolloutState(shown["state"]),
        reason=shown["reason"],
        lease=shown["lease"],
        wish=Wish(shown["wish"]),
        options=read_options(shown["options"]),
        steps=tuple(_read_step(shown["id"], item) for item in shown["nodes"]),
    )


def _read_step(rollout: str, shown: Json) -> RolloutStep:
    return RolloutStep(
        id=step_key(rollout, shown["position"]),
        rollout_id=rollout,
        position=shown["position"],
        node=shown["node"],
        phase=Phase(shown["phase"]),
        reason=shown["reason"],
        taken=shown["taken"],
        since=datetime.fromisoformat(shown["since"]),
    )


def read_fleet(answer: Json) -> Fleet:
    """A group's nodes with their sessions."""
    group, shown = answer["group"], answer["nodes"]
    return Fleet(
        least=group["least_online"],
        nodes={item["name"]: _read_node(item, group["name"]) for item in shown},
        sights={item["name"]: _read_sight(item) for item in shown},
    )


def _read_node(shown: Json, group: str) -> Node:
    return Node(name=shown["name"], address=shown["address"], port=shown["port"], group=group)


def _read_sight(shown: Json) -> NodeSight:
    """A device that is silent leaves open what it does; members that others tell of are up or not all the same."""
    is_online = shown["status"] == "online"
    members, are_open, is_silent = shown["members"], shown["open_members"], bool(shown["silent"])
    settled = not is_silent and are_open == (members if is_online else 0)
    return NodeSight(
        online=is_online,
        up=are_open == members if members else None,
        settled=settled,
        sessions=None if is_silent else shown["sessions"],
        note=shown["reason"],
    )


def tell_holder() -> str:
    """Who leads a rollout, for people."""
    try:
        who = getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        who = str(os.getuid())
    return f"{who}@{socket.gethostname()} pid {os.getpid()}"[:255]


class RolloutApi:
    """Safe for several threads. A controller that does not answer is asked again for `patience` seconds.

    What is asked of it may so be asked twice, which it takes for once. Raises as `Rest.call`.
    """

    def __init__(self, rest: Rest, patience: float = 300.0) -> None:
        self._rest = rest
        self._patience = patience
        self.given_up = threading.Event()

    def look(self, group: str) -> Fleet:
        """Asks every device."""
        path = f"/v1/nodegroups/{quote(group, safe='')}/sessions"
        return read_fleet(self._again(lambda: self._rest.call("GET", path)))

    def begin(self, group: str, nodes: Sequence[str], options: Options) -> Led:
        """Takes the lease. Asked once: who does not hear the answer finds it by `show`."""
        body = {"group": group, "nodes": list(nodes), "options": write_options(options)}
        return read_rollout(self._rest.call("POST", BASE, {**body, "holder": tell_holder()}))

    def resume(self, key: str, options: Options | None = None) -> Led:
        """Takes the lease over."""
        body: Json = {"holder": tell_holder()}
        if options is not None:
            body["options"] = write_options(options)
        return read_rollout(self._rest.call("POST", _path(key, "resume"), body))

    def show(self, key: str) -> Led:
        """By id, or the newest of a group."""
        return read_rollout(self._rest.call("GET", _path(key)))

    def renew(self, led: Led) -> Led:
        """The lease; raises `Refused` where it is lost."""
        return self._post(led, "heartbeat", {})

    def record(self, led: Led, node: str, phase: Phase, reason: str) -> Led:
        """That the node enters the phase."""
        return self._post(led, "steps", {"node": node, "phase": phase.value, "reason": reason})

    def mark(self, led: Led, node: str) -> str:
        """As the phase says that was recorded. Why that cannot be yet, "" where it is done."""
        answer = self._ask(led, f"nodes/{quote(node, safe='')}/mark", {})
        return str(answer.get("waits_for") or "")

    def end(self, led: Led, state: RolloutState, reason: str) -> Led:
        """Lets go of the lease."""
        return self._post(led, "end", {"state": state.value, "reason": reason})

    def _post(self, led: Led, verb: str, body: Json) -> Led:
        return read_rollout(self._ask(led, verb, body))

    def _ask(self, led: Led, verb: str, body: Json) -> Json:
        whole = {**body, "lease": led.lease}
        return self._again(lambda: self._rest.call("POST", _path(led.id, verb), whole))

    def _again(self, ask: Callable[[], T]) -> T:
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            with suppress(JobServerUnavailable, NotNow):
                return ask()
            if self.given_up.wait(PAUSE_SECONDS):
                break
        return ask()


def _path(key: str, verb: str = "") -> str:
    path = f"{BASE}/{quote(key, safe='')}"
    return f"{path}/{verb}" if verb else path
