"""Load balancers, their lock and their trees in SQL."""

import json
from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import Connection, Select, bindparam, delete, func, insert, select, update

from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import Pool
from libra.model.resources.tree import LoadBalancerTree, PolicyTree, PoolTree
from libra.model.status import ProvisioningStatus
from libra.storage import tables
from libra.storage.kinds import NO_LOAD, NO_SEALED, Load, SealedMaterials
from libra.storage.query import Query
from libra.storage.querying import chunks
from libra.storage.rows import SqlRows
from libra.storage.webclusters import projects_by_device

R = TypeVar("R")
Wanted = tuple[str, list[str]]  # load balancers: by which field, and its values


class SqlLoadBalancers(SqlRows[LoadBalancer]):
    """See `LoadBalancerRows`."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection, tables.loadbalancers, LoadBalancer)

    def lock(
        self, key: str, into: ProvisioningStatus, allowed: Collection[ProvisioningStatus]
    ) -> LoadBalancer | None:
        """One statement: of several who try at once, one wins."""
        table = self._table
        statement = (
            update(table)
            .where(table.c.id == key, table.c.provisioning_status.in_(list(allowed)))
            .values(provisioning_status=into)
        )
        return self.get(key) if self._connection.execute(statement).rowcount else None

    def brief(self, key: str) -> tuple[LoadBalancer, list[str], list[str]] | None:
        """None where it is gone."""
        row = self._connection.execute(_select_brief(), {"key": key}).first()
        if row is None:
            return None
        *values, listeners, pools = row
        record = LoadBalancer(**dict(zip(self._names, values, strict=True)))
        return record, _split(listeners), _split(pools)

    def tree(self, key: str) -> LoadBalancerTree | None:
        """None where it is gone."""
        found = self._trees("id", [key])
        return found[0] if found else None

    def trees_of(self, device_id: str) -> list[LoadBalancerTree]:
        """By creation."""
        return self._trees("device_id", [device_id])

    def trees(self, keys: Collection[str]) -> list[LoadBalancerTree]:
        """By id."""
        found = [tree for chunk in chunks(keys) for tree in self._trees("id", chunk)]
        return sorted(found, key=lambda tree: tree.loadbalancer.id)

    def remove_tree(self, key: str) -> None:
        """The parts go with it."""
        self.remove(key)

    def applied(self, keys: Collection[str]) -> dict[str, LoadBalancerTree]:
        """By the load balancer's id."""
        table = tables.applied
        return {
            row.loadbalancer_id: _adapter().validate_json(row.tree)
            for chunk in chunks(keys)
            for row in self._connection.execute(
                select(table.c.loadbalancer_id, table.c.tree).where(
                    table.c.loadbalancer_id.in_(chunk)
                )
            )
        }

    def set_applied(self, tree: LoadBalancerTree, materials: SealedMaterials = NO_SEALED) -> None:
        """In place of what was."""
        table, key = tables.applied, tree.loadbalancer.id
        kept = json.dumps(dict(materials)) if materials else None
        values = {"tree": _adapter().dump_json(tree).decode(), "materials": kept}
        changed = self._connection.execute(
            update(table).where(table.c.loadbalancer_id == key).values(values)
        )
        if not changed.rowcount:
            self._connection.execute(insert(table).values(loadbalancer_id=key, **values))

    def applied_materials(self, keys: Collection[str]) -> dict[str, SealedMaterials]:
        """By the load balancer's id."""
        table = tables.applied
        columns = (table.c.loadbalancer_id, table.c.materials)
        return {
            owner: {key: (pem, sealed) for key, (pem, sealed) in json.loads(text).items()}
            for chunk in chunks(keys)
            for owner, text in self._connection.execute(
                select(*columns).where(
                    table.c.loadbalancer_id.in_(chunk), table.c.materials.is_not(None)
                )
            )
        }

    def drop_applied(self, key: str) -> None:
        """Forget it."""
        table = tables.applied
        self._connection.execute(delete(table).where(table.c.loadbalancer_id == key))

    def count_by_status(self) -> dict[tuple[str, ...], int]:
        """One statement."""
        columns = (self._table.c.provisioning_status, self._table.c.operating_status)
        statement = select(*columns, func.count()).group_by(*columns)
        return {
            (one.value, other.value): int(count)
            for one, other, count in self._connection.execute(statement)
        }

    def loads(self) -> dict[str, Load]:
        """In two statements."""
        device, project = self._table.c.device_id, self._table.c.project_id
        statement = (
            select(device, project, func.count())
            .where(device.is_not(None))
            .group_by(device, project)
            .order_by(device)
        )
        rows = self._connection.execute(statement).all()
        loads = {
            key: Load(sum(count for _, _, count in found), frozenset(name for _, name, _ in found))
            for key, found in ((key, list(group)) for key, group in groupby(rows, itemgetter(0)))
        }
        for key, projects in projects_by_device(self._connection).items():
            load = loads.get(key, NO_LOAD)
            loads[key] = replace(load, projects=load.projects | projects)
        return loads

    def _trees(self, by: str, values: list[str]) -> list[LoadBalancerTree]:
        """Seven statements, however many there are; one where there are none."""
        balancers = self.find(Query(where={by: values}))
        if not balancers:
            return []
        wanted = by, values
        listeners = self._parts(tables.listeners, Listener, wanted)
        pools = self._parts(tables.pools, Pool, wanted)
        members = _grouped(self._parts(tables.members, Member, wanted), "pool_id")
        monitors = _grouped(self._parts(tables.monitors, HealthMonitor, wanted), "pool_id")
        trees = [
            PoolTree(
                pool=pool,
                members=tuple(members.get(pool.id, ())),
                monitor=next(iter(monitors.get(pool.id, ())), None),
            )
            for pool in pools
        ]
        by_listener = _grouped(listeners, "loadbalancer_id")
        by_policy = self._policies(wanted)
        by_pool: dict[str, list[PoolTree]] = {}
        for tree in trees:
            by_pool.setdefault(tree.pool.loadbalancer_id, []).append(tree)
        return [
            LoadBalancerTree(
                loadbalancer=item,
                listeners=tuple(by_listener.get(item.id, ())),
                pools=tuple(by_pool.get(item.id, ())),
                policies=tuple(by_policy.get(item.id, ())),
            )
            for item in balancers
        ]

    def _policies(self, wanted: Wanted) -> dict[str, list[PolicyTree]]:
        """By load balancer."""
        policies = self._parts(tables.l7policies, L7Policy, wanted)
        if not policies:
            return {}
        rules = _grouped(self._parts(tables.l7rules, L7Rule, wanted), "l7policy_id")
        found: dict[str, list[PolicyTree]] = {}
        for policy in policies:
            tree = PolicyTree(policy=policy, rules=tuple(rules.get(policy.id, ())))
            found.setdefault(policy.loadbalancer_id, []).append(tree)
        return found

    def _parts(self, table: Any, kind: type[R], wanted: Wanted) -> list[R]:
        by, values = wanted
        return SqlRows(self._connection, table, kind).owned(_owners(by), {"wanted": values})


