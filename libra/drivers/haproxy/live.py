"""What the serving process runs, remembered between changes, and changed without a reload.

To ask HAProxy for thousands of servers takes longer than a change of one, so what is known is kept as long as the same
process serves and no change of it went wrong. `forget` makes the next look a real one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from libra.drivers.haproxy.actions import (
    Action,
    LineAction,
    RemoveServer,
    RuntimeAction,
    SetCertificate,
    SetMap,
    SetWeight,
)
from libra.drivers.haproxy.commands import render_commands
from libra.drivers.haproxy.config import Backend, Configuration, Server
from libra.drivers.haproxy.effects import Running, after_reload
from libra.drivers.haproxy.leaving import LeavingServers, ServerKey
from libra.drivers.haproxy.observe import ObservedServer, overlay, parse_servers_state, parse_stat
from libra.drivers.haproxy.renewal import overlay_materials, renew
from libra.drivers.haproxy.runtime import AdminSocket, build_command

SERVERS = "show servers state"
FRONTENDS_AND_SERVERS = "show stat -1 5 -1"


class LiveConfiguration:
    """One thread at a time."""

    def __init__(self, admin: AdminSocket, leaving: LeavingServers) -> None:
        self._admin = admin
        self._leaving = leaving
        self._pid: int | None = None
        self._running: Running | None = None
        self._going: frozenset[ServerKey] = frozenset()  # at the last look

    def look(self, pid: int, structure: Configuration) -> Running:
        """What that process runs, which was started from a file of this structure.

        Raises `DriverError`, and `ValueError` where HAProxy's answer cannot be read.
        """
        self._leaving.serve(pid)
        self._going = frozenset(self._leaving.servers())
        if self._running is None or self._pid != pid:
            servers = self._ask_servers()
            rows = parse_stat(self._admin.ask(FRONTENDS_AND_SERVERS))
            observed = overlay(structure, servers, rows)
            self._pid, self._running = pid, overlay_materials(self._admin, observed)
        return _with_leaving(self._running, self._leaving.servers())

    def _ask_servers(self) -> list[ObservedServer]:
        """Without those that are about to go: what is remembered must be true when they are gone."""
        servers = parse_servers_state(self._admin.ask(SERVERS))
        return [item for item in servers if (item.backend, item.name) not in self._going]

    def not_under_way(self, actions: Sequence[Action]) -> tuple[Action, ...]:
        """Without the removal of servers that were about to go at the last look: they may be gone by now."""
        return tuple(action for action in actions if _removed(action) not in self._going)

    def change(self, pid: int, actions: Sequence[RuntimeAction], desired: Configuration) -> None:
        """Carry out the steps that lead from what the last look saw to `desired`.

        Raises `RuntimeRefused` or `ProxyNotRunning`, when some of them may have been done.
        """
        before, self._running = self._running, None
        for key in _wanted_again(desired, self._leaving.servers()):
            self._leaving.keep(*key)
        self._carry_out(actions)
        for backend, server in _removals(actions, before):
            self._leaving.add(backend, server)
        self._pid = pid
        self._running = Running(desired, before.shut if before else frozenset())

    def _carry_out(self, actions: Sequence[RuntimeAction]) -> None:
        """Lines go together as far as they follow each other."""
        lines: list[str] = []
        for action in actions:
            if isinstance(action, SetCertificate | SetMap):
                self._admin.order(lines)
                lines = []
                renew(self._admin, action)
            else:
                lines += render_commands(self._as_it_stands(action))
        self._admin.order(lines)

    def _as_it_stands(self, action: LineAction) -> LineAction:
        """One that is down waits for its checks anyway, for more of them than one."""
        if not isinstance(action, SetWeight) or not action.recheck:
            return action
        servers = parse_servers_state(
            self._admin.ask(build_command(*SERVERS.split(), action.backend))
        )
        is_up = any(item.is_up for item in servers if item.name == action.server)
        return replace(action, recheck=is_up)

    def loaded(self, pid: int, desired: Configuration) -> None:
        """A process was just started from the file."""
        self._leaving.serve(pid)
        self._pid, self._running = pid, after_reload(desired)

    def forget(self) -> None:
        """Look for real the next time."""
        self._pid = self._running = None


def _with_leaving(running: Running, leaving: dict[ServerKey, Server]) -> Running:
    """HAProxy still has them, so an UPDATE that wants one back must find it."""
    if not leaving:
        return running
    backends = tuple(_backend_with(item, leaving) for item in running.configuration.backends)
    return replace(running, configuration=replace(running.configuration, backends=backends))


def _backend_with(backend: Backend, leaving: dict[ServerKey, Server]) -> Backend:
    present = {server.name for server in backend.servers}
    extra = tuple(
        server
        for (name, _), server in leaving.items()
        if name == backend.name and server.name not in present
    )
    return replace(backend, servers=(*backend.servers, *extra)) if extra else backend


def _wanted_again(desired: Configuration, leaving: dict[ServerKey, Server]) -> Iterator[ServerKey]:
    if leaving:
        wanted = {(b.name, server.name) for b in desired.backends for server in b.servers}
        yield from (key for key in leaving if key in wanted)


def _removed(action: Action) -> ServerKey | None:
    return (action.backend, action.server) if isinstance(action, RemoveServer) else None


def _removals(
    actions: Sequence[RuntimeAction], running: Running | None
) -> Iterator[tuple[str, Server]]:
    gone = {key for key in map(_removed, actions) if key is not None}
    if gone and running is not None:
        for backend in running.configuration.backends:
            yield from (
                (backend.name, server)
                for server in backend.servers
                if (backend.name, server.name) in gone
            )
