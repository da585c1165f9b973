"""HAProxy's rows of servers that are pinged, with what HAProxy does not know. Pure."""

from collections.abc import Mapping

from libra.drivers.haproxy.counters import RowName
from libra.drivers.haproxy.pinging.health import PingOutcome
from libra.drivers.haproxy.rows import Row, Table

_UNCHECKED = (
    "no check"  # what it says of a server that it does not check itself, as long as that is up
)


def with_pings(table: Table, pings: Mapping[RowName, PingOutcome | None]) -> Table:
    """The same rows, where those of servers that are pinged say so."""
    found = {name: _with_ping(table[name], pings[name]) for name in pings if name in table}
    return {**table, **found} if found else table


def _with_ping(row: Row, outcome: PingOutcome | None) -> Row:
    status = "UP" if row.status == _UNCHECKED else row.status
    return row._replace(status=status, check=outcome.value if outcome is not None else None)
