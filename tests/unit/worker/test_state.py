"""The desired state: what goes to disk comes back, what is no state is refused with a sentence and kept."""

import json
import threading
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import StateError
from libra.messages.digest import digest_of
from libra.model.loadbalancer import Desired
from libra.model.pool import Algorithm
from libra.worker.state import DesiredState, FileState, MemoryState, StateStore
from tests.support.disks import full_disk
from tests.support.drivers import TroubledState
from tests.support.messages import http, many_nodes, parse_update, tcp, update
from tests.support.second import second_desireds
from tests.support.updates import updates

STATES = Path(__file__).parents[2] / "data" / "states"
ONE = Desired(loadbalancers=parse_update(update(http(id="one"))))
TWO = Desired(loadbalancers=parse_update(update(http(id="two"), tcp())), suspended=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desired.json"


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, path: Path) -> StateStore:
    return FileState(path) if request.param == "file" else MemoryState()


def test_a_store_starts_empty_and_keeps_what_was_saved_last(store: StateStore) -> None:
    assert store.load() == Desired()
    for desired in (ONE, TWO, TWO, Desired(), Desired(), ONE):
        store.save(desired)
        assert store.load() == desired


@given(updates(), st.booleans())
def test_whatever_is_desired_comes_back_from_disk(message: dict[str, Any], suspended: bool) -> None:
    desired = Desired(loadbalancers=parse_update(message), suspended=suspended)
    with TemporaryDirectory() as directory:
        FileState(Path(directory) / "s").save(desired)
        assert FileState(Path(directory) / "s").load() == desired


@given(second_desireds(), st.booleans(), st.integers(0, 10**6))
def test_whatever_2_0_desires_comes_back_from_disk(
    desired: Desired, suspended: bool, generation: int
) -> None:
    given = replace(desired, suspended=suspended, generation=generation)
    with TemporaryDirectory() as directory:
        store = FileState(Path(directory) / "s")
        store.save(given)
        again = FileState(Path(directory) / "s").load()
        kept = given if given.loadbalancers or generation else Desired()
        assert again == kept
        assert digest_of(again) == digest_of(kept)


def test_a_file_of_the_first_format_is_followed_by_one_of_the_second(path: Path) -> None:
    """As when a worker is upgraded that has something to run."""
    path.write_text(json.dumps({"format": 1, "suspended": True, "update": update(http(id="one"))}))
    before = FileState(path).load()
    assert (before.generation, before.version, before.suspended) == (0, "1.0", True)
    FileState(path).save(replace(before, generation=3))
    value = json.loads(path.read_bytes())
    assert (value["format"], value["generation"], value["version"]) == (2, 3, "1.0")
    assert FileState(path).load() == replace(before, generation=3)


def test_the_file_is_one_json_object_that_only_its_user_reads(path: Path) -> None:
    FileState(path).save(TWO)
    value = json.loads(path.read_bytes())
    assert list(value) == ["format", "suspended", "update"]
    assert (value["format"], value["suspended"]) == (1, True)
    assert value["update"]["hpcs_action"] == "UPDATE"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_file_of_an_earlier_release_is_read(path: Path) -> None:
    """The UPDATE as it came, with strings for numbers and fields that nobody knows."""
    message = {"HPCS_ACTION": "update", "x": [], "LoadBalancers": [http(id="one", port="80")]}
    path.write_text(json.dumps({"format": 1, "suspended": False, "update": message}))
    assert FileState(path).load() == ONE


@pytest.mark.parametrize("name", ["desired-1-as-it-came", "desired-2-as-understood"])
def test_every_layout_of_the_first_format_is_read(name: str) -> None:
    """Files that earlier releases wrote."""
    state = FileState(STATES / f"{name}.json").load()
    shop, db = state.loadbalancers
    (pool,) = (listener.pool for listener in shop.listeners)
    assert (state.suspended, state.generation, state.version) == (True, 0, "1.0")
    assert [(item.id, item.weight, item.condition.value) for item in pool.members] == [
        ("web-1", 3, "ENABLED"),
        ("web-2", 1, "DISABLED"),
    ]
    assert pool.algorithm is Algorithm.LEAST_CONNECTIONS
    assert pool.monitor is not None
    assert (pool.monitor.path, pool.monitor.attempts) == ("/up", 2)
    assert pool.persistence is not None
    assert pool.persistence.cookie_name == "sid"
    assert [(item.protocol.value, item.port) for item in db.listeners] == [("TCP", 8081)]


def test_every_layout_of_the_second_format_is_read() -> None:
    state = FileState(STATES / "desired-3-generation.json").load()
    assert (state.suspended, state.generation, state.version) == (False, 7, "2.0")
    (listener,) = state.loadbalancers[0].listeners
    assert listener.allowed_cidrs == ("10.0.0.0/8",)
    assert [member.weight for member in listener.pool.members] == [3]
    empty = FileState(STATES / "desired-3-generation-empty.json").load()
    assert (empty.loadbalancers, empty.generation) == ((), 8)


def test_5000_nodes(path: Path) -> None:
    desired = Desired(loadbalancers=parse_update(update(http(nodes=many_nodes(5000)))))
    FileState(path).save(desired)
    assert FileState(path).load() == desired


