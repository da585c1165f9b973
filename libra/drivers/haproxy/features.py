"""What the HAProxy that serves can do at runtime: asked once a process version."""

from libra.drivers.haproxy.diff import Features
from libra.drivers.haproxy.runtime import AdminSocket

NOBODY = "libra/probe"  # a backend that never is: backends are named be-...
KNOWN = "No such backend"
COOKIE_SINCE = (
    2,
    8,
)  # 2.6 refuses it; a 2.7 that could is reloaded, which costs no client anything


class FeatureProbe:
    """Asks with commands that cannot succeed, and so change nothing."""

    def __init__(self, admin: AdminSocket) -> None:
        self._admin = admin
        self._known: tuple[str, Features] | None = None

    def features(self, version: str) -> Features:
        """Of the process with this version; raises `ProxyNotRunning`."""
        if self._known is None or self._known[0] != version:
            self._known = (version, self._ask(version))
        return self._known[1]

    def _ask(self, version: str) -> Features:
        commands = (f"add server {NOBODY}", f"del server {NOBODY}")
        added, deleted = (KNOWN in answer.text for answer in self._admin.ask_all(commands))
        return Features(
            add_server=added,
            add_server_with_cookie=added and parse_minor(version) >= COOKIE_SINCE,
            remove_server=deleted,
        )


def parse_minor(version: str) -> tuple[int, int]:
    """(2, 8) of "2.8.25-5cf5d0683"; (0, 0) of what is no version."""
    parts = version.split(".")
    if len(parts) < 2 or not (parts[0].isdigit() and parts[1].isdigit()):
        return 0, 0
    return int(parts[0]), int(parts[1])
