"""What operators see of the fleet, and of what came to nothing: use cases over SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from libra.errors import NotFound, PoolExhausted, QuotaExceeded
from libra.model.access import Caller, Role
from libra.model.controller import Controller
from libra.model.device import DeviceState
from libra.model.devicepool import DevicePool
from libra.model.event import Event
from libra.model.job import JobState
from libra.model.overview import JOBS
from libra.model.quota import Quota
from libra.storage.sql import SqlStorage
from libra.usecases import devicepools, loadbalancers
from libra.usecases.admin import failures, overview
from libra.usecases.loadbalancers import Vip
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import (
    NOW,
    at,
    build_device,
    build_job,
    build_loadbalancer,
    lay_out,
    migrated,
)

CALLER = Caller(name="alice", role=Role.OPERATOR)
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=("sqlite", "postgresql"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return lay_out(tmp_path)
    return str(request.getfixturevalue("postgres").laid_out_url())


@pytest.fixture
def storage(url: str) -> Iterator[SqlStorage]:
    with migrated(url) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def services(storage: SqlStorage, tmp_path: Path, clock: Clock) -> Services:
    return Services(storage=storage, sealer=open_vault(tmp_path / "key"), clock=clock)


def make_pool(services: Services, name: str = "edge", **fields: Any) -> DevicePool:
    return devicepools.create_pool(services, CALLER, {"name": name, **fields})


def add_all(services: Services, kind: str, *records: Any) -> None:
    with services.storage.writing() as unit:
        getattr(unit, kind).add_all(records)


@contextmanager
def counted(storage: SqlStorage) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    asked: list[str] = []

    def listen(*given: Any) -> None:
        asked.append(given[2])

    event.listen(storage._engine, "before_cursor_execute", listen)
    try:
        yield asked
    finally:
        event.remove(storage._engine, "before_cursor_execute", listen)


def events(services: Services, kind: str) -> list[Event]:
    return services.storage.look(
        lambda unit: unit.events.since(0, limit=1000, where={"kind": kind})
    )


# What there is.


def test_a_pool_with_its_devices(services: Services) -> None:
    pool = make_pool(services, max_devices=3)
    one = build_device("web1", pool_id=pool.id, state=DeviceState.ASSIGNED)
    two = build_device("web2", pool_id=pool.id, state=DeviceState.RETIRED, created_at=at(1))
    add_all(services, "devices", one, two, build_device("web3"))
    owners = [build_loadbalancer(n, device_id=one.id, project_id=f"p{n // 2}") for n in range(3)]
    add_all(services, "loadbalancers", *owners)
    done = build_job(one, sent_at=at(1), updated_at=at(3), state=JobState.COMPLETE)
    add_all(services, "jobs", done)
    default, edge = overview.list_clouds(services)
    assert [vm.device.name for vm in default.vms] == ["web3"]
    assert (edge.used, edge.free) == (1, 2)
    first, second = edge.vms
    assert (first.projects, first.parts, first.pool) == (("p0", "p1"), 3, "edge")
    assert [run.seconds for run in first.runs] == [2.0]
    assert (second.projects, second.runs) == ((), ())
    assert overview.find_cloud(services, "edge") == edge == overview.find_cloud(services, pool.id)
    assert overview.find_vm(services, "edge", one.id) == first
    assert overview.find_vm(services, pool.id, "web1") == first


@pytest.mark.parametrize(("cloud", "vm"), [("edge", "web3"), ("none", "web1"), ("edge", "' OR 1")])
def test_what_there_is_not(services: Services, cloud: str, vm: str) -> None:
    pool = make_pool(services)
    add_all(services, "devices", build_device("web1", pool_id=pool.id), build_device("web3"))
    with pytest.raises(NotFound):
        overview.find_vm(services, cloud, vm)


def test_as_many_statements_for_many_as_for_few(services: Services, storage: SqlStorage) -> None:
    counts = []
    for number in (1, 40):
        pool = make_pool(services, f"pool{number}")
        devices = [build_device(f"d{number}-{n}", pool_id=pool.id) for n in range(number)]
        add_all(services, "devices", *devices)
        add_all(services, "loadbalancers", *(build_loadbalancer(device_id=d.id) for d in devices))
        add_all(services, "jobs", *(build_job(d, n) for d in devices for n in range(5)))
        with counted(storage) as asked:
            overview.list_clouds(services)
            overview.list_jobs(services, JOBS["all"], 100)
            overview.find_missing(services, {"d": ()}, ())
            failures.distribute_devices(services)
        counts.append(len([text for text in asked if text.lstrip().startswith("SELECT")]))
    assert counts[0] == counts[1] < 20


def test_jobs_page_by_page(services: Services) -> None:
    pool = make_pool(services)
    device = build_device(pool_id=pool.id)
    add_all(services, "devices", device)
    jobs = [build_job(device, n) for n in range(5)]
    gone = build_job(build_device("gone"), 9, state=JobState.HELD)
    add_all(services, "jobs", *jobs, gone)
    page = overview.list_jobs(services, JOBS["new"], 2)
    assert ([job.generation for job in page.jobs], page.total) == ([4, 3], 5)
    assert page.pools == {device.id: "edge"}
    page = overview.list_jobs(services, JOBS["new"], 9, page.jobs[-1].id)
    assert [job.generation for job in page.jobs] == [2, 1, 0]
    assert overview.find_job(services, gone.id).pools == {}
    assert overview.list_jobs(services, JOBS["held"], 9).pools == {}
    with pytest.raises(NotFound):
        overview.list_jobs(services, JOBS["new"], 2, "none")


def test_workers_that_are_no_devices(services: Services) -> None:
    add_all(services, "devices", build_device("web1", state=DeviceState.RETIRED))
    workers = {"web1": {"a"}, "b": {"::1", "10.0.0.1"}, "a": set(), "libra-controller": {"x"}}
    missing = overview.find_missing(services, workers, ("libra-controller",))
    assert missing == {"a": (), "b": ("10.0.0.1", "::1")}
    assert list(missing) == ["a", "b"]


def test_the_controller_that_manages_comes_first(services: Services) -> None:
    one = Controller(id="1", host="a", pid=1, release="1", started_at=NOW, seen_at=NOW)
    two = replace(one, id="2", host="b", manages=True)
    add_all(services, "controllers", one, two)
    assert overview.list_controllers(services) == [two, one]


# What came to nothing.


def refuse(services: Services, project: str = "p1", **fields: Any) -> None:
    with pytest.raises((PoolExhausted, QuotaExceeded)):
        loadbalancers.create(services, CALLER, project, Vip(), {"name": "lb", **fields})


def test_who_gets_no_device_is_written_down_once(services: Services, clock: Clock) -> None:
    for _ in range(3):
        refuse(services, name=f"other {clock.now}")
        clock.now += MINUTE
    (told,) = events(services, failures.REFUSED)
    assert (told.subject_id, told.project_id, told.actor) == ("p1", "p1", "alice")
    assert told.reason.startswith("cannot place it: no device is ready")
    refuse(services, "p2")
    clock.now += failures.QUIET
    refuse(services)
    assert len(events(services, failures.REFUSED)) == 3
    found = failures.list_boot_failures(services)
    assert [(item.subject, item.at) for item in found.placements] == [
        ("p1", clock.now),
        ("p2", at(180)),
    ]
    clock.now += DAY + MINUTE
    assert failures.list_boot_failures(services).placements == []


def test_ever_new_reasons_fill_no_table(services: Services) -> None:
    for number in range(failures.MOST + 5):
        failures.note_failure(services, CALLER, failures.REFUSED, "p1", f"reason {number}", "p1")
    assert len(events(services, failures.REFUSED)) == failures.MOST


def test_a_project_with_a_long_name(services: Services) -> None:
    project = "p" * 255
    refuse(services, project)
    refuse(services, project)
    (told,) = events(services, failures.REFUSED)
    assert told.subject_id == project[: failures.SUBJECT]
    assert failures.list_boot_failures(services).placements[0].subject == project


def test_it_is_over_when_it_gets_one(services: Services, clock: Clock) -> None:
    refuse(services)
    refuse(services, "p2")
    device = build_device("web1", state=DeviceState.SPARE, protocol="2.0", address="10.0.0.1")
    add_all(services, "devices", device)
    clock.now += MINUTE
    loadbalancers.create(services, CALLER, "p1", Vip(), {"name": "lb"})
    (left,) = failures.list_boot_failures(services).placements
    assert left.subject == "p2"
    found = failures.distribute_devices(services)
    assert found.desired == {("p1", "default"): 0.5, ("p2", ""): 0.5}


def test_a_quota_is_a_reason_too(services: Services) -> None:
    add_all(services, "devices", build_device(state=DeviceState.SPARE, protocol="2.0"))
    with services.storage.writing() as unit:
        unit.quotas.add(Quota(project_id="p1", load_balancer=0))
    refuse(services)
    assert "Quota" in events(services, failures.REFUSED)[0].reason


def test_a_pool_that_boots_nothing(services: Services, clock: Clock) -> None:
    pool = make_pool(services, provider="cloud")
    failures.note_failure(services, CALLER, failures.BOOT_FAILED, pool.id, "no such cloud")
    failures.note_failure(services, CALLER, failures.BOOT_FAILED, "gone", "no such cloud")
    (failure,) = failures.list_boot_failures(services).pools
    assert (failure.subject, failure.reason) == ("edge", "no such cloud")
    came = build_device(pool_id=pool.id, first_seen=clock.now + MINUTE)
    add_all(services, "devices", came)
    assert failures.list_boot_failures(services).pools == []


def test_hosts_that_never_came_and_devices_that_refuse(services: Services) -> None:
    pool = make_pool(services, provider="cloud")
    failures.note_failure(services, CALLER, failures.NEVER_ONLINE, pool.id, "'edge-1': it hid")
    silent = build_device("edge-2", pool_id=pool.id, state=DeviceState.ERROR, reason="no answer")
    refusing = build_device(
        "web1", state=DeviceState.ASSIGNED, release="1.0", proxy="HAProxy 2.6", last_seen=NOW
    )
    add_all(services, "devices", silent, refusing)
    failed = {"state": JobState.FAILED, "error": "a bad cipher"}
    jobs = [build_job(refusing, n, sent_at=at(n), updated_at=at(n), **failed) for n in range(2)]
    add_all(services, "jobs", *jobs, build_job(build_device("gone"), sent_at=NOW, **failed))
    found = failures.list_image_failures(services)
    assert [(item.subject, item.device, item.reason) for item in found.never_online] == [
        ("edge", "", "'edge-1': it hid"),
        ("edge", "edge-2", "no answer"),
    ]
    ((failure, image),) = found.refused
    assert (failure.subject, failure.device, failure.reason) == ("default", "web1", "a bad cipher")
    assert (image, failure.at) == ("1.0 HAProxy 2.6", at(1))


def test_nothing_came_to_nothing(services: Services) -> None:
    boot, image = failures.list_boot_failures(services), failures.list_image_failures(services)
    assert (boot.placements, boot.pools, image.never_online, image.refused) == ([], [], [], [])
