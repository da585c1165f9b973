"""The storage on SQLite or PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine, Table
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from libra.errors import LeaseLost, StorageUnavailable
from libra.model.access import Token
from libra.model.adminmap import AdminMap
from libra.model.controller import Controller
from libra.model.devicepool import DevicePool, Move
from libra.model.nodestatus import NodeGroup
from libra.model.objectstore import ObjectStoreAccount
from libra.model.quota import Quota
from libra.model.resources.certificate import StoredCertificate
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import Pool
from libra.model.rollout import Rollout, RolloutStep
from libra.model.webcluster import StoredWebService, WebCluster, WebClusterNode
from libra.storage import tables
from libra.storage.engines import SQLITE_BUSY_SECONDS, WRITING, begin, hold, open_engine
from libra.storage.fences import FENCE, MANAGER
from libra.storage.figures import SqlFigures
from libra.storage.fleet import SqlDevices, SqlJobs
from libra.storage.loadbalancers import SqlLoadBalancers
from libra.storage.nodes import SqlNodes
from libra.storage.overview import SqlOverview
from libra.storage.rows import SqlRows
from libra.storage.schema import NO_SCHEMA, check_schema, check_tables
from libra.storage.side import SqlAddresses, SqlCounters, SqlEvents, SqlIssuedTokens
from libra.storage.webclusters import SqlWebRevisions

T = TypeVar("T")
Kind = TypeVar("Kind")


def open_storage(url: str, *, connections: int = 20) -> "SqlStorage":
    """Upgrades nothing (see `libra.storage.schema`), and connects when it is first used."""
    return SqlStorage(open_engine(url, connections=connections))


class _Lazy(Generic[T]):
    """Made when it is first asked for, for no transaction needs all; from then on the instance's own attribute."""

    def __init__(self, make: Callable[[Connection], T]) -> None:
        self._make = make
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, unit: "SqlUnitOfWork", owner: type) -> T:
        made = self._make(unit.connection)
        setattr(unit, self._name, made)
        return made


def _rows(table: Table, kind: type[Kind]) -> _Lazy[SqlRows[Kind]]:
    return _Lazy(lambda connection: SqlRows(connection, table, kind))


class SqlUnitOfWork:
    """See `UnitOfWork`."""

    loadbalancers = _Lazy(SqlLoadBalancers)
    listeners = _rows(tables.listeners, Listener)
    pools = _rows(tables.pools, Pool)
    members = _rows(tables.members, Member)
    monitors = _rows(tables.monitors, HealthMonitor)
    l7policies = _rows(tables.l7policies, L7Policy)
    l7rules = _rows(tables.l7rules, L7Rule)
    devices = _Lazy(SqlDevices)
    device_pools = _rows(tables.device_pools, DevicePool)
    controllers = _rows(tables.controllers, Controller)
    moves = _rows(tables.moves, Move)
    jobs = _Lazy(SqlJobs)
    events = _Lazy(SqlEvents)
    tokens = _rows(tables.tokens, Token)
    issued_tokens = _Lazy(SqlIssuedTokens)
    quotas = _rows(tables.quotas, Quota)
    certificates = _rows(tables.certificates, StoredCertificate)
    object_stores = _rows(tables.object_store_accounts, ObjectStoreAccount)
    addresses = _Lazy(SqlAddresses)
    counters = _Lazy(SqlCounters)
    web_clusters = _rows(tables.web_clusters, WebCluster)
    web_nodes = _rows(tables.web_cluster_nodes, WebClusterNode)
    web_services = _rows(tables.web_services, StoredWebService)
    web_revisions = _Lazy(SqlWebRevisions)
    admin_maps = _rows(tables.admin_maps, AdminMap)
    node_groups = _rows(tables.node_groups, NodeGroup)
    nodes = _Lazy(SqlNodes)
    rollouts = _rows(tables.rollouts, Rollout)
    rollout_steps = _rows(tables.rollout_steps, RolloutStep)
    figures = _Lazy(SqlFigures)
    overview = _Lazy(SqlOverview)

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def hold(self, name: str) -> None:
        """An advisory lock."""
        hold(self.connection, name)

    def fence(self, number: int) -> None:
        """A shared lock of the lease's key. SQLite's holder is told by a lock of a file, and has no number."""
        if self.connection.dialect.name == "sqlite":
            return
        found = self.connection.execute(FENCE, {"name": MANAGER, "number": number}).first()
        if found is None:
            raise LeaseLost("cannot write: another controller manages by now")


