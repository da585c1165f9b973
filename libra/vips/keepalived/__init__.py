"""Addresses that hosts hand over to each other by VRRP, without any controller: keepalived does it."""
