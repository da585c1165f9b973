"""What every storage must do: SQLite and a real PostgreSQL."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from libra.errors import AlreadyExists, Invalid, NotFound, StorageUnavailable
from libra.model.access import IssuedToken, Role, Token
from libra.model.counters import ListenerCounters
from libra.model.device import DeviceState
from libra.model.event import Event
from libra.model.job import JobPriority, JobState
from libra.model.policy import Comparison, PolicyAction, RuleType
from libra.model.quota import Quota
from libra.model.resources.l7policy import L7Policy, L7Rule
from libra.model.resources.listener import Listener
from libra.model.resources.monitor import HealthMonitor
from libra.model.resources.pool import PersistenceKind, PoolPersistence
from libra.model.resources.tree import LoadBalancerTree, PolicyTree, PoolTree
from libra.model.status import MUTABLE, ProvisioningStatus
from libra.storage.engines import (
    CONNECT_SECONDS,
    _postgresql_arguments,
    open_engine,
    parse_url,
)
from libra.storage.kinds import Load, Tally
from libra.storage.query import Query, TagFilter, order_of
from libra.storage.schema import newest_revision, upgrade
from libra.storage.sql import SqlStorage, open_storage
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import (
    NOW,
    at,
    build_device,
    build_job,
    build_listener,
    build_loadbalancer,
    build_member,
    build_monitor,
    build_pool,
    lay_out,
    migrated,
    new_id,
)

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'libra.db'}"
    return str(request.getfixturevalue("postgres").new_url())


@pytest.fixture(params=KINDS)
def laid_out(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of one that is up to date."""
    if request.param == "sqlite":
        return lay_out(tmp_path)
    return str(request.getfixturevalue("postgres").laid_out_url())


@pytest.fixture
def storage(laid_out: str) -> Iterator[SqlStorage]:
    with migrated(laid_out) as storage:
        yield storage


def test_every_record_comes_back_as_it_went_in(storage: SqlStorage) -> None:
    device = build_device(last_seen=at(1))
    owner = build_loadbalancer(device_id=device.id, tags=('a"b', "ü%_", ""), updated_at=at(2))
    headers = (("X-Forwarded-For", "true"), ("X-Real-IP", "true"))
    listener = build_listener(owner, insert_headers=headers, allowed_cidrs=("10.0.0.0/8",))
    tied = PoolPersistence(type=PersistenceKind.APP_COOKIE, cookie_name="sid")
    pool = build_pool(owner, session_persistence=tied)
    member, monitor = build_member(pool, monitor_port=9), build_monitor(pool)
    token = Token(id=new_id(), name="t", digest="d", role=Role.ADMIN, created_at=NOW)
    issued = IssuedToken(digest="i", token_id=token.id, issued_at=NOW, expires_at=at(4))
    quota = Quota(project_id="p1", listener=5)
    policy = L7Policy(
        **{**fields_of(monitor), "id": "policy", "name": "p"},
        listener_id=listener.id,
        action=PolicyAction.REDIRECT_TO_URL,
        redirect_url="http://x/",
        redirect_http_code=302,
    )
    rule = L7Rule(
        **{**fields_of(monitor), "id": "rule"},
        l7policy_id=policy.id,
        type=RuleType.HEADER,
        compare_type=Comparison.REGEX,
        key="X-A",
        value="^a",
        invert=True,
    )
    job = build_job(device, not_before=at(3))
    with storage.writing() as unit:
        unit.devices.add(device)
        unit.loadbalancers.add(owner)
        for rows, record in (
            (unit.listeners, listener),
            (unit.pools, pool),
            (unit.members, member),
            (unit.monitors, monitor),
            (unit.l7policies, policy),
            (unit.l7rules, rule),
            (unit.tokens, token),
            (unit.issued_tokens, issued),
            (unit.quotas, quota),
            (unit.jobs, job),
        ):
            rows.add(record)  # type: ignore[attr-defined]
    with storage.reading() as unit:
        assert unit.devices.get(device.id) == device
        assert unit.loadbalancers.get(owner.id) == owner
        assert unit.listeners.get(listener.id) == listener
        assert unit.pools.get(pool.id) == pool
        assert unit.members.get(member.id) == member
        assert unit.monitors.get(monitor.id) == monitor
        assert unit.tokens.get(token.id) == token
        assert unit.issued_tokens.get("i") == issued
        assert unit.quotas.get("p1") == quota
        assert unit.jobs.get(job.id) == job
        tree = unit.loadbalancers.tree(owner.id)
    parts = PoolTree(pool=pool, members=(member,), monitor=monitor)
    assert tree == LoadBalancerTree(
        loadbalancer=owner,
        listeners=(listener,),
        pools=(parts,),
        policies=(PolicyTree(policy=policy, rules=(rule,)),),
    )


