"""The health monitor: how the members of one pool are checked."""

from dataclasses import dataclass
from enum import Enum

from libra.model.resources.resource import Resource


class HealthMonitorType(Enum):
    """What a check does."""

    HTTP = "HTTP"
    HTTPS = "HTTPS"
    PING = "PING"
    TCP = "TCP"
    TLS_HELLO = "TLS-HELLO"

    @property
    def is_http(self) -> bool:
        """True where a request is made."""
        return self in (HealthMonitorType.HTTP, HealthMonitorType.HTTPS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthMonitor(Resource):
    """`delay` and `timeout` in seconds. The HTTP fields matter for HTTP and HTTPS only.

    `expected_codes` as it came: "200", "200,202" or "200-204".
    """

    loadbalancer_id: str
    pool_id: str
    type: HealthMonitorType
    delay: int
    timeout: int
    max_retries: int
    max_retries_down: int = 3
    http_method: str = "GET"
    url_path: str = "/"
    expected_codes: str = "200"
    http_version: str | None = None
    domain_name: str | None = None
