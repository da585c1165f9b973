"""Web clusters in every storage: SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect

from libra.errors import AlreadyExists
from libra.model.device import DeviceState
from libra.model.webcluster import (
    StoredWebService,
    WebCluster,
    WebClusterNode,
    WebClusterState,
    WebRevision,
)
from libra.storage import tables
from libra.storage.engines import parse_url
from libra.storage.kinds import Load
from libra.storage.query import Query
from libra.storage.sql import SqlStorage
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import (
    at,
    build_device,
    build_loadbalancer,
    build_webcluster,
    build_webnode,
    build_webrevision,
    build_webservice,
    lay_out,
    migrated,
)

KINDS = ("sqlite", "postgresql")


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


def test_every_record_comes_back_as_it_went_in(storage: SqlStorage) -> None:
    device = build_device()
    bare = build_webcluster()
    whole = build_webcluster(
        1,
        status=WebClusterState.DEGRADED,
        label="l",
        description="d",
        tags=('a"b', "ü"),
        tcp_version=6,
        tcp_port=65535,
        tcp_shared=True,
        tcp_interface="::1",
        tcp_backlog=50,
        tls_key="sealed",
        tls_certificate="pem",
        tls_chain_certificates=("a\n", "b"),
        tls_ca_certificates=(),
        tls_dhparam="dh",
        tls_ciphers="ECDHE",
        http_client_timeout=60,
        http_hsts=False,
        http_hsts_max_age=0,
        http_access_log=True,
        http_display_tracebacks=False,
        revision=7,
        good_revision=6,
        reason="a node refuses",
        disabled=True,
        disabled_reason="disk swap",
    )
    plain = build_webnode(bare, device)
    moved = build_webnode(
        whole,
        device,
        parallel=4,
        standby=True,
        active=False,
        promoted_for=device.id,
        since=at(1),
        revision=7,
        confirmed_revision=6,
        confirmed_active=True,
        answers=False,
        good_since=at(2),
        refused="no such directory",
        trusted=False,
        failures=3,
    )
    config = '{"value":[1,null,"ü"]}'
    service = build_webservice(whole, "/a", type="json", label="l", tags=("t",), config=config)
    revision = build_webrevision(whole, 7, config)
    with storage.writing() as unit:
        unit.devices.add(device)
        unit.web_clusters.add_all([bare, whole])
        unit.web_nodes.add_all([plain, moved])
        unit.web_services.add(service)
        unit.web_revisions.add(revision)
    with storage.reading() as unit:
        assert unit.web_clusters.find() == [bare, whole]
        assert unit.web_clusters.get(whole.oid) == whole
        assert unit.web_clusters.find(Query(where={"status": whole.status})) == [whole]
        assert unit.web_nodes.get(plain.id) == plain
        assert unit.web_nodes.find(Query(where={"cluster_oid": whole.oid})) == [moved]
        assert unit.web_services.get(service.oid) == service
        assert unit.web_revisions.get(revision.id) == revision
    with storage.writing() as unit:
        unit.web_clusters.replace(replace(bare, tags=None, revision=1))
        unit.web_nodes.replace(replace(plain, answers=True))
        assert unit.web_clusters.get(bare.oid) == replace(bare, revision=1)
        assert unit.web_nodes.get(plain.id) == replace(plain, answers=True)


def test_what_is_unique(storage: SqlStorage) -> None:
    device, owner = build_device(), build_webcluster()
    with storage.writing() as unit:
        unit.devices.add(device)
        unit.web_clusters.add(owner)
        unit.web_clusters.add(build_webcluster(project_id="p2"))
        unit.web_nodes.add(build_webnode(owner, device))
        unit.web_services.add(build_webservice(owner, "/a"))
        unit.web_revisions.add(build_webrevision(owner))
        for rows, record in (
            (unit.web_clusters, build_webcluster()),
            (unit.web_nodes, replace(build_webnode(owner, device), id="another")),
            (unit.web_services, build_webservice(owner, "/a")),
            (unit.web_revisions, replace(build_webrevision(owner), id="another")),
        ):
            with pytest.raises(AlreadyExists):
                rows.add(record)  # type: ignore[attr-defined]


def test_the_parts_go_with_the_whole_and_with_nothing_else(storage: SqlStorage) -> None:
    device, owner, other = build_device(), build_webcluster(), build_webcluster(1)
    with storage.writing() as unit:
        unit.devices.add(device)
        unit.web_clusters.add_all([owner, other])
        for one in (owner, other):
            unit.web_nodes.add(build_webnode(one, device))
            unit.web_services.add(build_webservice(one))
            unit.web_revisions.add(build_webrevision(one))
        unit.web_clusters.remove(owner.oid)
        unit.web_clusters.remove(owner.oid)
        assert unit.devices.get(device.id) == device
        assert [node.cluster_oid for node in unit.web_nodes.find()] == [other.oid]
        assert [item.webcluster_oid for item in unit.web_services.find()] == [other.oid]
        assert [item.cluster_oid for item in unit.web_revisions.find()] == [other.oid]


def test_old_revisions_are_forgotten(storage: SqlStorage) -> None:
    owner, other = build_webcluster(), build_webcluster(1)
    with storage.writing() as unit:
        unit.web_clusters.add_all([owner, other])
        unit.web_revisions.add(build_webrevision(other, 1))
        unit.web_revisions.add_all(build_webrevision(owner, number) for number in range(1, 6))
        assert unit.web_revisions.prune(owner.oid, 4) == 3
        found = unit.web_revisions.find(Query(where={"cluster_oid": owner.oid}))
        assert [item.number for item in found] == [4, 5]
        assert unit.web_revisions.count({}) == 3


def test_every_table_has_the_fields_of_its_record(url: str) -> None:
    """As this release makes it, and as an older database gets it."""
    with migrated(url):
        made = inspect(create_engine(parse_url(url)))
        for kind, table in (
            (WebCluster, tables.web_clusters),
            (WebClusterNode, tables.web_cluster_nodes),
            (StoredWebService, tables.web_services),
            (WebRevision, tables.web_cluster_revisions),
        ):
            names = {field.name for field in fields(kind)}
            assert names == set(table.c.keys())
            assert names == {column["name"] for column in made.get_columns(table.name)}


def test_whose_web_clusters_are_on_a_device_counts_for_who_may_come_there(
    storage: SqlStorage,
) -> None:
    ready = {"state": DeviceState.SPARE, "protocol": "2.0"}
    device, both, empty = (build_device(name, **ready) for name in ("web1", "web2", "web3"))
    owners = [build_webcluster(), build_webcluster(1, project_id="p2")]
    with storage.writing() as unit:
        unit.devices.add_all([device, both, empty])
        unit.web_clusters.add_all(owners)
        unit.web_nodes.add(build_webnode(owners[0], device))
        unit.web_nodes.add_all(build_webnode(owner, both) for owner in owners)
        unit.loadbalancers.add(build_loadbalancer(device_id=both.id, project_id="p3"))
        places = {place.name: place for place in unit.devices.places()}
        assert unit.loadbalancers.loads() == {
            device.id: Load(0, frozenset({"p1"})),
            both.id: Load(1, frozenset({"p1", "p2", "p3"})),
        }
    assert {name: place.projects for name, place in places.items()} == {
        "web1": {"p1"},
        "web2": {"p1", "p2", "p3"},
        "web3": set(),
    }
    assert [place.loadbalancers for place in places.values()] == [
        place.name.count("2") for place in places.values()
    ]
