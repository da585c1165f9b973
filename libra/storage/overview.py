"""What an operator looks at over the whole fleet: each question is one statement, however many devices there are."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, not_, select, tuple_

from libra.model.event import Event
from libra.model.job import Job, JobAction, JobPriority, JobState
from libra.model.overview import RUNS, Run, Share
from libra.storage import tables
from libra.storage.querying import chunks

_HEAVY = ("message", "sealed", "reply")
_BRIEF = tuple(column for column in tables.jobs.c if column.name not in _HEAVY)
_PROBES = (JobAction.STATS, JobAction.DISCOVER)


class SqlOverview:
    """See `Overview`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def jobs(
        self,
        states: Collection[JobState],
        priority: JobPriority | None,
        limit: int,
        place: tuple[datetime, str] | None = None,
    ) -> list[Job]:
        """Newest first."""
        table = tables.jobs
        statement = (
            select(*_BRIEF)
            .where(*_wanted(states, priority))
            .order_by(table.c.created_at.desc(), table.c.id.desc())
            .limit(limit)
        )
        if place is not None:
            statement = statement.where(tuple_(table.c.created_at, table.c.id) < place)
        return self._jobs(statement)

    def count_jobs(self, states: Collection[JobState], priority: JobPriority | None) -> int:
        """By the index of their state."""
        statement = select(func.count()).select_from(tables.jobs)
        statement = statement.where(*_wanted(states, priority))
        return int(self._connection.execute(statement).scalar_one())

    def runs(self, since: datetime, device_id: str | None = None) -> list[Run]:
        """The newest of each device, newest first."""
        table = tables.jobs
        rank = func.row_number().over(
            partition_by=table.c.device_id, order_by=(table.c.sent_at.desc(), table.c.id)
        )
        columns = (table.c.device_id, table.c.sent_at, table.c.updated_at)
        ranked = select(*columns, rank.label("rank")).where(
            table.c.sent_at >= since,
            table.c.state.in_((JobState.COMPLETE, JobState.FAILED)),
            _is_no_probe(),
        )
        if device_id is not None:
            ranked = ranked.where(table.c.device_id == device_id)
        inner = ranked.subquery()
        statement = (
            select(inner.c.device_id, inner.c.sent_at, inner.c.updated_at)
            .where(inner.c.rank <= RUNS)
            .order_by(inner.c.device_id, inner.c.rank)
        )
        rows = self._connection.execute(statement)
        return [Run(device, sent, ended) for device, sent, ended in rows]

    def shares(self) -> list[Share]:
        """Of the load balancers, then of the web clusters."""
        return [*self._shares(_balancers()), *self._shares(_nodes())]

    def _shares(self, statement: Select[Any]) -> list[Share]:
        return [Share(*row) for row in self._connection.execute(statement)]

    def refused(self, since: datetime, limit: int) -> list[Job]:
        """The newest first."""
        table = tables.jobs
        later = table.alias()
        better = select(later.c.id).where(
            later.c.device_id == table.c.device_id,
            later.c.sent_at > table.c.sent_at,
            later.c.action == JobAction.UPDATE,
            later.c.state == JobState.COMPLETE,
        )
        statement = (
            select(*_BRIEF)
            .where(
                table.c.state == JobState.FAILED,
                table.c.action == JobAction.UPDATE,
                table.c.sent_at >= since,
                ~better.exists(),
            )
            .order_by(table.c.created_at.desc(), table.c.id)
            .limit(limit)
        )
        return self._jobs(statement)

    def placed(self, projects: Collection[str]) -> dict[str, datetime]:
        """In a statement for some hundred of them."""
        table = tables.loadbalancers
        found: dict[str, datetime] = {}
        for chunk in chunks(projects):
            statement = (
                select(table.c.project_id, func.max(table.c.created_at))
                .where(table.c.project_id.in_(chunk))
                .group_by(table.c.project_id)
            )
            found.update((key, at) for key, at in self._connection.execute(statement))
        return found

    def events(self, kind: str, since: datetime, limit: int) -> list[Event]:
        """By the index of their time."""
        table = tables.events
        statement = (
            select(table)
            .where(table.c.at >= since, table.c.kind == kind)
            .order_by(table.c.id.desc())
            .limit(limit)
        )
        return [Event(**row) for row in self._connection.execute(statement).mappings()]

    def came(self) -> dict[str, datetime]:
        """One statement."""
        table = tables.devices
        first = func.max(table.c.first_seen)
        statement = select(table.c.pool_id, first).where(table.c.first_seen.is_not(None))
        rows = self._connection.execute(statement.group_by(table.c.pool_id))
        return {pool: at for pool, at in rows}  # noqa: C416 - mypy knows no dict of rows

    def pools_of(self, device_ids: Collection[str]) -> dict[str, str]:
        """In a statement for some hundred of them."""
        table = tables.devices
        found: dict[str, str] = {}
        for chunk in chunks(device_ids):
            statement = select(table.c.id, table.c.pool_id).where(table.c.id.in_(chunk))
            found.update((key, pool) for key, pool in self._connection.execute(statement))
        return found

    def device_names(self) -> set[str]:
        """All of them."""
        return set(self._connection.execute(select(tables.devices.c.name)).scalars())

    def _jobs(self, statement: Select[Any]) -> list[Job]:
        return [Job(**row) for row in self._connection.execute(statement).mappings()]


def _wanted(
    states: Collection[JobState], priority: JobPriority | None
) -> list[ColumnElement[bool]]:
    table = tables.jobs
    conditions = [table.c.state.in_(list(states)), _is_no_probe()]
    return conditions if priority is None else [*conditions, table.c.priority == priority]


def _is_no_probe() -> ColumnElement[bool]:
    """What the manager asks by itself comes every few seconds; what somebody asks is a job like others."""
    table = tables.jobs
    return not_(and_(table.c.action.in_(_PROBES), table.c.requested_by == "manager"))


def _balancers() -> Select[Any]:
    table, device = tables.loadbalancers, tables.devices
    key = (device.c.id, device.c.pool_id, table.c.project_id)
    return (
        select(*key, func.count())
        .select_from(table.join(device, table.c.device_id == device.c.id))
        .group_by(*key)
    )


def _nodes() -> Select[Any]:
    table, device, owner = tables.web_cluster_nodes, tables.devices, tables.web_clusters
    key = (device.c.id, device.c.pool_id, owner.c.project_id)
    return (
        select(*key, func.count())
        .select_from(
            table.join(device, table.c.node_oid == device.c.id).join(
                owner, owner.c.oid == table.c.cluster_oid
            )
        )
        .group_by(*key)
    )
