"""Tells systemd how the daemon does: the sd_notify protocol, without a library.

Contract: sd_notify(3) and sd_watchdog_enabled(3).
"""

import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

SOCKET_VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLES = ("WATCHDOG_USEC", "WATCHDOG_PID")
VARIABLES = (SOCKET_VARIABLE, *WATCHDOG_VARIABLES)
SEND_SECONDS = 1.0  # a service manager that does not read must not hold the daemon


@dataclass(frozen=True, slots=True)
class Notifier:
    """Sends states to the socket at `address` ("@name" is an abstract one); silent where there is none."""

    address: str | None = None

    def ready(self, status: str) -> None:
        """The daemon serves: after the start, and after a reload."""
        self.send("READY=1", f"STATUS={_line(status)}")

    def status(self, status: str) -> None:
        """The line that `systemctl status` shows."""
        self.send(f"STATUS={_line(status)}")

    def reloading(self) -> None:
        """Settings are being read again; `ready` must follow."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.send("RELOADING=1", f"MONOTONIC_USEC={microseconds}")

    def stopping(self, status: str, within: timedelta) -> None:
        """The daemon ends itself, and needs up to `within` for it whatever TimeoutStopSec says."""
        microseconds = within // timedelta(microseconds=1)
        self.send("STOPPING=1", f"STATUS={_line(status)}", f"EXTEND_TIMEOUT_USEC={microseconds}")

    def alive(self) -> None:
        """One beat for WatchdogSec."""
        self.send("WATCHDOG=1")

    def send(self, *lines: str) -> None:
        """One datagram; a lost one is no reason to fail, so errors are swallowed."""
        if self.address is None:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with (
            suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
        ):
            sender.settimeout(SEND_SECONDS)
            sender.sendto("\n".join(lines).encode(), name)


def build_notifier(environ: Mapping[str, str]) -> Notifier:
    """The notifier that the service manager asked for; only unix sockets are spoken to."""
    address = environ.get(SOCKET_VARIABLE, "")
    return Notifier(address if address[:1] in ("/", "@") and len(address) > 1 else None)


def parse_watchdog(environ: Mapping[str, str], pid: int) -> timedelta | None:
    """WatchdogSec of the unit, where it is meant for this process."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    text = environ.get("WATCHDOG_USEC", "")
    microseconds = int(text) if text.isascii() and text.isdigit() else 0
    return timedelta(microseconds=microseconds) if microseconds else None


def _line(text: str) -> str:
    """A state is one line: whatever would end it is a space here."""
    return " ".join(text.split())
