"""python-swiftclient, tamed: no redirects, nothing from the environment, no token in a log, and a way to stop it.

Imported when the first upload starts, for swiftclient and what it needs cost 7 MB and 70 ms.
"""

import logging
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import certifi
import requests
import requests.adapters
import urllib3

from libra.errors import ObjectStoreError
from libra.objectstores.swift_client import SwiftClientRequestsSession, client

MOST_ANSWER_BYTES = 64 * 1024  # of an answer's body; Swift's are far shorter
NO_BODY = b" "  # true, or swiftclient would read a body once more, and all of it
SEND_BYTES = 256 * 1024
_QUIET = ("swiftclient", "urllib3", "requests")


def silence_loggers() -> None:
    """Swiftclient logs headers with the token's first 16 characters, and whole bodies: keep only warnings."""
    client.logger_settings["reveal_sensitive_prefix"] = 0
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def build_trust(ca_file: Path | None) -> ssl.SSLContext:
    """What checks every certificate: by the settings' authorities, else the system's, else those of requests.

    For all connections, for a system's authorities take a megabyte wherever they are loaded. Raises
    `ObjectStoreError` where the file cannot be used.
    """
    paths = ssl.get_default_verify_paths()
    context = urllib3.util.ssl_.create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    try:
        if ca_file or paths.cafile or not paths.capath:
            context.load_verify_locations(cafile=ca_file or paths.cafile or certifi.where())
        else:
            context.load_verify_locations(capath=paths.capath)
    except OSError as error:  # a kind of which is what OpenSSL raises
        why = error.strerror or "no certificate in it"
        raise ObjectStoreError(f"cannot use object_stores.swift.ca_file {ca_file}: {why}") from None
    return context


class SwiftConnection(client.HTTPConnection):
    """One connection to a storage URL, kept open between requests. Used by one thread; `abort` by any."""

    def __init__(self, url: str, trust: ssl.SSLContext) -> None:
        super().__init__(url)
        self.most_answer_bytes = MOST_ANSWER_BYTES
        self._sockets = _Sockets()
        self.requests_args["allow_redirects"] = False
        self.request_session = _Session(_Adapter(self._sockets.remember, trust))

    def limit(self, seconds: float) -> None:
        """How long one network operation may take from now on."""
        self.requests_args["timeout"] = seconds

    def getresponse(self) -> requests.Response:
        """As swiftclient's, with a bounded body. One that breaks off does not hide the status."""
        response = super().getresponse()
        unlimited: Callable[[int], bytes] = response.read  # type: ignore[attr-defined]

        def read() -> bytes:
            try:
                body = unlimited(self.most_answer_bytes)
                complete = not body or not unlimited(1)
            except (urllib3.exceptions.HTTPError, OSError):
                body, complete = b"", False
            if not complete:
                response.close()
            return body or NO_BODY

        response.read = read  # type: ignore[attr-defined]
        return response

    def abort(self) -> None:
        """End whatever another thread waits for on this connection, now and later."""
        self._sockets.abort()

    def close(self) -> None:
        """Close everything; a later request connects anew."""
        super().close()
        self._sockets.forget()


class _Sockets:
    """The connection's present socket. Apart from it, for urllib3's pools must not lead back to what they serve."""

    def __init__(self) -> None:
        self._kept: list[socket.socket] = []
        self._aborted = False

    def remember(self, one: socket.socket) -> None:
        self.forget()
        self._kept.append(one.dup())  # TLS takes the socket itself over
        if self._aborted:
            self.abort()

    def forget(self) -> None:
        while self._kept:
            self._kept.pop().close()

    def abort(self) -> None:
        self._aborted = True
        for one in self._kept:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class _Session(SwiftClientRequestsSession):
    """Goes where it is told and nowhere else, whatever the server or the environment say."""

    def __init__(self, adapter: requests.adapters.HTTPAdapter) -> None:
        super().__init__()
        self.headers = None  # type: ignore[assignment]  # as swiftclient has it: none of requests' own
        self.trust_env = False  # proxies, ~/.netrc, CA bundles
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def get_redirect_target(self, resp: requests.Response) -> None:
        """A redirect would carry the token to wherever the server says; and its body is read without a bound."""


class _Adapter(requests.adapters.HTTPAdapter):
    """Tells of each socket as soon as it is connected, and sends in larger pieces than 16 KiB."""

    def __init__(self, remember: Callable[[socket.socket], None], trust: ssl.SSLContext) -> None:
        self._remember = remember
        self._trust = trust
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        options |= {"blocksize": SEND_BYTES, "ssl_context": self._trust}
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _build_pools(self._remember)

    def cert_verify(self, conn: Any, *_: Any, **__: Any) -> None:
        """Nothing to add to what the context knows; requests would load its own authorities into it."""
        conn.cert_reqs = "CERT_REQUIRED"

    def build_connection_pool_key_attributes(
        self, *args: Any, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """As above."""
        host, _ = super().build_connection_pool_key_attributes(*args, **options)
        return host, {"cert_reqs": "CERT_REQUIRED"}

    def close(self) -> None:
        """At once, not when the collector comes by."""
        pools = self.poolmanager.pools
        for key in pools.keys():  # noqa: SIM118 - no mapping
            pools[key].close()
        super().close()


def _build_pools(remember: Callable[[socket.socket], None]) -> dict[str, type]:
    class Connection(urllib3.connection.HTTPConnection):
        def _new_conn(self) -> socket.socket:
            one = super()._new_conn()
            remember(one)
            return one

    class SecureConnection(urllib3.connection.HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            one = super()._new_conn()
            remember(one)
            return one

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}
