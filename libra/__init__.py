"""libra: load balancing as a service, on plain hosts with HAProxy."""

__version__ = "0.1.0"
