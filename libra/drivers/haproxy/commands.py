"""Runtime actions as commands of HAProxy's admin socket.

Every word of a command comes from the typed configuration, whose names are encoded and whose addresses are parsed.
Source: HAProxy management guide, "Unix Socket commands".
"""

from typing import assert_never

from libra.drivers.haproxy.actions import (
    AddServer,
    DisableFrontend,
    EnableFrontend,
    LineAction,
    RemoveServer,
    SetAddress,
    SetMaint,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.backends import milliseconds
from libra.drivers.haproxy.config import Check
from libra.drivers.haproxy.effects import effective_weight, in_maintenance
from libra.drivers.haproxy.serverlines import check_place, host


def render_commands(action: LineAction) -> tuple[str, ...]:
    """The commands of one action, in order; each may be repeated without harm, but for an addition."""
    match action:
        case SetWeight(backend, server, weight, recheck):
            # until a check passes, which HAProxy takes for the end of that
            waits = (f"set server {backend}/{server} health stopping",) if recheck else ()
            return (*waits, f"set server {backend}/{server} weight {weight}")
        case SetAddress(backend, server, address, port):
            return (f"set server {backend}/{server} addr {address} port {port}",)
        case SetReady(backend, server, checked):
            return (
                *_check(backend, server, on=checked),
                f"set server {backend}/{server} state ready",
            )
        case SetMaint(backend, server) | RemoveServer(backend, server):
            return (f"set server {backend}/{server} state maint",)
        case AddServer():
            return _addition(action)
        case EnableFrontend(frontend):
            return (f"enable frontend {frontend}",)
        case DisableFrontend(frontend):
            return (f"disable frontend {frontend}",)
    assert_never(action)


def _check(backend: str, server: str, *, on: bool) -> tuple[str, ...]:
    """The check of a new server is off: also of one whose worker was killed right after it had added it."""
    return (f"enable health {backend}/{server}",) if on else ()


def _addition(action: AddServer) -> tuple[str, ...]:
    """A new server starts in maintenance, where HAProxy would check it nevertheless once that is switched on."""
    server = action.server
    name = f"{action.backend}/{server.name}"
    words = [f"add server {name} {host(server.address)}:{server.port}"]
    words.append(f"weight {effective_weight(server)}")
    if server.id is not None:
        words.append(f"id {server.id}")
    if action.with_cookie:
        words.append(f"cookie {server.name}")
    if server.backup:
        words.append("backup")
    if action.send_proxy is not None:
        words.append(action.send_proxy)
    if action.check is not None:
        elsewhere = check_place(server)
        over_tls = action.check.tls or (bool(action.tls) and not elsewhere)
        words.append(f"{_check_words(action.check, over_tls=over_tls)}{elsewhere}")
    if action.tls:
        words.append(action.tls)
    if in_maintenance(server):
        return (" ".join(words),)
    checks = _check(action.backend, server.name, on=action.check is not None)
    return (" ".join(words), *checks, f"enable server {name}")


def _check_words(check: Check, *, over_tls: bool) -> str:
    """`default-server` of the backend does not reach a server that is added at runtime, and its check is over TLS only
    where that is said: in the file, one that goes where requests go is as these are.
    """
    interval = milliseconds(check.interval)
    fall = check.attempts_down or check.attempts
    kind = " check-ssl verify none" if over_tls else ""
    return f"check inter {interval}ms fall {fall} rise {check.attempts}{kind}"


def deletion(backend: str, server: str) -> str:
    """Takes a server in maintenance away; refused as long as it has connections."""
    return f"del server {backend}/{server}"


def session_end(backend: str, server: str) -> str:
    """Cuts what a server still serves."""
    return f"shutdown sessions server {backend}/{server}"


def is_deleted(answer: str) -> bool:
    """True where the server is gone, also where it was gone before."""
    return answer.startswith(("Server deleted", "No such server", "No such backend"))
