"""What a new process takes over from the one that it replaces, by files that it reads when it starts."""

import time
from contextlib import suppress
from pathlib import Path

import structlog

from libra.drivers.haproxy.clients import Addresses, News, find_news, parse_table, render_clients
from libra.drivers.haproxy.config import Configuration
from libra.drivers.haproxy.live import SERVERS
from libra.drivers.haproxy.options import clients_file, server_state_file
from libra.drivers.haproxy.runtime import AdminSocket, build_command
from libra.drivers.haproxy.serverstate import EMPTY, render_server_state
from libra.durable import replace_file
from libra.errors import DriverError

log = structlog.get_logger(__name__)


class Handover:
    """The state of checks, which only a reload may believe, and the servers that clients are tied to.

    Nothing here raises: a reload without all this costs a few checks, or some clients their server, and no request.
    """

    def __init__(self, admin: AdminSocket, config_file: Path) -> None:
        self._admin = admin
        self._states = server_state_file(config_file)
        self._clients = clients_file(config_file)
        self._saved_states: str | None = None

    def ensure_files(self, text: str) -> None:
        """HAProxy does not start without the file of clients, where the text names it; it warns without the other."""
        for path in self.missing_files(text):
            with suppress(OSError):
                path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
                replace_file(path, EMPTY.encode() if path == self._states else b"")

    def missing_files(self, text: str) -> tuple[Path, ...]:
        """Those that `ensure_files` would make."""
        files = (self._states, self._clients)
        return tuple(path for path in files if not path.exists() and str(path) in text)

    def take_along(self, desired: Configuration) -> None:
        """Call right before a reload to what is desired."""
        try:
            has_checks = any(item.check or item.pinged for item in desired.backends)
            states = self._admin.ask(SERVERS) if has_checks else EMPTY
            self._save_states(render_server_state(states, desired))
            self._take_clients(desired)
        except DriverError as error:
            log.info("nothing to take along", action="reload", error=str(error))

    def close(self) -> None:
        """Call after a reload: a start from scratch must not believe how servers were."""
        self._save_states(EMPTY)

    def _save_states(self, text: str) -> None:
        """Where it is not so already; nobody else writes there."""
        if text != self._saved_states or not self._states.exists():
            self._saved_states = text if _save(self._states, text) else None

    def _take_clients(self, desired: Configuration) -> None:
        former = self._load_clients()
        if desired.ties_by_address or former:
            now = time.monotonic()
            text = render_clients(self._tables(desired, now), former, desired, now)
            _save(self._clients, text)
            self._tell(find_news(text, former))

    def _tell(self, news: News) -> None:
        """The process that is to be replaced. One without this map says so, and needs none."""
        name = str(self._clients)
        for portion in news.unknown:
            self._admin.give(f"add map {name}", portion)
        self._admin.ask_all(
            [build_command("set", "map", name, tie.key, tie.value) for tie in news.changed]
        )

    def _tables(self, desired: Configuration, now: float) -> dict[str, Addresses]:
        names = [backend.name for backend in desired.backends if backend.stick]
        return {name: parse_table(self._admin.ask(f"show table {name}"), now) for name in names}

    def _load_clients(self) -> str:
        try:
            return self._clients.read_text()
        except (OSError, ValueError):
            return ""


def _save(path: Path, text: str) -> bool:
    """Not durable, and need not be: it matters for the moment of a reload. A full disk leaves the former one whole."""
    try:
        replace_file(path, text.encode(), synced=False)
    except OSError:
        return False
    return True
