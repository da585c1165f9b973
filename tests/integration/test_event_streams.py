"""Events as server-sent events: nothing lost, nothing twice, nobody else's, and no stream holds anything up."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.api import server as api_server
from libra.api import streams, tail
from libra.api.app import ApiParts, create_app
from libra.api.server import ApiServer
from libra.cli.following import follow
from libra.cli.rest import Refused, Rest
from libra.config.controller import ApiSettings
from libra.errors import StorageUnavailable
from libra.manager.settle import MANAGER
from libra.model.access import Role
from libra.storage.sql import SqlStorage
from libra.usecases.outbox import add_event
from libra.usecases.services import Services
from libra.usecases.tokens import create_token, revoke_token
from libra.vault import open_vault
from tests.support.followers import Follower
from tests.support.ports import LOOPBACK, wait_until
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import lay_out, migrated
from tests.support.web import NOBODY

WAIT = 60.0
MOST = 5
LIST, STREAM = "/v1/events", "/v1/events/stream"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


class Lab:
    """An API over a database, without a manager."""

    def __init__(self, storage: SqlStorage, directory: Path) -> None:
        self.services = Services(storage=storage, sealer=open_vault(directory / "key"))
        self.secret = self.token(Role.ADMIN)
        self.start()

    def start(self, port: int = 0) -> None:
        app = create_app(ApiParts(services=self.services, max_streams=MOST))
        self.streams: streams.Streams = app.state.streams
        self.server = ApiServer(app, ApiSettings(), port)
        self.server.start()

    @property
    def base(self) -> str:
        return f"http://{LOOPBACK}:{self.server.port}"

    def token(self, role: Role, project: str | None = None) -> str:
        return create_token(self.services, MANAGER, role.value, role, project)[1]

    def headers(self, secret: str | None = None, last_id: object = None) -> dict[str, str]:
        more = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        return {"X-Auth-Token": secret or self.secret, **more}

    def follower(
        self,
        path: str = STREAM,
        *,
        secret: str | None = None,
        last_id: object = None,
        **params: object,
    ) -> Follower:
        return Follower(self.base, self.headers(secret, last_id), path, **params)

    def get(self, path: str, last_id: object = None, **params: Any) -> httpx.Response:
        headers = self.headers(last_id=last_id)
        return httpx.get(
            f"{self.base}{path}", headers=headers, params=params, verify=NOBODY, timeout=WAIT
        )

    def add(self, *reasons: str, kind: str = "test.done", project: str | None = None) -> None:
        """A transaction each."""
        for reason in reasons:
            with self.services.storage.writing() as unit:
                add_event(unit, self.services, MANAGER, kind, "it", project, reason)

    def newest(self) -> int:
        return self.services.storage.look(lambda unit: unit.figures.newest_event())


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with migrated(lay_out(tmp_path)) as storage:
        lab = Lab(storage, tmp_path)
        yield lab
        lab.server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def any_lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    is_sqlite = request.param == "sqlite"
    url = lay_out(tmp_path) if is_sqlite else request.getfixturevalue("postgres").laid_out_url()
    with migrated(url) as storage:
        lab = Lab(storage, tmp_path)
        yield lab
        lab.server.stop()


def reasons(events: list[dict[str, Any]]) -> list[str]:
    return [event["reason"] for event in events]


def numbers(count: int, name: str = "") -> list[str]:
    return [f"{name}{number}" for number in range(count)]


@pytest.mark.parametrize(
    ("path", "headers"), [(STREAM, {}), (LIST, {"Accept": "text/event-stream"})]
)
def test_an_event_is_what_the_list_shows(lab: Lab, path: str, headers: dict[str, str]) -> None:
    lab.add("ä\u2028\nid: 7", "last")
    with Follower(lab.base, {**lab.headers(), **headers}, path, since=0) as follower:
        events = follower.wait_for(3)
    assert events == lab.get(LIST).json()["events"]
    first, *others = follower.messages
    assert first == {"retry": "2000", "id": "0"}
    assert [(item["id"], item["event"]) for item in others] == [
        (str(event["id"]), event["kind"]) for event in events
    ]
    assert follower.headers["content-type"].startswith("text/event-stream")


def test_it_begins_now_or_where_it_is_told_to(lab: Lab) -> None:
    lab.add(*numbers(3))
    newest = lab.newest()
    with (
        lab.follower() as now,
        lab.follower(last_id="") as empty,
        lab.follower(since=newest - 1) as since,
        lab.follower(since=0, last_id=newest - 2) as header,
        lab.follower(last_id=newest + 1000) as from_another_database,
    ):
        lab.add("next")
        assert reasons(now.wait_for(1)) == ["next"]
        assert reasons(empty.wait_for(1)) == ["next"]
        assert reasons(since.wait_for(2)) == ["2", "next"]
        assert reasons(header.wait_for(3)) == ["1", "2", "next"]
        assert reasons(from_another_database.wait_for(1)) == ["next"]


@pytest.mark.parametrize("bad", ["x", "-1", "1.0", "²", "9" * 30])
def test_what_is_no_id_is_refused(lab: Lab, bad: str) -> None:
    headers = {**lab.headers(), "Last-Event-ID": bad.encode()}
    answer = httpx.get(f"{lab.base}{STREAM}", headers=headers, verify=NOBODY, timeout=WAIT)  # type: ignore[arg-type]
    assert answer.status_code == 400


def test_only_what_is_wanted_and_nobody_elses(lab: Lab) -> None:
    one = lab.token(Role.MEMBER, "one")
    with (
        lab.follower(kind="test.") as kind,
        lab.follower(project_id="two") as two,
        lab.follower(secret=one) as mine,
        lab.follower(secret=one, since=0) as mine_so_far,
        lab.follower(secret=one, project_id="two") as not_mine,
        lab.follower(actor="nobody") as nobody,
    ):
        lab.add("a", project="one")
        lab.add("b", project="two")
        lab.add("c")
        lab.add("d", kind="other.done", project="one")
        assert reasons(mine.wait_for(2)) == ["a", "d"]
        assert reasons(mine_so_far.wait_for(2)) == ["a", "d"]
        assert reasons(two.wait_for(1)) == ["b"]
        assert reasons(kind.wait_for(3)) == ["a", "b", "c"]
        assert not_mine.events == nobody.events == []
    assert lab.get(STREAM, reason="any").status_code == 400
    assert lab.get(STREAM, since=-1).status_code == 400
    assert httpx.get(f"{lab.base}{STREAM}", verify=NOBODY, timeout=WAIT).status_code == 401


def test_nothing_is_lost_or_comes_twice_over_reconnects(any_lab: Lab) -> None:
    """Whoever goes on from the last id that came whole, however often it is cut off while others write."""
    got: list[dict[str, Any]] = []
    last_id = str(any_lab.newest())
    names = [numbers(50, name) for name in "abcd"]
    turns = threading.Semaphore(0)

    def write(some: list[str]) -> None:
        for name in some:
            turns.acquire()
            any_lab.add(name)

    with ThreadPoolExecutor(len(names)) as writers:
        for some in names:
            writers.submit(write, some)
        for _ in range(20):
            with any_lab.follower(last_id=last_id) as follower:
                turns.release(10)
                follower.wait_for(3)  # of those ten, or of those that were left
            got += follower.events
            last_id = follower.last_id
    with any_lab.follower(last_id=last_id) as follower:
        got += follower.wait_for(200 - len(got))
    assert [event["id"] for event in got] == sorted({event["id"] for event in got})
    assert sorted(reasons(got)) == sorted(name for some in names for name in some)


def test_many_old_ones_and_new_ones_meanwhile(
    any_lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than are kept for everybody, in pages that end anywhere."""
    monkeypatch.setattr(tail, "KEPT", 20)
    monkeypatch.setattr(tail, "PAGE", 7)
    monkeypatch.setattr(tail, "LOOK", 11)
    any_lab.add(*numbers(100))
    with (
        any_lab.follower(since=0, kind="test.") as late,
        any_lab.follower(kind="test.") as now,
    ):
        any_lab.add(*numbers(150, "new"))
        assert reasons(late.wait_for(250)) == [*numbers(100), *numbers(150, "new")]
        assert reasons(now.wait_for(150)) == numbers(150, "new")


