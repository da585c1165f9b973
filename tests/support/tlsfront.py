"""HAProxy in front of a plain job server, as etc/ has it: TLS, with a client certificate asked for."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.certificates import Authority, Certificate
from tests.support.ports import LOOPBACK, free_port, wait_for_port
from tests.support.programs import find_program

SHIPPED = Path(__file__).parents[2] / "etc" / "haproxy" / "libra-gearmand-tls.cfg"


@contextlib.contextmanager
def tls_front(
    directory: Path, certificate: Certificate, clients: Authority, to_port: int
) -> Iterator[int]:
    """The port where TLS is spoken; clients must show a certificate of `clients`."""
    with shipped_front(directory, certificate.both, clients.ca, to_port) as port:
        yield port


@contextlib.contextmanager
def shipped_front(directory: Path, pem: Path, ca: Path, to_port: int) -> Iterator[int]:
    """Certificate and key in `pem`, and the authority of clients."""
    port = free_port()
    config = directory / "front.cfg"
    text = SHIPPED.read_text()
    for shipped, ours in (
        ("bind :4730", f"bind {LOOPBACK}:{port}"),
        ("127.0.0.1:4731", f"{LOOPBACK}:{to_port}"),
        ("/etc/libra/tls/jobs.pem", str(pem)),
        ("/etc/libra/tls/ca.pem", str(ca)),
        ("log /dev/log daemon", "log stderr daemon"),
    ):
        assert text.count(shipped) == 1
        text = text.replace(shipped, ours)
    config.write_text(text)
    process = subprocess.Popen(
        [find_program("haproxy", package="haproxy"), "-q", "-db", "-f", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port)
        yield port
    finally:
        process.kill()
        process.wait(10)
