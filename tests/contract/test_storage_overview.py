"""What an operator looks at over the whole fleet: SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from libra.model.job import JobAction, JobPriority, JobState
from libra.model.overview import RUNS, Run, Share
from libra.storage.sql import SqlStorage
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import (
    NOW,
    at,
    build_device,
    build_job,
    build_loadbalancer,
    build_webcluster,
    build_webnode,
    lay_out,
    migrated,
)

ALL = frozenset(JobState)
LONG_AGO = NOW - timedelta(days=1)


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


def test_times_come_back_as_they_went_in(storage: SqlStorage) -> None:
    device = build_device(first_seen=at(3))
    job = build_job(device, sent_at=at(4))
    with storage.writing() as unit:
        unit.devices.add(device)
        unit.jobs.add(job)
    with storage.reading() as unit:
        assert unit.devices.get(device.id) == device
        assert unit.jobs.get(job.id) == job


def test_jobs_newest_first_and_page_by_page(storage: SqlStorage) -> None:
    device = build_device()
    probe = build_job(device, 9, action=JobAction.STATS, requested_by="manager")
    asked = build_job(device, 8, action=JobAction.STATS, requested_by="me", message="{}", reply="r")
    new = [build_job(device, n // 2) for n in range(4)]  # two of each moment
    high = build_job(device, 5, priority=JobPriority.HIGH, state=JobState.COMPLETE)
    with storage.writing() as unit:
        unit.jobs.add_all([probe, asked, *new, high])
    with storage.reading() as unit:
        overview = unit.overview
        wanted = sorted(
            [replace(asked, message="", reply=""), *new, high],
            key=lambda job: (job.created_at, job.id),
            reverse=True,
        )
        assert overview.jobs(ALL, None, 100) == wanted
        assert overview.count_jobs(ALL, None) == len(wanted)
        assert overview.jobs(ALL, JobPriority.HIGH, 100) == [high]
        assert overview.count_jobs((JobState.NEW,), JobPriority.HIGH) == 0
        pages, place = [], None
        while found := overview.jobs(ALL, None, 2, place):
            pages += found
            place = (found[-1].created_at, found[-1].id)
        assert pages == wanted


def test_the_last_runs_of_each_device(storage: SqlStorage) -> None:
    one, two = build_device("web1"), build_device("web2")
    done = {"state": JobState.COMPLETE}
    runs = [
        build_job(one, sent_at=at(n), updated_at=at(n + 0.5 + n), **done) for n in range(RUNS + 3)
    ]
    failed = build_job(two, sent_at=at(7), updated_at=at(9), state=JobState.FAILED)
    others = [
        build_job(two, sent_at=at(20), updated_at=at(20), state=JobState.RUNNING),
        build_job(two, updated_at=at(20), state=JobState.EXPIRED),
        build_job(two, sent_at=at(21), action=JobAction.STATS, requested_by="manager", **done),
        build_job(two, sent_at=LONG_AGO - timedelta(1), updated_at=NOW, **done),
    ]
    with storage.writing() as unit:
        unit.jobs.add_all([*runs, failed, *others])
    with storage.reading() as unit:
        mine = [Run(one.id, job.sent_at or NOW, job.updated_at) for job in reversed(runs)][:RUNS]
        theirs = [Run(two.id, at(7), at(9))]
        found = unit.overview.runs(LONG_AGO)
        assert [run for run in found if run.device_id == one.id] == mine
        assert [run for run in found if run.device_id == two.id] == theirs
        assert unit.overview.runs(LONG_AGO, two.id) == theirs
        assert theirs[0].seconds == 2


def test_who_has_which_part(storage: SqlStorage) -> None:
    one, two = build_device("web1", pool_id="a"), build_device("web2", pool_id="b")
    owners = [build_loadbalancer(n, device_id=one.id) for n in range(3)]
    other = build_loadbalancer(5, device_id=one.id, project_id="p2")
    nowhere = build_loadbalancer(6, device_id=None)
    cluster = build_webcluster(project_id="p3")
    with storage.writing() as unit:
        unit.devices.add_all([one, two])
        unit.loadbalancers.add_all([*owners, other, nowhere])
        unit.web_clusters.add(cluster)
        unit.web_nodes.add(build_webnode(cluster, two))
    with storage.reading() as unit:
        assert set(unit.overview.shares()) == {
            Share(one.id, "a", "p1", 3),
            Share(one.id, "a", "p2", 1),
            Share(two.id, "b", "p3", 1),
        }
        assert unit.overview.placed(["p1", "p2", "nobody"]) == {"p1": at(6), "p2": at(5)}
        assert unit.overview.placed([]) == {}


def test_what_devices_refuse_and_have_not_done_since(storage: SqlStorage) -> None:
    one, two = build_device("web1"), build_device("web2")
    failed = {"state": JobState.FAILED, "error": "no"}
    first = build_job(one, 1, sent_at=at(1), **failed)
    better = build_job(one, 2, sent_at=at(2), state=JobState.COMPLETE)
    again = build_job(two, 3, sent_at=at(3), **failed)
    before = build_job(two, 2, sent_at=at(2), state=JobState.COMPLETE)
    asked = build_job(two, 4, sent_at=at(4), action=JobAction.ARCHIVE, **failed)
    with storage.writing() as unit:
        unit.jobs.add_all([first, better, again, before, asked])
    with storage.reading() as unit:
        assert unit.overview.refused(LONG_AGO, 10) == [again]
        assert unit.overview.refused(at(4), 10) == []
        assert unit.overview.refused(LONG_AGO, 0) == []
