"""The settings of the API side: controller, API, database, manager, quotas, address pools, web clusters."""

import ipaddress
from pathlib import Path

from pydantic import Field, model_validator

from libra.config.section import Section
from libra.config.types import (
    AbsolutePath,
    AddressRange,
    DatabaseUrl,
    FunctionName,
    Host,
    PluginName,
    Port,
    Seconds,
    Whole,
)
from libra.messages.addresses import parse_ip_address


class ControllerSettings(Section):
    """The controller daemon."""

    key_file: AbsolutePath = Path("/var/lib/libra-controller/secrets.key")
    """The key that secrets in the database are encrypted with; made where it is missing. Every controller on one
    database needs the same."""
    admin_token_file: AbsolutePath = Path("/var/lib/libra-controller/admin-token")
    """An administrator's token, readable by the controller's user only; made where it is missing, and made known to the
    database. Take the file away, and revoke the token, once there are others."""
    function: FunctionName = "libra-controller"
    """The Gearman function by which workers announce themselves; worker.announce_to."""
    pid_file: AbsolutePath = Path("/run/libra-controller/libra-controller.pid")
    """Written with --daemon only."""


class ApiSettings(Section):
    """The REST API."""

    host: Host = "127.0.0.1"
    """Address to listen on. Anything but the loopback address needs TLS, or allow_clear_text."""
    port: Port = 8111
    """TCP port."""
    cert: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/api.pem"])
    """PEM file of the API's certificate, with its chain (TLS)."""
    key: AbsolutePath | None = Field(default=None, examples=["/etc/libra/tls/api.key"])
    """PEM file of the certificate's key (TLS)."""
    allow_clear_text: bool = False
    """Serve beyond the loopback address without TLS, as behind a proxy that ends it."""
    max_body_bytes: Whole = Field(default=2_000_000, ge=1024, le=64_000_000)
    """The largest request body."""
    receive_timeout_seconds: Seconds = Field(default=60.0, gt=0, le=3600)
    """How long a client may take to send one request."""
    max_page: Whole = Field(default=1000, ge=1, le=100_000)
    """The most rows in one answer; more come by paging."""
    max_event_streams: Whole = Field(default=100, ge=0, le=10_000)
    """How many clients may follow events at once; the next one is answered 503."""
    anonymous_metrics: bool = True
    """Answer /metrics without a token."""
    pages: bool = True
    """Serve the page for people at /ui."""

    @property
    def is_local(self) -> bool:
        """True where only this host reaches it."""
        address = parse_ip_address(self.host)
        return self.host == "localhost" or (
            address is not None and ipaddress.ip_address(address).is_loopback
        )

    @model_validator(mode="after")
    def _both_or_none(self) -> "ApiSettings":
        if (self.cert is None) != (self.key is None):
            raise ValueError("TLS needs cert and key together, got only one of them")
        return self

    @model_validator(mode="after")
    def _safe(self) -> "ApiSettings":
        if not self.is_local and self.cert is None and not self.allow_clear_text:
            raise ValueError(
                f"host {self.host} is not the loopback address: give cert and key, or set allow_clear_text"
            )
        return self


class DatabaseSettings(Section):
    """Where the controller keeps everything."""

    url: DatabaseUrl = "sqlite:////var/lib/libra-controller/libra.db"
    """sqlite:////PATH, or postgresql://USER:PASSWORD@HOST:PORT/NAME. LIBRA_DATABASE__URL keeps a password out of the
    file."""
    connections: Whole = Field(default=20, ge=2, le=500)
    """The most connections to PostgreSQL at once."""


