"""The worker's last desired state: on disk for the next start, in memory to act on."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from libra.durable import install_beside, remove_beside, remove_file, write_beside
from libra.errors import Invalid, StateError
from libra.messages.requests import (
    PROTOCOL_VERSION,
    SECOND_VERSION,
    Update,
    parse_request,
)
from libra.messages.updates import UpdateWriter
from libra.model.loadbalancer import Desired

FIRST, SECOND = 1, 2
_HINT = "; an UPDATE replaces it, a DELETE removes it"


class StateStore(Protocol):
    """Keeps one desired state; the empty one where nothing was saved."""

    def load(self) -> Desired:
        """What was saved last; raises `StateError`."""

    def prepare(self, desired: Desired) -> None:
        """What can be done beforehand for `save` of this very object; raises `StateError`."""

    def discard(self) -> None:
        """It will not be saved. Never raises."""

    def save(self, desired: Desired) -> None:
        """Durable when it returns; raises `StateError` with the old state in place."""


class MemoryState:
    """For tests, and for a controller used as a library."""

    def __init__(self) -> None:
        self._desired = Desired()

    def load(self) -> Desired:
        """What was saved last."""
        return self._desired

    def prepare(self, desired: Desired) -> None:
        """There is nothing to do."""

    def discard(self) -> None:
        """Nothing either."""

    def save(self, desired: Desired) -> None:
        """Keep it until the process ends."""
        self._desired = desired


class FileState:
    """One JSON file: {"format": 1, "suspended": false, "update": {an UPDATE message}}.

    What came by a 2.0 message, or has a generation, is format 2, which adds "generation" and "version". The message is
    the one form that every later release reads. A file that cannot be understood is never lost: the next save keeps
    it beside, as NAME.unreadable.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unreadable = False
        self._prepared: Desired | None = None
        self._writer = UpdateWriter()

    def load(self) -> Desired:
        """The empty state where there is no file."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Desired()
        except OSError as error:
            raise StateError(
                f"cannot read the saved state {self._path}: {_words(error)}"
            ) from error
        try:
            return _parse_state(data)
        except Invalid as error:
            self._unreadable = True
            raise StateError(f"cannot use the saved state {self._path}: {error}{_HINT}") from error

    def prepare(self, desired: Desired) -> None:
        """Write beside and sync."""
        self._prepared = None
        if _is_nothing(desired):
            return
        with self._saving():
            write_beside(self._path, self._render(desired), mode=0o600)
        self._prepared = desired

    def discard(self) -> None:
        """Of what was prepared nothing stays behind, keys least of all."""
        prepared, self._prepared = self._prepared, None
        if prepared is not None:
            with suppress(OSError):
                remove_beside(self._path)

    def save(self, desired: Desired) -> None:
        """Write beside, sync, rename; the empty state removes the file."""
        if self._prepared is not desired:
            self.prepare(desired)
        self._prepared = None
        with self._saving():
            self._keep_unreadable()
            if _is_nothing(desired):
                remove_file(self._path)
            else:
                install_beside(self._path)
        self._unreadable = False

    @contextmanager
    def _saving(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(f"cannot save the state to {self._path}: {_words(error)}") from error

    def _render(self, desired: Desired) -> bytes:
        fields: dict[str, object] = {"format": FIRST, "suspended": desired.suspended}
        if desired.generation or desired.version != PROTOCOL_VERSION or desired.is_empty:
            fields |= {"format": SECOND, "generation": desired.generation}
            fields["version"] = desired.version if desired.loadbalancers else SECOND_VERSION
        head = json.dumps(fields, separators=(",", ":"))
        version = str(fields.get("version", PROTOCOL_VERSION))
        nodes = desired.nodes if version == SECOND_VERSION else None
        update = self._writer.write(desired.loadbalancers, version, nodes)
        return f'{head[:-1]},"update":{update}}}\n'.encode("ascii")

    def _keep_unreadable(self) -> None:
        """A link, so that at no moment there is no file: that would be read as "nothing is configured"."""
        if self._unreadable:
            beside = self._path.with_name(f"{self._path.name}.unreadable")
            with suppress(OSError):
                beside.unlink(missing_ok=True)
                os.link(self._path, beside)


class DesiredState:
    """The desired state in memory, always equal to its store: read at first use, written through.

    Safe for several threads. `current` never waits for more than the store.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._known: Desired | None = None
        self._lock = threading.Lock()

    def current(self) -> Desired:
        """Raises `StateError` as long as the store cannot be read."""
        known = self._known
        if known is None:
            with self._lock:
                known = self._known = self._known or self._store.load()
        return known

    def prepare(self, desired: Desired) -> None:
        """Do beforehand what `replace` would do with this very object; raises `StateError`."""
        with self._lock:
            self._store.prepare(desired)

    def discard(self) -> None:
        """It will not be replaced by what was prepared."""
        with self._lock:
            self._store.discard()

    def replace(self, desired: Desired) -> None:
        """Raises `StateError`, and is what it was then."""
        with self._lock:
            self._store.save(desired)
            self._known = desired


def _is_nothing(desired: Desired) -> bool:
    return desired.is_empty and not desired.generation


def _parse_state(data: bytes) -> Desired:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"it is not JSON ({error})") from error
    if not isinstance(value, dict) or "format" not in value:
        raise Invalid("it was not written by libra")
    if value["format"] not in (FIRST, SECOND):
        raise Invalid(f"its format is not {FIRST} or {SECOND}, it was written by another release")
    suspended = value.get("suspended")
    if not isinstance(suspended, bool):
        raise Invalid("its mark 'suspended' must be true or false")
    request = parse_request(value.get("update"))
    if not isinstance(request, Update):
        raise Invalid("it holds no UPDATE message")
    return Desired(
        loadbalancers=request.loadbalancers,
        suspended=suspended,
        generation=_parse_generation(value),
        version=request.version,
        nodes=request.nodes,
    )


def _parse_generation(value: dict[str, object]) -> int:
    generation = value.get("generation", 0)
    if not isinstance(generation, int) or isinstance(generation, bool) or generation < 0:
        raise Invalid("its generation must be a whole number")
    return generation


def _words(error: OSError) -> str:
    return error.strerror or str(error)
