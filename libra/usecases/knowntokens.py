"""Tokens as the database had them a moment ago, so that it is not asked for each request."""

import threading
import time
from collections.abc import Callable

from libra.model.access import Token

LONGEST_SECONDS = 1.0
MOST = 10_000

Find = Callable[[str], Token | None]


class KnownTokens:
    """By digest; safe for several threads.

    A token that this process revokes is refused from then on. One that another controller revokes is believed for
    `LONGEST_SECONDS` more at the most. One that was not found is looked for every time: a new token works at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[float, Token]] = {}
        self._forgotten = 0

    def get(self, digest: str) -> Token | None:
        """None where it has to be looked for."""
        read_at, token = self._kept.get(digest, (0.0, None))
        return token if self._clock() - read_at < LONGEST_SECONDS else None

    def look(self, digest: str, find: Find) -> Token | None:
        """What `find` finds, kept unless something was forgotten meanwhile: it may have been read before that."""
        forgotten, started = self._forgotten, self._clock()
        token = find(digest)
        with self._lock:
            if token is not None and forgotten == self._forgotten:
                if len(self._kept) >= MOST:
                    self._kept.clear()
                self._kept[digest] = (started, token)
        return token

    def forget(self) -> None:
        """All of them: one was revoked."""
        with self._lock:
            self._forgotten += 1
            self._kept.clear()
