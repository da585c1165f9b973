"""HAProxy in front of a plain job server: TLS, with a client certificate asked for."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.support.certificates import Authority, Certificate
from tests.support.ports import LOOPBACK, free_port, wait_for_port
from tests.support.programs import find_program

CONFIGURATION = """
defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
listen gearman
    bind {listen} ssl crt {crt} ca-file {ca} verify required
    server gearmand {backend}
"""


@contextlib.contextmanager
def tls_front(
    directory: Path, certificate: Certificate, clients: Authority, to_port: int
) -> Iterator[int]:
    """The port where TLS is spoken; clients must show a certificate of `clients`."""
    port = free_port()
    config = directory / "front.cfg"
    config.write_text(
        CONFIGURATION.format(
            listen=f"{LOOPBACK}:{port}",
            crt=certificate.both,
            ca=clients.ca,
            backend=f"{LOOPBACK}:{to_port}",
        )
    )
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
