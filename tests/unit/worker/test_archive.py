"""ARCHIVE over the noop driver and the memory store: which load balancer, which name, which fields."""

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.noop import NoopDriver
from libra.errors import Conflict, DriverError, Invalid, ObjectStoreError
from libra.messages.codec import JsonObject
from libra.messages.requests import Archive, ArchiveTarget, Update, parse_request
from libra.model.listener import Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.objectstores.memory import MemoryStore
from libra.worker.archive import Archiver, build_name, find_loadbalancers
from tests.support.messages import http, parse_update, tcp, update
from tests.support.second import listener, loadbalancer
from tests.support.second import update as second_update

NOON = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
HTTP, TCP = Protocol.HTTP, Protocol.TCP


def build_desired(*loadbalancers: dict[str, object]) -> Desired:
    return Desired(loadbalancers=parse_update(update(*loadbalancers)))


def build_request(*targets: ArchiveTarget, kind: str = "memory") -> Archive:
    return Archive(
        store_type=kind,
        basepath="lbaaslogs",
        endpoint="https://example.com/v1/100",
        token="SECRET",
        targets=targets,
    )


class Bench:
    """An archiver with a clock that stands still."""

    def __init__(self, *loadbalancers: dict[str, object]) -> None:
        self.store = MemoryStore()
        self.driver = NoopDriver()
        self.desired = build_desired(*loadbalancers)
        self.archiver = Archiver({"memory": self.store}, clock=lambda: NOON)

    def archive(self, *targets: ArchiveTarget) -> JsonObject:
        return self.archiver.archive(build_request(*targets), self.desired, self.driver)

    def lines(self, path: object) -> bytes:
        data = self.store.get(str(path))
        assert data is not None
        return gzip.decompress(data)


def test_one_log() -> None:
    bench = Bench(http(id="15"))
    bench.driver.log("15", [b"one\n", b"two\n"])
    bench.driver.log("other", [b"three\n"])
    fields = bench.archive(ArchiveTarget(protocol=HTTP, id="15"))
    path = "lbaaslogs/15/haproxy-20261121T120000.123456Z.log.gz"
    assert fields == {
        "hpcs_object_store_object": path,
        "hpcs_object_store_bytes": len(bench.store.get(path) or b""),
        "hpcs_object_store_lines": 2,
    }
    assert bench.lines(path) == b"one\ntwo\n"


def test_two_logs_come_as_lists_in_the_messages_order() -> None:
    bench = Bench(http(id="15"), tcp(id="16"))
    bench.driver.log("15", [b"one\n"])
    bench.driver.log("16", [b"two\n", b"three\n"])
    fields = bench.archive(
        ArchiveTarget(protocol=TCP, id="16"), ArchiveTarget(protocol=HTTP, id="15")
    )
    assert fields["hpcs_object_store_lines"] == [2, 1]
    paths = fields["hpcs_object_store_object"]
    assert isinstance(paths, list)
    assert [path.split("/")[1] for path in paths] == ["16", "15"]
    assert [bench.lines(path) for path in paths] == [b"two\nthree\n", b"one\n"]


def test_nothing_logged_is_an_empty_archive() -> None:
    bench = Bench(http(id="15"))
    fields = bench.archive(ArchiveTarget(protocol=HTTP, id="15"))
    assert fields["hpcs_object_store_lines"] == 0
    assert bench.lines(fields["hpcs_object_store_object"]) == b""


def test_two_archives_at_one_moment_do_not_overwrite_each_other() -> None:
    bench = Bench(http(id="15"))
    first, second = (bench.archive(ArchiveTarget(protocol=HTTP)) for _ in range(2))
    assert len(bench.store.paths()) == 2
    assert str(first["hpcs_object_store_object"]) < str(second["hpcs_object_store_object"])


@pytest.mark.parametrize(
    ("configured", "target", "name"),
    [
        ([http(id="15")], ArchiveTarget(protocol=HTTP, id="15"), "15"),
        ([http(id="15")], ArchiveTarget(protocol=HTTP), "15"),
        ([http()], ArchiveTarget(protocol=HTTP), "http"),
        ([http()], ArchiveTarget(protocol=HTTP, id="15"), "15"),
        ([http(), tcp()], ArchiveTarget(protocol=TCP, id="15"), "15"),
        ([http(id="15"), tcp()], ArchiveTarget(protocol=TCP), "tcp"),
    ],
)
def test_which_load_balancer_is_meant(
    configured: list[dict[str, object]], target: ArchiveTarget, name: str
) -> None:
    bench = Bench(*configured)
    (found,) = find_loadbalancers([target], bench.desired)
    assert found.listeners[0].protocol is target.protocol
    fields = bench.archive(target)
    assert str(fields["hpcs_object_store_object"]).split("/")[1] == name


def second(*names: str) -> Desired:
    """Load balancers of a 2.0 message, each with a listener of both kinds."""
    items = [
        loadbalancer(
            name,
            [listener(f"{name}-a", n + 1), listener(f"{name}-b", n + 100, protocol="TCP")],
            [],
        )
        for n, name in enumerate(names)
    ]
    request = parse_request(second_update(*items))
    assert isinstance(request, Update)
    return Desired(loadbalancers=request.loadbalancers, version=request.version)


