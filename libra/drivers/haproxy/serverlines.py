"""Lines `server` of HAProxy's configuration, and what of them its runtime API takes as well."""

from typing import NamedTuple

from libra.drivers.haproxy.config import Backend, Server, ServerState


class ServerShape(NamedTuple):
    """What of its backend stands in a server's line."""

    backend: str
    with_cookie: bool
    with_check: bool
    send_proxy: str | None


def shape_of(backend: Backend) -> ServerShape:
    """The same for all servers of a backend."""
    has_cookie, has_check = backend.cookie is not None, backend.check is not None
    return ServerShape(backend.name, has_cookie, has_check, backend.send_proxy)


def render_server(shape: ServerShape, server: Server) -> str:
    """One line `server`."""
    weight = 0 if server.state is ServerState.DRAIN else server.weight
    text = f"    server {server.name} {host(server.address)}:{server.port} weight {weight}"
    if server.id is not None:
        text += f" id {server.id}"
    if shape.with_cookie:
        text += f" cookie {server.name}"
    if server.backup:
        text += " backup"
    if server.state is ServerState.MAINT:
        text += " disabled"
    if shape.send_proxy:
        text += f" {shape.send_proxy}"
    return f"{text} check{check_place(server)}" if shape.with_check else text


def check_place(server: Server) -> str:
    """Where its checks go, where that is elsewhere."""
    text = f" addr {server.check_address}" if server.check_address else ""
    return f"{text} port {server.check_port}" if server.check_port else text


def host(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address
