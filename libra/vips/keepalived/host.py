"""Whether a program may listen on addresses that are not this host's."""

import os
from collections.abc import Iterable
from pathlib import Path

from libra.errors import DriverError

SWITCHES = {
    4: Path("/proc/sys/net/ipv4/ip_nonlocal_bind"),
    6: Path("/proc/sys/net/ipv6/ip_nonlocal_bind"),
}


def let_bind(versions: Iterable[int]) -> None:
    """Let programs listen on addresses that another host has now; raises `DriverError` that says what to do."""
    for version in sorted(set(versions)):
        if not _allows(version):
            _allow(version)


def ensure_can_bind(versions: Iterable[int]) -> None:
    """Raises where `let_bind` would."""
    for version in sorted(set(versions)):
        if not _allows(version) and not os.access(SWITCHES[version], os.W_OK):
            raise _refused(version)


def _allows(version: int) -> bool:
    try:
        return SWITCHES[version].read_text().strip() != "0"
    except OSError:
        return False


def _allow(version: int) -> None:
    try:
        SWITCHES[version].write_text("1\n")
    except OSError as error:
        raise _refused(version) from error


def _refused(version: int) -> DriverError:
    name = f"net.ipv{version}.ip_nonlocal_bind"
    return DriverError(
        f"cannot let HAProxy listen on an address that another host has: {name} is 0 and not this user's to"
        f" set; write '{name} = 1' into /etc/sysctl.d and run 'sysctl --system'"
    )
