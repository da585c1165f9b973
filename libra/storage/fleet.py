"""Devices, their pools, and jobs in SQL."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Select, bindparam, case, delete, func, or_, select, update

from libra.errors import NotFound
from libra.model.device import READY, Device, DeviceState, Place
from libra.model.job import OPEN, WAITING, Job, JobAction, JobPriority, JobState
from libra.storage import tables
from libra.storage.query import Query
from libra.storage.rows import SqlRows
from libra.storage.webclusters import devices_of_project, projects_by_device

_RANK = {JobPriority.HIGH: 0, JobPriority.NORMAL: 1, JobPriority.LOW: 2}


class SqlDevices(SqlRows[Device]):
    """See `DeviceRows`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.devices, Device)

    def by_name(self, name: str) -> Device | None:
        """None where there is none."""
        found = self.find(Query(where={"name": name}))
        return found[0] if found else None

    def places(self) -> list[Place]:
        """Counted by the join: one without load balancers has none to count."""
        table, owner, pool = self._table, tables.loadbalancers.c, tables.device_pools
        statement = (
            select(
                *(table.c.id, table.c.name, table.c.address, table.c.protocol, table.c.pool_id),
                *(pool.c.shared, pool.c.min_spare, pool.c.disabled, pool.c.priority),
                func.count(owner.id),
                # Where a device has several projects' its pool is shared, or was, and takes any or none.
                *(func.min(owner.project_id), func.max(owner.project_id)),
            )
            .select_from(
                table.outerjoin(tables.loadbalancers, owner.device_id == table.c.id).outerjoin(
                    pool, pool.c.id == table.c.pool_id
                )
            )
            .where(table.c.state.in_(list(READY)))
            .group_by(
                *(table.c.id, pool.c.shared, pool.c.min_spare, pool.c.disabled, pool.c.priority)
            )
        )
        others = projects_by_device(self._connection)
        return [_build_place(*row, others=others) for row in self._connection.execute(statement)]

    def of_project(self, project: str) -> set[str]:
        """In two statements."""
        owner = tables.loadbalancers.c
        statement = select(owner.device_id).where(
            owner.project_id == project, owner.device_id.is_not(None)
        )
        found = set(self._connection.execute(statement).scalars())
        return found | devices_of_project(self._connection, project)

    def count_by_pool(self) -> dict[tuple[str, DeviceState], int]:
        """One statement."""
        columns = (self._table.c.pool_id, self._table.c.state)
        statement = select(*columns, func.count()).group_by(*columns)
        return {
            (pool, state): int(count) for pool, state, count in self._connection.execute(statement)
        }

    def next_generation(self, key: str) -> int:
        """The row stays locked until the end of the transaction, so that generations follow each other."""
        table = self._table
        statement = (
            update(table)
            .where(table.c.id == key)
            .values(generation=table.c.generation + 1)
            .returning(table.c.generation)
        )
        generation = self._connection.execute(statement).scalar()
        if generation is None:
            raise NotFound(f"cannot find the device {key}")
        return int(generation)


class SqlJobs(SqlRows[Job]):
    """See `JobRows`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.jobs, Job)

    def due(self, now: datetime, limit: int) -> list[Job]:
        """By priority, then age."""
        return self._records(_due(self._select()), {"now": now, "most": limit})

    def overdue(self, now: datetime) -> list[Job]:
        """Oldest first."""
        table = self._table
        statement = (
            self._select()
            .where(table.c.state.in_(list(OPEN)), table.c.deadline <= now)
            .order_by(table.c.created_at, table.c.id)
        )
        return self._records(statement)

    def change(self, key: str, into: Job, allowed: Collection[JobState]) -> bool:
        """One statement."""
        table = self._table
        values = self._values(into)
        values.pop("id")
        if into.sealed:
            values.pop("sealed")
        statement = (
            update(table).where(table.c.id == key, table.c.state.in_(list(allowed))).values(values)
        )
        return bool(self._connection.execute(statement).rowcount)

    def reseal(self, key: str, sealed: str) -> bool:
        """One statement."""
        table = self._table
        statement = (
            update(table)
            .where(table.c.id == key, table.c.state.in_(list(OPEN)))
            .values(sealed=sealed)
        )
        return bool(self._connection.execute(statement).rowcount)

    def schedule(self, now: datetime) -> int:
        """Rows that somebody else is writing are left out: who waits for no row is in nobody's way."""
        table = self._table
        found = select(table.c.id).where(table.c.state == JobState.NEW, table.c.deadline > now)
        mine = found.with_for_update(skip_locked=True)
        statement = (
            update(table)
            .where(table.c.id.in_(mine))
            .values(state=JobState.SCHEDULED, updated_at=now)
        )
        return int(self._connection.execute(statement).rowcount)

    def prune(self, before: datetime, limit: int) -> int:
        """Open ones stay, however old."""
        table = self._table
        oldest = (
            select(table.c.id)
            .where(table.c.created_at < before, table.c.state.not_in(list(OPEN)))
            .order_by(table.c.created_at, table.c.id)
            .limit(limit)
        )
        statement = delete(table).where(table.c.id.in_(oldest))
        return int(self._connection.execute(statement).rowcount)

    def supersede(self, device_id: str, generation: int, by: str) -> list[str]:
        """Held ones stay: somebody wants to see them."""
        table = self._table
        statement = (
            update(table)
            .where(
                table.c.device_id == device_id,
                table.c.action == JobAction.UPDATE,
                table.c.state.in_(WAITING),
                table.c.generation < generation,
                table.c.alone.is_(False),
            )
            .values(state=JobState.SUPERSEDED, error=f"superseded by {by}")
            .returning(table.c.id)
        )
        return [str(key) for key in self._connection.execute(statement).scalars()]


def _build_place(
    key: str,
    name: str,
    address: str,
    protocol: str,
    pool_id: str,
    shared: bool | None,
    reserve: int | None,
    disabled: bool | None,
    priority: int | None,
    count: int,
    *projects: str | None,
    others: Mapping[str, frozenset[str]],
) -> Place:
    """Nulls are those of a device whose pool is not there."""
    return Place(
        device_id=key,
        name=name,
        address=address,
        protocol=protocol,
        pool_id=pool_id,
        shared=bool(shared),
        reserve=reserve or 0,
        disabled=bool(disabled),
        priority=priority or 0,
        loadbalancers=count,
        projects=frozenset(filter(None, projects)) | others.get(key, frozenset()),
    )


@cache
def _due(every: Select[Any]) -> Select[Any]:
    """Made once, for the manager asks several times a second."""
    job = tables.jobs.c
    now: Any = bindparam("now")
    is_due = or_(job.not_before.is_(None), job.not_before <= now)
    rank = case(*((job.priority == item, rank) for item, rank in _RANK.items()))
    waits = every.where(job.state.in_(WAITING), job.deadline > now, is_due)
    return waits.order_by(rank, job.created_at, job.id).limit(bindparam("most"))
