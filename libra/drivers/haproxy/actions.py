"""The steps from what runs to what should run: a closed set, each of them harmless when done twice."""

from dataclasses import dataclass

from libra.drivers.haproxy.config import Check, Material, Server


@dataclass(frozen=True, slots=True)
class SetWeight:
    """Weight of a running server; 0 drains it. `recheck`: nothing new before its next check has passed."""

    backend: str
    server: str
    weight: int
    recheck: bool = False


@dataclass(frozen=True, slots=True)
class SetAddress:
    """Where a running server is; `address` is an IP address."""

    backend: str
    server: str
    address: str
    port: int


@dataclass(frozen=True, slots=True)
class SetReady:
    """Take a server out of maintenance; `checked` where its backend checks its servers."""

    backend: str
    server: str
    checked: bool = False


@dataclass(frozen=True, slots=True)
class SetMaint:
    """Put a server into maintenance: nothing new goes there, what it serves it ends."""

    backend: str
    server: str


@dataclass(frozen=True, slots=True)
class AddServer:
    """A new server, checked as its backend says, with or without the backend's cookie. `tls` are HAProxy's words for
    how it is spoken to; empty where that is in the clear.
    """

    backend: str
    server: Server
    check: Check | None
    with_cookie: bool
    send_proxy: str | None = None
    tls: str = ""


@dataclass(frozen=True, slots=True)
class RemoveServer:
    """A server that goes: maintenance at once, away as soon as it serves nothing any more."""

    backend: str
    server: str


@dataclass(frozen=True, slots=True)
class EnableFrontend:
    """Listen again."""

    frontend: str


@dataclass(frozen=True, slots=True)
class DisableFrontend:
    """Refuse new connections."""

    frontend: str


@dataclass(frozen=True, slots=True)
class SetCertificate:
    """The renewed content of a certificate that is loaded."""

    material: Material


@dataclass(frozen=True, slots=True)
class SetMap:
    """The new lines of a map that is loaded: all at once, or the values of these keys, where nothing else differs."""

    material: Material
    changes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reload:
    """Start a new process from the installed file; `reasons` are sentences for people."""

    reasons: tuple[str, ...]


LineAction = (
    SetWeight
    | SetAddress
    | SetReady
    | SetMaint
    | AddServer
    | RemoveServer
    | EnableFrontend
    | DisableFrontend
)
"""What single lines on the admin socket do."""

RuntimeAction = LineAction | SetCertificate | SetMap
Action = RuntimeAction | Reload
