"""Orders about one controller's process: how much it logs, its settings, its end."""

from dataclasses import dataclass
from typing import Protocol

from libra.errors import Conflict, Invalid, LibraError, StorageUnavailable
from libra.messages.fields import quoted
from libra.model.access import Caller
from libra.usecases.admin.comments import ensure_comment
from libra.usecases.outbox import add_event
from libra.usecases.services import Services

LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG", "VERBOSE")


@dataclass(frozen=True, slots=True)
class Reconfiguration:
    """Keys of the settings whose values are others than they were: those that count from now on, and those that wait
    for a restart."""

    changed: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()


class Daemon(Protocol):
    """The process that the order came to."""

    id: str
    """As its row has it."""

    def set_log_level(self, level: str) -> None:
        """One of `LEVELS`, at once, until the settings are read again."""

    def reconfigure(self) -> Reconfiguration:
        """Read the settings again. Raises `LibraError` with nothing changed; `Conflict` where there is no file."""

    def quick_shutdown(self) -> None:
        """Begin to stop, and leave all devices running; returns at once."""


class NoDaemon:
    """Where the API is served by no daemon. See `Daemon`."""

    id = ""

    def set_log_level(self, level: str) -> None:
        """Raises `Conflict`."""
        raise Conflict(f"cannot log {level}: there is no daemon here")

    def reconfigure(self) -> Reconfiguration:
        """Raises `Conflict`."""
        raise Conflict("cannot read the settings again: there is no daemon here")

    def quick_shutdown(self) -> None:
        """Raises `Conflict`."""
        raise Conflict("cannot stop it: there is no daemon here")


def change_log_level(services: Services, caller: Caller, daemon: Daemon, given: str) -> str:
    """The level, as `LEVELS` has it; any case. Raises `Invalid` for another one."""
    ensure_comment(services, caller)
    level = given.upper()
    if level not in LEVELS:
        known = ", ".join(LEVELS)
        raise Invalid(f"cannot log from {quoted(given)} on: the levels are {known}")
    daemon.set_log_level(level)
    _note(services, caller, daemon, "controller.log_level", level)
    return level


def reconfigure(services: Services, caller: Caller, daemon: Daemon) -> Reconfiguration:
    """Raises `Invalid` with all that is wrong in the settings; then nothing has changed."""
    ensure_comment(services, caller)
    try:
        done = daemon.reconfigure()
    except (Conflict, StorageUnavailable):
        raise
    except LibraError as error:
        raise Invalid(f"cannot use the new settings, all is as it was: {error}") from error
    told = f"changed: {_listed(done.changed)}; waits for a restart: {_listed(done.waiting)}"
    _note(services, caller, daemon, "controller.reconfigured", told)
    return done


def quick_shutdown(services: Services, caller: Caller, daemon: Daemon) -> None:
    """The event comes first: afterwards there is nobody to write it."""
    ensure_comment(services, caller)
    _note(services, caller, daemon, "controller.quick_shutdown", "all devices are left running")
    daemon.quick_shutdown()


def _note(services: Services, caller: Caller, daemon: Daemon, kind: str, reason: str) -> None:
    with services.storage.writing() as unit:
        add_event(unit, services, caller, kind, daemon.id, reason=reason)


def _listed(keys: tuple[str, ...]) -> str:
    return ", ".join(keys) or "nothing"
