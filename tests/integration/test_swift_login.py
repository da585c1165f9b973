"""Logins at Swift's own identity service, and at one that speaks as the reference of Keystone's third version says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from libra.errors import Forbidden, NotImplementedHere, ObjectStoreError
from libra.model.objectstore import AuthVersion, Credentials
from libra.objectstores.base import Account, ObjectStore
from libra.objectstores.memory import MemoryStore
from tests.support.stores import build_swift_store
from tests.support.swift_lab import SwiftLab

KEY = "a 'secret' ü"
Answer = tuple[int, dict[str, str], Any]


@contextmanager
def keystone(answer: Callable[[dict[str, Any]], Answer]) -> Iterator[tuple[str, list[str]]]:
    """Its URL, and the paths that it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            paths.append(self.path)
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, shown = answer(json.loads(body))
            data = json.dumps(shown).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/identity", paths
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def token(*endpoints: tuple[str, str, str], kind: str = "object-store") -> Any:
    """What Keystone tells of a token; endpoints are region, interface, URL."""
    shown = [{"region": r, "interface": i, "url": u} for r, i, u in endpoints]
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    return {"token": {"expires_at": until, "catalog": [{"type": kind, "endpoints": shown}]}}


def given(url: str, **fields: Any) -> Credentials:
    usual: dict[str, Any] = {"auth_version": AuthVersion.V3, "user": "shop:libra", "key": KEY}
    return Credentials(auth_url=url, **{**usual, **fields})


PLACES = (
    ("north", "admin", "http://127.0.0.1:1/v1/AUTH_admin"),
    ("north", "public", "http://127.0.0.1:1/v1/AUTH_north"),
    ("south", "public", "http://127.0.0.1:1/v1/AUTH_south"),
)


def test_keystone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    asked: list[Any] = []

    def answer(body: dict[str, Any]) -> Answer:
        asked.append(body)
        return 201, {"X-Subject-Token": "gAAAA-token"}, token(*PLACES)

    with keystone(answer) as (url, paths):
        for spelling, region, ending in (
            (url, "", "AUTH_north"),
            (f"{url}/v3", "south", "AUTH_south"),
            (f"{url}/v3/auth/tokens/", "north", "AUTH_north"),
        ):
            grant = build_swift_store().log_in(given(spelling, region=region, domain="ours"))
            assert grant.account == Account(
                endpoint=f"http://127.0.0.1:1/v1/{ending}", token="gAAAA-token"
            )
            assert grant.lasts is not None
            assert timedelta(minutes=59) < grant.lasts <= timedelta(hours=1)
    assert paths == ["/identity/v3/auth/tokens"] * 3
    identity, scope = asked[0]["auth"]["identity"], asked[0]["auth"]["scope"]
    assert identity["methods"] == ["password"]
    user = {"name": "libra", "domain": {"name": "ours"}, "password": KEY}
    assert identity["password"] == {"user": user}
    assert scope == {"project": {"name": "shop", "domain": {"name": "ours"}}}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((401, {}, {"error": {"message": f"no {KEY} here"}}), "answered 401"),
        ((302, {"Location": "http://127.0.0.1:1/"}, {}), "redirects are not followed"),
        ((200, {"X-Subject-Token": "t"}, {"token": {}}), "does not speak Keystone's v3"),
        ((200, {"X-Subject-Token": "t"}, []), "does not speak Keystone's v3"),
        ((200, {}, token(*PLACES)), "without X-Subject-Token"),
        ((200, {"X-Subject-Token": "t"}, token(*PLACES, kind="volume")), "no object store"),
        ((200, {"X-Subject-Token": "t"}, token(PLACES[0])), "no object store"),
        ((200, {"X-Subject-Token": "t"}, {"token": "x" * 5_000_000}), "does not speak"),
    ],
)
def test_keystone_that_says_no_or_nonsense(answer: Answer, words: str) -> None:
    with keystone(lambda _: answer) as (url, _), pytest.raises(ObjectStoreError) as caught:
        build_swift_store().log_in(given(url))
    assert words in str(caught.value)
    assert KEY not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_storage_url_that_is_not_allowed() -> None:
    elsewhere = token(("", "public", "https://elsewhere.example/v1"))
    with (
        keystone(lambda _: (201, {"X-Subject-Token": "t"}, elsewhere)) as (url, _),
        pytest.raises(Forbidden) as caught,
    ):
        build_swift_store().log_in(given(url))
    assert "of this controller does not allow it" in str(caught.value)


def test_swift(swift: SwiftLab) -> None:
    url = f"http://127.0.0.1:{swift.port['proxy']}/auth/v1.0"
    who = {"user": swift.user, "key": swift.key, "auth_version": AuthVersion.V1}
    grant = build_swift_store().log_in(given(url, **who))
    assert grant.account.endpoint == swift.storage_url
    assert grant.lasts is not None
    stored = build_swift_store().put(grant.account, "logged-in", "x", iter([b"data"]))
    assert swift.download(stored.path) == b"data"
    assert swift.key not in repr(given(url, **who))
    assert grant.account.token not in repr(grant)


def test_an_answer_that_is_no_login(swift: SwiftLab) -> None:
    url = f"http://127.0.0.1:{swift.port['proxy']}/healthcheck"
    with pytest.raises(ObjectStoreError, match="without X-Storage-Url"):
        build_swift_store().log_in(given(url, auth_version=AuthVersion.V1))


def test_other_stores() -> None:
    tokens = {MemoryStore().log_in(given("http://127.0.0.1/")).account.token for _ in range(2)}
    assert len(tokens) == 2

    class Tape(MemoryStore):
        log_in = ObjectStore.log_in

    with pytest.raises(NotImplementedHere, match="has no accounts"):
        Tape().log_in(given("http://127.0.0.1/"))