def fields_of(part: HealthMonitor) -> dict[str, Any]:
    """What all parts of a load balancer have."""
    names = (
        "project_id",
        "loadbalancer_id",
        "provisioning_status",
        "created_at",
        "updated_at",
        "tags",
    )
    return {name: getattr(part, name) for name in names}


def test_trees_and_what_was_applied(storage: SqlStorage) -> None:
    device, other = build_device(), build_device("web2")
    owners = [build_loadbalancer(n, device_id=device.id) for n in range(3)]
    with storage.writing() as unit:
        unit.devices.add_all([device, other])
        foreign = build_loadbalancer(8, device_id=device.id, project_id="p2")
        unit.loadbalancers.add_all([foreign, build_loadbalancer(9, device_id=other.id)])
        assert unit.loadbalancers.loads() == {
            device.id: Load(1, frozenset({"p2"})),
            other.id: Load(1, frozenset({"p1"})),
        }
        unit.loadbalancers.remove(foreign.id)
        unit.loadbalancers.add_all(owners)
        unit.pools.add_all([build_pool(owner) for owner in owners])
        assert unit.loadbalancers.loads()[device.id] == Load(3, frozenset({"p1"}))
        trees = unit.loadbalancers.trees_of(device.id)
        assert [tree.loadbalancer for tree in trees] == owners
        assert [len(tree.pools) for tree in trees] == [1, 1, 1]
        unit.loadbalancers.set_applied(trees[0])
        assert unit.loadbalancers.applied_materials([owners[0].id]) == {}
        unit.loadbalancers.set_applied(trees[0], {"c1": ("pem", "sealed")})
        found = unit.loadbalancers.applied_materials([owners[0].id, owners[1].id])
        assert found == {owners[0].id: {"c1": ("pem", "sealed")}}
    with storage.writing() as unit:
        keys = [owner.id for owner in owners]
        assert unit.loadbalancers.applied(keys) == {owners[0].id: trees[0]}
        assert len(unit.loadbalancers.trees(keys)) == 3
        unit.loadbalancers.remove_tree(owners[0].id)
        unit.loadbalancers.remove_tree(owners[0].id)
        assert unit.loadbalancers.applied(keys) == {}
        assert unit.pools.count({}) == 2


def test_the_ids_of_parts_are_given_in_order_of_creation(storage: SqlStorage) -> None:
    owner, bare = build_loadbalancer(), build_loadbalancer(1)
    pools = [build_pool(owner, created_at=at(9 - n)) for n in range(3)]
    with storage.writing() as unit:
        unit.loadbalancers.add_all([owner, bare])
        unit.pools.add_all(pools)
        keys = [owner.id, bare.id, *(f"gone{n}" for n in range(1200))]
        found = unit.pools.ids_by("loadbalancer_id", keys)
        assert list(found) == keys
        assert found[owner.id] == [pool.id for pool in reversed(pools)]
        assert not any(found[key] for key in keys[1:])
        assert unit.pools.ids_by("loadbalancer_id", []) == {}


