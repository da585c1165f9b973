"""A listener: where a load balancer takes connections."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from libra.model.pool import Pool


class Protocol(Enum):
    """What a listener speaks."""

    HTTP = "HTTP"
    TCP = "TCP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """None leaves the driver's default."""

    client: timedelta | None = None
    server: timedelta | None = None
    connect: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Where connections come in; `id` is unique on a device.

    `bind_address` None means every IPv4 address of the device; `connection_limit` None means no limit."""

    id: str
    protocol: Protocol
    port: int
    pool: Pool
    bind_address: str | None = None
    connection_limit: int | None = None
    x_forwarded_for: bool = False
    timeouts: Timeouts = Timeouts()
    connect_retries: int | None = None
