"""SwiftStore against a real Swift: what it stores, and every way in which that fails."""

import gc
import json
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from libra.errors import ObjectStoreError
from libra.objectstores.base import Account
from libra.objectstores.retries import RetryPolicy
from tests.support.certificates import Authority
from tests.support.ports import free_port
from tests.support.stores import SMALL_SEGMENT, build_account, build_swift_store
from tests.support.strangers import drip, pour, redirect_to, say, stranger
from tests.support.swift_lab import SwiftLab, need_swift
from tests.support.tcpfault import TcpFault

SMALL = b"a small log\n"
LARGE = random.Random(1).randbytes(5 * SMALL_SEGMENT + 17)
HASTY = RetryPolicy(
    attempts=2,
    first_delay=timedelta(milliseconds=20),
    network_timeout=timedelta(milliseconds=500),
)


def put(account: Account, container: str, data: bytes = SMALL, **options: object) -> str:
    """Store it as "x" and give the path."""
    store = build_swift_store(**options)  # type: ignore[arg-type]
    return store.put(account, container, "x", iter([data])).path


def fail(
    account: Account, container: str, data: bytes = SMALL, **options: object
) -> ObjectStoreError:
    """The error of an upload that cannot succeed. No thread is left by it."""
    with pytest.raises(ObjectStoreError) as caught:
        put(account, container, data, **options)
    assert not [one for one in threading.enumerate() if one.name == "swift-sender"]
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def everything(swift: SwiftLab, container: str) -> list[str]:
    return swift.names(container) + swift.names(f"{container}_segments")


def test_a_large_object_is_read_as_one(swift: SwiftLab, container: str) -> None:
    path = put(build_account(swift), container, LARGE)
    assert swift.download(path) == LARGE
    assert swift.names(container) == ["x"]
    assert swift.names(f"{container}_segments") == [f"x/{number:08d}" for number in range(6)]
    rows = json.loads(swift.download(path, "?multipart-manifest=get"))
    assert [row["bytes"] for row in rows] == [SMALL_SEGMENT] * 5 + [17]


def test_a_very_large_object_is_a_tree_of_manifests(swift: SwiftLab, container: str) -> None:
    data = random.Random(2).randbytes(10 * 1000 + 7)
    path = put(build_account(swift), container, data, segment_bytes=1000, manifest_width=2)
    assert swift.download(path) == data
    assert len(swift.names(f"{container}_segments")) > 11 + 5
    status, _, body = swift.request(
        "DELETE",
        f"/v1/AUTH_test/{path}?multipart-manifest=delete",
        headers={"X-Auth-Token": swift.token(), "Accept": "application/json"},
    )
    assert (status, json.loads(body)["Errors"]) == (200, [])
    assert everything(swift, container) == []


def test_what_it_says_of_itself(swift: SwiftLab, container: str) -> None:
    """No Content-Encoding: a client would unpack it on the way."""
    for data in (SMALL, LARGE):
        path = put(build_account(swift), container, data)
        _, headers, _ = swift.request(
            "HEAD", f"/v1/AUTH_test/{path}", headers={"X-Auth-Token": swift.token()}
        )
        assert headers["content-type"] == "application/gzip"
        assert "content-encoding" not in headers


