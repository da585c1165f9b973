"""The storage on SQLite or PostgreSQL."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
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
from libra.storage.engines import ALONE, SQLITE_BUSY_SECONDS, WRITING, hold, open_engine
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


def open_storage(url: str, *, connections: int = 20) -> "SqlStorage":
    """Upgrades nothing (see `libra.storage.schema`), and connects when it is first used."""
    return SqlStorage(open_engine(url, connections=connections))


class SqlUnitOfWork:
    """See `UnitOfWork`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.loadbalancers = SqlLoadBalancers(connection)
        self.listeners = SqlRows(connection, tables.listeners, Listener)
        self.pools = SqlRows(connection, tables.pools, Pool)
        self.members = SqlRows(connection, tables.members, Member)
        self.monitors = SqlRows(connection, tables.monitors, HealthMonitor)
        self.l7policies = SqlRows(connection, tables.l7policies, L7Policy)
        self.l7rules = SqlRows(connection, tables.l7rules, L7Rule)
        self.devices = SqlDevices(connection)
        self.device_pools = SqlRows(connection, tables.device_pools, DevicePool)
        self.controllers = SqlRows(connection, tables.controllers, Controller)
        self.moves = SqlRows(connection, tables.moves, Move)
        self.jobs = SqlJobs(connection)
        self.events = SqlEvents(connection)
        self.tokens = SqlRows(connection, tables.tokens, Token)
        self.issued_tokens = SqlIssuedTokens(connection)
        self.quotas = SqlRows(connection, tables.quotas, Quota)
        self.certificates = SqlRows(connection, tables.certificates, StoredCertificate)
        self.object_stores = SqlRows(connection, tables.object_store_accounts, ObjectStoreAccount)
        self.addresses = SqlAddresses(connection)
        self.counters = SqlCounters(connection)
        self.web_clusters = SqlRows(connection, tables.web_clusters, WebCluster)
        self.web_nodes = SqlRows(connection, tables.web_cluster_nodes, WebClusterNode)
        self.web_services = SqlRows(connection, tables.web_services, StoredWebService)
        self.web_revisions = SqlWebRevisions(connection)
        self.admin_maps = SqlRows(connection, tables.admin_maps, AdminMap)
        self.node_groups = SqlRows(connection, tables.node_groups, NodeGroup)
        self.nodes = SqlNodes(connection)
        self.rollouts = SqlRows(connection, tables.rollouts, Rollout)
        self.rollout_steps = SqlRows(connection, tables.rollout_steps, RolloutStep)
        self.figures = SqlFigures(connection)
        self.overview = SqlOverview(connection)

    def hold(self, name: str) -> None:
        """An advisory lock."""
        hold(self._connection, name)

    def fence(self, number: int) -> None:
        """A shared lock of the lease's key. SQLite's holder is told by a lock of a file, and has no number."""
        if self._connection.dialect.name == "sqlite":
            return
        found = self._connection.execute(FENCE, {"name": MANAGER, "number": number}).first()
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
            connection.execution_options(**{ALONE: True})
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
            connection.begin()
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
