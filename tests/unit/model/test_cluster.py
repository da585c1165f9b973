"""Clusters made of device pools and their workers' heartbeats; Cinder's rules of names and filters."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.model.cluster import Cluster, build_clusters, is_meant, narrow, pick
from libra.model.device import Device, DeviceState
from libra.model.devicepool import DevicePool
from tests.support.storages import NOW

names = st.text("ab@#", min_size=1, max_size=5)


def pool(name: str = "west", **fields: object) -> DevicePool:
    return DevicePool(id=name, name=name, created_at=NOW, **fields)  # type: ignore[arg-type]


def device(seconds: float | None, state: DeviceState = DeviceState.SPARE, **fields: str) -> Device:
    """Heard of so many seconds ago."""
    heard = None if seconds is None else NOW - timedelta(seconds=seconds)
    given = {"id": f"d{seconds}", "name": f"d{seconds}", "pool_id": "west", **fields}
    return Device(**given, state=state, last_seen=heard, created_at=NOW)  # type: ignore[arg-type]


def build(*devices: Device, **fields: object) -> Cluster:
    (cluster,) = build_clusters([pool(**fields)], devices, NOW)
    return cluster


def test_a_cluster_lives_while_one_of_its_hosts_does() -> None:
    cluster = build(device(5), device(61), device(None), device(7, pool_id="east"))
    assert (cluster.state, cluster.num_hosts, cluster.num_down_hosts) == ("up", 3, 1)
    assert cluster.last_heartbeat == NOW - timedelta(seconds=5)
    assert build(device(60)).is_up
    assert not build(device(60.001)).is_up


def test_one_without_hosts_is_down() -> None:
    cluster = build()
    assert (cluster.state, cluster.num_hosts, cluster.last_heartbeat) == ("down", 0, None)


def test_what_waits_for_approval_and_what_is_retired_is_no_host() -> None:
    gone = [device(1, DeviceState.ANNOUNCED), device(2, DeviceState.RETIRED)]
    assert build(*gone).num_hosts == 0


def test_what_a_worker_announced_is_a_heartbeat_too() -> None:
    silent = device(None)
    announced = Device(id="a", name="a", pool_id="west", created_at=NOW, announced_at=NOW)
    assert build(silent, announced).last_heartbeat == NOW


def test_being_disabled_says_nothing_of_its_life() -> None:
    cluster = build(device(1), disabled=True, disabled_reason="disk swap")
    assert (cluster.state, cluster.status) == ("up", "disabled")


@pytest.mark.parametrize(
    ("name", "wanted", "meant"),
    [
        ("west", "west", True),
        ("west@lvm", "west", True),
        ("west#gold", "west", True),
        ("west@lvm#gold", "west@lvm", True),
        ("west@lvm", "west@lvm#gold", False),
        ("west@lvm#gold", "west#gold", False),
        ("western", "west", False),
        ("west", "w%", False),
        ("west", "WEST", False),
    ],
)
def test_names(name: str, wanted: str, *, meant: bool) -> None:
    assert is_meant(name, wanted) is meant


@given(names, names)
def test_a_longer_name_is_never_meant_by_what_is_no_beginning_of_it(name: str, wanted: str) -> None:
    assert is_meant(name, name)
    assert not is_meant(name, wanted) or name.startswith(wanted)


def clusters(*wanted: str) -> list[Cluster]:
    return build_clusters([pool(name) for name in wanted], [], NOW)


def test_exactly_that_name_comes_first() -> None:
    found = pick(clusters("west@lvm", "west"), "west", None)
    assert found is not None
    assert found.name == "west"
    assert pick(clusters("east"), "west", None) is None


def test_binaries() -> None:
    (cluster,) = clusters("west")
    assert pick([cluster], "west", "cinder-volume") is cluster
    assert pick([cluster], "west", "libra-worker") is cluster
    assert pick([cluster], "west", "cinder-backup") is None
    assert pick([cluster], "west", "") is None


def test_filters() -> None:
    both = build_clusters([pool("a", disabled=True), pool("west")], [device(1)], NOW)
    assert [item.name for item in narrow(both, {})] == ["a", "west"]
    assert [item.name for item in narrow(both, {"is_up": True})] == ["west"]
    assert [item.name for item in narrow(both, {"disabled": True, "num_hosts": 0})] == ["a"]
    assert narrow(both, {"is_up": True, "disabled": True}) == []
    assert [item.name for item in narrow(both, {"frozen": False})] == ["a", "west"]
    assert narrow(both, {"binary": ""}) == []
