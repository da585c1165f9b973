"""What every object store does, the twin as the real one."""

import random
import threading
from collections.abc import Iterator

import pytest

from libra.errors import DriverError
from libra.objectstores.base import Account
from libra.objectstores.memory import MemoryStore
from tests.support.stores import (
    SMALL_SEGMENT,
    MemoryBench,
    StoreBench,
    SwiftBench,
    build_account,
    build_swift_store,
)


@pytest.fixture(params=["memory", "swift"])
def bench(request: pytest.FixtureRequest) -> StoreBench:
    if request.param == "memory":
        return MemoryBench(MemoryStore(), Account(endpoint="http://127.0.0.1/v1", token="t"))
    swift = request.getfixturevalue("swift")
    return SwiftBench(swift, build_swift_store(), build_account(swift))


def build_data(size: int) -> bytes:
    return random.Random(size).randbytes(size)


@pytest.mark.parametrize(
    "size",
    [0, 1, SMALL_SEGMENT - 1, SMALL_SEGMENT, SMALL_SEGMENT + 1, 3 * SMALL_SEGMENT, 500_001],
)
def test_what_is_put_can_be_read(bench: StoreBench, container: str, size: int) -> None:
    data = build_data(size)
    blocks = (data[start : start + 10_007] for start in range(0, size, 10_007))
    stored = bench.store.put(bench.account, container, "15/x.log.gz", blocks)
    assert stored.path == f"{container}/15/x.log.gz"
    assert stored.size == size
    assert bench.read(stored.path) == data


@pytest.mark.parametrize("name", ["ü/\u2603 b", "a?b#c", "a%2Fb/x", "a&b=c;d", "%2E%2E/x", "+ +"])
def test_names_are_kept_to_the_letter(bench: StoreBench, container: str, name: str) -> None:
    stored = bench.store.put(bench.account, container, name, iter([b"data"]))
    assert bench.paths(container) == [f"{container}/{name}"]
    assert stored.path == f"{container}/{name}"


def test_a_later_object_replaces_an_earlier_one(bench: StoreBench, container: str) -> None:
    for data in (build_data(300_000), b"short"):
        stored = bench.store.put(bench.account, container, "x", iter([data]))
        assert bench.read(stored.path) == data


@pytest.mark.parametrize("good", [0, 1, 10])
def test_a_source_that_fails_leaves_nothing(bench: StoreBench, container: str, good: int) -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(good):
            yield build_data(SMALL_SEGMENT)
        raise DriverError("cannot read the access log")

    with pytest.raises(DriverError, match=r"^cannot read the access log$"):
        bench.store.put(bench.account, container, "x", blocks())
    assert bench.paths(container) == []


def test_several_uploads_at_once(bench: StoreBench, container: str) -> None:
    wanted = {f"x{number}": build_data(200_000 + number) for number in range(6)}
    failed: list[BaseException] = []

    def upload(name: str, data: bytes) -> None:
        try:
            bench.store.put(bench.account, container, name, iter([data]))
        except BaseException as error:  # noqa: BLE001 - told below
            failed.append(error)

    threads = [threading.Thread(target=upload, args=item) for item in wanted.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert {name: bench.read(f"{container}/{name}") for name in wanted} == wanted