@pytest.mark.parametrize("protocol", [HTTP, TCP])
def test_in_2_0_an_id_says_it_all(protocol: Protocol) -> None:
    desired = second("one", "two", "http", "three")
    for name in ("two", "http", "three"):
        (found,) = find_loadbalancers([ArchiveTarget(protocol=protocol, id=name)], desired)
        assert found.id == name
    with pytest.raises(Conflict, match="cannot archive load balancer '15' "):
        find_loadbalancers([ArchiveTarget(protocol=protocol, id="15")], desired)


def test_in_2_0_there_may_be_several_of_a_protocol() -> None:
    target = ArchiveTarget(protocol=HTTP)
    assert find_loadbalancers([target], second("one"))[0].id == "one"
    with pytest.raises(Conflict) as caught:
        find_loadbalancers([target], second(*"abcdefg"))
    assert str(caught.value) == (
        "cannot archive the load balancer (HTTP): it has no id, and this device runs 'a' (HTTP, TCP) and 'b' "
        "(HTTP, TCP) and 'c' (HTTP, TCP) and 'd' (HTTP, TCP) and 'e' (HTTP, TCP) and 2 more"
    )


@pytest.mark.parametrize(
    ("configured", "targets", "error"),
    [
        (
            [http(id="16")],
            [ArchiveTarget(protocol=HTTP, id="15")],
            "cannot archive load balancer '15' (HTTP): this device runs '16' (HTTP)",
        ),
        (
            [http(id="15"), tcp(id="16")],
            [ArchiveTarget(protocol=TCP, id="15")],
            "cannot archive load balancer '15' (TCP): this device runs '15' (HTTP) and '16' (TCP)",
        ),
        (
            [http(id="15")],
            [ArchiveTarget(protocol=TCP)],
            "cannot archive the load balancer (TCP): this device runs '15' (HTTP)",
        ),
        (
            [http()],
            [ArchiveTarget(protocol=HTTP, id="15"), ArchiveTarget(protocol=HTTP, id="16")],
            "cannot archive: both names in the message mean the same load balancer",
        ),
    ],
)
def test_another_load_balancer_is_a_conflict(
    configured: list[dict[str, object]], targets: list[ArchiveTarget], error: str
) -> None:
    bench = Bench(*configured)
    with pytest.raises(Conflict) as caught:
        bench.archive(*targets)
    assert str(caught.value) == error
    assert bench.store.paths() == []


def test_nothing_configured_is_a_conflict() -> None:
    bench = Bench(http())
    bench.desired = Desired()
    with pytest.raises(Conflict, match="no load balancer is configured on this device"):
        bench.archive(ArchiveTarget(protocol=HTTP))


def test_an_unknown_store_is_named() -> None:
    bench = Bench(http())
    request = build_request(ArchiveTarget(protocol=HTTP), kind="s3")
    with pytest.raises(Invalid, match=r"object store type 's3' is not known here, known: memory$"):
        bench.archiver.archive(request, bench.desired, bench.driver)


class BrokenLog(NoopDriver):
    """Its second log breaks off."""

    @contextmanager
    def access_log(self, loadbalancer: LoadBalancer) -> Iterator[Iterator[bytes]]:
        yield self._blocks(loadbalancer.id)

    def _blocks(self, identity: str) -> Iterator[bytes]:
        yield b"one\n"
        if identity == "16":
            raise DriverError("cannot read the access log x.log: Input/output error")


def test_a_failure_says_what_is_stored_already() -> None:
    bench = Bench(http(id="15"), tcp(id="16"))
    bench.driver = BrokenLog()
    with pytest.raises(DriverError) as caught:
        bench.archive(ArchiveTarget(protocol=HTTP), ArchiveTarget(protocol=TCP))
    assert str(caught.value) == (
        "cannot archive load balancer '16': cannot read the access log x.log: Input/output error; "
        f"stored before that: {bench.store.paths()[0]}"
    )
    assert len(bench.store.paths()) == 1


def test_a_stores_status_is_kept() -> None:
    bench = Bench(http(id="15"))
    bench.archiver = Archiver({"memory": MemoryStore(most_bytes=1)})
    with pytest.raises(ObjectStoreError) as caught:
        bench.archive(ArchiveTarget(protocol=HTTP))
    assert caught.value.status == 507


def test_the_token_is_in_no_repr() -> None:
    assert "SECRET" not in repr(build_request(ArchiveTarget(protocol=HTTP)))


@pytest.mark.parametrize(
    ("identity", "level"),
    [
        ("15", "15"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        ("../x", "..%2Fx"),
        ("ü b?#", "ü b?#"),
    ],
)
def test_an_id_is_one_level_of_the_name(identity: str, level: str) -> None:
    assert build_name(identity, NOON) == f"{level}/haproxy-20261121T120000.123456Z.log.gz"


@given(st.text(min_size=1), st.text(min_size=1))
def test_two_ids_never_share_a_name(one: str, other: str) -> None:
    assert (build_name(one, NOON) == build_name(other, NOON)) is (one == other)
    assert build_name(one, NOON).count("/") == 1
