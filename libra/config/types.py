"""The types of settings: what a value must be, checked and in words.

`Takes` holds the words. They complete "must be ..." in an error and stand in the reference, so both say the same.
"""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BeforeValidator, Field

from libra.messages.addresses import parse_host_name, parse_ip_address
from libra.messages.fields import has_control_characters

MAX_SOCKET_PATH = 90  # HAProxy binds a longer temporary name beside it; the kernel's limit is 107
MAX_LINE = 1024
_SECTION_WORDS = frozenset(
    (
        *("acme", "backend", "cache", "crt-store", "defaults", "dynamic-update", "fcgi-app"),
        *("frontend", "global", "healthcheck", "http-errors", "listen", "log-forward"),
        *("log-profile", "mailers", "namespace_list", "peers", "program", "resolvers", "ring"),
        *("traces", "userlist"),
    )
)
_KEYWORD = re.compile(r"[a-z][a-z0-9._-]*")
_FUNCTION_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SOCKET_PATH = re.compile(r"/[A-Za-z0-9._/@+=~-]+")

E = TypeVar("E", bound=Enum)


@dataclass(frozen=True, slots=True)
class Takes:
    """What a setting takes, in words that follow "must be"."""

    words: str


def _check(holds: Callable[[str], bool]) -> AfterValidator:
    def check(value: str) -> str:
        if not holds(value):
            raise ValueError("refused")  # the sentence is built from Takes
        return value

    return AfterValidator(check)


def _matches(pattern: str) -> AfterValidator:
    compiled = re.compile(pattern)
    return _check(lambda value: compiled.fullmatch(value) is not None)


def parse_host(value: str) -> str:
    """An address in its canonical form ("[::1]" loses its brackets), or a name in lower case; raises ValueError."""
    literal = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    host = parse_ip_address(literal) or parse_host_name(value)
    if host is None:
        raise ValueError("refused")
    return host


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or has_control_characters(str(path)):
        raise ValueError("refused")
    return path


def _short_socket(path: Path) -> Path:
    """HAProxy reads a comma in it as a second address, and a quote or a blank as the end of the word."""
    if len(str(path)) > MAX_SOCKET_PATH or not _SOCKET_PATH.fullmatch(str(path)):
        raise ValueError("refused")
    return path


def stays_in_section(line: str) -> bool:
    """True for a line that cannot end its section of HAProxy's file.

    The first word must be bare: HAProxy removes quotes and backslashes before it compares, so that
    `"frontend" x` opens a section too. A dot begins .if and its kin, which could hide what follows.
    """
    first, *_ = line.split(maxsplit=1) or [""]
    return (
        len(line) <= MAX_LINE
        and not has_control_characters(line)
        and _KEYWORD.fullmatch(first) is not None
        and first not in _SECTION_WORDS
    )


def is_function_name(name: str) -> bool:
    """True for what a worker may be called."""
    return _FUNCTION_NAME.fullmatch(name) is not None


def _refuse_flag(value: object) -> object:
    """`true` is no 1."""
    if isinstance(value, bool):
        raise ValueError("refused")
    return value


def _fold(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


Whole = Annotated[int, BeforeValidator(_refuse_flag)]
Seconds = Annotated[float, BeforeValidator(_refuse_flag)]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Host = Annotated[str, AfterValidator(parse_host), Takes("a host name, or an IPv4 or IPv6 address")]
AbsolutePath = Annotated[Path, AfterValidator(_absolute), Takes("an absolute path")]
SocketPath = Annotated[
    Path,
    AfterValidator(_short_socket),
    Takes(
        f"an absolute path of at most {MAX_SOCKET_PATH} characters, of letters, digits and . _ / @ + = ~ -"
    ),
]
FunctionName = Annotated[
    str,
    _check(is_function_name),
    Takes("a name of up to 128 letters, digits and . _ - that starts with a letter or digit"),
]
PLUGIN_NAME = r"[a-z][a-z0-9_-]{0,63}"
PluginName = Annotated[
    str,
    _matches(PLUGIN_NAME),
    Takes("a name of lower-case letters, digits, _ and -"),
]
AccountName = Annotated[
    str,
    _matches(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"),
    Takes("a user or group name of up to 32 letters, digits and _ . -"),
]
LogTarget = Annotated[
    str,
    _matches(r"[A-Za-z0-9._/@:\[\]-]{1,255}"),
    Takes("where HAProxy can log to (a socket's path, ADDRESS:PORT, stdout, ring@NAME)"),
]
ConfigLine = Annotated[
    str,
    _check(stays_in_section),
    Takes(
        "a line for HAProxy that starts with a keyword of this section "
        "(not with another section's name, a quote or a dot)"
    ),
]
EndpointPattern = Annotated[
    str,
    _matches(r"(?=[!-~]{1,2048}$)[a-z*?]+://[^/@\\#]+(/[^\\#]*)?"),
    Takes("a pattern of URLs without spaces, as https://swift.example.com/*"),
]
ServiceUrl = Annotated[
    str,
    _matches(r"https?://[^/@\\#?\x00-\x20\x7f]+(/[!-~]*)?"),
    Takes("an http or https URL without a user, as https://keystone.example:5000/v3"),
]
AnyName = Annotated[
    str,
    _matches(r"[^\x00-\x1f\x7f]{1,255}"),
    Takes("a name of up to 255 characters"),
]
AnyCase = Annotated[E, BeforeValidator(_fold)]


def _listening_place(value: str) -> str:
    """ADDRESS:PORT, the address in its canonical form; raises ValueError."""
    host, _, port = value.rpartition(":")
    literal = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    address = parse_ip_address(literal)
    if address is None or (":" in address) != host.startswith("["):
        raise ValueError("refused")
    if not port.isascii() or not port.isdigit() or not 1 <= int(port[:6]) <= 65535:
        raise ValueError("refused")
    return f"[{address}]:{int(port)}" if ":" in address else f"{address}:{int(port)}"


def _address_range(value: str) -> str:
    """One address, FIRST-LAST, or a network; raises ValueError."""
    first, dash, last = value.partition("-")
    if dash:
        low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
        if low.version != high.version or int(low) > int(high):
            raise ValueError("refused")
    else:
        ipaddress.ip_network(value)
    return value


def _ip_address(value: str) -> str:
    address = ipaddress.ip_address(value)
    if address.is_multicast or address.is_unspecified or address.is_loopback or "%" in value:
        raise ValueError("refused")
    return str(address)


def _network(value: str) -> str:
    return str(ipaddress.ip_network(value))


Network = Annotated[
    str, AfterValidator(_network), Takes("a network like 10.0.0.0/24 or 2001:db8::/64")
]
IpAddress = Annotated[str, AfterValidator(_ip_address), Takes("an IPv4 or IPv6 address of a host")]
InterfaceName = Annotated[
    str,
    _matches(r"(?!\.{1,2}$)[!-.0-~]{1,15}"),
    Takes("the name of a network interface, 15 characters at most"),
]
AddressRange = Annotated[
    str,
    AfterValidator(_address_range),
    Takes("a network like 10.0.0.0/24, a range like 10.0.0.10-10.0.0.99, or an address"),
]
ListeningPlace = Annotated[
    str,
    AfterValidator(_listening_place),
    Takes("an address and a port, as 127.0.0.1:8113, 0.0.0.0:8113 or [::]:8113"),
]
DatabaseUrl = Annotated[
    str,
    _matches(r"(sqlite:////?|postgresql://)[\x21-\x7e]+"),
    Takes("sqlite:////PATH or postgresql://USER:PASSWORD@HOST:PORT/NAME"),
]
