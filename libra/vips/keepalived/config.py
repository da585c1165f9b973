"""keepalived's configuration as text: equal wanted addresses and settings give equal bytes. Pure.

Each address is a virtual router of its own. keepalived drops the advertisements of a router whose list of addresses
differs from its own, so while hosts with one router for all are changed one after the other, two of them would be
masters; and no host could have one address while another has the next.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from libra.errors import AddressRefused, DriverError
from libra.messages.fields import quoted
from libra.vips.base import Address, parse_address
from libra.vips.plan import Network, allowed_only

ROUTERS = 255  # virtual router ids, of each family on one network
MARK = "# Written by libra, which refuses changes made by hand: "
REFRESH_SECONDS = (
    10  # between reminders of who has an address, for neighbours that missed the first
)
# In whole seconds. A host with much to do is no reason to hand over: the check knows at once what is gone.
CHECK_SECONDS, CHECK_TIMEOUT = 1, 10
_LIST = "# addresses:"
_HEAD = re.compile(re.escape(MARK) + r"([0-9a-f]{64})\n(.*)", re.DOTALL)
# Everything else may have a meaning: blanks, quotes and braces, # and ! for comments, $ and @ and ~ at some places.
_WORD = re.compile(r"[A-Za-z0-9_/.-][A-Za-z0-9_/.:+=,-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Vrrp:
    """How this host takes part. `router_id` is that of the first address of `networks`.

    `sources` has the address to send from for each of `peers` of its family; without peers it is multicast.
    """

    networks: tuple[Network, ...]
    interface: str
    router_id: int
    priority: int
    advert_seconds: float
    preempt: bool = False
    preempt_delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What keepalived runs every second, as whom, and where the answers for each address stand."""

    command: tuple[str, ...]
    user: str
    group: str
    directory: Path


@dataclass(frozen=True, slots=True)
class Unicast:
    """Where advertisements of one family go, and from which address."""

    source: Address
    peers: tuple[Address, ...]


def router_ids(addresses: Iterable[Address], vrrp: Vrrp) -> dict[Address, int]:
    """In order; raises `AddressRefused` where the settings do not allow one, or two of a family would share an id."""
    found: dict[Address, int] = {}
    taken: dict[tuple[int, int], Address] = {}
    for address in sorted(addresses, key=lambda one: (one.version, int(one))):
        number = (vrrp.router_id - 1 + _position(address, vrrp.networks)) % ROUTERS + 1
        other = taken.setdefault((address.version, number), address)
        if other != address:
            raise AddressRefused(
                f"cannot take the address {address}: its virtual router id {number} is that of {other}"
            )
        found[address] = number
    return found


def _position(address: Address, networks: tuple[Network, ...]) -> int:
    """Its place among the allowed ones of its family; raises `AddressRefused`."""
    allowed_only(address, networks)
    before = 0
    for network in networks:
        if address in network:
            return before + int(address) - int(network.network_address)
        before += network.num_addresses if network.version == address.version else 0
    raise AssertionError(address)


def render(
    addresses: Iterable[Address],
    vrrp: Vrrp,
    check: Check,
    unicast: dict[int, Unicast],
    reload_file: Path,
) -> str:
    """The whole file. `unicast` is by IP version. Raises `AddressRefused`, `DriverError`."""
    routers = router_ids(addresses, vrrp)
    parts = [_render_globals(check, reload_file)]
    if routers:
        parts.append(_render_check(check))
    for address, number in routers.items():
        parts += [
            _render_file(address, check.directory),
            _render_router(address, number, vrrp, unicast.get(address.version)),
        ]
    body = f"{_LIST} {' '.join(map(str, routers))}".rstrip() + "\n" + "".join(parts)
    return f"{MARK}{hashlib.sha256(body.encode()).hexdigest()}\n{body}"


def addresses_in(text: str) -> frozenset[Address] | None:
    """Those that a text of ours is for; None where it is not as libra wrote it."""
    match = _HEAD.fullmatch(text)
    if match is None or hashlib.sha256(match[2].encode()).hexdigest() != match[1]:
        return None
    words = match[2].partition("\n")[0].removeprefix(_LIST).split()
    return frozenset(address for address in map(parse_address, words) if address is not None)


def _render_globals(check: Check, reload_file: Path) -> str:
    """keepalived's own rule for a script of root's is not asked for: who may change that file may change the worker."""
    security = "" if check.user == "root" else "    enable_script_security\n"
    return f"""global_defs {{
    router_id libra
    process_names
    reload_file {_word(reload_file)}
    script_user {_word(check.user)} {_word(check.group)}
{security}    vrrp_garp_master_refresh {REFRESH_SECONDS}
}}
"""


def _render_check(check: Check) -> str:
    """Failed at once: it says itself how patient it is."""
    return f"""vrrp_script proxy {{
    script "{" ".join(map(_word, check.command))}"
    interval {CHECK_SECONDS}
    timeout {CHECK_TIMEOUT}
    fall 1
    rise 1
}}
"""


def _render_file(address: Address, directory: Path) -> str:
    return f"""track_file {address} {{
    file {_word(directory / str(address))}
    weight 0
    init_file 1
}}
"""


def _render_router(address: Address, number: int, vrrp: Vrrp, unicast: Unicast | None) -> str:
    preempt = (
        f"preempt_delay {_seconds(vrrp.preempt_delay_seconds)}" if vrrp.preempt else "nopreempt"
    )
    interface = _word(vrrp.interface)
    return f"""vrrp_instance {address} {{
    version 3
    state BACKUP
    interface {interface}
    virtual_router_id {number}
    priority {vrrp.priority}
    advert_int {_seconds(vrrp.advert_seconds)}
    {preempt}
{_render_unicast(unicast)}    track_script {{
        proxy
    }}
    track_file {{
        {address}
    }}
    virtual_ipaddress {{
        {address}/{address.max_prefixlen} dev {interface}
    }}
}}
"""


def _render_unicast(unicast: Unicast | None) -> str:
    if unicast is None:
        return ""
    peers = "".join(f"        {peer}\n" for peer in unicast.peers)
    return f"    unicast_src_ip {unicast.source}\n    unicast_peer {{\n{peers}    }}\n"


def _seconds(value: float) -> str:
    """VRRP counts hundredths."""
    return f"{value:.2f}"


def _word(value: object) -> str:
    text = str(value)
    if _WORD.fullmatch(text) is None:
        raise DriverError(
            f"cannot use {quoted(text)} in keepalived's configuration: only letters, digits and _ / . : + = , - fit"
        )
    return text
