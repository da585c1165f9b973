"""The worker's last desired state on disk: what it restores after a reboot, without any job."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from libra.durable import remove_file, replace_file
from libra.errors import Invalid, StateError
from libra.messages.codec import JsonObject
from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import Desired

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SavedState:
    """The UPDATE message as it came (the one form that every later release can read), and SUSPEND's mark."""

    update: JsonObject
    suspended: bool = False

    def desired(self) -> Desired:
        """The state in words; raises `Invalid` where this release no longer takes the message."""
        request = parse_request(self.update)
        if not isinstance(request, Update):
            raise Invalid("cannot read the saved state: it holds no UPDATE message")
        return Desired(loadbalancers=request.loadbalancers, suspended=self.suspended)


class StateStore(Protocol):
    """Keeps one `SavedState`, or none."""

    def load(self) -> SavedState | None:
        """What was saved last; raises `StateError`."""

    def save(self, state: SavedState | None) -> None:
        """Durable when it returns; raises `StateError` with the old state in place."""


class MemoryState:
    """For tests, and for a controller used as a library."""

    def __init__(self) -> None:
        self._state: SavedState | None = None

    def load(self) -> SavedState | None:
        """What was saved last."""
        return self._state

    def save(self, state: SavedState | None) -> None:
        """Keep it until the process ends."""
        self._state = state


class FileState:
    """One JSON file: {"format": 1, "suspended": false, "update": {...}}."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> SavedState | None:
        """None where there is no file."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateError(
                f"cannot read the saved state {self._path}: {error.strerror}"
            ) from error
        return self._parse(data)

    def _parse(self, data: bytes) -> SavedState:
        try:
            value = json.loads(data)
            if value["format"] != FORMAT:
                raise StateError(
                    f"cannot read the saved state {self._path}: its format {value['format']!r} is not {FORMAT}"
                )
            return SavedState(update=dict(value["update"]), suspended=bool(value["suspended"]))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise StateError(f"cannot read the saved state {self._path}: {error}") from error

    def save(self, state: SavedState | None) -> None:
        """Write beside, sync, rename; None removes the file."""
        try:
            if state is None:
                remove_file(self._path)
                return
            value = {"format": FORMAT, "suspended": state.suspended, "update": state.update}
            replace_file(self._path, json.dumps(value).encode("ascii"), mode=0o600)
        except OSError as error:
            raise StateError(f"cannot save the state to {self._path}: {error.strerror}") from error
        except (RecursionError, ValueError, TypeError) as error:
            raise StateError(f"cannot save the state to {self._path}: {error}") from error