def test_a_lock_is_won_by_one(storage: SqlStorage) -> None:
    owner = build_loadbalancer()
    with storage.writing() as unit:
        unit.loadbalancers.add(owner)
    barrier = threading.Barrier(8)

    def lock(_: int) -> bool:
        barrier.wait(10)
        with storage.writing() as unit:
            pending = ProvisioningStatus.PENDING_UPDATE
            return unit.loadbalancers.lock(owner.id, pending, MUTABLE) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lock, range(8))) == 1


def test_places_are_the_ready_devices_with_their_counts(storage: SqlStorage) -> None:
    ready = {"state": DeviceState.SPARE, "protocol": "2.0", "address": "10.0.0.1"}
    devices = [build_device("full", **ready), build_device("empty", **ready), build_device("new")]
    with storage.writing() as unit:
        unit.devices.add_all(devices)
        for number in range(2):
            unit.loadbalancers.add(build_loadbalancer(number, device_id=devices[0].id))
    with storage.reading() as unit:
        places = {place.name: place for place in unit.devices.places()}
    assert {name: place.loadbalancers for name, place in places.items()} == {"full": 2, "empty": 0}
    full = places["full"]
    assert (full.device_id, full.address, full.is_older) == (devices[0].id, "10.0.0.1", False)


def test_generations_follow_each_other(storage: SqlStorage) -> None:
    device = build_device()
    with storage.writing() as unit:
        unit.devices.add(device)

    def count(_: int) -> int:
        with storage.writing() as unit:
            return unit.devices.next_generation(device.id)

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(count, range(30))) == list(range(1, 31))
    with pytest.raises(NotFound), storage.writing() as unit:
        unit.devices.next_generation("nobody")


def test_what_is_held_is_counted_right(storage: SqlStorage) -> None:
    def add(_: int) -> bool:
        with storage.writing() as unit:
            unit.hold("quota p1")
            if unit.loadbalancers.count({"project_id": "p1"}) >= 3:
                return False
            unit.loadbalancers.add(build_loadbalancer())
            return True

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(add, range(12))) == 3


def test_all_or_nothing(storage: SqlStorage) -> None:
    def fail() -> None:
        with storage.writing() as unit:
            unit.devices.add(build_device())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with storage.reading() as unit:
        assert unit.devices.find() == []


def test_what_is_taken_is_told_and_the_transaction_goes_on(storage: SqlStorage) -> None:
    owner = build_loadbalancer()
    pool = build_pool(owner)
    with storage.writing() as unit:
        unit.loadbalancers.add(owner)
        unit.pools.add(pool)
        unit.members.add(build_member(pool))
        with pytest.raises(AlreadyExists):
            unit.members.add(build_member(pool))
        unit.listeners.add(build_listener(owner))
        with pytest.raises(AlreadyExists):
            unit.listeners.add(build_listener(owner))
        unit.addresses.take("10.0.0.1", "default", owner.id)
        with pytest.raises(AlreadyExists, match=r"cannot take the address 10\.0\.0\.1"):
            unit.addresses.take("10.0.0.1", "default", owner.id)
        with pytest.raises(NotFound):
            unit.pools.replace(build_pool(owner))
    with storage.writing() as unit:
        assert unit.members.count({"pool_id": pool.id}) == 1
        assert (unit.addresses.owner("10.0.0.1"), unit.addresses.taken("default")) == (
            owner.id,
            {"10.0.0.1"},
        )
        unit.addresses.release(owner.id)
        assert unit.addresses.owner("10.0.0.1") is None


def names(storage: SqlStorage, query: Query) -> list[str]:
    with storage.reading() as unit:
        return [item.name for item in unit.loadbalancers.find(query)]


@pytest.fixture
def ten(storage: SqlStorage) -> SqlStorage:
    with storage.writing() as unit:
        unit.loadbalancers.add_all(
            build_loadbalancer(
                n,
                name=f"lb{n}",
                description="even" if n % 2 == 0 else "odd",
                updated_at=at(n) if n % 3 else None,
                admin_state_up=n % 4 != 0,
                tags=("all", f"t{n}", *(["few"] if n < 3 else [])),
            )
            for n in range(10)
        )
    return storage


