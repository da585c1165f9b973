"""A rollout from Python, as from a fabfile."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from libra.client.rest import open_rest
from libra.errors import LibraError
from libra.model.rollout import DrainPolicy, FailurePolicy, RolloutState
from libra.rollout.actions import Change, RealActions
from libra.rollout.interrupts import interrupting
from libra.rollout.leading import Led, RolloutApi
from libra.rollout.options import Options
from libra.rollout.runner import Runner, Watcher
from libra.rollout.watchers import LineWatcher, tell_end


class RolloutStopped(LibraError):
    """It is not complete; `rollout` says how far it is."""

    def __init__(self, led: Led) -> None:
        super().__init__(tell_end(led))
        self.rollout = led


def rollout(
    group: str,
    change: Change | Sequence[str],
    *,
    nodes: Sequence[str] = (),
    batch: int = 1,
    min_online: int | str = "50%",
    drain_timeout: float = 60.0,
    on_drain_timeout: str = "stop",
    on_failure: str = "leave",
    health: str | None = None,
    warm_up: Sequence[str] = (),
    command_timeout: float = 600.0,
    health_timeout: float = 60.0,
    warm_up_timeout: float = 60.0,
    online_timeout: float = 60.0,
    capacity_timeout: float = 300.0,
    resume: bool = False,
    api_url: str | None = None,
    token_file: str | Path | None = None,
    report: Callable[[str], None] = print,
) -> Led:
    """Change every node of a group, a few at a time, while the others serve; `libra rollout run` as a function.

    `change` is called with each `Node` once nothing is sent there any more, in a thread of its own, and has failed
    where it raises; or it is a command as for `libra rollout run`. With `resume` it goes on with one that was stopped.
    Raises `RolloutStopped` unless it is complete, and other `LibraError`s where the API refuses it.
    """
    options = Options(
        command=() if callable(change) else tuple(change),
        batch=batch,
        min_online=str(min_online),
        drain_timeout=drain_timeout,
        on_drain_timeout=DrainPolicy(on_drain_timeout),
        on_failure=FailurePolicy(on_failure),
        health=health,
        warm_up=tuple(warm_up),
        command_timeout=command_timeout,
        health_timeout=health_timeout,
        warm_up_timeout=warm_up_timeout,
        online_timeout=online_timeout,
        capacity_timeout=capacity_timeout,
    )
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


def lead(api: RolloutApi, led: Led, watcher: Watcher, change: Change | None = None) -> Led:
    """To its end, with the signals of this process. Raises `LibraError`."""
    cancelled = threading.Event()
    actions = RealActions(api, led.options, watcher.tell, cancelled, change)
    runner = Runner(api, led, actions, watcher, cancelled)
    with interrupting(runner):
        return runner.run()
