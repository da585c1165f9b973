"""The digest by which a controller knows what a device runs."""

import hashlib

from libra.messages.updates import UpdateWriter
from libra.model.loadbalancer import Desired


class Digester:
    """Remembers the nodes of the last state, so that the digest of a large one that changed little is quick.

    One thread at a time.
    """

    def __init__(self) -> None:
        self._writer = UpdateWriter()
        self._last: tuple[Desired, str] | None = None

    def digest(self, desired: Desired) -> str:
        """SHA-256 in hexadecimal of the load balancers in their order, and of whether they are suspended.

        Two states have the same one where a device would do the same: neither generation nor message matters.
        """
        if self._last is None or self._last[0] is not desired:
            text = self._writer.write(desired.loadbalancers, "2.0", desired.nodes)
            data = f"{desired.suspended}\n{text}".encode()
            self._last = (desired, hashlib.sha256(data).hexdigest())
        return self._last[1]


def digest_of(desired: Desired) -> str:
    """The digest of one state."""
    return Digester().digest(desired)
