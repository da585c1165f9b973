"""What the commands need from outside; `libra.cmd.libra` makes the real ones, tests make their own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

if TYPE_CHECKING:  # a command that needs no settings does not pay for them
    from libra.config.settings import JobServerSettings
    from libra.jobs.base import JobClient


class JobServer(Protocol):
    """A job server of this process."""

    host: str
    port: int

    def start(self) -> None:
        """Listen; raises `LibraError`."""

    def stop(self) -> None:
        """Close every connection and the port."""


class Fleet(Protocol):
    """Everything on one machine."""

    state_dir: Path
    api_port: int
    job_port: int

    @property
    def token_file(self) -> Path:
        """The administrator's token."""

    def start(self) -> None:
        """Raises `LibraError`."""

    @property
    def has_ended(self) -> bool:
        """Whether its API is served no more, though nobody has stopped it."""

    def stop(self, patience: Callable[[float], bool]) -> None:
        """All of it. `patience` waits so many seconds, and is False once nothing is to be waited for."""


def _missing(*_: object) -> NoReturn:
    raise NotImplementedError("this command was not wired")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """The context object of every command. `environ` is read for settings only."""

    open_job_client: "Callable[[Sequence[JobServerSettings]], JobClient]"
    create_job_server: Callable[[str, int], JobServer]
    create_fleet: Callable[[Path, int, int, Sequence[str]], Fleet] = _missing
    upgrade_database: Callable[[str], str] = _missing
    check_database: Callable[[str], None] = _missing
    environ: Mapping[str, str] = field(default_factory=dict)
