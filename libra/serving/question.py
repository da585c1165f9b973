"""What the worker asks the server: which book it answers from."""

import json
import socket
from dataclasses import dataclass
from pathlib import Path

ASKING = b"x-libra-serving"
DIGEST = "digest"
_REQUEST = b"GET / HTTP/1.1\r\nhost: libra\r\n%s: %s\r\nconnection: close\r\n\r\n" % (
    ASKING,
    DIGEST.encode(),
)
_MOST = 65536


@dataclass(frozen=True, slots=True)
class Serving:
    """Who answers at the socket, and from what."""

    digest: str
    pid: int
    release: str


def ask_serving(path: Path, seconds: float) -> Serving:
    """Raises OSError where nobody answers as the server does; TimeoutError where somebody listens and does not."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        connection.sendall(_REQUEST)
        answer = b""
        while (block := connection.recv(_MOST)) and len(answer) < _MOST:
            answer += block
    try:
        fields = json.loads(answer.partition(b"\r\n\r\n")[2])
        return Serving(str(fields["digest"]), int(fields["pid"]), str(fields["release"]))
    except (ValueError, TypeError, KeyError) as error:
        raise ConnectionError(f"another program answers at {path}") from error
