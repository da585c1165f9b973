"""What a listener has served so far; sums of it are a load balancer's statistics."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerCounters:
    """Only ever grow, but for `active_connections`. In Octavia's words, which have none for `total_requests`."""

    listener_id: str
    loadbalancer_id: str
    active_connections: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    request_errors: int = 0
    total_connections: int = 0
    total_requests: int = 0
