"""What runs, and what each step makes of it: the pure counterpart of HAProxy's runtime API."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import assert_never

from libra.drivers.haproxy.actions import (
    Action,
    AddServer,
    DisableFrontend,
    EnableFrontend,
    Reload,
    RemoveServer,
    SetAddress,
    SetCertificate,
    SetMaint,
    SetMap,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.config import Configuration, Frontend, Material, Server, ServerState

Change = SetWeight | SetAddress | SetReady | SetMaint


@dataclass(frozen=True, slots=True)
class Running:
    """What runs. `shut` names the frontends that were started disabled, which only a reload can open."""

    configuration: Configuration
    shut: frozenset[str] = frozenset()


def apply(running: Running, actions: Iterable[Action], desired: Configuration) -> Running:
    """What runs after these steps; `desired` is what a reload would load."""
    for action in actions:
        running = _apply_one(running, action, desired)
    return running


def after_reload(desired: Configuration) -> Running:
    """What runs in a process that was just started from the file."""
    return Running(desired, frozenset(f.name for f in desired.frontends if f.disabled))


def same(one: Configuration, other: Configuration) -> bool:
    """Equal but for the order of servers and the weight of those that drain anyway."""
    return _canonical(one) == _canonical(other)


def effective_weight(server: Server) -> int:
    """The weight in HAProxy's eyes: draining is weight 0."""
    return 0 if server.state is ServerState.DRAIN else server.weight


def in_maintenance(server: Server) -> bool:
    """True where it takes no traffic at all."""
    return server.state is ServerState.MAINT


def serves(server: Server) -> bool:
    """Whether something new goes there, as far as that is configured."""
    return not in_maintenance(server) and effective_weight(server) > 0


def _apply_one(running: Running, action: Action, desired: Configuration) -> Running:
    match action:
        case Reload():
            return after_reload(desired)
        case EnableFrontend(name):
            return _with_frontend(running, name, disabled=False)
        case DisableFrontend(name):
            return _with_frontend(running, name, disabled=True)
        case AddServer(backend, server):
            return _with_server(running, backend, server.name, server)
        case RemoveServer(backend, name):
            return _with_server(running, backend, name, None)
        case SetCertificate(material) | SetMap(material):
            return _with_material(running, material)
        case SetWeight() | SetAddress() | SetReady() | SetMaint():
            return _with_change(running, action)
    assert_never(action)


def _with_frontend(running: Running, name: str, *, disabled: bool) -> Running:
    frontends = tuple(
        replace(item, disabled=disabled) if item.name == name else item
        for item in running.configuration.frontends
    )
    return replace(running, configuration=replace(running.configuration, frontends=frontends))


def _with_material(running: Running, material: Material) -> Running:
    frontends = tuple(_renewed(item, material) for item in running.configuration.frontends)
    return replace(running, configuration=replace(running.configuration, frontends=frontends))


def _renewed(frontend: Frontend, material: Material) -> Frontend:
    """With that content wherever it has a file of that stem."""
    if all(item.stem != material.stem for item in frontend.materials):
        return frontend
    if frontend.allowed is not None and frontend.allowed.stem == material.stem:
        return replace(frontend, allowed=material)
    if frontend.statuses is not None and frontend.statuses.stem == material.stem:
        return replace(frontend, statuses=material)
    assert frontend.tls is not None
    certificates = tuple(
        material if item.stem == material.stem else item for item in frontend.tls.certificates
    )
    return replace(frontend, tls=replace(frontend.tls, certificates=certificates))


def _with_change(running: Running, action: Change) -> Running:
    server = next(
        item
        for backend in running.configuration.backends
        if backend.name == action.backend
        for item in backend.servers
        if item.name == action.server
    )
    return _with_server(running, action.backend, action.server, _changed(server, action))


def _changed(server: Server, action: Change) -> Server:
    match action:
        case SetWeight():
            state = ServerState.MAINT if in_maintenance(server) else ServerState.READY
            return server._replace(weight=action.weight, state=state)
        case SetAddress():
            return server._replace(address=action.address, port=action.port)
        case SetReady():
            return server._replace(state=ServerState.READY)
        case SetMaint():
            return server._replace(weight=effective_weight(server), state=ServerState.MAINT)
    assert_never(action)


def _with_server(running: Running, backend: str, name: str, server: Server | None) -> Running:
    backends = tuple(
        replace(item, servers=_servers_with(item.servers, name, server))
        if item.name == backend
        else item
        for item in running.configuration.backends
    )
    return replace(running, configuration=replace(running.configuration, backends=backends))


def _servers_with(
    servers: tuple[Server, ...], name: str, server: Server | None
) -> tuple[Server, ...]:
    others = tuple(item for item in servers if item.name != name)
    if server is None:
        return others
    if len(others) == len(servers):
        return (*servers, server)
    return tuple(server if item.name == name else item for item in servers)


def _canonical(configuration: Configuration) -> Configuration:
    return replace(
        configuration,
        backends=tuple(
            replace(
                item, servers=tuple(sorted(map(_effective, item.servers), key=lambda s: s.name))
            )
            for item in configuration.backends
        ),
    )


def _effective(server: Server) -> Server:
    state = ServerState.MAINT if in_maintenance(server) else ServerState.READY
    return server._replace(weight=effective_weight(server), state=state)
