"""How many there are of what, counted by the database, and the ends of what grows: never row by row."""

from sqlalchemy import Connection, func, select

from libra.storage import tables


class SqlFigures:
    """See `Figures`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def newest_event(self) -> int:
        """0 where there is none."""
        return int(self._connection.execute(select(func.max(tables.events.c.id))).scalar() or 0)
