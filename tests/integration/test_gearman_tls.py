"""TLS to a job server, as HAProxy speaks it in front of gearmand: both sides verified, and no way around it."""

import os
import re
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from libra.config.settings import JobServerSettings
from libra.errors import JobServerUnavailable
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource
from libra.jobs.gearman.status import count_workers
from tests.support.certificates import Authority, Certificate, encrypt_key
from tests.support.gearmand import Gearmand
from tests.support.jobservers import await_registered, submitting, working
from tests.support.ports import LOOPBACK
from tests.support.programs import find_program
from tests.support.tlsfront import shipped_front, tls_front

LONG = 20.0
GUIDE = Path(__file__).parents[2] / "doc" / "how-to" / "gearmand-tls.md"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def certificate(authority: Authority) -> Certificate:
    return authority.issue("worker1")


@pytest.fixture
def gearmand() -> Iterator[Gearmand]:
    with Gearmand() as server:
        yield server


@pytest.fixture
def front(tmp_path: Path, authority: Authority, gearmand: Gearmand) -> Iterator[int]:
    with tls_front(tmp_path, authority.issue("front"), authority, gearmand.port) as port:
        yield port


def server_at(
    port: int, authority: Authority, certificate: Certificate, host: str = LOOPBACK
) -> JobServerSettings:
    return JobServerSettings(
        host=host, port=port, ca=authority.ca, cert=certificate.cert, key=certificate.key
    )


@contextmanager
def connected(server: JobServerSettings) -> Iterator[tuple[GearmanJobClient, GearmanJobSource]]:
    with ExitStack() as closing:
        client = GearmanJobClient([server], patience_seconds=3.0)
        closing.callback(client.close)
        source = GearmanJobSource([server], "w1")
        closing.callback(source.close)
        yield client, source


def refusal(server: JobServerSettings) -> str:
    """Why neither a client nor a source gets a connection."""
    with connected(server) as (client, source):
        with pytest.raises(JobServerUnavailable) as caught:
            client.submit("w1", b"a secret", timeout=LONG)
        assert source.connected() == 0
    return str(caught.value)


@pytest.mark.parametrize("host", [LOOPBACK, "localhost"])
def test_jobs_of_every_size(
    front: int, authority: Authority, certificate: Certificate, host: str
) -> None:
    with connected(server_at(front, authority, certificate, host)) as (client, source):
        await_registered(source)
        with working(source):
            for payload in (b"", b"small", b"x" * 16_384, b"y" * 10_000_000):
                assert client.submit("w1", payload, timeout=LONG) == payload


def test_reading_and_answering_at_the_same_time(
    front: int, authority: Authority, certificate: Certificate
) -> None:
    with connected(server_at(front, authority, certificate)) as (client, source):
        await_registered(source)
        with working(source), working(source), working(source):
            payloads = [b"%d" % number * 30_000 for number in range(40)]
            submissions = [submitting(client, "w1", payload) for payload in payloads]
            assert [each.reply() for each in submissions] == payloads


def test_an_unknown_authority_is_refused(
    tmp_path: Path, front: int, certificate: Certificate
) -> None:
    text = refusal(server_at(front, Authority(tmp_path, "other-ca"), certificate))
    assert "its certificate is refused" in text


def test_a_certificate_for_another_name_is_refused(
    tmp_path: Path, authority: Authority, certificate: Certificate, gearmand: Gearmand
) -> None:
    """Whoever has a certificate of the same authority, such as any worker, must not pose as the server."""
    worker = authority.issue("worker2", names="DNS:worker2.example")
    with tls_front(tmp_path, worker, authority, gearmand.port) as port:
        text = refusal(server_at(port, authority, certificate))
    assert "its certificate is refused: IP address mismatch" in text


def test_our_certificate_of_an_unknown_authority_is_refused_by_the_server(
    tmp_path: Path, front: int, authority: Authority
) -> None:
    stranger = Authority(tmp_path, "other-ca").issue("stranger")
    text = refusal(server_at(front, authority, stranger))
    assert text.startswith(f"cannot submit a job to {LOOPBACK}:{front}: ")


def test_a_server_in_clear_text_is_refused(
    gearmand: Gearmand, authority: Authority, certificate: Certificate
) -> None:
    """Debian's gearmand takes --ssl, and speaks plain text all the same."""
    text = refusal(server_at(gearmand.port, authority, certificate))
    assert "it answers in clear text where TLS is configured; nothing is sent to it" in text


def test_an_embedded_server_in_clear_text_is_refused(
    authority: Authority, certificate: Certificate
) -> None:
    server = EmbeddedJobServer()
    server.start()
    try:
        text = refusal(server_at(server.port, authority, certificate))
    finally:
        server.stop()
    assert "it answers in clear text where TLS is configured" in text


