"""HAProxy's configuration as typed data: what `build` makes and `render` writes. No I/O."""

import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from functools import cached_property
from typing import NamedTuple

SOURCE = "source"  # the algorithm that goes by the client's address
CLIENT_PORT = "sess.libra_port"
BY_CONNECTION = f"hash src,concat(:,{CLIENT_PORT})"  # and by its port; since 2.6


class Mode(Enum):
    """What a proxy speaks."""

    HTTP = "http"
    TCP = "tcp"


class ServerState(Enum):
    """The state a server starts in."""

    READY = "ready"
    DRAIN = "drain"  # rendered as weight 0, which is what HAProxy makes of it
    MAINT = "maint"


class Server(NamedTuple):
    """One line `server`: a tuple, for there are thousands. `address` is an IP address or a host name.

    `id` only where its backend is `numbered`; it is checked at `check_address` and `check_port` where they are given.
    """

    name: str
    address: str
    port: int
    weight: int = 1
    state: ServerState = ServerState.READY
    backup: bool = False
    id: int | None = None
    check_address: str | None = None
    check_port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """How every server of a backend is checked; `uri` None means that a connection is enough, or a hello with `hello`.

    `attempts` for the better, `attempts_down` for the worse where that is another number. `tls`: the request goes over
    TLS, whose certificate is not checked. `host` makes it HTTP/1.1.
    """

    interval: timedelta
    timeout: timedelta
    attempts: int
    attempts_down: int | None = None
    uri: str | None = None
    expected_codes: tuple[tuple[int, int], ...] = ()
    method: str = "GET"
    http_version: str | None = None
    host: str | None = None
    tls: bool = False
    hello: bool = False


@dataclass(frozen=True, slots=True)
class Rewrite:
    """How requests of a web service reach its members: `base` in place of `path`, and what they are told.

    Without `upgrades` they are not asked to speak another protocol.
    """

    path: str
    base: str
    port: str
    scheme: str
    upgrades: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """One section `backend`. `cookie` ties clients by a cookie of that name, `stick` by their address, `stick_cookie`
    by a cookie of the servers' own, for `stick_expiry`. `send_proxy` is the keyword of a PROXY header. `pinged` says
    that the worker checks its servers in place of HAProxy.
    """

    name: str
    mode: Mode
    balance: str
    servers: tuple[Server, ...]
    check: Check | None = None
    pinged: bool = False
    cookie: str | None = None
    stick: bool = False
    stick_cookie: str | None = None
    stick_expiry: timedelta | None = None
    send_proxy: str | None = None
    timeout_server: timedelta | None = None
    timeout_connect: timedelta | None = None
    retries: int | None = None
    timeout_tunnel: timedelta | None = None
    rewrite: Rewrite | None = None
    tls: "ServerTls | None" = None

    @property
    def materials(self) -> "tuple[Material, ...]":
        """Every file that it names."""
        tls = self.tls
        given = (tls.certificate, tls.authorities, tls.revocations) if tls else ()
        return tuple(item for item in given if item is not None)

    @property
    def numbered(self) -> bool:
        """True where a client's server is found by its number, which then must not change."""
        return self.has_table or self.balance == SOURCE

    @property
    def has_table(self) -> bool:
        """True where it remembers clients."""
        return self.stick or self.stick_cookie is not None


