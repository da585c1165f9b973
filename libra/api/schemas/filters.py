"""What lists are filtered by that is no column of the kind itself, or is shown as something else."""

from collections.abc import Mapping
from typing import Any

from libra.model.quota import Quota
from libra.model.resources.l7policy import L7Policy
from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.monitor import HealthMonitor, HealthMonitorType
from libra.model.resources.pool import Pool

ALIASES: Mapping[Any, Mapping[str, str]] = {
    Listener: {"loadbalancers": "loadbalancer_id"},
    Pool: {"loadbalancers": "loadbalancer_id"},
    HealthMonitor: {"pools": "pool_id"},
    Quota: {"loadbalancer": "load_balancer", "healthmonitor": "health_monitor"},
}
"""Other names, such as those of lists of one."""

PARTS: Mapping[Any, Mapping[str, tuple[str, str]]] = {
    LoadBalancer: {
        "listeners": ("listeners", "loadbalancer_id"),
        "pools": ("pools", "loadbalancer_id"),
    },
    Listener: {"l7policies": ("l7policies", "listener_id")},
    L7Policy: {"rules": ("l7rules", "l7policy_id")},
    Pool: {
        "listeners": ("listeners", "default_pool_id"),
        "members": ("members", "pool_id"),
        "healthmonitor_id": ("monitors", "pool_id"),
    },
}
"""Where the part of that name is kept, and which field of it refers to the kind."""

SINGLE = frozenset(("healthmonitor_id",))
"""Parts of which there is one or none, which null finds."""

ONLY: Mapping[Any, Mapping[str, tuple[str, frozenset[Any]]]] = {
    HealthMonitor: dict.fromkeys(
        ("http_method", "url_path", "expected_codes"),
        ("type", frozenset(item for item in HealthMonitorType if item.is_http)),
    ),
}
"""Shown only of rows where another field has one of these values, and null of the others, whatever is stored."""
