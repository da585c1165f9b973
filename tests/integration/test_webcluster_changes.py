"""Changes of web clusters: what is asked of the nodes before, what is stored, and what happens at the same time."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from libra.errors import AlreadyExists, CannotStart, Conflict, Forbidden, Invalid, NotFound
from libra.model.access import Caller, Role
from libra.model.device import DeviceState
from libra.model.job import JobAction
from libra.model.resources.certificate import CertificateType
from libra.model.webcluster import WebClusterEvent, WebClusterState, node_key
from libra.model.webcompile import compile_node
from libra.storage.query import Query
from libra.usecases import certificates
from libra.usecases.devices import remove_device
from libra.usecases.services import Limits, Services, WebCandidate
from libra.usecases.webclusters import clusters, nodes
from libra.usecases.webclusters import services as webservices
from libra.usecases.webclusters.rollback import restore
from libra.usecases.webclusters.snapshots import Snapshot, load, load_definition
from libra.vault import open_vault
from tests.support.certificates import Authority
from tests.support.storages import (
    NOW,
    build_device,
    build_loadbalancer,
    sqlite_storage,
)

OWNER = Caller(name="alice", role=Role.MEMBER, project_id="p1", oid="token-of-alice")
OTHER = Caller(name="bob", role=Role.MEMBER, project_id="p2")
ADMIN = Caller(name="root", role=Role.ADMIN)
READER = Caller(name="eve", role=Role.READER, project_id="p1")
E, S = WebClusterEvent, WebClusterState


class Asked:
    """Stands for the nodes: remembers what they were asked, and may refuse or do something meanwhile."""

    def __init__(self) -> None:
        self.candidates: list[WebCandidate] = []
        self.words = ""
        self.meanwhile: Callable[[], object] | None = None

    def __call__(self, candidate: WebCandidate) -> None:
        self.candidates.append(candidate)
        if self.meanwhile is not None:
            self.meanwhile, do = None, self.meanwhile
            do()
        if self.words:
            raise Invalid(self.words)


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def services(tmp_path: Path, asked: Asked) -> Iterator[Services]:
    from datetime import UTC, datetime

    with sqlite_storage(tmp_path) as storage:
        yield Services(
            storage=storage,
            sealer=open_vault(tmp_path / "key"),
            clock=lambda: datetime.now(UTC),
            limits=Limits(web_ports=range(20_000, 20_002)),
            webcheck=asked,
        )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def add_device(services: Services, name: str = "web1", **fields: Any) -> str:
    given = {"state": DeviceState.SPARE, "protocol": "2.0", **fields}
    device = build_device(name, **given)
    with services.storage.writing() as unit:
        unit.devices.add(device)
    return device.id


def create(services: Services, name: str = "blue", caller: Caller = OWNER, **fields: Any) -> str:
    made = clusters.create_cluster(services, caller, None, {"name": name, **fields})
    return made.cluster.oid


def put_into(services: Services, oid: str, status: WebClusterState) -> None:
    """As the monitor would."""
    with services.storage.writing() as unit:
        cluster = unit.web_clusters.get(oid)
        assert cluster is not None
        unit.web_clusters.replace(replace(cluster, status=status))


def snapshot(services: Services, oid: str) -> Snapshot:
    with services.storage.reading() as unit:
        cluster = unit.web_clusters.get(oid)
        assert cluster is not None
        return load(unit, cluster)


def kinds(services: Services) -> list[str]:
    with services.storage.reading() as unit:
        return [item.kind for item in unit.events.since(0, limit=100)]


def test_every_change_is_a_revision_of_everything(services: Services) -> None:
    oid = create(services, tcp_port=8080)
    assert snapshot(services, oid).cluster.revision == 1
    info = webservices.add_service(services, OWNER, "blue", "info", {"type": "nodeinfo"})
    clusters.change_cluster(services, OWNER, oid, {"tcp_backlog": 50})
    webservices.change_service(services, OWNER, oid, info.oid, {"path": "/about"})
    now = snapshot(services, oid)
    assert now.cluster.revision == 4
    with services.storage.reading() as unit:
        assert load_definition(unit, oid, 4) == now.definition
        with pytest.raises(NotFound):
            load_definition(unit, oid, 1)  # nobody has it
    assert [item.path for item in now.definition.services] == ["/about"]
    assert now.definition.tcp_backlog == 50
    assert kinds(services) == [
        "on_webcluster_created",
        "on_webservice_added",
        "on_webcluster_changed",
        "on_webservice_changed",
    ]


def test_what_a_node_has_or_may_go_back_to_is_kept(services: Services) -> None:
    device, oid = add_device(services), create(services, tcp_port=8080)
    nodes.add_node(services, OWNER, oid, device)
    for backlog in (10, 20, 30):
        clusters.change_cluster(services, OWNER, oid, {"tcp_backlog": backlog})
    with services.storage.writing() as unit:
        node = unit.web_nodes.get(node_key(oid, device))
        assert node is not None
        unit.web_nodes.replace(replace(node, revision=4, confirmed_revision=4))
    for backlog in (40, 50):
        clusters.change_cluster(services, OWNER, oid, {"tcp_backlog": backlog})
    with services.storage.reading() as unit:
        kept = unit.web_revisions.find(Query(where={"cluster_oid": oid}))
        assert [item.number for item in kept] == [4, 5, 6]
        assert load_definition(unit, oid, 4).tcp_backlog == 30


LIVE = (S.STARTING, S.RUNNING, S.DEGRADED, S.PAUSED, S.ERROR)


@pytest.mark.parametrize("status", list(S))
def test_nodes_that_have_it_are_asked_before_anything_is_stored(
    services: Services, asked: Asked, status: WebClusterState
) -> None:
    device, oid = add_device(services), create(services, tcp_port=8080)
    other = add_device(services, "web2")
    nodes.add_node(services, OWNER, oid, device)
    kept = webservices.add_service(services, OWNER, oid, "/kept", {"type": "nodeinfo"})
    put_into(services, oid, status)
    before = snapshot(services, oid)
    asked.words = "web1: no such file"
    changes: list[Callable[[], object]] = [
        lambda: clusters.change_cluster(services, OWNER, oid, {"tcp_backlog": 5}),
        lambda: webservices.add_service(services, OWNER, oid, "/x", {"type": "nodeinfo"}),
        lambda: webservices.change_service(services, OWNER, oid, kept.oid, {"label": "l"}),
        lambda: webservices.remove_service(services, OWNER, oid, kept.oid),
        lambda: nodes.add_node(services, OWNER, oid, other),
    ]
    for change in changes:
        if status in LIVE:
            with pytest.raises(Invalid, match="web1: no such file"):
                change()
            assert snapshot(services, oid) == before
        else:
            change()
    assert len(asked.candidates) == (len(changes) if status in LIVE else 0)
    if status not in LIVE:
        return
    backlogs = [item.definition.tcp_backlog for item in asked.candidates]
    assert backlogs == [5, None, None, None, None]
    paths = [[one.path for one in item.definition.services] for item in asked.candidates]
    assert paths[1:4] == [["/kept", "/x"], ["/kept"], []]
    told = [[node.node_oid for node in item.nodes] for item in asked.candidates]
    assert told == [[device]] * 4 + [[other]]


def test_a_change_meanwhile_makes_it_start_over(services: Services, asked: Asked) -> None:
    oid = create(services, tcp_port=8080)
    put_into(services, oid, S.RUNNING)
    asked.meanwhile = lambda: webservices.add_service(
        services, OWNER, oid, "/first", {"type": "nodeinfo"}
    )
    clusters.change_cluster(services, OWNER, oid, {"tcp_backlog": 5})
    now = snapshot(services, oid)
    assert [item.path for item in now.services] == ["/first"]
    assert (now.cluster.tcp_backlog, now.cluster.revision) == (5, 3)
    assert len(asked.candidates) == 3
    assert [item.path for item in asked.candidates[-1].definition.services] == ["/first"]


def test_one_that_is_started_meanwhile_is_asked_after_all(services: Services, asked: Asked) -> None:
    oid = create(services, tcp_port=8080)
    looked = threading.Event()

    class Started(dict[str, Any]):
        """Starts it between the reading and the writing."""

        def items(self) -> Any:
            if not looked.is_set():
                looked.set()
                with suppress(CannotStart):
                    put_into(services, oid, S.RUNNING)
            return super().items()

    clusters.change_cluster(services, OWNER, oid, Started({"tcp_backlog": 5}))
    assert looked.is_set()
    assert len(asked.candidates) == 1
    assert snapshot(services, oid).cluster.status is S.RUNNING


def test_the_monitors_moves_meanwhile_are_kept(services: Services, asked: Asked) -> None:
    oid = create(services, tcp_port=8080)
    put_into(services, oid, S.STARTING)

    def move() -> None:
        with services.storage.writing() as unit:
            cluster = unit.web_clusters.get(oid)
            assert cluster is not None
            moved = replace(cluster, status=S.DEGRADED, good_revision=1, reason="web2 is silent")
            unit.web_clusters.replace(moved)

    asked.meanwhile = move
    clusters.change_cluster(services, OWNER, oid, {"label": "l"})
    now = snapshot(services, oid).cluster
    assert (now.label, now.revision) == ("l", 2)
    assert (now.status, now.good_revision, now.reason) == (S.DEGRADED, 1, "web2 is silent")


def test_a_change_of_one_that_is_deleted_meanwhile(services: Services, asked: Asked) -> None:
    oid = create(services, tcp_port=8080)
    put_into(services, oid, S.PAUSED)

    def delete() -> None:
        put_into(services, oid, S.STOPPED)
        clusters.delete_cluster(services, OWNER, oid)

    asked.meanwhile = delete
    with pytest.raises(NotFound):
        clusters.change_cluster(services, OWNER, oid, {"label": "l"})


def test_many_changes_at_once_all_count(services: Services) -> None:
    oid = create(services, tcp_port=8080)
    faults: list[Exception] = []

    def add(number: int) -> None:
        for _ in range(20):
            try:
                path = f"/p{number}"
                webservices.add_service(services, OWNER, oid, path, {"type": "nodeinfo"})
            except Conflict as error:
                if isinstance(error, AlreadyExists):
                    faults.append(error)
                continue
            return
        faults.append(AssertionError(number))

    threads = [threading.Thread(target=add, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    now = snapshot(services, oid)
    assert len(now.services) == 6
    assert now.cluster.revision == 7
    assert now.definition.services == now.services


# Ports.


def test_a_port_is_chosen_at_the_first_start_and_stays(services: Services) -> None:
    first, second, third = (create(services, name) for name in ("aaa", "bbb", "ccc"))
    for oid in (first, second):
        clusters.order_cluster(services, OWNER, oid, E.START)
    found = [snapshot(services, oid) for oid in (first, second)]
    assert [item.cluster.tcp_port for item in found] == [20_000, 20_001]
    assert [item.definition.tcp_port for item in found] == [20_000, 20_001]
    with pytest.raises(Exception, match="have all from 20000 to 20001"):
        clusters.order_cluster(services, OWNER, third, E.START)
    put_into(services, first, S.STOPPED)
    clusters.order_cluster(services, OWNER, first, E.START)
    assert snapshot(services, first).cluster.tcp_port == 20_000
    assert snapshot(services, first).cluster.revision == 2
    with pytest.raises(Invalid, match="take tcp_port away"):
        clusters.change_cluster(services, OWNER, first, {"tcp_port": None})


def test_two_clusters_never_listen_at_the_same_place(services: Services) -> None:
    device = add_device(services)
    same = {"tcp_port": 8080}
    first, second = create(services, "aaa", **same), create(services, "bbb", **same)
    for oid in (first, second):
        nodes.add_node(services, OWNER, oid, device)
    clusters.order_cluster(services, OWNER, first, E.START)
    with pytest.raises(CannotStart, match="node 'web1': the web cluster 'aaa' does"):
        clusters.order_cluster(services, OWNER, second, E.START)
    clusters.change_cluster(services, OWNER, second, {"tcp_port": 8081})
    clusters.order_cluster(services, OWNER, second, E.START)
    with pytest.raises(AlreadyExists, match="the web cluster 'aaa' does"):
        clusters.change_cluster(services, OWNER, second, {"tcp_port": 8080})
    for oid in (first, second):
        clusters.change_cluster(services, OWNER, oid, {"tcp_shared": True})
    with pytest.raises(AlreadyExists, match="the web cluster 'aaa' does"):
        clusters.change_cluster(services, OWNER, second, {"tcp_port": 8080})
    third = create(services, "ccc", caller=OTHER, tcp_port=8080)
    clusters.order_cluster(services, OTHER, third, E.START)
    with services.storage.writing() as unit:
        pool = unit.device_pools.get("default")
        assert pool is not None
        unit.device_pools.replace(replace(pool, shared=True))
    with pytest.raises(AlreadyExists, match="of another project"):
        nodes.add_node(services, OTHER, third, device)
    clusters.change_cluster(services, OTHER, third, {"tcp_interface": "127.0.0.9"})
    clusters.change_cluster(services, OWNER, first, {"tcp_interface": "127.0.0.8"})
    nodes.add_node(services, OTHER, third, device)


# Orders.


def test_a_restart_has_every_node_told_anew(services: Services) -> None:
    oid = create(services, tcp_port=8080)
    put_into(services, oid, S.RUNNING)
    before = snapshot(services, oid)
    ordered = clusters.order_cluster(services, OWNER, oid, E.RESTART)
    assert (ordered.status, ordered.revision) == (S.STARTING, 2)
    assert snapshot(services, oid).definition == before.definition
    assert kinds(services)[-1] == "on_webcluster_starting"


def test_only_who_owns_it_orders(services: Services) -> None:
    oid = create(services)
    for caller in (OTHER, READER):
        for order in (E.START, E.STOP, E.PAUSE, E.RESUME, E.RESTART):
            with pytest.raises(Forbidden):
                clusters.order_cluster(services, caller, oid, order)
    assert clusters.order_cluster(services, ADMIN, oid, E.START).status is S.STARTING


# Nodes.


def test_which_devices_may_be_nodes(services: Services) -> None:
    oid = create(services)
    for number, (state, fields) in enumerate(
        (
            (DeviceState.RETIRED, {}),
            (DeviceState.ANNOUNCED, {}),
            (DeviceState.DRAINING, {}),
            (DeviceState.SPARE, {"protocol": "1.0"}),
        )
    ):
        device = add_device(services, f"odd{number}", state=state, **fields)
        with pytest.raises(Conflict, match=f"'odd{number}'"):
            nodes.add_node(services, OWNER, oid, device)
    building = add_device(services, "new", state=DeviceState.BUILDING, protocol="")
    assert nodes.add_node(services, OWNER, oid, building).status == "offline"
    with services.storage.writing() as unit:
        pool = unit.device_pools.get("default")
        assert pool is not None
        unit.device_pools.replace(replace(pool, disabled=True, disabled_reason="disk swap"))
    with pytest.raises(Conflict, match="'default' is disabled: disk swap"):
        nodes.add_node(services, OWNER, oid, add_device(services))
    nodes.add_node(
        services, OWNER, oid, building, parallel=4
    )  # what is there stays, and may change


def test_projects_that_share_no_devices_share_none_here(services: Services) -> None:
    device, other = add_device(services), add_device(services, "web2")
    mine, theirs = create(services), create(services, caller=OTHER)
    nodes.add_node(services, OWNER, mine, device)
    with pytest.raises(Forbidden, match="another project's"):
        nodes.add_node(services, OTHER, theirs, device)
    with services.storage.writing() as unit:
        unit.loadbalancers.add(build_loadbalancer(device_id=other))
    with pytest.raises(Forbidden, match="another project's"):
        nodes.add_node(services, OTHER, theirs, other)
    nodes.add_node(services, OWNER, mine, other)


def test_added_again_it_is_changed(services: Services) -> None:
    device, oid = add_device(services), create(services)
    first = nodes.add_node(services, OWNER, oid, "web1", parallel=0, standby=True).node
    assert (first.parallel, first.standby, first.active) == (None, True, False)
    again = nodes.add_node(services, OWNER, oid, device, parallel=2).node
    assert (again.parallel, again.standby, again.active) == (2, None, True)
    assert (again.id, again.created_at) == (first.id, first.created_at)
    with services.storage.writing() as unit:
        unit.web_nodes.replace(replace(again, revision=1))
    told = nodes.add_node(services, OWNER, oid, device, standby=True).node
    assert (told.standby, told.active) == (True, True)  # the monitor has the last word
    assert kinds(services)[1:] == [
        "on_webcluster_node_added",
        *["on_webcluster_node_changed"] * 2,
    ]


def test_a_node_that_has_it_is_told_to_let_go(services: Services) -> None:
    device, oid = add_device(services), create(services)
    node = nodes.add_node(services, OWNER, oid, device).node
    nodes.remove_node(services, OWNER, oid, device)
    with services.storage.reading() as unit:
        assert unit.jobs.find() == []
    node = nodes.add_node(services, OWNER, oid, device).node
    with services.storage.writing() as unit:
        unit.web_nodes.replace(replace(node, revision=1))
    with pytest.raises(Conflict, match="webcluster node remove CLUSTER web1"):
        remove_device(services, ADMIN, device)
    nodes.remove_node(services, OWNER, oid, "web1")
    with services.storage.reading() as unit:
        (job,) = unit.jobs.find()
        found = unit.devices.get(device)
        assert unit.web_nodes.find() == []
    assert found is not None
    assert (job.action, job.device_id, job.generation) == (JobAction.UPDATE, device, 1)
    assert found.generation == 1
    with pytest.raises(NotFound, match="is no node of"):
        nodes.remove_node(services, OWNER, oid, "web1")


# TLS.


def pem(authority: Authority, name: str = "a.example") -> dict[str, str]:
    issued = authority.issue(name)
    return {"tls_certificate": issued.cert.read_text(), "tls_key": issued.key.read_text()}


def test_keys_are_encrypted_wherever_they_are_stored(
    services: Services, authority: Authority
) -> None:
    given = pem(authority)
    oid = create(services, tcp_port=443, **given, tls_ca_certificates=(authority.ca.read_text(),))
    now = snapshot(services, oid)
    assert now.tls is not None
    with services.storage.reading() as unit:
        (revision,) = unit.web_revisions.find()
    inner = given["tls_key"].splitlines()[1]
    for text in (str(now), repr(now.cluster.tls_key), revision.document):
        assert inner not in text
        assert "PRIVATE KEY" not in text
    key = services.sealer.unseal(now.tls.sealed)
    (listener,) = compile_node(now.definition, parallel=None, active=True, key=key).listeners
    assert listener.tls is not None
    assert inner in listener.tls.certificates[0].key
    assert listener.tls.client_ca is not None


def test_a_key_pasted_into_the_certificate_is_not_kept_there(
    services: Services, authority: Authority
) -> None:
    given = pem(authority)
    both = given["tls_certificate"] + given["tls_key"]
    oid = create(services, tls_certificate=both, tls_key=given["tls_key"])
    assert snapshot(services, oid).cluster.tls_certificate == given["tls_certificate"]


def test_pairs_that_do_not_fit_are_refused(services: Services, authority: Authority) -> None:
    one, other = pem(authority), pem(authority, "b.example")
    ca = (authority.ca.read_text(),)
    for given, words in (
        ({**one, "tls_key": other["tls_key"]}, "does not belong to the certificate"),
        ({"tls_certificate": one["tls_certificate"]}, "without tls_key"),
        ({"tls_key": one["tls_key"]}, "tls_key without tls_certificate"),
        ({"tls_ca_certificates": ca}, "tls_ca_certificates without"),
        ({"tls_dhparam": "x"}, "tls_dhparam without"),
        ({**one, "tls_dhparam": "x"}, "DH PARAMETERS in PEM"),
        ({**one, "tls_chain_certificates": (other["tls_certificate"],)}, "has not issued"),
        ({**one, "tls_ca_certificates": ("x",)}, "certificates in PEM"),
        ({**one, "tls_certificate": "no-such-id"}, "leave them out"),
        ({"tls_certificate": "no-such-id"}, "neither PEM nor the id"),
        ({"tcp_version": 6, "tcp_interface": "127.0.0.1"}, "with tcp_version 6"),
    ):
        with pytest.raises(Invalid, match=words) as caught:
            create(services, "blue", **given)
        assert one["tls_key"].splitlines()[1] not in str(caught.value)
    with services.storage.reading() as unit:
        assert unit.web_clusters.find() == []
    oid = create(services, **one, tls_chain_certificates=ca)
    now = snapshot(services, oid)
    assert now.tls is not None
    assert now.tls.chain == one["tls_certificate"] + ca[0]


def test_a_change_of_something_else_does_not_look_at_certificates_again(
    services: Services, authority: Authority
) -> None:
    """One that has expired meanwhile must not be in the way of everything."""
    from datetime import timedelta

    oid = create(services, **pem(authority))
    before = snapshot(services, oid)
    later = replace(services, clock=lambda: before.cluster.created_at + timedelta(days=30))
    clusters.change_cluster(later, OWNER, oid, {"tcp_backlog": 9})
    assert snapshot(services, oid).tls == before.tls
    with pytest.raises(Invalid, match="expired"):
        clusters.change_cluster(later, OWNER, oid, {"tls_ciphers": "ECDHE+AESGCM"})
    clusters.change_cluster(later, OWNER, oid, {"tls_certificate": None})
    gone = snapshot(services, oid)
    assert (gone.tls, gone.cluster.tls_key) == (None, None)


def test_what_is_taken_back_is_taken_back_whole(services: Services, authority: Authority) -> None:
    """What the cluster shows is what its nodes have: its key fits, and a change of something else builds on it."""
    oid = create(services, **pem(authority))
    with services.storage.writing() as unit:  # as the monitor would, once all nodes have it
        made = snapshot(services, oid).cluster
        unit.web_clusters.replace(replace(made, good_revision=made.revision))
    before = snapshot(services, oid)
    change = {"tls_ciphers": "ECDHE+AESGCM", "tcp_backlog": 9, **pem(authority)}
    clusters.change_cluster(services, OWNER, oid, change)
    changed = snapshot(services, oid)
    assert changed.tls != before.tls
    with services.storage.writing() as unit:
        restore(unit, services, changed.cluster, before.cluster.revision, "web1 refused it")
    after = snapshot(services, oid)
    assert after.definition == before.definition
    assert after.cluster == replace(
        before.cluster, reason="web1 refused it", changed=after.cluster.changed
    )
    clusters.change_cluster(services, OWNER, oid, {"tls_ciphers": "ECDHE+AESGCM"})
    tls = snapshot(services, oid).tls
    assert tls is not None
    assert before.tls is not None
    assert tls.chain == before.tls.chain
    assert services.sealer.unseal(tls.sealed) == services.sealer.unseal(before.tls.sealed)


def test_a_certificate_may_be_renewed_with_its_old_key(
    services: Services, authority: Authority
) -> None:
    oid = create(services, **pem(authority))
    before = snapshot(services, oid)
    with pytest.raises(Invalid, match="does not belong"):
        clusters.change_cluster(
            services,
            OWNER,
            oid,
            {"tls_certificate": pem(authority, "b.example")["tls_certificate"]},
        )
    same = {"tls_certificate": before.cluster.tls_certificate}
    clusters.change_cluster(services, OWNER, oid, same)
    assert snapshot(services, oid).cluster.revision == 2


def test_stored_certificates(services: Services, authority: Authority, asked: Asked) -> None:
    def material(name: str) -> certificates.Given:
        issued = authority.issue(name)
        return certificates.Given(certificate=issued.cert.read_text(), key=issued.key.read_text())

    kind = CertificateType.CERTIFICATE
    stored = certificates.create(services, OWNER, None, "c", kind, material("a.example"))
    theirs = certificates.create(services, OTHER, None, "c", kind, material("b.example"))
    with pytest.raises(Invalid, match="neither PEM nor the id"):
        create(services, tls_certificate=theirs.id)
    oid = create(services, tcp_port=443, tls_certificate=stored.id)
    now = snapshot(services, oid)
    assert now.tls is not None
    assert (now.tls.chain, now.cluster.tls_certificate) == (stored.pem, stored.id)
    with pytest.raises(Conflict, match="the web cluster 'blue' uses it"):
        certificates.delete(services, OWNER, stored.id)
    put_into(services, oid, S.RUNNING)
    renewed = certificates.renew(services, OWNER, stored.id, material("a2.example"))
    now = snapshot(services, oid)
    assert now.tls is not None
    assert (now.tls.chain, now.cluster.revision) == (renewed.pem, 2)
    assert asked.candidates == []
    key = services.sealer.unseal(now.tls.sealed)
    assert compile_node(now.definition, parallel=None, active=True, key=key).listeners[0].tls
    clusters.change_cluster(services, OWNER, oid, pem(authority, "d.example"))
    certificates.delete(services, OWNER, stored.id)


# Who and which.


def test_names_are_of_projects(services: Services) -> None:
    mine, theirs = create(services), create(services, caller=OTHER)
    with pytest.raises(AlreadyExists):
        create(services)
    assert clusters.show_cluster(services, OWNER, "blue").oid == mine
    assert clusters.show_cluster(services, OTHER, "blue").oid == theirs
    with pytest.raises(Invalid, match="2 projects"):
        clusters.show_cluster(services, ADMIN, "blue")
    with pytest.raises(Forbidden):
        clusters.show_cluster(services, OTHER, mine)
    assert clusters.show_cluster(services, ADMIN, mine.upper()).oid == mine
    assert [item.oid for item in clusters.list_clusters(services, OWNER)] == [mine]
    assert len(clusters.list_clusters(services, ADMIN)) == 2
    green = create(services, "green")
    with pytest.raises(AlreadyExists):
        clusters.change_cluster(services, OWNER, green, {"name": "blue"})
    clusters.change_cluster(services, OWNER, green, {"name": "green"})


def test_services_of_another_cluster_are_none_of_this(services: Services) -> None:
    one, other = create(services), create(services, "green")
    made = webservices.add_service(services, OWNER, one, "/", {"type": "nodeinfo"})
    for look in (
        lambda: webservices.show_service(services, OWNER, other, made.oid),
        lambda: webservices.change_service(services, OWNER, other, made.oid, {"label": "l"}),
        lambda: webservices.remove_service(services, OWNER, other, made.oid),
        lambda: webservices.find_service(services, OWNER, other, "/"),
    ):
        with pytest.raises(NotFound):
            look()


def test_no_path_is_served_twice(services: Services) -> None:
    oid = create(services)

    def add(path: str, **given: Any) -> str:
        return webservices.add_service(
            services, OWNER, oid, path, {"type": "nodeinfo", **given}
        ).oid

    add("info")
    nested = {"type": "path", "paths": {"b": {"type": "nodeinfo"}, "/": {"type": "nodeinfo"}}}
    tree = add("a", **nested)
    for path in ("info", "/info", "/info/", "a", "a/b"):
        with pytest.raises(AlreadyExists):
            add(path)
    inner = {"type": "path", "paths": {"info": {"type": "nodeinfo"}}}
    with pytest.raises(AlreadyExists, match="cannot serve /info twice"):
        add("", **inner)
    moved = add("/c")
    with pytest.raises(AlreadyExists):
        webservices.change_service(services, OWNER, oid, moved, {"path": "/a/b"})
    webservices.change_service(services, OWNER, oid, tree, {"path": "/z"})
    webservices.change_service(services, OWNER, oid, moved, {"path": "/a/b"})
    found = webservices.list_services(services, OWNER, oid, "a")
    assert [item.path for item in found] == ["/a/b"]
    assert len(webservices.list_services(services, OWNER, oid)) == 3
    assert webservices.find_service(services, OWNER, oid, "z/").oid == tree


def test_a_service_that_is_changed(services: Services) -> None:
    oid = create(services)
    given = {"type": "json", "value": 1, "label": "l", "options": {"prettify": True}}
    made = webservices.add_service(services, OWNER, oid, "/x", given)

    def change(**changes: Any) -> Any:
        return webservices.change_service(services, OWNER, oid, made.oid, changes)

    assert change(value=None).config == '{"value":null,"options":{"prettify":true}}'
    assert change(options=None, label=None).config == '{"value":null}'
    assert change(label="m").label == "m"
    turned = change(type="redirect", url="/")
    assert (turned.type, turned.config, turned.label) == ("redirect", '{"url":"/"}', "m")
    with pytest.raises(Invalid, match="needs url"):
        change(url=None)
    with pytest.raises(Invalid, match="given by libra"):
        change(oid="x")


def test_the_clock_is_in_nanoseconds(services: Services) -> None:
    fixed = replace(services, clock=lambda: NOW)
    made = clusters.create_cluster(fixed, OWNER, None, {"name": "blue"}).cluster
    assert made.changed == int(NOW.timestamp()) * 10**9 + 123_456_000
    assert made.owner_oid == "token-of-alice"
