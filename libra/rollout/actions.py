"""What is done to a node in each phase."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from libra.errors import LibraError
from libra.model.rollout import Phase
from libra.rollout.commands import ActionFailed, run_command
from libra.rollout.leading import PAUSE_SECONDS, Led, RolloutApi
from libra.rollout.options import Options
from libra.rollout.requests import await_answer, is_healthy, is_warm
from libra.rollout.templates import Node, fill_url

Change = Callable[[Node], object]
"""What changes a node, in place of a command; it fails by raising."""
Told = Callable[[str, str], None]
"""Is given a node's name and a line that its command has written."""


class Actions(Protocol):
    """Each returns when it is done. Raises `LibraError` where it cannot be."""

    def act(self, led: Led, node: Node, phase: Phase) -> None:
        """What the phase stands for, but for what is only waited for."""


class RealActions:
    """Marks over the API, commands here, requests from here. `cancelled` ends what takes time."""

    def __init__(
        self,
        api: RolloutApi,
        options: Options,
        told: Told,
        cancelled: threading.Event,
        change: Change | None = None,
    ) -> None:
        self._api = api
        self._options = options
        self._told = told
        self._cancelled = cancelled
        self._change = change

    def act(self, led: Led, node: Node, phase: Phase) -> None:
        """See `Actions`."""
        if phase is Phase.COMMAND:
            self._run(node)
        elif phase is Phase.CHECKING:
            self._check(node)
        elif phase is Phase.WARMING:
            self._warm(node)
        else:
            if phase is Phase.DRAINING:
                self._fill_urls(node)  # what cannot be asked later takes no node out of service now
            self._mark(led, node)

    def _mark(self, led: Led, node: Node) -> None:
        """Where its pools have nobody else who takes traffic just now, that is waited for."""
        deadline = time.monotonic() + self._options.capacity_timeout
        while why := self._api.mark(led, node.name):
            if time.monotonic() > deadline:
                raise ActionFailed(f"{why}, for {self._options.capacity_timeout:g} s")
            if self._cancelled.wait(PAUSE_SECONDS):
                raise ActionFailed(f"{why}, until the rollout was ended")

    def _run(self, node: Node) -> None:
        if self._change is None:
            told = self._told
            run_command(self._options, node, lambda line: told(node.name, line), self._cancelled)
            return
        try:
            self._change(node)
        except LibraError:
            raise
        except (Exception, SystemExit) as error:  # it may be written as a program of its own
            words = str(error).strip().splitlines()
            raise ActionFailed(f"{type(error).__name__}: {words[0] if words else ''}") from error

    def _fill_urls(self, node: Node) -> None:
        for url in (self._options.health, *self._options.warm_up):
            fill_url(url or "", node)

    def _check(self, node: Node) -> None:
        url = fill_url(self._options.health or "", node)
        await_answer(url, is_healthy, self._options.health_timeout, self._cancelled)

    def _warm(self, node: Node) -> None:
        for url in self._options.warm_up:
            filled = fill_url(url, node)
            await_answer(filled, is_warm, self._options.warm_up_timeout, self._cancelled)
