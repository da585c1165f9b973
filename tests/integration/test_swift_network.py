"""SwiftStore over networks and to servers that are not what they should be."""

import signal
import socket
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
from tests.support.stores import LARGE, SMALL, build_account, build_swift_store, fail, put
from tests.support.strangers import drip, pour, redirect_to, say, stranger
from tests.support.swift import need_swift
from tests.support.swift_lab import SwiftLab
from tests.support.tcpfault import TcpFault, black_hole

HASTY = RetryPolicy(
    attempts=2,
    first_delay=timedelta(milliseconds=20),
    network_timeout=timedelta(milliseconds=500),
)


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
    assert swift.names(f"{container}_segments") == []


def test_a_connection_reset_in_mid_upload(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    with TcpFault(swift.port["proxy"]) as link:
        link.cut_after = 150_000
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))
        error = fail(Account(endpoint=url, token=account.token), container, LARGE)
        assert error.status is None
        # Two senders: whether a segment or the making of its container is told of is chance.
        assert f"PUT {container}_segments" in str(error)
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


def test_nobody_answers(container: str) -> None:
    with black_hole() as port:
        url = f"http://127.0.0.1:{port}/v1/AUTH_test"
        error = fail(Account(endpoint=url, token="t"), container, retries=HASTY)
    assert str(error) == (
        f"cannot store: PUT {container}/x failed: no connection in time (tried 2 times)"
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


@pytest.mark.parametrize(
    ("status", "head"),
    [
        (500, b"HTTP/1.1 500 No\r\n\r\n"),
        (307, b"HTTP/1.1 307 There\r\nLocation: http://127.0.0.1:1/\r\n\r\n"),
    ],
)
def test_an_endless_answer_is_not_read(container: str, status: int, head: bytes) -> None:
    with stranger(pour(head)) as server:
        account = Account(endpoint=server.url, token="t")
        error = fail(account, container, total_timeout_seconds=5)
    assert error.status == status
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


@pytest.mark.parametrize("content", [None, "", "rubbish"])
def test_authorities_that_cannot_be_read(
    tls_swift: SwiftLab, tmp_path: Path, container: str, content: str | None
) -> None:
    """Never without a check of the certificate."""
    ca_file = tmp_path / "ca.pem"
    if content is not None:
        ca_file.write_text(content)
    error = fail(build_account(tls_swift), container, ca_file=ca_file)
    assert str(error).startswith(f"cannot use object_stores.swift.ca_file {ca_file}: ")


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
