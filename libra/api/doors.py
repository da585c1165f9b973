"""Callers who bring no token of the database: those of this host, where they may, and those whom Keystone knows."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request

from libra.model.access import Caller, Role

NOT_USED = "notused"
"""What clients send for a token where they are told that none is used."""
_PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
_HOST = re.compile(
    r"(?:(?P<bare>[A-Za-z0-9.-]+)|\[(?P<bracketed>[0-9a-fA-F:.]+)\])(?::[0-9]{1,5})?"
)

KnownElsewhere = Callable[[str, str], Caller | None]
"""Who a token is of, for a request with this id, by another service; blocks. None where it does not know it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """`anonymous` is what callers without a token are, None where there are none."""

    anonymous: Role | None = None
    project: str = "default"
    elsewhere: KnownElsewhere | None = None

    def anonymous_caller(self, request: Request) -> Caller | None:
        """None for whom it is not open.

        The word has to be sent as a header: a web page that a browser on this host shows cannot do that to another
        site, and cannot name this host as its own where the name that it was asked by is a loopback address.
        """
        if self.anonymous is None or request.headers.get("x-auth-token") != NOT_USED:
            return None
        if any(name in request.headers for name in _PROXIED) or not _is_at_home(request):
            return None
        return Caller(
            name="anonymous",
            role=self.anonymous,
            project_id=self.project,
            request_id=request.state.request_id,
        )


def _is_at_home(request: Request) -> bool:
    server = request.scope.get("server") or ("",)
    client = request.client.host if request.client else ""
    named = _HOST.fullmatch(request.headers.get("host", ""))
    name = (named["bare"] or named["bracketed"]) if named else ""
    return (
        _is_loopback(str(server[0]))
        and _is_loopback(client)
        and (name == "localhost" or _is_loopback(name))
    )


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