def test_filters(ten: SqlStorage) -> None:
    assert names(ten, Query(where={"description": "even", "name": "lb4"})) == ["lb4"]
    assert names(ten, Query(where={"name": ["lb4", "lb7"]})) == ["lb4", "lb7"]
    assert names(ten, Query(where={"updated_at": None})) == ["lb0", "lb3", "lb6", "lb9"]
    pending = {"provisioning_status": ProvisioningStatus.PENDING_UPDATE}
    assert names(ten, Query(where=pending)) == []
    with pytest.raises(Invalid, match="there is no such field"):
        names(ten, Query(where={"nme": "x"}))


@pytest.mark.parametrize("number", [2**31, -(2**31) - 1, 10**17 - 1])
def test_a_number_that_no_row_can_have(storage: SqlStorage, number: int) -> None:
    with storage.reading() as unit:
        for rows, name in (
            (unit.members, "weight"),
            (unit.listeners, "connection_limit"),
            (unit.listeners, "timeout_client_data"),
            (unit.l7policies, "position"),
            (unit.monitors, "delay"),
        ):
            assert rows.find(Query(where={name: number})) == []  # type: ignore[attr-defined]
            assert rows.count({name: number}) == 0  # type: ignore[attr-defined]


def test_tags(ten: SqlStorage) -> None:
    def tagged(**tags: Any) -> list[str]:
        return names(ten, Query(tags=TagFilter(**tags)))

    assert tagged(every=("all", "few")) == ["lb0", "lb1", "lb2"]
    assert tagged(some=("t1", "t7", "x")) == ["lb1", "lb7"]
    assert tagged(not_every=("all", "few")) == [f"lb{n}" for n in range(3, 10)]
    assert tagged(not_some=("t1", "few")) == [f"lb{n}" for n in range(3, 10)]
    assert tagged(every=("ALL",)) == tagged(every=("t_",)) == tagged(every=("t%",)) == []


SORTS: list[tuple[tuple[str, bool], ...]] = [
    (),
    (("name", False),),
    (("description", True), ("name", False)),
    (("updated_at", True),),
    (("updated_at", False), ("id", True)),
    (("admin_state_up", True), ("provisioning_status", False), ("name", False)),
    (("admin_state_up", False), ("vip_address", True)),
]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("size", [1, 3, 10])
def test_pages_add_up_both_ways(
    ten: SqlStorage, sort: tuple[tuple[str, bool], ...], size: int
) -> None:
    whole = names(ten, Query(sort=sort))
    assert sorted(whole) == [f"lb{n}" for n in range(10)]
    with ten.reading() as unit:
        ids = {item.name: item.id for item in unit.loadbalancers.find()}
    forward: list[str] = []
    while page := names(
        ten, Query(sort=sort, limit=size, marker=ids[forward[-1]] if forward else None)
    ):
        forward += page
    assert forward == whole
    back: list[str] = []
    while page := names(
        ten,
        Query(sort=sort, limit=size, marker=ids[back[0]] if back else None, backwards=True),
    ):
        back = [*page, *back]
    assert back == whole


@pytest.mark.parametrize("sort", SORTS)
def test_a_page_behind_a_place_needs_no_row(
    ten: SqlStorage, sort: tuple[tuple[str, bool], ...]
) -> None:
    with ten.reading() as unit:
        whole = unit.loadbalancers.find(Query(sort=sort))
    order = [name for name, _ in order_of(Query(sort=sort), ("id", "created_at"))]
    every = [item.name for item in whole]
    for n, row in enumerate(whole):
        place = tuple(getattr(row, name) for name in order)
        with ten.writing() as unit:
            unit.loadbalancers.remove(row.id)
        assert names(ten, Query(sort=sort, place=place)) == every[n + 1 :]
        assert names(ten, Query(sort=sort, place=place, backwards=True)) == every[:n]
        with ten.writing() as unit:
            unit.loadbalancers.add(row)


