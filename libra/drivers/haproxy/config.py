"""HAProxy's configuration as typed data: what `build` makes and `render` writes. No I/O."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

SOURCE = "source"  # the algorithm that goes by the client's address


class Mode(Enum):
    """What a proxy speaks."""

    HTTP = "http"
    TCP = "tcp"


class ServerState(Enum):
    """The state a server starts in."""

    READY = "ready"
    DRAIN = "drain"  # rendered as weight 0, which is what HAProxy makes of it
    MAINT = "maint"


@dataclass(frozen=True, slots=True)
class Server:
    """One line `server`. `address` is an IP address or a host name; `id` only where its backend is `numbered`."""

    name: str
    address: str
    port: int
    weight: int = 1
    state: ServerState = ServerState.READY
    backup: bool = False
    id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How every server of a backend is checked; `uri` None means that a connection is enough."""

    interval: timedelta
    timeout: timedelta
    attempts: int
    uri: str | None = None
    expected_codes: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One section `backend`. `cookie` ties clients by a cookie of that name, `stick` by their address."""

    name: str
    mode: Mode
    balance: str
    servers: tuple[Server, ...]
    check: Check | None = None
    cookie: str | None = None
    stick: bool = False
    timeout_server: timedelta | None = None
    timeout_connect: timedelta | None = None
    retries: int | None = None

    @property
    def numbered(self) -> bool:
        """True where a client's server is found by its number, which then must not change."""
        return self.stick or self.balance == SOURCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One section `frontend`. `bind_address` None means every IPv4 address; a disabled one does not listen."""

    name: str
    mode: Mode
    port: int
    backend: str
    bind_address: str | None = None
    max_connections: int | None = None
    forward_for: bool = False
    timeout_client: timedelta | None = None
    disabled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the host's settings put into the file, the same for every load balancer.

    `version` is HAProxy's (major, minor, patch), for a few lines that older ones do not know.
    `peers_socket` and `clients_file` keep clients at their servers over a reload, where their address ties them.
    """

    admin_socket: str
    log_target: str
    version: tuple[int, ...]
    hard_stop_after: timedelta
    server_state_file: str | None = None
    peers_socket: str | None = None
    clients_file: str | None = None
    user: str | None = None
    group: str | None = None
    extra_global: tuple[str, ...] = ()
    extra_defaults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole file."""

    options: Options
    frontends: tuple[Frontend, ...] = ()
    backends: tuple[Backend, ...] = ()

    @property
    def ties_by_address(self) -> bool:
        """True where some backend has a stick table."""
        return any(backend.stick for backend in self.backends)
