"""Drivers: what makes the proxy on this host be what the desired state says."""