def test_a_container_is_made_only_where_it_is_missing(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault()
    put(account, container)
    put(account, container)
    path = f"/v1/AUTH_test/{container}"
    assert [line for line in swift.requests() if line.startswith("PUT")] == [
        f"PUT {path}/x",
        f"PUT {path}",
        f"PUT {path}/x",
        f"PUT {path}/x",
    ]


def test_who_may_only_write_objects_need_not_make_containers(
    swift: SwiftLab, container: str
) -> None:
    headers = {"X-Auth-Token": swift.token(), "X-Container-Write": "test:reader"}
    swift.request("PUT", f"/v1/AUTH_test/{container}", headers=headers)
    token = swift.token("test:reader", "reading")
    put(Account(endpoint=swift.storage_url, token=token), container)
    assert swift.names(container) == ["x"]


def test_401_is_told_at_once(swift: SwiftLab, container: str) -> None:
    account = Account(endpoint=swift.storage_url, token="AUTH_tk0123456789abcdef")
    for data in (SMALL, LARGE):
        swift.fault()
        error = fail(account, container, data)
        assert error.status == 401
        where = container if data == SMALL else f"{container}_segments"
        assert str(error).startswith(
            f"cannot store: Swift answered 401 Unauthorized to PUT {where}/x"
        )
        assert "This server could not verify that you are authorized" in str(error)
        puts = [line for line in swift.requests() if line.startswith("PUT")]
        assert len(puts) == 1, "401 does not get better by trying again"


def test_403_is_told_at_once(swift: SwiftLab, container: str) -> None:
    token = swift.token("test:reader", "reading")
    error = fail(Account(endpoint=swift.storage_url, token=token), container)
    assert error.status == 403
    assert f"Swift answered 403 Forbidden to PUT {container}/x: " in str(error)


@pytest.mark.parametrize("path", ["/v1/AUTH_other", "/v1", "/no/such/thing", ""])
def test_a_wrong_path(swift: SwiftLab, container: str, path: str) -> None:
    url = swift.storage_url.replace("/v1/AUTH_test", path)
    error = fail(build_account(swift, url), container)
    assert error.status in (400, 403, 404, 412)
    assert f"Swift answered {error.status} " in str(error)


def test_413_over_quota(swift: SwiftLab, container: str) -> None:
    headers = {"X-Auth-Token": swift.token(), "X-Container-Meta-Quota-Bytes": "10"}
    swift.request("PUT", f"/v1/AUTH_test/{container}", headers=headers)
    error = fail(build_account(swift), container)
    assert error.status == 413
    assert "Upload exceeds quota" in str(error)


def test_all_disks_gone(swift: SwiftLab, container: str) -> None:
    put(build_account(swift), container)
    swift.disk("object", 1, mounted=False)
    try:
        error = fail(build_account(swift), container)
    finally:
        swift.disk("object", 1, mounted=True)
    assert error.status == 503
    assert "Swift answered 503 Service Unavailable" in str(error)
    assert "(tried 3 times)" in str(error)
    assert swift.download(put(build_account(swift), container)) == SMALL


@pytest.mark.parametrize("status", [408, 422, 429, 498, 500, 502, 503, 507])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_one_bad_answer_is_overcome(
    swift: SwiftLab, container: str, status: int, data: bytes
) -> None:
    account = build_account(swift)
    swift.fault(match=r"PUT /v1/.*x", status=status, count=1, skip=min(1, len(data) // 1000))
    assert swift.download(put(account, container, data)) == data


def test_507_again_and_again(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(
        match="PUT /v1/.*x", status=507, reason="Insufficient Storage", body="<h1>full</h1>"
    )
    error = fail(account, container)
    assert error.status == 507
    assert str(error) == (
        f"cannot store: Swift answered 507 Insufficient Storage to PUT {container}/x: full (tried 3 times)"
    )


def test_what_the_server_asks_to_wait_is_waited(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(match="PUT /v1/.*x", status=429, count=1, headers={"Retry-After": "1"})
    start = time.monotonic()
    put(account, container)
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("number", [0, 1, 4, 5])
def test_a_segment_that_fails_takes_the_others_with_it(
    swift: SwiftLab, container: str, number: int
) -> None:
    account = build_account(swift)
    swift.fault(match=f"PUT /v1/.*/x/{number:08d}", status=403)
    assert fail(account, container, LARGE).status == 403
    assert everything(swift, container) == []


@pytest.mark.parametrize("status", [400, 503])
def test_a_manifest_that_fails_takes_the_segments_with_it(
    swift: SwiftLab, container: str, status: int
) -> None:
    account = build_account(swift)
    swift.fault(match=f"PUT /v1/AUTH_test/{container}/x$", status=status)
    assert fail(account, container, LARGE).status == status
    assert everything(swift, container) == []


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_an_object_stored_in_spite_of_a_bad_answer_is_taken_back(
    swift: SwiftLab, container: str, data: bytes
) -> None:
    """FAIL must mean that nothing is there, also where only the answer went wrong."""
    account = build_account(swift)
    swift.fault(match=f"PUT /v1/AUTH_test/{container}/x$", status=502, late=True)
    assert fail(account, container, data).status == 502
    assert swift.requests()[-1].startswith("DELETE ")
    assert everything(swift, container) == []


def test_what_cannot_be_taken_back_is_told(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(match="(DELETE /v1/.*|PUT /v1/.*/x/00000003)", status=401)
    error = fail(account, container, LARGE)
    assert error.status == 401
    assert str(error).endswith(
        f"; up to 4 parts of it are left, such as {container}_segments/x/00000003"
    )


def test_a_swift_without_large_objects_is_told(tmp_path: Path, container: str) -> None:
    need_swift()
    with SwiftLab(tmp_path, slo=False) as swift:
        error = fail(build_account(swift), container, LARGE)
        assert error.status == 422
        assert str(error).endswith("; has this Swift static large objects (SLO)?")
        assert everything(swift, container) == []


def test_a_frozen_proxy(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.signal("proxy", signal.SIGSTOP)
    try:
        error = fail(account, container, retries=HASTY)
    finally:
        swift.signal("proxy", signal.SIGCONT)
    assert error.status is None
    assert f"PUT {container}/x failed: timed out (tried 2 times)" in str(error)


def test_a_proxy_that_is_killed_and_comes_back(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    patient = RetryPolicy(attempts=10, first_delay=timedelta(milliseconds=200))

    def blocks() -> Iterator[bytes]:
        yield LARGE[:100_000]
        swift.signal("proxy", signal.SIGKILL)
        swift.start_server("proxy")
        yield LARGE[100_000:]

    store = build_swift_store(retries=patient)
    assert store.put(account, container, "x", blocks()).size == len(LARGE)
    swift.wait("proxy", time.monotonic() + 10)
    assert swift.download(f"{container}/x") == LARGE


def test_a_connection_that_hangs(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    with TcpFault(swift.port["proxy"]) as link:
        link.hang = True
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))
        error = fail(Account(endpoint=url, token=account.token), container, LARGE, retries=HASTY)
    assert "timed out" in str(error)
    assert everything(swift, container) == []


def test_a_connection_reset_in_mid_upload(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    with TcpFault(swift.port["proxy"]) as link:
        link.cut_after = 150_000
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))
        error = fail(Account(endpoint=url, token=account.token), container, LARGE)
        assert error.status is None
        assert f"PUT {container}_segments/x/" in str(error)
    assert swift.names(container) == []


def test_a_connection_reset_once_is_overcome(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    with TcpFault(swift.port["proxy"]) as link:
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))

        def blocks() -> Iterator[bytes]:
            for start in range(0, len(LARGE), 10_000):
                if start == 200_000:
                    link.reset()
                yield LARGE[start : start + 10_000]

        store = build_swift_store()
        store.put(Account(endpoint=url, token=account.token), container, "x", blocks())
    assert swift.download(f"{container}/x") == LARGE


def test_bytes_damaged_on_their_way_are_sent_again(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    with DamagingLink(swift.port["proxy"], at=100_000) as link:
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))
        put(Account(endpoint=url, token=account.token), container, LARGE)
        assert link.damaged
    assert swift.download(f"{container}/x") == LARGE


class DamagingLink(TcpFault):
    """Turns over one bit, once."""

    def __init__(self, to_port: int, at: int) -> None:
        self.damaged = False
        self._at = at
        super().__init__(to_port)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._passed += len(data)
                if self._passed > self._at and not self.damaged and len(data) > 1000:
                    self.damaged = True
                    data = data[:-1] + bytes([data[-1] ^ 1])
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


def test_nobody_listens(container: str) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1/AUTH_test"
    error = fail(Account(endpoint=url, token="t"), container)
    assert (
        str(error) == f"cannot store: PUT {container}/x failed: Connection refused (tried 3 times)"
    )


def test_no_such_host(container: str) -> None:
    store = build_swift_store(allowed=("http://no-such-host.invalid",))
    account = Account(endpoint="http://no-such-host.invalid/v1", token="t")
    with pytest.raises(ObjectStoreError, match=r"PUT .*/x failed: .*(Name|name|resolution)"):
        store.put(account, container, "x", iter([SMALL]))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "is it a Swift storage URL?"),
        (
            "HTTP/1.1 201 Created\r\nEtag: 0123\r\nContent-Length: 0\r\n\r\n",
            "is it a Swift storage",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "what answers does not speak HTTP"),
        ("", "the connection was closed without an answer"),
        ("HTTP/1.1 400 \xff\x1b[31m\r\nContent-Length: 3\r\n\r\n\x1b[m", "Swift answered 400"),
    ],
)
def test_what_is_no_swift(container: str, answer: str, words: str) -> None:
    with stranger(say(answer)) as server:
        error = str(fail(Account(endpoint=server.url, token="t"), container))
    assert words in error
    assert error.isprintable()
    assert error.isascii()


def test_a_redirect_is_not_followed(container: str) -> None:
    with stranger(say("")) as elsewhere, stranger(redirect_to(elsewhere.url)) as server:
        error = fail(Account(endpoint=server.url, token="SECRETTOKEN"), container)
        assert error.status == 307
        assert "redirects are not followed" in str(error)
        assert b"SECRETTOKEN" in b"".join(server.received)
        assert elsewhere.received == []


def test_the_environment_is_not_asked(
    container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy would see the token, and ~/.netrc would add another."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login eve password evil\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    with stranger(say("")) as proxy, stranger(say("HTTP/1.1 401 No\r\n\r\n")) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        assert fail(Account(endpoint=server.url, token="t"), container).status == 401
        assert proxy.received == []
        assert b"authorization" not in b"".join(server.received).lower()


def test_an_echo_of_the_token_is_masked(container: str) -> None:
    token = "SECRET" * 10
    body = f"you sent <b>{token}</b> {'x' * 150} {token}"
    answer = f"HTTP/1.1 400 {token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    with stranger(say(answer)) as server:
        error = str(fail(Account(endpoint=server.url, token=token), container))
    assert "SECRET" not in error
    assert "you sent ***" in error


@pytest.mark.parametrize(
    "head",
    [b"", b"HTTP/1.1 201 Created\r\nX: ", b"HTTP/1.1 500 No\r\nContent-Length: 10000\r\n\r\n"],
    ids=["status line", "header", "body"],
)
def test_an_answer_that_drips_ends_with_the_whole_time(container: str, head: bytes) -> None:
    start = time.monotonic()
    with stranger(drip(head)) as server:
        error = fail(Account(endpoint=server.url, token="t"), container, total_timeout_seconds=1)
    assert "all together took longer than 1 s" in str(error) or error.status == 500
    assert time.monotonic() - start < 30


def test_an_endless_answer_is_not_read(container: str) -> None:
    with stranger(pour(b"HTTP/1.1 500 No\r\n\r\n")) as server:
        error = fail(Account(endpoint=server.url, token="t"), container)
    assert error.status == 500
    assert len(str(error)) < 500


def test_a_slow_link_ends_with_the_whole_time(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    with TcpFault(swift.port["proxy"]) as link:
        link.rate = 20_000
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))
        slow = Account(endpoint=url, token=account.token)
        error = fail(slow, container, LARGE, total_timeout_seconds=1)
    assert "all together took longer than 1 s" in str(error)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def tls_swift(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[SwiftLab]:
    need_swift()
    certificate = authority.issue("swift")
    tls = (certificate.cert, certificate.key)
    with SwiftLab(tmp_path_factory.mktemp("tls"), tls=tls) as lab:
        yield lab


def test_tls(tls_swift: SwiftLab, authority: Authority, container: str) -> None:
    path = put(build_account(tls_swift), container, LARGE, ca_file=authority.ca)
    assert tls_swift.download(path) == LARGE


def test_an_unknown_certificate_is_refused(tls_swift: SwiftLab, container: str) -> None:
    token = tls_swift.token()
    tls_swift.fault()
    error = fail(Account(endpoint=tls_swift.storage_url, token=token), container)
    assert "its TLS certificate is refused, unable to get local issuer certificate" in str(error)
    assert tls_swift.requests() == []


def test_a_certificate_for_another_name_is_refused(
    tls_swift: SwiftLab, authority: Authority, tmp_path: Path, container: str
) -> None:
    certificate = authority.issue("other", names="DNS:other.example")
    with SwiftLab(tmp_path, tls=(certificate.cert, certificate.key)) as swift:
        error = fail(build_account(swift), container, ca_file=authority.ca)
    assert "its TLS certificate is refused, " in str(error)
    assert "not valid for '127.0.0.1'" in str(error)


def test_tls_where_none_is_spoken(swift: SwiftLab, container: str) -> None:
    url = swift.storage_url.replace("http:", "https:")
    error = str(fail(build_account(swift, url), container))
    assert f"PUT {container}/x failed: TLS: " in error


def test_plain_where_tls_is_spoken(tls_swift: SwiftLab, container: str) -> None:
    url = tls_swift.storage_url.replace("https:", "http:")
    assert "failed: " in str(fail(build_account(tls_swift, url), container))


def test_memory_and_descriptors_are_given_back(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    store = build_swift_store()
    store.put(account, container, "x", iter([LARGE]))
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        store.put(account, container, "x", iter([LARGE]))
        with pytest.raises(ObjectStoreError):
            store.put(Account(endpoint=account.endpoint, token="no"), container, "x", iter([LARGE]))
    gc.collect()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
