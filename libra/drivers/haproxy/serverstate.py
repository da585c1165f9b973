"""What servers take along over a reload: the state of their checks, so that none flashes UP or DOWN.

HAProxy reads it from a file in the format of `show servers state` (management guide). The file may not decide what
the operator decides: maintenance, weight and address come from the configuration, so a line goes in only where it
says the same, and a server that comes out of maintenance starts afresh. One that was drained and comes back while
others serve gets nothing new before its next check has passed; one that is pinged was pinged all the time.
"""

from collections.abc import Iterator

from libra.drivers.haproxy.config import Configuration, Server
from libra.drivers.haproxy.effects import effective_weight, in_maintenance, serves
from libra.drivers.haproxy.observe import FORCED_MAINTENANCE, RUNNING, STOPPING, UNKNOWN

EMPTY = "1\n#\n"  # what a process that has nothing to take along reads


def render_server_state(observed: str, desired: Configuration) -> str:
    """The state file for a reload, from what the running process answered to `show servers state`."""
    lines = [line for line in observed.splitlines() if line.strip()]
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# "):
        return EMPTY
    names = lines[1][2:].split(" ")
    kept = _kept(lines[2:], {name: index for index, name in enumerate(names)}, desired)
    return "\n".join([lines[0].strip(), lines[1], *kept, ""])


def _kept(lines: list[str], column: dict[str, int], desired: Configuration) -> Iterator[str]:
    servers = {
        (backend.name, server.name): server
        for backend in desired.backends
        if backend.check is not None or backend.pinged
        for server in backend.servers
    }
    checked = {backend.name for backend in desired.backends if backend.check is not None}
    backend, name = column["be_name"], column["srv_name"]
    rows = [line.split(" ") for line in lines]
    busy = {
        fields[backend]
        for fields in rows
        if fields[backend] in checked
        and (server := servers.get((fields[backend], fields[name]))) is not None
        and serves(server)
        and _takes_traffic(fields, column)
    }
    for fields in rows:
        server = servers.get((fields[backend], fields[name]))
        if server is not None and _may_stay(fields, column, server):
            returns = serves(server) and int(fields[column["srv_uweight"]]) == 0
            is_up = int(fields[column["srv_op_state"]]) == RUNNING
            if returns and is_up and fields[backend] in busy:
                fields[column["srv_op_state"]] = str(STOPPING)
            weight = str(effective_weight(server))
            fields[column["srv_uweight"]] = fields[column["srv_iweight"]] = weight
            fields[column["srv_admin_state"]] = "0"
            yield " ".join(fields)


def _takes_traffic(fields: list[str], column: dict[str, int]) -> bool:
    is_out = int(fields[column["srv_admin_state"]]) & FORCED_MAINTENANCE
    return not is_out and int(fields[column["srv_uweight"]]) > 0


def _may_stay(fields: list[str], column: dict[str, int], server: Server) -> bool:
    was_in_maintenance = int(fields[column["srv_admin_state"]]) & FORCED_MAINTENANCE
    fqdn = fields[column["srv_fqdn"]]
    address = fields[column["srv_addr"]] if fqdn == UNKNOWN else fqdn
    return (
        not was_in_maintenance
        and not in_maintenance(server)
        and (address, fields[column["srv_port"]]) == (server.address, str(server.port))
    )