class SqlStorage:
    """See `Storage`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._writer = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[SqlUnitOfWork]:
        """One snapshot, also where statements follow each other."""
        with _explained(), self._begun() as connection:
            yield SqlUnitOfWork(connection)

    def look(self, read: Callable[[Any], T]) -> T:
        """Without a transaction around it: PostgreSQL is asked once, and not three times."""
        with _explained():
            return _again_where_dead(lambda: self._look(read))

    def _look(self, read: Callable[[Any], T]) -> T:
        with self._engine.connect() as connection:
            return read(SqlUnitOfWork(connection))

    @contextmanager
    def writing(self) -> Iterator[SqlUnitOfWork]:
        """Commits at the end, rolls back where the block raises."""
        with self._turn(), _explained(), self._begun(**{WRITING: True}) as connection:
            unit = SqlUnitOfWork(connection)
            yield unit
            unit.events.write()
            connection.commit()

    def _begun(self, **options: bool) -> Connection:
        """In a transaction; whoever closes it without a commit rolls back."""
        return _again_where_dead(lambda: self._begin(options))

    def _begin(self, options: dict[str, bool]) -> Connection:
        connection = self._engine.connect()
        try:
            connection.execution_options(**options)
            begin(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """SQLite's writers of this process queue up here, without a connection.

        SQLite itself lets them sleep, up to 100 ms at a time, and gives the lock to whoever happens to ask while it is
        free: of many, some wait for seconds.
        """
        if not self._is_sqlite:
            yield
            return
        if not self._writer.acquire(timeout=SQLITE_BUSY_SECONDS):
            raise StorageUnavailable("cannot use the database: another writer does not end")
        try:
            yield
        finally:
            self._writer.release()

    def check(self, *, whole: bool = False) -> None:
        """Raises `StorageUnavailable`; with `whole` also for tables and columns that somebody has removed.

        SQLite would make the file that it is asked about, under a mistyped name too.
        """
        where = self._engine.url
        if where.get_backend_name() == "sqlite" and not Path(where.database or "").exists():
            raise StorageUnavailable(NO_SCHEMA)
        with _explained(), self._engine.connect() as connection:
            check_schema(connection)
            if whole:
                check_tables(connection)

    def connections(self) -> tuple[int, int]:
        """Both kinds of databases have the same kind of pool."""
        pool = self._engine.pool
        assert isinstance(pool, QueuePool)
        return pool.checkedout(), pool.size()

    def close(self) -> None:
        """Idempotent."""
        self._engine.dispose()


def _again_where_dead(attempt: Callable[[], T]) -> T:
    """Where the server was restarted, all connections in the pool are dead, which the first statement on one tells.

    The pool forgets them with that, and the second one is new.
    """
    try:
        return attempt()
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return attempt()


@contextmanager
def _explained() -> Iterator[None]:
    """The database's own words, without statements, values or the password of the URL."""
    try:
        yield
    except PoolTimeout as error:
        raise StorageUnavailable("cannot use the database: every connection is busy") from error
    except DBAPIError as error:
        words = str(error.orig).strip().splitlines()
        raise StorageUnavailable(
            f"cannot use the database: {words[0] if words else 'it does not say why'}"
        ) from error
    except SQLAlchemyError as error:
        raise StorageUnavailable(f"cannot use the database: {type(error).__name__}") from error