@cache
def _owners(by: str) -> Select[Any]:
    """Not the ids that are known by then: PostgreSQL takes twice as long for a hundred of them."""
    table = tables.loadbalancers
    return select(table.c.id).where(table.c[by].in_(bindparam("wanted", expanding=True)))


@cache
def _select_brief() -> Any:
    """Made once; see `SqlRows.get`. No id holds a comma."""
    table = tables.loadbalancers
    names = (field.name for field in fields(LoadBalancer))
    parts = map(_ids_of_parts, (tables.listeners, tables.pools))
    columns = (table.c[name] for name in names)
    return select(*columns, *parts).where(table.c.id == bindparam("key"))


def _ids_of_parts(table: Any) -> Any:
    """Both databases take the rows as they come, and they come in order."""
    owned = table.c.loadbalancer_id == bindparam("key")
    ids = select(table.c.id).where(owned).order_by(*_by_creation(table)).subquery()
    return select(func.aggregate_strings(ids.c.id, ",")).scalar_subquery()


def _split(text: str | None) -> list[str]:
    return text.split(",") if text else []


def _by_creation(table: Any) -> tuple[Any, Any]:
    return table.c.created_at, table.c.id


def _grouped(records: Iterable[R], name: str) -> dict[str, list[R]]:
    groups: dict[str, list[R]] = {}
    for record in records:
        groups.setdefault(getattr(record, name), []).append(record)
    return groups


@cache
def _adapter() -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(LoadBalancerTree)
