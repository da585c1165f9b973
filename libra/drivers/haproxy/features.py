"""What the HAProxy that serves can do at runtime: asked once a process version.

2.4 and 2.5 have the commands in their experimental mode only, which is left alone: 2.4 neither checks what is added nor
removes what stands in the file, and whatever cannot go at runtime is a reload, which costs no client anything.
Sources: HAProxy's changelog (2.4-dev16 and -dev17, 2.5-dev4, 2.6-dev2) and management guide of 2.6; 2.6.12 and 2.8.25
are tried in the tests, of the others it was read.
"""

import re

from libra.drivers.haproxy.diff import Features
from libra.drivers.haproxy.runtime import AdminSocket, Answer

NOBODY = "libra/probe"  # a backend that never is: backends are named be-...
KNOWN = "No such backend"  # a command that can be used looks for the backend before anything else
# 2.6 refuses a cookie; a 2.7 that could is reloaded
COOKIE_SINCE = (2, 8)
PROBES = (f"add server {NOBODY}", f"del server {NOBODY}")
_MINOR = re.compile(r"([0-9]+)\.([0-9]+)")


class FeatureProbe:
    """Asks with commands that cannot succeed, and so change nothing."""

    def __init__(self, admin: AdminSocket) -> None:
        self._admin = admin
        self._known: tuple[str, Features] | None = None

    def features(self, version: str) -> Features:
        """Of the process with this version; raises `ProxyNotRunning`."""
        if self._known is None or self._known[0] != version:
            self._known = (version, parse_features(version, *self._admin.ask_all(PROBES)))
        return self._known[1]


def parse_features(version: str, added: Answer, deleted: Answer) -> Features:
    """From the answers to `PROBES`."""
    can_add = added.text.startswith(KNOWN)
    return Features(
        add_server=can_add,
        add_server_with_cookie=can_add and parse_minor(version) >= COOKIE_SINCE,
        remove_server=deleted.text.startswith(KNOWN),
    )


def parse_minor(version: str) -> tuple[int, int]:
    """(2, 8) of "2.8.25-5cf5d0683" and of "2.8-dev3"; (0, 0) of what is no version."""
    match = _MINOR.match(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
