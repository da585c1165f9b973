"""Orders of operators and what placement heeds of them: use cases over SQLite and a real PostgreSQL."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from libra.errors import Conflict, Invalid, LibraError, NotFound, PoolExhausted, QuotaExceeded
from libra.model.access import Caller, Role
from libra.model.adminmap import AdminMap
from libra.model.device import Device, DeviceState, Place
from libra.model.devicepool import DevicePool
from libra.model.event import Event
from libra.storage.query import Query
from libra.storage.sql import SqlStorage
from libra.usecases import devicepools, devices, loadbalancers
from libra.usecases.admin import maps, pools
from libra.usecases.admin.devices import FleetOrder, order_many, order_one
from libra.usecases.adminmaps import find_zone
from libra.usecases.deviceorders import DeviceOrder
from libra.usecases.loadbalancers import Vip
from libra.usecases.services import AdminRules, Services
from libra.usecases.webclusters import clusters, nodes
from libra.vault import open_vault
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import (
    NOW,
    at,
    build_device,
    build_loadbalancer,
    build_webcluster,
    build_webnode,
    lay_out,
    migrated,
)

CALLER = Caller(
    name="alice", role=Role.OPERATOR, request_id="req-1", remote="10.0.0.7", comment="because ü"
)
S = DeviceState


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
def services(storage: SqlStorage, tmp_path: Path) -> Services:
    return Services(
        storage=storage,
        sealer=open_vault(tmp_path / "key"),
        admin=AdminRules(aliases_file=tmp_path / "aliases", limits_file=tmp_path / "limits"),
        can_destroy=lambda pool: pool.provider == "local",
    )


def make_pool(services: Services, name: str = "edge", **fields: Any) -> DevicePool:
    given = {"name": name, "provider": "local", **fields}
    return devicepools.create_pool(services, CALLER, given)


def add(services: Services, pool: DevicePool, *states: DeviceState, first: int = 0) -> list[Device]:
    """Named by their pool and number, each a second younger than the one before."""
    made = [
        build_device(
            f"{pool.name}-{n}",
            pool_id=pool.id,
            state=state,
            created_at=at(n),
            address=f"127.0.0.{n + 1}",
            protocol="2.0",
        )
        for n, state in enumerate(states, first)
    ]
    with services.storage.writing() as unit:
        unit.devices.add_all(made)
    return made


def has(services: Services, device: Device, count: int = 1, project: str = "p1") -> None:
    with services.storage.writing() as unit:
        unit.loadbalancers.add_all(
            build_loadbalancer(n, device_id=device.id, project_id=project) for n in range(count)
        )


def is_node(services: Services, device: Device, project: str = "p1") -> None:
    cluster = build_webcluster(project_id=project, name=f"of-{device.name}")
    with services.storage.writing() as unit:
        unit.web_clusters.add(cluster)
        unit.web_nodes.add(build_webnode(cluster, device))


def states(services: Services) -> dict[str, str]:
    return {device.name: device.state.value for device in devices.list_devices(services)}


def events(services: Services, kind: str) -> list[Event]:
    with services.storage.reading() as unit:
        return unit.events.since(0, limit=1000, kind_prefix=kind)


def create(services: Services, zone: str | None = None, project: str = "p1") -> str | None:
    fields = {"availability_zone": zone}
    made = loadbalancers.create(services, CALLER, project, Vip(), fields).loadbalancer
    assert made.availability_zone == zone
    return made.device_id


def write(path: Path | None, value: object) -> None:
    assert path is not None
    path.write_text(value if isinstance(value, str) else json.dumps(value))


# Records.


def test_what_is_new_comes_back_as_it_went_in(storage: SqlStorage) -> None:
    pool = DevicePool(id="p", name="p", max_devices=5, priority=-3, created_at=NOW)
    free = replace(pool, id="q", name="q", max_devices=None)
    device = build_device(pool_id="p", shutting_down=True)
    owner = build_loadbalancer(device_id=device.id, availability_zone="west ü")
    kept = AdminMap(name="limits", document='{"a": 1}', loaded_at=NOW)
    with storage.writing() as unit:
        unit.device_pools.add_all([pool, free])
        unit.devices.add(device)
        unit.loadbalancers.add(owner)
        unit.admin_maps.add(kept)
        unit.admin_maps.replace(kept)
        unit.events.add(Event(at=NOW, kind="a.b", subject_id="x", remote="::1", comment="why ü"))
    with storage.reading() as unit:
        assert [unit.device_pools.get(key) for key in "pq"] == [pool, free]
        assert unit.devices.get(device.id) == device
        assert unit.loadbalancers.get(owner.id) == owner
        assert unit.admin_maps.get("limits") == kept
        (event,) = unit.events.since(0, limit=9)
    assert (event.remote, event.comment) == ("::1", "why ü")


def test_places_have_their_pools_priority_and_projects_their_devices(services: Services) -> None:
    pool = make_pool(services, priority=7)
    one, two, three, four = add(services, pool, *(S.ASSIGNED,) * 4)
    has(services, one, 2)
    has(services, two, 1, "p2")
    is_node(services, two)
    is_node(services, three)
    is_node(services, four, "p2")

    def look(unit: Any) -> tuple[list[Place], list[set[str]]]:
        return unit.devices.places(), [unit.devices.of_project(p) for p in ("p1", "p2", "p3")]

    places, used = services.storage.look(look)
    assert {place.priority for place in places} == {7}
    assert used == [{one.id, two.id, three.id}, {two.id, four.id}, set()]


# Pools.


def test_a_pool_is_switched_by_name_or_id(services: Services) -> None:
    pool = make_pool(services)
    for key in (pool.id, "edge"):
        assert pools.switch_pool(services, CALLER, key, disabled=True).disabled
        found = devicepools.find_pool(services, "edge")
        assert (found.disabled, found.disabled_reason) == (True, "because ü")
        assert not pools.switch_pool(services, CALLER, key, disabled=False).disabled
        assert devicepools.find_pool(services, "edge").disabled_reason is None
    with pytest.raises(NotFound):
        pools.switch_pool(services, CALLER, "Edge", disabled=True)
    told = events(services, "devicepool.disabled")[0]
    assert (told.actor, told.remote, told.comment) == ("alice", "10.0.0.7", "because ü")


def test_to_shrink_drains_the_excess_and_to_grow_takes_nothing_back(services: Services) -> None:
    pool = make_pool(services)
    made = add(services, pool, S.ASSIGNED, S.ASSIGNED, S.SPARE, S.SPARE)
    has(services, made[0], 2)
    has(services, made[1], 1)
    is_node(services, made[3])
    done = pools.allocate(services, CALLER, "edge", 2)
    assert (done.before, done.pool.max_devices) == (None, 2)
    assert [device.name for device in done.drained] == ["edge-2", "edge-1"]
    assert states(services) == {
        "edge-0": "ASSIGNED",
        "edge-1": "DRAINING",
        "edge-2": "DRAINING",
        "edge-3": "SPARE",
    }
    assert all(device.retiring and not device.shutting_down for device in done.drained)
    assert pools.allocate(services, CALLER, "edge", 2).drained == []
    again = pools.allocate(services, CALLER, "edge", None)
    assert (again.before, list(again.drained)) == (2, [])
    assert states(services)["edge-1"] == "DRAINING"
    devicepools.change_pool(services, CALLER, "edge", {"max_devices": 0})
    assert set(states(services).values()) == {"DRAINING"}
    for wrong in (-1, 10**9):
        with pytest.raises(Invalid, match="cannot allocate"):
            pools.allocate(services, CALLER, "edge", wrong)
    assert devicepools.find_pool(services, "edge").max_devices == 0


def test_nothing_is_placed_on_what_is_drained_meanwhile(services: Services) -> None:
    """Whoever comes first, what is placed then is on a device that stays, or is counted with the one that goes."""
    pool = make_pool(services, shared=True)
    add(services, pool, *(S.SPARE,) * 6)
    barrier = threading.Barrier(2)

    def shrink() -> None:
        barrier.wait()
        pools.allocate(services, CALLER, "edge", 3)

    def place() -> None:
        barrier.wait()
        create(services)

    with ThreadPoolExecutor(2) as threads:
        for future in [threads.submit(shrink), threads.submit(place)]:
            future.result(30)
    found = {device.id: device for device in devices.list_devices(services)}
    assert sum(device.retiring for device in found.values()) == 3
    with services.storage.reading() as unit:
        (owner,) = unit.loadbalancers.find()
    holder = found[owner.device_id or ""]
    assert holder.state is S.ASSIGNED
    assert not holder.retiring


# Devices.


def test_to_shut_down_is_to_retire_and_destroy_whatever_it_has(services: Services) -> None:
    pool = make_pool(services)
    made = add(services, pool, S.SPARE, S.ASSIGNED, S.BUILDING, S.ERROR, S.RETIRED, S.ANNOUNCED)
    has(services, made[1])
    done = order_many(services, CALLER, "edge", FleetOrder.SHUTDOWN)
    assert done.accepted == len(done.outcomes) == 6
    drained, retired = ("DRAINING", True, True), ("RETIRED", False, False)
    found = devices.list_devices(services)
    assert [(d.state.value, d.retiring, d.shutting_down) for d in found] == [
        *(drained,) * 4,
        *(retired,) * 2,
    ]
    assert "its load balancers (1) are moved" in done.outcomes[1].told
    before = len(events(services, "device."))
    again = order_many(services, CALLER, "edge", FleetOrder.SHUTDOWN)
    assert again.accepted == 6
    assert devices.list_devices(services) == found
    assert len(events(services, "device.")) == before
    for order in (FleetOrder.RESET, FleetOrder.FORCE_RETIRE):
        order_many(services, CALLER, "edge", order)
    assert devices.list_devices(services) == found
    with pytest.raises(Conflict, match="its host is being destroyed"):
        devices.order_device(services, CALLER, "edge-0", DeviceOrder.APPROVE)
    devices.order_device(services, CALLER, "edge-0", DeviceOrder.EVACUATE)
    assert devices.list_devices(services) == found


@pytest.mark.parametrize("provider", ["", "static"])
def test_where_nobody_destroys_hosts_a_shutdown_retires(services: Services, provider: str) -> None:
    pool = make_pool(services, provider=provider)
    (device,) = add(services, pool, S.SPARE)
    outcome = order_one(services, CALLER, "edge", device.name, FleetOrder.SHUTDOWN)
    assert "its worker is left alone" in outcome.told
    assert (outcome.device.retiring, outcome.device.shutting_down) == (True, False)
    outcome = order_one(services, CALLER, "edge", device.id, FleetOrder.RESET)
    assert (outcome.device.state, outcome.device.retiring) == (S.SPARE, False)


def test_the_first_so_many_in_the_order_of_the_pool(services: Services) -> None:
    pool, other = make_pool(services), make_pool(services, "core")
    add(services, pool, S.SPARE, S.SPARE, S.SPARE)
    add(services, other, S.SPARE)
    done = order_many(services, CALLER, "edge", FleetOrder.FORCE_RETIRE, 2)
    assert [item.device.name for item in done.outcomes] == ["edge-0", "edge-1"]
    done = order_many(services, CALLER, "edge", FleetOrder.RESET, 99)
    assert [item.device.state for item in done.outcomes] == [S.SPARE] * 3
    assert states(services)["core-0"] == "SPARE"
    for pool_key, device in (("core", "edge-0"), ("edge", "nope"), ("nope", "edge-0")):
        with pytest.raises(NotFound):
            order_one(services, CALLER, pool_key, device, FleetOrder.SHUTDOWN)
    assert set(states(services).values()) == {"SPARE"}


def test_what_has_something_is_not_forgotten(services: Services) -> None:
    pool = make_pool(services)
    made = add(services, pool, S.SPARE, S.ASSIGNED, S.ASSIGNED)
    has(services, made[1])
    is_node(services, made[2])
    done = order_many(services, CALLER, "edge", FleetOrder.REMOVE)
    assert [item.accepted for item in done.outcomes] == [True, False, False]
    assert set(states(services)) == {"edge-1", "edge-2"}
    with pytest.raises(Conflict, match="it has load balancers"):
        order_one(services, CALLER, "edge", "edge-1", FleetOrder.REMOVE)


def test_an_order_says_that_a_pool_fills_itself(services: Services) -> None:
    make_pool(services, min_spare=2)
    assert "keeps 2 spare" in order_many(services, CALLER, "edge", FleetOrder.SHUTDOWN).hint
    assert order_many(services, CALLER, "edge", FleetOrder.RESET).hint == ""
    pools.switch_pool(services, CALLER, "edge", disabled=True)
    assert order_many(services, CALLER, "edge", FleetOrder.SHUTDOWN).hint == ""


Order = Callable[[Services, Caller], object]
ORDERS: dict[str, Order] = {
    "enable": lambda s, c: pools.switch_pool(s, c, "edge", disabled=False),
    "allocate": lambda s, c: pools.allocate(s, c, "edge", 0),
    **{
        order.value: lambda s, c, order=order: order_many(s, c, "edge", order)  # type: ignore[misc]
        for order in FleetOrder
    },
    "one": lambda s, c: order_one(s, c, "edge", "edge-0", FleetOrder.SHUTDOWN),
    "aliases": maps.reload_aliases,
    "limits": maps.reload_limits,
}


@pytest.mark.parametrize("name", ORDERS)
def test_a_comment_that_is_required_is_required_of_every_order(
    services: Services, name: str
) -> None:
    strict = replace(services, admin=replace(services.admin, require_comment=True))
    pool = make_pool(services)
    add(services, pool, S.SPARE)
    pools.switch_pool(services, CALLER, "edge", disabled=True)
    write(services.admin.aliases_file, {})
    write(services.admin.limits_file, {})
    before = len(events(services, ""))
    with pytest.raises(Invalid, match="without a comment"):
        ORDERS[name](strict, replace(CALLER, comment=""))
    assert len(events(services, "")) == before
    assert states(services) == {"edge-0": "SPARE"}
    ORDERS[name](strict, CALLER)
    told = events(services, "")[before:]
    assert told
    assert {event.comment for event in told} == {"because ü"}


# Aliases.


def test_aliases_are_places_for_load_balancers(services: Services) -> None:
    west, east = (make_pool(services, name, shared=True) for name in ("west", "east"))
    (first,) = add(services, west, S.SPARE)
    (second,) = add(services, east, S.SPARE)
    write(services.admin.aliases_file, {"all": ["east", "west", "east"], "sun": ["east"]})
    assert maps.reload_aliases(services, CALLER) == {"all": ["east", "west"], "sun": ["east"]}
    assert create(services, "west") == first.id
    assert create(services, west.id) == first.id
    assert create(services, "sun") == second.id
    assert create(services, "all", "p2") == second.id  # which has fewer
    for unknown in ("north", "Sun", "", "west'"):
        with pytest.raises(Invalid, match="no device pool and no alias"):
            services.storage.look(lambda unit, zone=unknown: find_zone(unit, zone))  # type: ignore[misc]
    assert maps.list_aliases(services) == {"all": ["east", "west"], "sun": ["east"]}


def test_a_zone_without_a_device_that_is_ready_is_full(services: Services) -> None:
    add(services, make_pool(services, "west"), S.SPARE)
    make_pool(services, "east")
    with pytest.raises(PoolExhausted, match="availability zone 'east'"):
        create(services, "east")


def test_a_pool_that_is_gone_is_left_out_of_its_alias(services: Services) -> None:
    make_pool(services, "west"), make_pool(services, "east")
    write(services.admin.aliases_file, {"all": ["east", "west"]})
    maps.reload_aliases(services, CALLER)
    devicepools.remove_pool(services, CALLER, "east")
    west = devicepools.find_pool(services, "west").id
    assert services.storage.look(lambda unit: find_zone(unit, "all")) == {west}
    devicepools.remove_pool(services, CALLER, "west")
    with pytest.raises(Invalid):
        services.storage.look(lambda unit: find_zone(unit, "all"))


BAD_FILES: dict[str, tuple[object, str]] = {
    "missing": (None, "No such file"),
    "empty": ("", "it is empty"),
    "no JSON": ("{", "not JSON"),
    "a list": ("[]", "must be a JSON object"),
    "twice": ('{"a": ["west"], "a": ["west"]}', "'a' stands twice"),
    "deep": ("[" * 100_000, "cannot read"),
    "huge": ('{"a": ["' + "x" * 1_100_000 + '"]}', "larger than"),
    "a key that hides": ('{"a\\u202eb": ["west"]}', "a name must"),
    "an empty key": ('{" ": ["west"]}', "a name must"),
}
BAD_ALIASES = {
    **BAD_FILES,
    "no list": ({"a": "west"}, "'a': must be a list"),
    "nothing": ({"a": []}, "'a': must be a list"),
    "unknown": ({"b": ["west"], "a": ["west", "nope"]}, "'a': there is no device pool 'nope'"),
    "a number": ({"a": [5]}, "'a': there is no device pool 5"),
    "a pool's name": ({"west": ["west"]}, "'west': a device pool has that name"),
}
BAD_LIMITS = {
    **BAD_FILES,
    "a text": ({"a": "3"}, "'a': must be a whole number"),
    "a flag": ({"a": True}, "'a': must be a whole number"),
    "a fraction": ({"a": 1.0}, "'a': must be a whole number"),
    "negative": ({"b": 1, "a": -2}, "'a': must be from -1"),
    "many": ({"a": 10**30}, "'a': must be from -1"),
    "endless": ('{"a": ' + "9" * 5000 + "}", "cannot"),
}


@pytest.mark.parametrize("fault", BAD_ALIASES)
def test_a_bad_file_of_aliases_changes_nothing(services: Services, fault: str) -> None:
    make_pool(services, "west")
    write(services.admin.aliases_file, {"good": ["west"]})
    maps.reload_aliases(services, CALLER)
    content, words = BAD_ALIASES[fault]
    refuse(services, services.admin.aliases_file, content, words, maps.reload_aliases)
    assert maps.list_aliases(services) == {"good": ["west"]}


@pytest.mark.parametrize("fault", BAD_LIMITS)
def test_a_bad_file_of_limits_changes_nothing(services: Services, fault: str) -> None:
    write(services.admin.limits_file, {"good": 2})
    maps.reload_limits(services, CALLER)
    content, words = BAD_LIMITS[fault]
    refuse(services, services.admin.limits_file, content, words, maps.reload_limits)
    assert maps.list_limits(services) == {"good": 2}


def refuse(
    services: Services, path: Path | None, content: object, words: str, reload: Order
) -> None:
    """On order an error that names the file; at the start of a controller a warning."""
    assert path is not None
    path.unlink()
    if content is not None:
        write(path, content)
    before = len(events(services, ""))
    with pytest.raises(Invalid) as caught:
        reload(services, CALLER)
    assert words in str(caught.value)
    assert str(path) in str(caught.value)
    maps.load_maps(services, CALLER)
    assert len(events(services, "")) == before


def test_a_file_that_is_none(services: Services, tmp_path: Path) -> None:
    for path in (tmp_path, Path("/dev/zero")):
        odd = replace(services, admin=AdminRules(limits_file=path))
        with pytest.raises(Invalid, match="no regular file"):
            maps.reload_limits(odd, CALLER)
    bare = replace(services, admin=AdminRules())
    with pytest.raises(Invalid, match=r"admin\.limits_file is not set"):
        maps.reload_limits(bare, CALLER)
    maps.load_maps(bare, CALLER)


def test_maps_are_loaded_at_the_start_and_told_of_where_they_are_new(services: Services) -> None:
    write(services.admin.limits_file, {"p1": 3})
    for _ in range(2):
        maps.load_maps(services, CALLER)
    assert maps.list_limits(services) == {"p1": 3}
    assert len(events(services, "limits.loaded")) == 1
    maps.reload_limits(services, CALLER)
    assert len(events(services, "limits.loaded")) == 2


# Limits.


def limit(services: Services, **numbers: int) -> None:
    write(services.admin.limits_file, numbers)
    maps.reload_limits(services, CALLER)


def test_a_project_uses_no_more_devices_than_it_may(services: Services) -> None:
    pool = make_pool(services, shared=True)
    add(services, pool, *(S.SPARE,) * 3)
    limit(services, p1=2, p2=0, p3=-1)
    first, second = create(services), create(services)
    assert first != second
    for _ in range(3):
        assert create(services) in (first, second)
    with pytest.raises(QuotaExceeded, match="'p2' uses 0, and may use 0"):
        create(services, project="p2")
    assert len({create(services, project="p3") for _ in range(9)}) == 3
    limit(services, p1=1)
    assert create(services) in (first, second)  # what it uses it may go on to use


def test_where_nothing_is_ready_that_is_the_reason(services: Services) -> None:
    limit(services, p1=0)
    with pytest.raises(PoolExhausted, match="no device is ready"):
        create(services)


def test_nodes_of_web_clusters_count_too(services: Services) -> None:
    pool = make_pool(services, shared=True)
    one, two, three = add(services, pool, *(S.SPARE,) * 3)
    has(services, one)
    cluster = clusters.create_cluster(services, CALLER, "p1", {"name": "shop"}).cluster
    limit(services, p1=2)
    nodes.add_node(services, CALLER, cluster.oid, one.name)
    nodes.add_node(services, CALLER, cluster.oid, two.name)
    with pytest.raises(QuotaExceeded, match="'p1' uses 2, and may use 2"):
        nodes.add_node(services, CALLER, cluster.oid, three.name)
    for _ in range(3):
        assert create(services) in (one.id, two.id)
    nodes.add_node(services, CALLER, cluster.oid, two.name, parallel=2)  # which it is already


def test_of_many_who_come_at_once_no_more_get_a_device_of_their_own(services: Services) -> None:
    pool = make_pool(services, shared=True)
    add(services, pool, *(S.SPARE,) * 6)
    limit(services, p1=2)

    def attempt(_number: int) -> str | LibraError | None:
        try:
            return create(services)
        except LibraError as error:
            return error

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(attempt, range(6)))
    assert not [item for item in results if isinstance(item, LibraError)]
    with services.storage.reading() as unit:
        owners = unit.loadbalancers.find(Query())
    assert len({owner.device_id for owner in owners}) == 2


def test_a_failover_by_hand_stays_within_the_limit(services: Services) -> None:
    """Alone on its device it may go, for it leaves that one; with another it would need one more."""
    pool = make_pool(services, shared=True)
    one, _ = add(services, pool, S.ASSIGNED, S.SPARE)
    has(services, one)
    limit(services, p1=1)
    (owner,) = find_owners(services)
    loadbalancers.fail_over(services, CALLER, owner.id)
    (moved,) = find_owners(services)
    assert moved.device_id != one.id
    source = moved.device_id
    has(services, next(d for d in devices.list_devices(services) if d.id == source))
    kept = next(item for item in find_owners(services) if item.id != owner.id)
    loadbalancers.fail_over(services, CALLER, kept.id)
    assert {item.device_id for item in find_owners(services)} == {source}


def find_owners(services: Services) -> list[Any]:
    with services.storage.reading() as unit:
        return unit.loadbalancers.find(Query())
