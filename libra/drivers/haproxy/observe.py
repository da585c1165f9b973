"""What runs, read from the answers of HAProxy's admin socket. Pure: text in, `Running` out.

The process says with its description that it was started from a file of the same structure (everything but
servers and suspension); the servers and the listening state are laid over from `show servers state` and
`show stat`. Formats: HAProxy management guide, "show servers state", "show stat" and its CSV format.
"""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from libra.drivers.haproxy.config import Backend, Configuration, Frontend, Server, ServerState
from libra.drivers.haproxy.effects import Running, effective_weight, in_maintenance

FORCED_MAINTENANCE = (
    0x01  # srv_admin_state's SRV_ADMF_FMAINT; CMAINT stays set in a server made ready again
)
FORCED_DRAIN = 0x08  # SRV_ADMF_FDRAIN: by `set server state drain`, which libra never says
RUNNING = 2  # SRV_ST_RUNNING
STOPPING = 3  # SRV_ST_STOPPING: up, and nothing new goes there
UNKNOWN = "-"


@dataclass(frozen=True, slots=True)
class ObservedServer:
    """A server as it runs; `address` is its host name where it was given one, and "-" where it has none."""

    backend: str
    name: str
    id: int
    address: str
    port: int
    weight: int
    in_maintenance: bool
    drained: bool = False
    is_up: bool = True


def parse_servers_state(text: str) -> list[ObservedServer]:
    """The answer to `show servers state`, in HAProxy's order; raises `ValueError` on another format."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# "):
        raise ValueError("cannot read the answer to 'show servers state': not its format 1")
    names = lines[1][2:].split(" ")
    column = {name: index for index, name in enumerate(names)}
    backend, name = column["be_name"], column["srv_name"]
    address, port = column["srv_addr"], column["srv_port"]
    weight, admin, fqdn = column["srv_uweight"], column["srv_admin_state"], column["srv_fqdn"]
    return [
        ObservedServer(
            row[backend],
            row[name],
            int(row[column["srv_id"]]),
            row[address] if row[fqdn] == UNKNOWN else row[fqdn],
            int(row[port]),
            int(row[weight]),
            bool(int(row[admin]) & FORCED_MAINTENANCE),
            bool(int(row[admin]) & FORCED_DRAIN),
            int(row[column["srv_op_state"]]) == RUNNING,
        )
        for row in (line.split(" ") for line in lines[2:] if not line.startswith("#"))
    ]


def parse_stat(text: str) -> list[dict[str, str]]:
    """The rows of `show stat`."""
    return list(csv.DictReader(io.StringIO(text.removeprefix("# "))))


def overlay(
    configuration: Configuration,
    servers: Iterable[ObservedServer],
    statistics: Iterable[Mapping[str, str]],
) -> Running:
    """What runs: `configuration` gives the structure, the process itself the rest.

    `statistics` are rows of `show stat` of frontends and servers; a frontend that is missing there was started
    disabled.
    """
    rows = {(row["pxname"], row["svname"]): row for row in statistics}
    observed: dict[str, list[ObservedServer]] = {}
    for server in servers:
        observed.setdefault(server.backend, []).append(server)
    frontends = tuple(_overlay_frontend(item, rows) for item in configuration.frontends)
    return Running(
        replace(
            configuration,
            frontends=frontends,
            backends=tuple(
                _overlay_backend(item, observed.get(item.name, []), rows)
                for item in configuration.backends
            ),
        ),
        frozenset(item.name for item in frontends if (item.name, "FRONTEND") not in rows),
    )


def _overlay_frontend(
    frontend: Frontend, rows: Mapping[tuple[str, str], Mapping[str, str]]
) -> Frontend:
    row = rows.get((frontend.name, "FRONTEND"))
    listening = row is not None and row["status"] in ("OPEN", "FULL")
    return frontend if frontend.disabled != listening else replace(frontend, disabled=not listening)


def _overlay_backend(
    backend: Backend,
    observed: Iterable[ObservedServer],
    rows: Mapping[tuple[str, str], Mapping[str, str]],
) -> Backend:
    wanted = {server.name: server for server in backend.servers}
    servers = []
    for item in observed:
        row = rows.get((backend.name, item.name))
        known = wanted.get(item.name)
        backup = row["bck"] == "1" if row is not None else known is not None and known.backup
        number = item.id if backend.numbered else None
        servers.append(_overlay_server(known, item, backup=backup, number=number))
    return replace(backend, servers=tuple(servers))


def _overlay_server(
    wanted: Server | None, observed: ObservedServer, *, backup: bool, number: int | None
) -> Server:
    """The wanted object itself where it runs as wanted, so that comparing stays quick."""
    # One that somebody drained is as far from ready as one in maintenance, and comes back in the same way.
    out = observed.in_maintenance or (observed.drained and not (wanted and in_maintenance(wanted)))
    state = ServerState.MAINT if out else ServerState.READY
    server = Server(
        name=observed.name,
        address=observed.address,
        port=observed.port,
        weight=observed.weight,
        state=state,
        backup=backup,
        id=number,
        # HAProxy does not tell, and they change by a reload only
        check_address=wanted.check_address if wanted else None,
        check_port=wanted.check_port if wanted else None,
    )
    if wanted is not None and _runs_as(wanted, server):
        return wanted
    return server


def _runs_as(wanted: Server, server: Server) -> bool:
    return (
        (wanted.address, wanted.port, wanted.backup, wanted.id)
        == (server.address, server.port, server.backup, server.id)
        and effective_weight(wanted) == server.weight
        and in_maintenance(wanted) == in_maintenance(server)
    )
