"""Free TCP ports on the loopback address, and waiting for something to happen on one."""

import ipaddress
import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

LOOPBACK = "127.0.0.1"
SHORTEST_PAUSE, LONGEST_PAUSE = 0.005, 0.1
CANDIDATES = (15_000, 32_000)
# The states as /proc/net/tcp writes them: numbers of the kernel, tcp_states.h.
LISTENING = "0A"
_CHANCE = random.SystemRandom()


def free_ports(count: int) -> tuple[int, ...]:
    """Different ones, all bound at once so that they are.

    Below the range from which the kernel gives ports to connections: one of those could be taken a moment later.
    """
    with ExitStack() as held:
        return tuple(_hold_port(held) for _ in range(count))


def _hold_port(held: ExitStack) -> int:
    while True:
        port = _CHANCE.randrange(*CANDIDATES)
        probe = held.enter_context(socket.socket())
        try:
            probe.bind(("", port))
        except OSError:
            continue
        return port


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


def local_ends() -> Iterator[tuple[ipaddress.IPv4Address, int, str]]:
    """The IPv4 TCP sockets of this thread's host: each one's own address, its port, and its state."""
    for line in Path("/proc/thread-self/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        address, _, port = local.partition(":")
        number = int.from_bytes(bytes.fromhex(address), "little")
        yield ipaddress.IPv4Address(number), int(port, 16), state


def wait_until(
    condition: Callable[[], object], *, timeout: float = 60.0, what: str = "the condition"
) -> None:
    """Return once `condition()` is true; an AssertionError names `what` after `timeout` seconds."""
    began = time.monotonic()
    deadline = began + timeout
    while True:
        asked = time.monotonic()
        if condition():
            return
        now = time.monotonic()
        assert now < deadline, f"waited {timeout} s in vain for {what}"
        # Whoever is asked has its work to do on the same few cores.
        pause = max(SHORTEST_PAUSE, 3 * (now - asked), (now - began) / 8)
        time.sleep(min(pause, LONGEST_PAUSE))


def wait_for_port(port: int, *, timeout: float = 10.0) -> None:
    """Return once somebody listens on the port."""
    wait_until(lambda: accepts(port), timeout=timeout, what=f"a listener on port {port}")
