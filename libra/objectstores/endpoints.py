"""Storage URLs: what a message may name, and what the settings allow. Pure.

Only a small, plain subset of URLs is taken, and requests go to the URL rebuilt from its parts, so there is nothing
that two parsers could read in two ways.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from libra.errors import Forbidden, Invalid
from libra.messages.addresses import parse_host_name, parse_ip_address
from libra.messages.fields import quoted

SETTING = "object_stores.swift.allowed_endpoints"
MESSAGE_FIELD = "hpcs_object_store_endpoint"
_DEFAULT_PORTS = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:(?P<port>[0-9]{1,5}))?(?P<path>/.*)?",
    re.IGNORECASE | re.ASCII,  # ASCII: or the Kelvin sign would be a k
)
_PATH = re.compile(r"(/([A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})+)*")
_HIDDEN = re.compile(r"[/\\\x00-\x1f\x7f]")  # what %XX must not stand for
_PATTERN = re.compile(  # as the settings' EndpointPattern
    r"(?=[!-~]{1,2048}\Z)(?P<scheme>[a-z*?]+)://(?P<place>[^/@\\#]+)(?P<path>/[^\\#]*)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A storage URL in its parts: host in lower case, IPv6 in brackets, path without a slash at its end."""

    scheme: str
    host: str
    port: int
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self._place}{self.path}"

    @property
    def places(self) -> tuple[str, ...]:
        """Host and port as patterns may write them: the scheme's own port may be left out."""
        return tuple({self._place, f"{self.host}:{self.port}"})

    @property
    def _place(self) -> str:
        usual = self.port == _DEFAULT_PORTS[self.scheme]
        return self.host if usual else f"{self.host}:{self.port}"


def parse_endpoint(text: str, name: str = MESSAGE_FIELD) -> Endpoint:
    """A storage URL, from a message where nothing else is named; raises `Invalid` for all but http(s)://host[:port][/path]."""
    match = _URL.fullmatch(text)
    host = _parse_host(match["host"]) if match else None
    path = (match["path"] or "").rstrip("/") if match else ""
    if match is None or host is None or not _is_plain_path(path):
        raise Invalid(
            f"cannot use {name}: must be a storage URL like https://host/v1/account, got "
            f" {quoted(text)}"
        )
    scheme = match["scheme"].lower()
    port = int(match["port"] or _DEFAULT_PORTS[scheme])
    if not 1 <= port <= 65535:
        raise Invalid(f"cannot use {name}: there is no port {port}")
    return Endpoint(scheme=scheme, host=host, port=port, path=path)


def _parse_host(text: str) -> str | None:
    if text.startswith("["):
        address = parse_ip_address(text[1:-1])
        return f"[{address}]" if address and ":" in address else address
    return parse_ip_address(text) or parse_host_name(text)


def _is_plain_path(path: str) -> bool:
    """No empty, "." or ".." segment, no slash or control character behind a percent sign."""
    if not _PATH.fullmatch(path):
        return False
    segments = [unquote(segment) for segment in path.split("/")[1:]]
    return not any(segment in (".", "..") or _HIDDEN.search(segment) for segment in segments)


class EndpointPolicy:
    """What `allowed_endpoints` lets a worker connect to.

    A pattern is scheme://host[:port][/path] with `*` (anything) and `?` (one character). In host and port neither
    reaches over the next slash; a pattern without a path allows every path. Raises `Invalid` for anything else.
    """

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._rules = tuple(_parse_pattern(pattern) for pattern in patterns)

    def admit(self, text: str, name: str = MESSAGE_FIELD, whose: str = "worker") -> Endpoint:
        """The endpoint of a message; raises `Invalid`, or `Forbidden` where no pattern allows it.

        `name` is what it is called where it came from, `whose` the program that has the setting.
        """
        endpoint = parse_endpoint(text, name)
        if not any(rule.allows(endpoint) for rule in self._rules):
            raise Forbidden(
                f"cannot connect to {quoted(str(endpoint))}: the setting {SETTING} of this {whose} does not allow it"
            )
        return endpoint


@dataclass(frozen=True, slots=True)
class _Rule:
    scheme: re.Pattern[str]
    place: re.Pattern[str]
    path: re.Pattern[str] | None

    def allows(self, endpoint: Endpoint) -> bool:
        return (
            self.scheme.fullmatch(endpoint.scheme) is not None
            and any(self.place.fullmatch(place) for place in endpoint.places)
            and (self.path is None or self.path.fullmatch(endpoint.path) is not None)
        )


def _parse_pattern(pattern: str) -> _Rule:
    match = _PATTERN.fullmatch(pattern)
    if match is None:
        raise Invalid(
            f"cannot use {SETTING}: must be patterns like https://swift.example.com/v1/*, got {quoted(pattern)}"
        )
    path = (match["path"] or "").rstrip("/")
    return _Rule(
        scheme=_translate(match["scheme"]),
        place=_translate(match["place"].lower()),
        path=_translate(path) if path else None,
    )


def _translate(pattern: str) -> re.Pattern[str]:
    """A glob of `*` and `?` alone: a bracket stands for itself, as in an IPv6 address."""
    glob = {"*": ".*", "?": "."}
    return re.compile("".join(glob.get(c) or re.escape(c) for c in pattern))