class ManagerSettings(Section):
    """What keeps devices as the database says."""

    job_deadline_seconds: Seconds = Field(default=60.0, gt=0, le=86400)
    """How long a change may take until it is ACTIVE or in ERROR."""
    archive_deadline_seconds: Seconds = Field(default=7200.0, gt=0, le=86400)
    """How long the archiving of a log may take."""
    probe_seconds: Seconds = Field(default=10.0, ge=0.1, le=3600)
    """How often each device is asked how it does."""
    probe_deadline_seconds: Seconds = Field(default=5.0, gt=0, le=600)
    """How long a device may take to answer that."""
    repair_seconds: Seconds = Field(default=5.0, gt=0, le=3600)
    """How soon what is in ERROR is tried again; then twice as long each time, up to five minutes."""
    web_grace_seconds: Seconds = Field(default=30.0, ge=0, le=86400)
    """How long a node of a web cluster has to be good again before it gets its place back."""
    web_patience_seconds: Seconds = Field(default=30.0, gt=0, le=3600)
    """How long a node of a web cluster may take to answer after a change, which is taken back then."""
    concurrent_jobs: Whole = Field(default=256, ge=1, le=4096)
    """How many jobs may be under way at once."""
    keep_jobs_days: Whole = Field(default=30, ge=1, le=3650)
    """How long finished jobs are kept."""
    hung_seconds: Seconds = Field(default=30.0, ge=1, le=3600)
    """How long one step of a loop may take. Beyond that /readyz says 503, and systemd restarts the controller."""
    keep_events_days: Whole = Field(default=90, ge=1, le=3650)
    """How long events are kept."""
    keep_rollouts_days: Whole = Field(default=90, ge=1, le=3650)
    """How long rollouts are kept that are complete or aborted."""


class ProviderSettings(Section):
    """Where device pools get their devices from, where they have a provider."""

    inventory: AbsolutePath = Path("/etc/libra/inventory.yaml")
    """static: the hosts of each pool, as `pools: {edge: [{name: web1, address: 10.0.0.11}]}`."""
    local_dir: AbsolutePath = Path("/var/lib/libra-controller/devices")
    """local: where the workers live that are booted on this host; a short path, for there are sockets in it."""
    local_driver: PluginName = "haproxy"
    """local: what drives their proxies; worker.driver."""
    local_most: Whole = Field(default=64, ge=0, le=10_000)
    """local: how many there may be in one pool."""


class AdminSettings(Section):
    """Orders of operators, and what happens to devices when the controller stops."""

    keep_devices: bool = False
    """local: leave the devices of this host running when the controller stops. Else they are destroyed with a clean
    stop of the last controller, and booted again by the next start, with all that they had."""
    require_comment: bool = False
    """Refuse an order at the root of the REST API (as of `libra admin`) that does not say why; see its events."""
    aliases_file: AbsolutePath | None = Field(default=None, examples=["/etc/libra/aliases.json"])
    """JSON file with names for several device pools: {"west": ["edge", "core"]}. Read at the start and on order."""
    limits_file: AbsolutePath | None = Field(default=None, examples=["/etc/libra/limits.json"])
    """JSON file that says how many devices a project may use, -1 for no limit: {"shop": 4}. Read as the other one."""


class QuotaSettings(Section):
    """How many resources a project may have that has no quota of its own; -1 means no limit."""

    load_balancer: Whole = Field(default=-1, ge=-1)
    """Load balancers."""
    listener: Whole = Field(default=-1, ge=-1)
    """Listeners."""
    pool: Whole = Field(default=-1, ge=-1)
    """Pools."""
    member: Whole = Field(default=-1, ge=-1)
    """Members."""
    health_monitor: Whole = Field(default=-1, ge=-1)
    """Health monitors."""
    l7policy: Whole = Field(default=-1, ge=-1)
    """L7 policies of listeners."""
    l7rule: Whole = Field(default=-1, ge=-1)
    """L7 rules of policies."""


class WebClusterSettings(Section):
    """Web clusters: several devices that serve one endpoint together."""

    first_port: Port = 20_000
    """From here on ports are chosen for web clusters that name none, when they start first."""
    last_port: Port = 20_999
    """The last of these. They must be free on every device, and below what the kernel gives to clients."""

    @model_validator(mode="after")
    def _some_ports(self) -> "WebClusterSettings":
        if self.last_port < self.first_port:
            raise ValueError(
                f"last_port {self.last_port} is before first_port {self.first_port}; it must not be"
            )
        return self


class AddressPoolSettings(Section):
    """Addresses that belong to load balancers."""

    name: PluginName = "default"
    """What a client names as its subnet or network."""
    ranges: tuple[AddressRange, ...] = Field(
        default=("127.0.1.0/24",), min_length=1, max_length=256
    )
    """Networks (10.0.0.0/24), ranges (10.0.0.10-10.0.0.99) and single addresses; IPv4 or IPv6. The first and the last
    address of an IPv4 network of more than two addresses are left out."""