def test_a_marker_that_is_no_row(ten: SqlStorage) -> None:
    with pytest.raises(Invalid, match="cannot find the marker"):
        names(ten, Query(marker="x"))


def test_jobs_that_are_due_and_overdue(storage: SqlStorage) -> None:
    device = build_device()
    low = build_job(device, 1, priority=JobPriority.LOW)
    normal, high = build_job(device, 2), build_job(device, 3, priority=JobPriority.HIGH)
    later = build_job(device, 4, not_before=at(60))
    held = build_job(device, 5, state=JobState.HELD, deadline=at(10))
    late = build_job(device, 6, deadline=at(10))
    done = build_job(device, 7, state=JobState.COMPLETE, deadline=at(10))
    with storage.writing() as unit:
        unit.jobs.add_all([low, normal, high, later, held, late, done])
        assert unit.jobs.due(at(20), 10) == [high, normal, low]
        assert unit.jobs.due(at(20), 1) == [high]
        assert unit.jobs.due(at(60), 10) == [high, normal, later, low]
        assert unit.jobs.overdue(at(20)) == [held, late]
        running = replace(normal, state=JobState.RUNNING)
        assert unit.jobs.change(normal.id, running, [JobState.NEW])
        assert not unit.jobs.change(normal.id, running, [JobState.NEW])
        assert unit.jobs.schedule(at(20)) == 3
        assert unit.jobs.schedule(at(20)) == 0
        assert [job.id for job in unit.jobs.due(at(60), 10)] == [high.id, later.id, low.id]
        assert unit.jobs.get(held.id) == held
        assert unit.jobs.get(late.id) == late
        gone = unit.jobs.supersede(device.id, 5, "another")
        assert sorted(gone) == sorted([low.id, high.id, later.id])
        found = unit.jobs.get(low.id)
        assert found is not None
        assert (found.state, found.error) == (JobState.SUPERSEDED, "superseded by another")


def test_events(storage: SqlStorage) -> None:
    kinds = ("loadbalancer.active", "loadbalancer.error", "device.error")
    events = [Event(at=at(n), kind=kind, subject_id=str(n)) for n, kind in enumerate(kinds)]
    with storage.writing() as unit:
        for event in events:
            unit.events.add(event)
    with storage.writing() as unit:
        numbers = [event.id for event in unit.events.since(0, limit=10)]
        assert numbers == sorted(numbers)
        found = unit.events.since(numbers[0], limit=10)
        assert found == [replace(events[n], id=numbers[n]) for n in (1, 2)]
        assert len(unit.events.since(0, limit=10, kind_prefix="loadbalancer.")) == 2
        assert len(unit.events.since(0, limit=1)) == 1
        assert len(unit.events.since(0, limit=9, where={"subject_id": "2"})) == 1
        assert unit.events.prune(at(2), 10) == 2


def follow(storage: SqlStorage, last: int) -> list[Event]:
    with storage.reading() as unit:
        return unit.events.since(last, limit=1000)


def test_who_follows_events_misses_none_that_is_stored_late(postgres: Postgres) -> None:
    with migrated(postgres.new_url()) as storage:
        with storage.writing() as slow:
            slow.events.add(Event(at=NOW, kind="device.error", subject_id="begun first"))
            with storage.writing() as quick:
                quick.events.add(Event(at=NOW, kind="device.error", subject_id="begun last"))
            (seen,) = follow(storage, 0)
        assert [event.subject_id for event in follow(storage, seen.id)] == ["begun first"]