GOOD = {"format": 1, "suspended": False, "update": update(http())}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is not JSON ("),
        (b"\0" * 4096, "it is not JSON ("),
        (b'{"format": 1, "suspended": false', "it is not JSON ("),
        (b"\xff\xfe\xfa", "it is not JSON ("),
        (b"[" * 100_000, "it is not JSON ("),
        (b'{"format": %s}' % (b"1" * 5000), "it is not JSON ("),
        (b"[]", "it was not written by libra"),
        (b'"x"', "it was not written by libra"),
        (b"{}", "it was not written by libra"),
        (json.dumps({**GOOD, "format": 3}).encode(), "its format is not 1 or 2, it was written by"),
        (
            json.dumps({**GOOD, "format": "1"}).encode(),
            "its format is not 1 or 2, it was written by",
        ),
        (json.dumps({**GOOD, "suspended": "false"}).encode(), "its mark 'suspended' must be"),
        (json.dumps({**GOOD, "suspended": None}).encode(), "its mark 'suspended' must be"),
        (json.dumps({**GOOD, "update": None}).encode(), "cannot read the message: it must be"),
        (json.dumps({**GOOD, "update": {"hpcs_action": "STATS"}}).encode(), "it holds no UPDATE"),
        (json.dumps({**GOOD, "update": update()}).encode(), "cannot read loadbalancers: it must"),
        (json.dumps({**GOOD, "generation": -1}).encode(), "its generation must be a whole"),
        (json.dumps({**GOOD, "generation": True}).encode(), "its generation must be a whole"),
    ],
    ids=range(18),
)
def test_what_is_no_state(path: Path, data: bytes, reason: str) -> None:
    path.write_bytes(data)
    state = FileState(path)
    with pytest.raises(StateError) as caught:
        state.load()
    text = str(caught.value)
    assert text.startswith(f"cannot use the saved state {path}: {reason}")
    assert text.endswith("; an UPDATE replaces it, a DELETE removes it")
    assert path.read_bytes() == data
    state.save(ONE)
    assert state.load() == ONE
    assert path.with_name("desired.json.unreadable").read_bytes() == data


def test_only_the_last_unreadable_file_is_kept(path: Path) -> None:
    state = FileState(path)
    for data in (b"first", b"second"):
        path.write_bytes(data)
        with pytest.raises(StateError):
            state.load()
        state.save(Desired())
        state.save(ONE)
        state.save(TWO)
    assert path.with_name("desired.json.unreadable").read_bytes() == b"second"
    assert len(list(path.parent.iterdir())) == 2


def test_a_path_that_cannot_be_read(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StateError) as caught:
        FileState(path).load()
    assert str(caught.value) == f"cannot read the saved state {path}: Is a directory"


@pytest.mark.parametrize("desired", [ONE, Desired()])
def test_a_path_that_cannot_be_written(tmp_path: Path, desired: Desired) -> None:
    path = tmp_path / "missing" / "desired.json"
    with pytest.raises(StateError) as caught:
        FileState(path).save(desired)
    assert str(caught.value) == f"cannot save the state to {path}: No such file or directory"
    assert FileState(path).load() == Desired()


# in memory


def test_the_desired_state_reads_its_store_once() -> None:
    store = TroubledState()
    store.save(ONE)
    state = DesiredState(store)
    assert [state.current() for _ in range(3)] == [ONE] * 3
    state.replace(TWO)
    assert state.current() is TWO
    assert store.load() is TWO
    assert store.loads == 2  # one of them just above


def test_the_empty_state_is_remembered_too() -> None:
    store = TroubledState()
    state = DesiredState(store)
    assert state.current() == state.current() == Desired()
    assert store.loads == 1


def test_a_failed_save_leaves_what_was() -> None:
    store = TroubledState()
    state = DesiredState(store)
    state.replace(ONE)
    store.full = True
    with pytest.raises(StateError):
        state.replace(TWO)
    assert state.current() is ONE


def test_what_was_prepared_is_saved_or_leaves_nothing(path: Path) -> None:
    state = DesiredState(FileState(path))
    for desired in (ONE, TWO, Desired()):
        state.prepare(desired)
        assert state.current() != desired or desired.is_empty
        state.replace(desired)
        assert FileState(path).load() == desired
    state.replace(ONE)
    state.prepare(TWO)
    state.discard()
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    state.prepare(TWO)
    state.replace(ONE)  # another one than was prepared
    assert FileState(path).load() == ONE
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_nothing_can_be_prepared_on_a_full_disk(path: Path) -> None:
    state = DesiredState(FileState(path))
    state.replace(ONE)
    with full_disk(100), pytest.raises(StateError, match=r"^cannot save the state to "):
        state.prepare(TWO)
    assert FileState(path).load() == ONE == state.current()
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_an_unreadable_store_is_asked_again(path: Path) -> None:
    state = DesiredState(FileState(path))
    path.write_bytes(b"x")
    for _ in range(2):
        with pytest.raises(StateError):
            state.current()
    FileState(path).save(ONE)
    assert state.current() == ONE


def test_a_slow_read_never_overtakes_a_write() -> None:
    """A thread that reads the old file while another one saves must not leave the old in memory."""
    reading, go = threading.Event(), threading.Event()

    class SlowState(MemoryState):
        def load(self) -> Desired:
            desired = super().load()
            reading.set()
            assert go.wait(30)
            return desired

    state = DesiredState(SlowState())
    reader = threading.Thread(target=state.current)
    writer = threading.Thread(target=state.replace, args=(ONE,))
    reader.start()
    assert reading.wait(30)
    writer.start()
    go.set()
    reader.join(30)
    writer.join(30)
    assert state.current() is ONE
