"""Groups of nodes to roll out, and a client that leads a rollout of them."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from structlog.testing import capture_logs
from typer.testing import Result

from libra.client.rest import Rest
from libra.errors import LibraError
from libra.manager.settle import MANAGER
from libra.model.nodestatus import Mark, NodeStatus
from libra.rollout.actions import Actions, Change, RealActions
from libra.rollout.leading import Led, RolloutApi
from libra.rollout.options import Options
from libra.rollout.runner import Runner
from libra.rollout.watchers import LineWatcher
from libra.usecases.nodes import create_node, find_node
from libra.usecases.nodestatus import set_status
from libra.usecases.services import Services
from tests.support.cli import invoke
from tests.support.control import ControlLab


def add_group(lab: ControlLab, group: str, *names: str) -> None:
    """Nodes that no device has members for: they are drained as soon as they are marked."""
    for name in names:
        create_node(lab.controller.services, MANAGER, {"name": name, "group": group})


def mark(lab: ControlLab, name: str, status: NodeStatus, reason: str = "") -> None:
    """By somebody else."""
    marks = {name: Mark(status=status, reason=reason)}
    set_status(lab.controller.services, MANAGER, marks, force=True)


def is_online(lab: ControlLab, name: str) -> bool:
    return find_node(lab.controller.services, name).is_online


def environ_of(lab: ControlLab) -> dict[str, str]:
    """For commands."""
    url = f"http://127.0.0.1:{lab.controller.api.port}"
    return {"LIBRA_API_URL": url, "LIBRA_API_TOKEN": lab.secret}


def command(lab: ControlLab, *words: str) -> Result:
    """`libra rollout`, in this process, where the controller's log would be in its output."""
    with capture_logs():
        return invoke("rollout", *words, environ=environ_of(lab))


@contextmanager
def api_of(lab: ControlLab) -> Iterator[RolloutApi]:
    """An administrator's."""
    rest = Rest(f"http://127.0.0.1:{lab.controller.api.port}", lab.secret)
    try:
        yield RolloutApi(rest, patience=20.0)
    finally:
        rest.close()


@contextmanager
def later(lab: ControlLab, seconds: float) -> Iterator[None]:
    """As if so much time had gone by."""
    state = lab.controller.api._app.state
    services: Services = state.services
    state.services = replace(services, clock=lambda: services.clock() + timedelta(seconds=seconds))
    try:
        yield
    finally:
        state.services = services


class Leader:
    """A client in threads of this process. `lines` is what it told."""

    def __init__(self, api: RolloutApi, led: Led, change: Change | None = None) -> None:
        self.lines: list[str] = []
        self.cancelled = threading.Event()
        watcher = LineWatcher(self.lines.append)
        actions: Actions = RealActions(api, led.options, watcher.tell, self.cancelled, change)
        self.runner = Runner(api, led, actions, watcher, self.cancelled)
        self.outcome: Led | LibraError | None = None
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.outcome = self.runner.run()
        except LibraError as error:
            self.outcome = error

    def start(self) -> "Leader":
        self._thread.start()
        return self

    def wait(self) -> Any:
        """How it ended."""
        self._thread.join(60)
        assert self.outcome is not None
        return self.outcome


def options(**given: Any) -> Options:
    return Options(**{"command": ("true",), "online_timeout": 20.0, **given})