def test_plain_settings_get_nothing_from_a_tls_server(front: int) -> None:
    with connected(JobServerSettings(host=LOOPBACK, port=front)) as (client, source):
        with pytest.raises(JobServerUnavailable):
            client.submit("w1", b"", timeout=2.0)
        assert source.connected() == 0


def test_files_that_cannot_be_used_are_named(
    tmp_path: Path, front: int, authority: Authority, certificate: Certificate
) -> None:
    missing = tmp_path / "missing.pem"
    good = server_at(front, authority, certificate)
    text = refusal(good.model_copy(update={"ca": missing}))
    assert f"cannot use {missing}: no such file or directory" in text
    text = refusal(good.model_copy(update={"key": missing}))
    assert f"cannot use {certificate.cert} with {missing}: no such file or directory" in text
    text = refusal(good.model_copy(update={"key": authority.issue("other").key}))
    assert "key values mismatch" in text


def test_a_key_with_a_password_is_refused_without_asking_for_it(
    front: int, authority: Authority, certificate: Certificate
) -> None:
    encrypted = Certificate(certificate.cert, encrypt_key(certificate.key), certificate.both)
    text = refusal(server_at(front, authority, encrypted))
    assert f"cannot use {encrypted.cert} with {encrypted.key}: " in text


ON_TERMINAL = """
import os, sys
from libra.jobs.gearman.tls import TlsFileError, build_context
os.login_tty(int(sys.argv[1]))
try:
    build_context(*sys.argv[2:])
except TlsFileError:
    sys.exit(7)
"""


def test_a_terminal_is_not_asked_for_a_password(
    authority: Authority, certificate: Certificate
) -> None:
    ours, theirs = os.openpty()
    files = [str(path) for path in (authority.ca, certificate.cert, encrypt_key(certificate.key))]
    try:
        run = subprocess.run(
            [sys.executable, "-c", ON_TERMINAL, str(theirs), *files],
            pass_fds=[theirs],
            start_new_session=True,
            timeout=30,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    assert run.returncode == 7


def test_a_server_that_never_answers_the_handshake_costs_its_patience_only(
    gearmand: Gearmand, authority: Authority, certificate: Certificate, front: int
) -> None:
    with Gearmand() as frozen:
        frozen.freeze()
        servers = [
            server_at(frozen.port, authority, certificate),
            server_at(front, authority, certificate),
        ]
        client = GearmanJobClient(servers)
        source = GearmanJobSource(servers, "w1")
        await_registered(source, 1)
        with working(source):
            for _ in range(2):
                assert client.submit("w1", b"x", timeout=LONG) == b"x"
        source.close()
        client.close()


@pytest.fixture
def guided(tmp_path: Path) -> Path:
    """What the guide's commands make."""
    find_program("openssl", package="openssl")
    (commands,) = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    directory = tmp_path / "guide"
    directory.mkdir()
    subprocess.run(
        ["/bin/sh", "-eu", "-c", commands],
        cwd=directory,
        check=True,
        capture_output=True,
        timeout=30,
    )
    return directory


def answer_without_certificate(port: int, ca: Path) -> bytes:
    """What the job server says of its version; TLS 1.3 refuses after the handshake."""
    context = ssl.create_default_context(cafile=str(ca))
    try:
        with (
            socket.create_connection((LOOPBACK, port), timeout=LONG) as plain,
            context.wrap_socket(plain, server_hostname=LOOPBACK) as encrypted,
        ):
            encrypted.sendall(b"version\n")
            return encrypted.recv(64)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_the_guide_works(guided: Path, gearmand: Gearmand, authority: Authority) -> None:
    """Its certificates, the configuration in etc/, gearmand, a worker and a client."""
    with shipped_front(guided, guided / "jobs.pem", guided / "ca.pem", gearmand.port) as port:
        names = {"ca": guided / "ca.pem", "cert": guided / "web1.crt", "key": guided / "web1.key"}
        good = JobServerSettings(host="localhost", port=port, **names)
        with connected(good) as (client, source):
            await_registered(source)
            with working(source):
                assert client.submit("w1", b"a job", timeout=LONG) == b"a job"
        assert count_workers([good], LONG) is not None
        stranger = authority.issue("stranger")
        others = {"cert": stranger.cert, "key": stranger.key}
        assert "cannot submit a job" in refusal(good.model_copy(update=others))
        assert count_workers([good.model_copy(update=others)], LONG) is None
        assert answer_without_certificate(port, guided / "ca.pem") == b""
        # a worker's certificate does not make a job server of it
        pem = guided / "web1.pem"
        pem.write_text((guided / "web1.crt").read_text() + (guided / "web1.key").read_text())
    with shipped_front(guided, pem, guided / "ca.pem", gearmand.port) as port:
        posing = good.model_copy(update={"port": port})
        assert "its certificate is refused" in refusal(posing)
    in_clear = good.model_copy(update={"port": gearmand.port})
    assert "it answers in clear text" in refusal(in_clear)
    assert count_workers([in_clear], LONG) is None