def test_signs_of_life_tell_where_to_go_on(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also past events that were not wanted: they are not looked through again."""
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.2)
    with lab.follower(kind="nothing.") as follower:
        lab.add(*numbers(5))
        newest = str(lab.newest())
        wait_until(lambda: follower.last_id == newest, timeout=WAIT, what="the id")
    assert follower.messages[-1] == {"": "keep-alive", "id": newest}


def test_a_revoked_token_ends_its_stream(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.2)
    secret = lab.token(Role.READER)
    with lab.services.storage.reading() as unit:
        (token,) = [item for item in unit.tokens.find() if item.role is Role.READER]
    with lab.follower(secret=secret) as revoked, lab.follower() as other:
        revoke_token(lab.services, MANAGER, token.id)
        assert revoked.ended.wait(WAIT)
        assert not other.ended.is_set()


def test_so_many_and_no_more(lab: Lab) -> None:
    with ExitStack() as stack:
        threads = threading.active_count()
        followers = [stack.enter_context(lab.follower()) for _ in range(MOST)]
        # one of each follower's own here, and a few that ask for all of them
        assert threading.active_count() <= threads + MOST + tail.THREADS + 2
        refused = lab.get(STREAM)
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "5"
        assert refused.json()["faultstring"] == (
            f"cannot open another stream of events: there are {MOST}"
        )
        assert lab.get(LIST).status_code == 200
        followers[0].close()
        wait_until(lambda: lab.streams.open < MOST, timeout=WAIT, what="its place")
        with lab.follower() as another:
            lab.add("seen")
            assert reasons(another.wait_for(1)) == ["seen"]
    wait_until(lambda: lab.streams.open == 0, timeout=WAIT, what="their end")


def stuck_client(lab: Lab) -> socket.socket:
    """Asks for all events, and reads none of them."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((LOOPBACK, lab.server.port))
    head = f"GET {STREAM}?since=0 HTTP/1.1\r\nHost: x\r\nX-Auth-Token: {lab.secret}\r\n\r\n"
    client.sendall(head.encode())
    wait_until(lambda: lab.streams.open == 1, timeout=WAIT, what="the stream")
    return client


def add_megabytes(lab: Lab, count: int = 8) -> None:
    for _ in range(count):
        with lab.services.storage.writing() as unit:
            for _ in range(50):
                add_event(unit, lab.services, MANAGER, "test.big", "it", None, "x" * 20_000)


def test_who_reads_nothing_is_dropped(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.server.stop()
    monkeypatch.setattr(api_server, "UNREAD_SECONDS", 1.0)
    lab.start()
    with stuck_client(lab):
        add_megabytes(lab)
        wait_until(lambda: lab.streams.open == 0, timeout=WAIT, what="its end")


def seconds_of(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def test_a_stop_ends_every_stream_at_once(lab: Lab) -> None:
    with lab.follower() as one, lab.follower() as two:
        assert seconds_of(lab.server.stop) < 2
        assert one.ended.wait(WAIT)
        assert two.ended.wait(WAIT)
    assert lab.streams.open == 0


def test_a_stop_does_not_wait_for_who_reads_nothing(lab: Lab) -> None:
    with stuck_client(lab):
        add_megabytes(lab, 10)
        time.sleep(0.5)  # until it is stuck there is nothing to see
        assert seconds_of(lab.server.stop) < 6


class Outage:
    """Some questions fail, as where the database is being restarted."""

    def __init__(self, storage: SqlStorage) -> None:
        self._look = storage.look
        self.failed = 0
        self.is_on = False

    def look(self, read: Callable[[Any], Any]) -> Any:
        if self.is_on:
            self.failed += 1
            raise StorageUnavailable("cannot use the database: a test says so")
        return self._look(read)


def test_streams_outlive_the_database(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEEP_ALIVE_SECONDS", 0.2)
    storage = lab.services.storage
    assert isinstance(storage, SqlStorage)
    outage = Outage(storage)
    monkeypatch.setattr(storage, "look", outage.look)
    with lab.follower() as follower:
        outage.is_on = True
        wait_until(lambda: outage.failed > 3, timeout=WAIT, what="the outage")
        lab.add("meanwhile")
        assert lab.get(STREAM).status_code == 503
        outage.is_on = False
        lab.add("after")
        assert reasons(follower.wait_for(2)) == ["meanwhile", "after"]


def test_the_command_goes_on_over_a_restart(lab: Lab, capsys: pytest.CaptureFixture[str]) -> None:
    """As `libra event follow` does it."""
    seen: list[str] = []
    done = threading.Event()

    def run() -> None:
        with closing(Rest(lab.base, lab.secret)) as rest:
            for event in follow(rest, {"kind": "test."}, "0", pause=0.1):
                seen.append(event["reason"])
                if event["reason"] == "last":
                    done.set()
                    return

    lab.add(*numbers(3))
    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: len(seen) == 3, timeout=WAIT, what="the first")
    port = lab.server.port
    lab.server.stop()
    lab.add("meanwhile")
    time.sleep(0.3)  # a try that fails
    lab.start(port)
    lab.add("last")
    assert done.wait(WAIT)
    thread.join()
    assert seen == [*numbers(3), "meanwhile", "last"]
    assert capsys.readouterr().err.count("it is tried again") == 1


def test_the_command_says_why_it_cannot(lab: Lab) -> None:
    for secret, params in (("wrong", {}), (lab.secret, {"a": "b"})):
        with closing(Rest(lab.base, secret)) as rest, pytest.raises(Refused):
            next(follow(rest, params))


def test_data_are_one_line_of_ascii() -> None:
    """There are readers for whom a line ends at other characters, too."""
    from libra.model.event import Event
    from tests.support.storages import NOW

    text = streams.write_event(
        Event(id=1, at=NOW, kind="a.b", subject_id="x", reason="\u2028\r\nä")
    )
    assert text.isascii()
    assert json.loads(text.splitlines()[2].removeprefix("data: "))["reason"] == "\u2028\r\nä"
