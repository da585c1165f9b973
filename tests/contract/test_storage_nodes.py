"""Nodes and their groups in every storage: SQLite and a real PostgreSQL."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from libra.errors import AlreadyExists, Conflict
from libra.manager.settle import MANAGER
from libra.model.nodestatus import Mark, Node, NodeGroup, NodeStatus
from libra.storage.query import Query
from libra.storage.sql import SqlStorage
from libra.usecases.nodes import create_node
from libra.usecases.nodestatus import set_status
from libra.usecases.services import Services
from libra.vault import open_vault
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import (
    at,
    build_device,
    build_loadbalancer,
    build_member,
    build_pool,
    build_webcluster,
    build_webnode,
    build_webrevision,
    lay_out,
    migrated,
)

KINDS = ("sqlite", "postgresql")
GROUP = NodeGroup(id="g1", name="web", created_at=at(0))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return lay_out(tmp_path)
    return str(request.getfixturevalue("postgres").laid_out_url())


@pytest.fixture
def storage(url: str) -> Iterator[SqlStorage]:
    with migrated(url) as storage:
        yield storage


def build_node(number: int, **fields: object) -> Node:
    node = Node(
        id=f"n{number}", name=f"node{number}", group_id="g1", since=at(0), created_at=at(number)
    )
    return replace(node, **fields)  # type: ignore[arg-type]


def test_records_come_back_as_they_went_in(storage: SqlStorage) -> None:
    offline = build_node(
        1,
        address="10.0.0.1",
        port=80,
        status=NodeStatus.OFFLINE,
        reason="a new release",
        author="ann",
        expires_at=at(60),
        updated_at=at(1),
    )
    group = replace(GROUP, min_online=2, updated_at=at(9))
    with storage.writing() as unit:
        unit.node_groups.add(group)
        unit.nodes.add_all([offline, build_node(2)])
    with storage.reading() as unit:
        assert unit.node_groups.find() == [group]
        assert unit.nodes.find() == [offline, build_node(2)]
        assert unit.nodes.find(Query(where={"name": ["node2"]})) == [build_node(2)]
        assert unit.nodes.board() == {
            "node1": ("web", NodeStatus.OFFLINE),
            "node2": ("web", NodeStatus.ONLINE),
        }


def test_names_are_taken_once(storage: SqlStorage) -> None:
    with storage.writing() as unit:
        unit.node_groups.add(GROUP)
        unit.nodes.add(build_node(1))
        with pytest.raises(AlreadyExists):
            unit.nodes.add(build_node(2, name="node1"))
        with pytest.raises(AlreadyExists):
            unit.node_groups.add(replace(GROUP, id="g2"))
        unit.nodes.add(build_node(3, name="Node1"))  # case is told apart


def test_marks_that_are_over_are_found_the_oldest_first(storage: SqlStorage) -> None:
    away = {"status": NodeStatus.OFFLINE}
    with storage.writing() as unit:
        unit.node_groups.add(GROUP)
        unit.nodes.add_all(
            [
                build_node(1, **away, expires_at=at(20)),
                build_node(2, **away, expires_at=at(10)),
                build_node(3, **away, expires_at=at(31)),
                build_node(4, **away),
                build_node(5, expires_at=at(1)),
            ]
        )
    with storage.reading() as unit:
        assert [node.id for node in unit.nodes.expired(at(30), 10)] == ["n2", "n1"]
        assert [node.id for node in unit.nodes.expired(at(30), 1)] == ["n2"]
        assert unit.nodes.expired(at(9), 10) == []


def test_two_at_once_do_not_take_the_last_two_away(storage: SqlStorage, tmp_path: Path) -> None:
    services = Services(storage=storage, sealer=open_vault(tmp_path / "key"))
    for name in ("a", "b"):
        create_node(services, MANAGER, {"name": name})
    for _ in range(5):
        set_status(services, MANAGER, {name: Mark(status=NodeStatus.ONLINE) for name in "ab"})
        gate = threading.Barrier(2)

        def take(name: str, gate: threading.Barrier = gate) -> bool:
            gate.wait()
            try:
                set_status(services, MANAGER, {name: Mark(status=NodeStatus.OFFLINE)})
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(take, "ab")) == [False, True]


def test_devices_with_members_at_an_address(storage: SqlStorage) -> None:
    one, other = build_device("one"), build_device("other")
    cluster = build_webcluster()
    with storage.writing() as unit:
        unit.devices.add_all([one, other])
        for device, addresses in (
            (one.id, ["10.0.0.1"]),
            (other.id, ["10.0.0.1", "10.0.0.2"]),
            (None, ["10.0.0.3"]),
        ):
            owner = build_loadbalancer(device_id=device)
            pool = build_pool(owner)
            unit.loadbalancers.add(owner)
            unit.pools.add(pool)
            unit.members.add_all(build_member(pool, address=item) for item in addresses)
        unit.web_clusters.add(cluster)
        unit.web_nodes.add(build_webnode(cluster, other))
        unit.web_revisions.add(build_webrevision(cluster, document='{"host":"10.0.0.4"}'))
    with storage.reading() as unit:
        assert unit.nodes.devices_with("10.0.0.1") == {one.id, other.id}
        assert unit.nodes.devices_with("10.0.0.2") == {other.id}
        assert unit.nodes.devices_with("10.0.0.3") == set()
        assert unit.nodes.devices_with("10.0.0.4") == {other.id}