@dataclass(frozen=True)
class Material:
    """A file that HAProxy reads beside its configuration, such as a certificate with its key.

    Its name holds `stem`, which stays the same when its content is renewed, and the digest of the content. So an old
    text finds its old file. `entries` are the keys and values of one that is a map.
    """

    stem: str
    suffix: str  # pem or map
    content: str = field(repr=False)
    entries: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @cached_property
    def digest(self) -> str:
        """Of the content, short."""
        return hashlib.sha256(self.content.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        """Of the file."""
        return f"{self.stem}.{self.digest}.{self.suffix}"

    @property
    def blank(self) -> "Material":
        """Itself with no content: what does not change when it is renewed."""
        return Material(self.stem, self.suffix, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsChoice:
    """What is spoken; None leaves HAProxy's defaults."""

    least_version: str | None = None
    last_version: str | None = None
    ciphers: str | None = None  # up to TLS 1.2
    ciphersuites: str | None = None  # of TLS 1.3
    alpn: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerTls(TlsChoice):
    """How a backend's servers are spoken to: `certificate` is shown to them, `authorities` is who signs theirs."""

    certificate: Material | None = None
    authorities: Material | None = None
    revocations: Material | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsBind(TlsChoice):
    """How a frontend ends TLS; the first certificate is for clients that ask for no other.

    A `lenient` one lets clients in whose certificate is no good, for rules that look at it.
    """

    certificates: tuple[Material, ...]
    verify: str | None = None  # optional or required
    client_ca: Material | None = None
    client_crl: Material | None = None
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Redirection:
    """Where clients are sent, with which status."""

    url: str
    code: int


@dataclass(frozen=True, slots=True)
class Route:
    """What is below a path goes to a backend, elsewhere, or to the server of web services under its key."""

    path: str
    backend: str | None = None
    redirection: Redirection | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """Whether what `fetch` finds of a request compares with `value`; `match` are the words in between."""

    fetch: str
    match: str
    value: str
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """What happens to requests that all conditions are true of: denied unless they go to a backend or elsewhere.

    `prefix` puts their own path behind the URL. `tolerant`: also with a certificate that is no good.
    """

    conditions: tuple[Condition, ...]
    backend: str | None = None
    redirection: Redirection | None = None
    prefix: bool = False
    tolerant: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontend:
    """One section `frontend`. `bind_address` None means every IPv4 address; a disabled one does not listen.

    Without `backend` it answers 503, or closes. `told` are request headers and what they hold, `hsts` the value of
    that header. Only clients in the networks of `allowed` may come, where it is given. `branches` stand in the order in
    which they are tried.

    With `routes`, the one with the longest path that fits decides, and without one that fits it answers 404, also where
    there are none: `paths` is a map of all but "/" to their places in `routes`. `threads` is how many of HAProxy's
    serve it; a `quiet` one logs nothing; a `shared` port may be somebody else's, too. With `statuses`, a map from nodes
    to their status, it answers health checks by that, and nothing else.
    """

    name: str
    mode: Mode
    port: int
    backend: str | None
    bind_address: str | None = None
    max_connections: int | None = None
    forward_for: bool = False
    timeout_client: timedelta | None = None
    disabled: bool = False
    told: tuple[tuple[str, str], ...] = ()
    hsts: str | None = None
    inspect_delay: timedelta | None = None
    allowed: Material | None = None
    tls: TlsBind | None = None
    branches: tuple[Branch, ...] = ()
    routes: tuple[Route, ...] | None = None
    paths: Material | None = None
    only_ipv6: bool = False
    backlog: int | None = None
    threads: int | None = None
    quiet: bool = False
    shared: bool = False
    statuses: Material | None = None

    @property
    def has_local(self) -> bool:
        """True where something is answered by the server of web services."""
        return any(route.service is not None for route in self.routes or ())

    @property
    def maps(self) -> tuple[Material, ...]:
        """Those whose content changes at runtime."""
        return tuple(item for item in (self.allowed, self.statuses) if item is not None)

    @property
    def materials(self) -> tuple[Material, ...]:
        """Every file that it names."""
        tls = self.tls
        given = [self.allowed, self.paths, self.statuses]
        given += [tls.client_ca, tls.client_crl] if tls else []
        return (*(tls.certificates if tls else ()), *(item for item in given if item is not None))


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the host's settings put into the file, the same for every load balancer.

    `version` is HAProxy's (major, minor, patch), for a few lines that older ones do not know.
    `material_dir` is where certificates and maps are. `peers_socket` and `clients_file` keep clients at their servers
    over a reload, where their address ties them. `serving_socket` is where the server of web services listens;
    `processors` how many threads HAProxy has by itself; `health_reporter` where it answers health checks of nodes.
    """

    admin_socket: str
    log_target: str
    version: tuple[int, ...]
    hard_stop_after: timedelta
    server_state_file: str | None = None
    peers_socket: str | None = None
    clients_file: str | None = None
    material_dir: str = "/nonexistent"
    serving_socket: str | None = None
    processors: int = 1
    health_reporter: tuple[str, int] | None = None
    user: str | None = None
    group: str | None = None
    extra_global: tuple[str, ...] = ()
    extra_defaults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stands in the file once, where a section needs it: peers, the server of web services, threads."""

    has_tables: bool = False
    has_local: bool = False
    threads: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The whole file."""

    options: Options
    frontends: tuple[Frontend, ...] = ()
    backends: tuple[Backend, ...] = ()

    @property
    def ties_by_address(self) -> bool:
        """True where some backend ties clients by their address."""
        return any(backend.stick for backend in self.backends)

    @property
    def has_tables(self) -> bool:
        """True where some backend has a stick table."""
        return any(backend.has_table for backend in self.backends)

    @property
    def around(self) -> "Surroundings":
        """What the rest of the file has to have for its sections."""
        return Surroundings(
            has_tables=self.has_tables,
            has_local=any(item.has_local for item in self.frontends),
            threads=max((item.threads or 0 for item in self.frontends), default=0),
        )

    @property
    def materials(self) -> tuple[Material, ...]:
        """Every file beside it, each once."""
        files = [item for frontend in self.frontends for item in frontend.materials]
        files += (item for backend in self.backends for item in backend.materials)
        return tuple({item.name: item for item in files}.values())
