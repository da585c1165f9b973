"""Runtime actions as commands of HAProxy's admin socket, and which answers mean that they were carried out.

Every word of a command comes from the typed configuration, whose names are encoded and whose addresses are parsed.
Source: HAProxy management guide, "Unix Socket commands".
"""

import re
from dataclasses import dataclass
from typing import assert_never

from libra.drivers.haproxy.actions import (
    AddServer,
    DisableFrontend,
    EnableFrontend,
    RemoveServer,
    RuntimeAction,
    SetAddress,
    SetMaint,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.config import Check
from libra.drivers.haproxy.effects import effective_weight, in_maintenance
from libra.drivers.haproxy.render import host, milliseconds

_SILENCE = re.compile(r"")
_ALREADY = re.compile(r"(.* already .*)?")
_MOVED = re.compile(r"(IP changed|no need to change|port changed|nothing changed).*", re.DOTALL)
_ADDED = re.compile(r"New server registered\..*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Command:
    """One line for the socket; `accepted` matches the whole stripped answer of one that was carried out."""

    text: str
    accepted: re.Pattern[str]


def render_commands(action: RuntimeAction) -> tuple[Command, ...]:
    """The commands of one action, in order; each may be repeated without harm, but for an addition."""
    match action:
        case SetWeight(backend, server, weight):
            return (Command(f"set server {backend}/{server} weight {weight}", _SILENCE),)
        case SetAddress(backend, server, address, port):
            return (Command(f"set server {backend}/{server} addr {address} port {port}", _MOVED),)
        case SetReady(backend, server):
            return (Command(f"set server {backend}/{server} state ready", _SILENCE),)
        case SetMaint(backend, server) | RemoveServer(backend, server):
            return (Command(f"set server {backend}/{server} state maint", _SILENCE),)
        case AddServer():
            return _addition(action)
        case EnableFrontend(frontend):
            return (Command(f"enable frontend {frontend}", _ALREADY),)
        case DisableFrontend(frontend):
            return (Command(f"disable frontend {frontend}", _ALREADY),)
    assert_never(action)


def _addition(action: AddServer) -> tuple[Command, ...]:
    """A new server starts in maintenance, and with its check switched off."""
    server = action.server
    name = f"{action.backend}/{server.name}"
    words = [f"add server {name} {host(server.address)}:{server.port}"]
    words.append(f"weight {effective_weight(server)}")
    if action.with_cookie:
        words.append(f"cookie {server.name}")
    if server.backup:
        words.append("backup")
    if action.check is not None:
        words.append(_check_words(action.check))
    commands = [Command(" ".join(words), _ADDED)]
    if action.check is not None:
        commands.append(Command(f"enable health {name}", _SILENCE))
    if not in_maintenance(server):
        commands.append(Command(f"enable server {name}", _SILENCE))
    return tuple(commands)


def _check_words(check: Check) -> str:
    """`default-server` of the backend does not reach a server that is added at runtime."""
    interval = milliseconds(check.interval)
    return f"check inter {interval}ms fall {check.attempts} rise {check.attempts}"


def deletion(backend: str, server: str) -> str:
    """Takes a server in maintenance away; refused as long as it has connections."""
    return f"del server {backend}/{server}"


def is_deleted(answer: str) -> bool:
    """True where the server is gone, also where it was gone before."""
    return answer.startswith(("Server deleted", "No such server", "No such backend"))
