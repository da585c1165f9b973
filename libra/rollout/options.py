"""How a rollout changes its nodes, as a client says it and the controller keeps it."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from libra.model.rollout import DrainPolicy, FailurePolicy
from libra.model.rolloutplan import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Times in seconds. `command` is a program with its arguments, or with `shell` one text for /bin/sh.

    In it and in URLs {node}, {address}, {port} and {group} stand for the node's.
    """

    command: tuple[str, ...] = ()
    shell: bool = False
    batch: int = 1
    min_online: str = "50%"
    drain_timeout: float = 60.0
    on_drain_timeout: DrainPolicy = DrainPolicy.STOP
    on_failure: FailurePolicy = FailurePolicy.LEAVE
    health: str | None = None
    warm_up: tuple[str, ...] = ()
    command_timeout: float = 600.0
    health_timeout: float = 60.0
    warm_up_timeout: float = 60.0
    online_timeout: float = 60.0
    capacity_timeout: float = 300.0

    def policy(self) -> Policy:
        """What decides about the next step."""
        return Policy(
            batch=self.batch,
            min_online=self.min_online,
            drain_timeout=self.drain_timeout,
            on_drain_timeout=self.on_drain_timeout,
            on_failure=self.on_failure,
            checks=self.health is not None,
            warms=bool(self.warm_up),
            online_timeout=self.online_timeout,
            capacity_timeout=self.capacity_timeout,
        )


def write_options(options: Options) -> dict[str, Any]:
    """As the API takes them."""
    written = asdict(options)
    for name in ("on_drain_timeout", "on_failure"):
        written[name] = written[name].value
    return written


def read_options(given: Mapping[str, Any]) -> Options:
    """As the API gives them; what a newer release has added is passed over."""
    known: dict[str, Any] = {
        field.name: given[field.name] for field in fields(Options) if field.name in given
    }
    for name, kind in _KINDS.items():
        if name in known:
            known[name] = kind(known[name])
    return Options(**known)


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "command": tuple,
    "warm_up": tuple,
    "on_drain_timeout": DrainPolicy,
    "on_failure": FailurePolicy,
}