def test_who_follows_events_sees_each_once_in_order(storage: SqlStorage) -> None:
    writers, each = 8, 40

    def write(number: int) -> None:
        for n in range(each):
            with storage.writing() as unit:
                unit.events.add(Event(at=at(n), kind="device.error", subject_id=f"{number}"))
                unit.events.add(Event(at=at(n), kind="device.ready", subject_id=f"{number}"))

    seen: list[Event] = []
    with ThreadPoolExecutor(writers) as pool:
        running = [pool.submit(write, number) for number in range(writers)]
        while not all(item.done() for item in running):
            seen += follow(storage, seen[-1].id if seen else 0)
        [item.result() for item in running]
    seen += follow(storage, seen[-1].id if seen else 0)
    assert len(seen) == 2 * writers * each
    ids = [event.id for event in seen]
    assert ids == sorted(set(ids))


def test_old_rows_go_some_at_a_time_and_the_oldest_first(storage: SqlStorage) -> None:
    states = (JobState.COMPLETE, JobState.NEW, JobState.FAILED, JobState.COMPLETE)
    with storage.writing() as unit:
        device = build_device()
        unit.devices.add(device)
        jobs = [build_job(device, state=state, created_at=at(n)) for n, state in enumerate(states)]
        unit.jobs.add_all(reversed(jobs))
        for n in range(3):
            unit.events.add(Event(at=at(n), kind="device.error", subject_id=str(n)))
        assert [unit.jobs.prune(at(3), 1) for _ in range(3)] == [1, 1, 0]
        assert {job.id for job in unit.jobs.find()} == {jobs[1].id, jobs[3].id}  # one is open
    with storage.writing() as unit:
        assert unit.events.prune(at(5), 2) == 2
        assert [event.subject_id for event in unit.events.since(0, limit=5)] == ["2"]


@pytest.fixture
def listener(storage: SqlStorage) -> Listener:
    owner = build_loadbalancer()
    made = build_listener(owner)
    with storage.writing() as unit:
        unit.loadbalancers.add(owner)
        unit.listeners.add(made)
    return made


def counted(listener: Listener, number: int, **others: int) -> ListenerCounters:
    return ListenerCounters(
        listener_id=listener.id,
        loadbalancer_id=listener.loadbalancer_id,
        bytes_in=number,
        total_connections=number,
        **others,
    )


def test_counters(storage: SqlStorage, listener: Listener) -> None:
    last = counted(listener, 2**41, active_connections=3)
    with storage.writing() as unit:
        unit.counters.record("one", [counted(listener, 2**40, active_connections=7)])
        unit.counters.record("one", [last])
        assert unit.counters.of_loadbalancer(listener.loadbalancer_id) == [last]
        assert unit.counters.of_listener(listener.id) == last
        assert unit.counters.of_listener("x") is None


READINGS = [("one", 5), ("one", 9), ("two", 4), ("two", 4), ("two", 6), ("one", 1), ("one", 0)]


def test_no_counter_goes_back_when_a_listener_moves_or_its_device_begins_anew(
    storage: SqlStorage, listener: Listener
) -> None:
    seen = []
    for device, number in READINGS:
        with storage.writing() as unit:
            unit.counters.record(device, [counted(listener, number)])
            (found,) = unit.counters.of_loadbalancer(listener.loadbalancer_id)
        seen.append((found.bytes_in, found.total_connections, found.bytes_out))
    assert seen == [(total, total, 0) for total in (5, 9, 13, 13, 15, 16, 16)]


def test_a_database_without_a_schema(url: str) -> None:
    storage = open_storage(url)
    with pytest.raises(StorageUnavailable, match="it has no schema yet"):
        storage.check()
    storage.close()
    assert upgrade(url) == upgrade(url) == newest_revision()
    if url.startswith("sqlite:///"):
        assert Path(url.removeprefix("sqlite:///")).stat().st_mode & 0o077 == 0
    storage.check()
    storage.close()


def test_a_table_that_somebody_removed(laid_out: str, storage: SqlStorage) -> None:
    storage.check(whole=True)
    engine = open_engine(laid_out, connections=1)
    with engine.connect() as connection:
        connection.execute(text("ALTER TABLE tokens DROP COLUMN role"))
        connection.execute(text("DROP TABLE counters"))
    engine.dispose()
    storage.check()
    with pytest.raises(
        StorageUnavailable, match=r"lacks the column tokens\.role, the table counters;"
    ):
        storage.check(whole=True)


