"""How a member does by its pings, and what HAProxy has to be told of it. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from libra.drivers.haproxy.observe import UNKNOWN
from libra.drivers.haproxy.pinging.targets import ServerKey, Target
from libra.drivers.haproxy.runtime import build_command

_MAINTENANCE = 0x01 | 0x02 | 0x20  # srv_admin_state: forced, inherited, without an address
_STOPPED, _STARTING, _RUNNING = 0, 1, 2  # srv_op_state


class PingOutcome(Enum):
    """What came of one ping, in the style of HAProxy's words for checks."""

    ANSWERED = "L3OK"
    SILENT = "L3TOUT"
    UNREACHABLE = "L3CON"


class Health(NamedTuple):
    """`is_up` is None until HAProxy has said what it takes the server for; `run` counts outcomes in a row that speak
    against it.
    """

    is_up: bool | None = None
    run: int = 0

    def after(self, target: Target, outcome: PingOutcome) -> "Health":
        """With one more outcome."""
        answered = outcome is PingOutcome.ANSWERED
        if self.is_up is None or self.is_up is answered:
            return Health(self.is_up)
        needed = target.rise if answered else target.fall
        return Health(answered) if self.run + 1 >= needed else Health(self.is_up, self.run + 1)


@dataclass(frozen=True, slots=True)
class Seen:
    """A server as it runs. `address` None where its name has not been resolved; an `out` one is in maintenance."""

    address: str | None
    state: int
    out: bool

    @property
    def is_up(self) -> bool:
        """Whether it takes anything."""
        return self.state != _STOPPED

    def agrees(self, *, is_up: bool) -> bool:
        """Whether HAProxy need not be told. One that only finishes what it has is not up."""
        return self.state in (_STARTING, _RUNNING) if is_up else self.state == _STOPPED


def parse_seen(text: str, keys: Iterable[ServerKey]) -> dict[ServerKey, Seen]:
    """These servers of the answer to `show servers state`; raises `ValueError` on another format."""
    lines = text.splitlines()
    if len(lines) < 2 or lines[0].strip() != "1" or not lines[1].startswith("# "):
        raise ValueError("cannot read the answer to 'show servers state': not its format 1")
    names = lines[1][2:].split(" ")
    backend, name = names.index("be_name"), names.index("srv_name")
    places = [names.index(item) for item in ("srv_addr", "srv_op_state", "srv_admin_state")]
    wanted, seen = set(keys), {}
    for row in (line.split(" ") for line in lines[2:] if line):
        key = (row[backend], row[name])
        if key in wanted:
            address, state, admin = (row[place] for place in places)
            out = bool(int(admin) & _MAINTENANCE)
            seen[key] = Seen(None if address == UNKNOWN else address, int(state), out)
    return seen


def render_health(changes: Mapping[ServerKey, bool]) -> list[str]:
    """Commands of the admin socket; each may be repeated without harm."""
    return [
        build_command("set", "server", f"{backend}/{server}", "health", "up" if is_up else "down")
        for (backend, server), is_up in changes.items()
    ]
