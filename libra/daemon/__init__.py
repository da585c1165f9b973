"""Plumbing of a daemon: signals, systemd, detaching."""