def _upgrade(url: str) -> None:
    upgrade(url)


def test_two_upgrades_at_once(url: str) -> None:
    context = multiprocessing.get_context("spawn")
    several = [context.Process(target=_upgrade, args=(url,)) for _ in range(3)]
    for process in several:
        process.start()
    for process in several:
        process.join(60)
    assert [process.exitcode for process in several] == [0, 0, 0]
    storage = open_storage(url)
    storage.check()
    storage.close()


def _write_and_wait(url: str, ready: Any) -> None:
    with open_storage(url).writing() as unit:
        unit.devices.add(build_device())
        ready.set()
        threading.Event().wait(60)


def test_a_writer_that_is_killed_leaves_nothing(laid_out: str, storage: SqlStorage) -> None:
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=_write_and_wait, args=(laid_out, ready))
    process.start()
    assert ready.wait(30)
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join(10)
    with storage.writing() as unit:
        assert unit.devices.find() == []
        unit.devices.add(build_device())


def count_devices(storage: SqlStorage, count: int, way: str) -> None:
    """Over so many connections at once."""
    together = threading.Barrier(count, timeout=30)

    def look(unit: Any) -> int:
        found = len(unit.devices.find())
        if not together.broken:
            together.wait()
        return found

    def ask(_: int) -> int:
        if way == "look":
            return storage.look(look)
        with storage.reading() if way == "reading" else storage.writing() as unit:
            return look(unit)

    with ThreadPoolExecutor(count) as pool:
        assert set(pool.map(ask, range(count))) == {1}


@pytest.mark.parametrize("way", ["look", "reading", "writing"])
def test_connections_that_died_are_none_of_the_next_ones_business(
    postgres: Postgres, way: str
) -> None:
    with migrated(postgres.new_url()) as storage:
        with storage.writing() as unit:
            unit.devices.add(build_device())
        count_devices(storage, 6, way)
        postgres.stop()
        postgres.start()
        count_devices(storage, 6, way)


def test_what_is_read_together_is_of_one_moment(storage: SqlStorage) -> None:
    with storage.reading() as unit:
        assert unit.devices.find() == []
        with storage.writing() as other:
            other.devices.add(build_device())
        assert unit.devices.find() == []
        assert len(storage.look(lambda one: one.devices.find())) == 1
    with storage.reading() as unit:
        assert len(unit.devices.find()) == 1


def test_who_reads_cannot_write(postgres: Postgres) -> None:
    with (
        migrated(postgres.new_url()) as storage,
        pytest.raises(StorageUnavailable, match="read-only"),
        storage.reading() as unit,
    ):
        unit.devices.add(build_device())


def test_one_in_brief(storage: SqlStorage) -> None:
    owner, bare = build_loadbalancer(tags=("a", "b")), build_loadbalancer()
    pools = [build_pool(owner, created_at=at(n)) for n in (3, 1, 2)]
    listener = build_listener(owner)
    with storage.writing() as unit:
        unit.loadbalancers.add_all([owner, bare])
        unit.pools.add_all(pools)
        unit.listeners.add(listener)
    ordered = [pool.id for pool in sorted(pools, key=lambda pool: pool.created_at)]
    with storage.reading() as unit:
        assert unit.loadbalancers.brief(owner.id) == (owner, [listener.id], ordered)
        assert unit.loadbalancers.brief(bare.id) == (bare, [], [])
        assert unit.loadbalancers.brief("nothing") is None


def test_a_server_that_restarts(postgres: Postgres) -> None:
    with migrated(postgres.new_url()) as storage:
        with storage.writing() as unit:
            unit.devices.add(build_device())
        postgres.stop()
        try:
            with pytest.raises(StorageUnavailable, match="cannot use the database"):
                storage.check()
        finally:
            postgres.start()
        with storage.reading() as unit:
            assert len(unit.devices.find()) == 1


