"""Storages for tests, and records to put into them."""

import atexit
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from libra.model.device import Device
from libra.model.job import Job, JobAction
from libra.model.resources.listener import Listener, ListenerProtocol
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.member import Member
from libra.model.resources.monitor import HealthMonitor, HealthMonitorType
from libra.model.resources.pool import Pool, PoolProtocol
from libra.model.status import ProvisioningStatus
from libra.model.webcluster import (
    StoredWebService,
    WebCluster,
    WebClusterNode,
    WebRevision,
    node_key,
    revision_key,
)
from libra.storage.schema import upgrade
from libra.storage.sql import SqlStorage, open_storage

NOW = datetime(2026, 11, 26, 12, 0, 0, 123456, tzinfo=UTC)


@contextmanager
def sqlite_storage(directory: Path) -> Iterator[SqlStorage]:
    """A new one in that directory."""
    with migrated(lay_out(directory)) as storage:
        yield storage


def lay_out(directory: Path) -> str:
    """The URL of a database that is up to date, or already there. To copy one takes no tenth of a second."""
    path = directory / "libra.db"
    if not path.exists():
        shutil.copy(_template(), path)
    return f"sqlite:///{path}"


@cache
def _template() -> Path:
    """Of this process."""
    directory = Path(tempfile.mkdtemp(prefix="libra-db-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    upgrade(f"sqlite:///{directory / 'libra.db'}")
    return directory / "libra.db"


@contextmanager
def migrated(url: str) -> Iterator[SqlStorage]:
    """Brought up to date, and closed afterwards."""
    upgrade(url)
    storage = open_storage(url)
    try:
        yield storage
    finally:
        storage.close()


def at(seconds: float) -> datetime:
    """So long after the tests' now."""
    return NOW + timedelta(seconds=seconds)


def new_id() -> str:
    return str(uuid4())


def build_device(name: str = "web1", **fields: Any) -> Device:
    return replace(Device(id=new_id(), name=name, created_at=NOW), **fields)


def build_loadbalancer(number: int = 0, **fields: Any) -> LoadBalancer:
    given: dict[str, Any] = {"id": new_id(), "project_id": "p1", "name": f"lb{number}"}
    given |= {"created_at": at(number), "provisioning_status": ProvisioningStatus.ACTIVE}
    return LoadBalancer(**{**given, **fields})


def build_listener(owner: LoadBalancer, port: int = 80, **fields: Any) -> Listener:
    given: dict[str, Any] = {"id": new_id(), "project_id": owner.project_id, "created_at": NOW}
    given |= {"loadbalancer_id": owner.id, "protocol": ListenerProtocol.HTTP}
    given |= {"provisioning_status": ProvisioningStatus.ACTIVE}
    return Listener(**{**given, "protocol_port": port, **fields})


def build_pool(owner: LoadBalancer, **fields: Any) -> Pool:
    given: dict[str, Any] = {"id": new_id(), "project_id": owner.project_id, "created_at": NOW}
    given |= {"provisioning_status": ProvisioningStatus.ACTIVE}
    return Pool(**{**given, "loadbalancer_id": owner.id, "protocol": PoolProtocol.HTTP, **fields})


def build_member(owner: Pool, port: int = 80, **fields: Any) -> Member:
    given: dict[str, Any] = {"id": new_id(), "project_id": owner.project_id, "created_at": NOW}
    given |= {"loadbalancer_id": owner.loadbalancer_id, "pool_id": owner.id}
    given |= {"provisioning_status": ProvisioningStatus.ACTIVE}
    return Member(**{**given, "address": "127.0.0.1", "protocol_port": port, **fields})


def build_monitor(owner: Pool, **fields: Any) -> HealthMonitor:
    given: dict[str, Any] = {"id": new_id(), "project_id": owner.project_id, "created_at": NOW}
    given |= {"loadbalancer_id": owner.loadbalancer_id, "pool_id": owner.id}
    given |= {"type": HealthMonitorType.TCP, "delay": 5, "timeout": 3, "max_retries": 3}
    given |= {"provisioning_status": ProvisioningStatus.ACTIVE}
    return HealthMonitor(**{**given, **fields})


def build_job(device: Device, number: int = 0, **fields: Any) -> Job:
    given: dict[str, Any] = {"id": new_id(), "action": JobAction.UPDATE, "device_id": device.id}
    given |= {"device_name": device.name, "created_at": at(number), "updated_at": at(number)}
    return Job(**{**given, "deadline": at(3600), "generation": number, **fields})


def build_webcluster(number: int = 0, **fields: Any) -> WebCluster:
    given: dict[str, Any] = {"oid": new_id(), "project_id": "p1", "name": f"cluster{number}"}
    given |= {"owner_oid": new_id(), "changed": 1_598_388_333_642_427_113, "created_at": at(number)}
    return WebCluster(**{**given, **fields})


def build_webnode(owner: WebCluster, device: Device, **fields: Any) -> WebClusterNode:
    given: dict[str, Any] = {"id": node_key(owner.oid, device.id), "since": NOW}
    given |= {"cluster_oid": owner.oid, "node_oid": device.id, "created_at": NOW}
    return WebClusterNode(**{**given, **fields})


def build_webservice(owner: WebCluster, path: str = "/", **fields: Any) -> StoredWebService:
    given: dict[str, Any] = {"oid": new_id(), "type": "nodeinfo", "created_at": NOW}
    return StoredWebService(**{**given, "webcluster_oid": owner.oid, "path": path, **fields})


def build_webrevision(owner: WebCluster, number: int = 1, document: str = "{}") -> WebRevision:
    key = revision_key(owner.oid, number)
    return WebRevision(
        id=key, cluster_oid=owner.oid, number=number, document=document, created_at=NOW
    )
