"""Free TCP ports on the loopback address, and waiting for something to happen on one."""

import contextlib
import socket
import time
from collections.abc import Callable

LOOPBACK = "127.0.0.1"


def free_ports(count: int) -> tuple[int, ...]:
    """Ports that were free a moment ago, all different: they are held together, then let go."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((LOOPBACK, 0))) for _ in range(count)]
        return tuple(item.getsockname()[1] for item in sockets)


def free_port() -> int:
    """One port that was free a moment ago."""
    return free_ports(1)[0]


def accepts(port: int, host: str = LOOPBACK) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((host, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def wait_until(
    condition: Callable[[], object], *, timeout: float = 10.0, what: str = "the condition"
) -> None:
    """Return once `condition()` is true; an AssertionError names `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"waited {timeout} s in vain for {what}"
        time.sleep(0.005)


def wait_for_port(port: int, *, timeout: float = 10.0) -> None:
    """Return once somebody listens on the port."""
    wait_until(lambda: accepts(port), timeout=timeout, what=f"a listener on port {port}")