def test_errors_hold_no_password(postgres: Postgres) -> None:
    url = f"postgresql://libra:open-sesame@127.0.0.1:{postgres.port}/nothing_here"
    for attempt in (lambda: open_storage(url).check(), lambda: upgrade(url)):
        attempts: Callable[[], object] = attempt
        with pytest.raises(StorageUnavailable) as caught:
            attempts()
        assert "sesame" not in str(caught.value)


def test_every_table_has_the_fields_of_its_record() -> None:
    """A new field without a column would be lost."""
    from libra.model.device import Device
    from libra.model.job import Job
    from libra.model.resources.listener import Listener
    from libra.storage import tables

    for kind, table in ((Device, tables.devices), (Job, tables.jobs), (Listener, tables.listeners)):
        assert {field.name for field in fields(kind)} == set(table.c.keys())


def test_figures_are_counted_and_not_read(storage: SqlStorage) -> None:
    state, *others = DeviceState
    devices = [
        build_device("b", state=state, last_seen=at(5)),
        build_device("a", state=state, created_at=at(-3)),
        build_device("c", state=others[0], last_seen=at(9), created_at=at(-90)),
    ]
    jobs = [build_job(devices[0], number) for number in (7, 4)]
    jobs += [
        build_job(devices[0], 5, state=JobState.RUNNING),
        build_job(devices[0], 1, state=JobState.COMPLETE),
    ]
    with storage.reading() as unit:
        assert unit.figures.newest_event() == 0
        assert unit.figures.devices() == unit.figures.open_jobs() == {}
    with storage.writing() as unit:
        unit.devices.add_all(devices)
        unit.jobs.add_all(jobs)
        unit.events.add(Event(at=NOW, kind="a.b", subject_id="x"))
    with storage.reading() as unit:
        assert unit.figures.newest_event() == unit.events.since(0, limit=9)[-1].id
        assert unit.figures.devices() == {state: Tally(2, at(-3)), others[0]: Tally(1, at(9))}
        assert unit.figures.last_seen(2) == [("a", state, at(-3)), ("b", state, at(5))]
        action = jobs[0].action
        assert unit.figures.open_jobs() == {
            (action, JobState.NEW): Tally(2, at(4)),
            (action, JobState.RUNNING): Tally(1, at(5)),
        }
        used, most = storage.connections()
        assert 1 <= used <= most


def test_what_the_url_says_of_the_connection_holds() -> None:
    given = "postgresql://libra@127.0.0.1/libra"
    ours = _postgresql_arguments(parse_url(given))
    theirs = _postgresql_arguments(parse_url(f"{given}?connect_timeout=30"))
    assert ours["connect_timeout"] == CONNECT_SECONDS
    assert ours == {**theirs, "connect_timeout": CONNECT_SECONDS}
    added = _postgresql_arguments(parse_url(f"{given}?options=-c%20search_path%3Da"))
    assert added["options"] == f"{ours['options']} -c search_path=a"


def test_fresh_secrets_of_a_job_stay_whoever_read_it_before(storage: SqlStorage) -> None:
    device = build_device()
    job = build_job(device, sealed="old", object_store_account="a")
    with storage.writing() as unit:
        unit.devices.add(device)
        unit.jobs.add(job)
        assert unit.jobs.reseal(job.id, "fresh")
        running = replace(job, state=JobState.RUNNING)
        assert unit.jobs.change(job.id, running, [JobState.NEW])
        assert unit.jobs.get(job.id) == replace(running, sealed="fresh")
        ended = replace(job, state=JobState.COMPLETE, sealed="")
        assert unit.jobs.change(job.id, ended, [JobState.RUNNING])
        assert not unit.jobs.reseal(job.id, "too late")
        assert unit.jobs.get(job.id) == ended
