"""How many there are of what, counted by the database, and the ends of what grows: never row by row."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from libra.model.device import DeviceState
from libra.model.job import OPEN, JobAction, JobState
from libra.storage import tables
from libra.storage.kinds import Served, Tally

_NEWEST_EVENT = select(func.max(tables.events.c.id))
_SEEN = func.coalesce(tables.devices.c.last_seen, tables.devices.c.created_at)


class SqlFigures:
    """See `Figures`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def served(self) -> Served:
        """One statement."""
        table = tables.counters.c
        columns = (
            table.total_requests,
            table.request_errors,
            table.bytes_in,
            table.bytes_out,
            table.active_connections,
        )
        sums = self._connection.execute(select(*map(func.sum, columns))).one()
        return Served(*(int(value or 0) for value in sums))

    def newest_event(self) -> int:
        """0 where there is none."""
        return int(self._connection.execute(_NEWEST_EVENT).scalar() or 0)

    def open_jobs(self) -> dict[tuple[JobAction, JobState], Tally]:
        """Found by their state's index: those that are over may be a million."""
        table = tables.jobs
        kind = (table.c.action, table.c.state)
        statement = (
            select(*kind, func.count(), func.min(table.c.created_at))
            .where(table.c.state.in_(list(OPEN)))
            .group_by(*kind)
        )
        rows = self._connection.execute(statement)
        return {(action, state): Tally(count, oldest) for action, state, count, oldest in rows}

    def devices(self) -> dict[DeviceState, Tally]:
        """One statement."""
        state = tables.devices.c.state
        statement = select(state, func.count(), func.min(_SEEN)).group_by(state)
        rows = self._connection.execute(statement)
        return {state: Tally(count, oldest) for state, count, oldest in rows}

    def last_seen(self, limit: int) -> list[tuple[str, DeviceState, datetime]]:
        """By name."""
        table = tables.devices
        statement = select(table.c.name, table.c.state, _SEEN).order_by(table.c.name).limit(limit)
        return [(name, state, seen) for name, state, seen in self._connection.execute(statement)]
