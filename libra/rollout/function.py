"""A rollout from Python, as from a fabfile."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from libra.client.rest import open_rest
from libra.errors import LibraError
from libra.model.rollout import RolloutState
from libra.rollout.actions import Change, RealActions
from libra.rollout.interrupts import interrupting
from libra.rollout.leading import Led, RolloutApi
from libra.rollout.options import Options, read_options
from libra.rollout.runner import Runner, Watcher
from libra.rollout.watchers import LineWatcher, tell_end


class RolloutStopped(LibraError):
    """It is not complete; `rollout` says how far it is."""

    def __init__(self, led: Led) -> None:
        super().__init__(tell_end(led))
        self.rollout = led


class HowTo(TypedDict, total=False):
    """As the options of `libra rollout run`, with the same defaults. Times in seconds."""

    batch: int
    min_online: int | str
    drain_timeout: float
    on_drain_timeout: Literal["continue", "stop"]
    on_failure: Literal["leave", "restore"]
    health: str | None
    warm_up: Sequence[str]
    command_timeout: float
    health_timeout: float
    warm_up_timeout: float
    online_timeout: float
    capacity_timeout: float


def rollout(
    group: str,
    change: Change | Sequence[str],
    *,
    nodes: Sequence[str] = (),
    resume: bool = False,
    api_url: str | None = None,
    token_file: str | Path | None = None,
    report: Callable[[str], None] = print,
    **how: Unpack[HowTo],
) -> Led:
    """Change every node of a group, a few at a time, while the others serve; `libra rollout run` as a function.

    `change` is called with each `Node` once nothing is sent there any more, in a thread of its own, and has failed
    where it raises; or it is a command as for `libra rollout run`. With `resume` it goes on with one that was stopped.
    Raises `RolloutStopped` unless it is complete, and other `LibraError`s where the API refuses it.
    """
    if isinstance(nodes, str):
        raise TypeError("rollout() takes nodes as a list")
    if nodes and resume:
        raise TypeError("rollout() resumes with the nodes that it has, and takes no others")
    options = _read(change, how)
    rest = open_rest(api_url, Path(token_file) if token_file else None, os.environ)
    try:
        api = RolloutApi(rest)
        led = api.resume(group, options) if resume else api.begin(group, nodes, options)
        led = lead(api, led, LineWatcher(report), change if callable(change) else None)
    finally:
        rest.close()
    report(tell_end(led))
    if led.state is not RolloutState.COMPLETE:
        raise RolloutStopped(led)
    return led


def _read(change: Change | Sequence[str], how: HowTo) -> Options:
    """Raises as a function does that has no such argument."""
    if not callable(change) and (isinstance(change, str) or not change):
        raise TypeError("rollout() takes a function, or a command as a list of words")
    if isinstance(how.get("warm_up"), str):
        raise TypeError("rollout() takes warm_up as a list")
    if unknown := sorted(how.keys() - HowTo.__annotations__.keys()):
        raise TypeError(f"rollout() got an unexpected keyword argument '{unknown[0]}'")
    given = {**how, "min_online": str(how.get("min_online", Options().min_online))}
    return read_options({**given, "command": () if callable(change) else tuple(change)})


def lead(api: RolloutApi, led: Led, watcher: Watcher, change: Change | None = None) -> Led:
    """To its end, with the signals of this process. Raises `LibraError`."""
    cancelled = threading.Event()
    actions = RealActions(api, led.options, watcher.tell, cancelled, change)
    runner = Runner(api, led, actions, watcher, cancelled)
    with interrupting(runner):
        return runner.run()
