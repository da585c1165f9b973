"""One simulated worker: the controller of a real one on the noop driver."""

import time

from libra import __version__
from libra.drivers.noop import NoopDriver
from libra.jobs.base import TakenJob
from libra.messages.announcement import Announcement
from libra.messages.codec import decode, encode
from libra.worker.controller import LBaaSController

# 198.18.0.0/15 is kept for measurements: nothing real is there.
_FIRST, _MOST = 198 << 24 | 18 << 16, 1 << 17


class SimulatedDevice:
    """`name` is its worker's function, and the device's name."""

    def __init__(self, name: str, number: int, pool: str) -> None:
        self.name = name
        self.number = number
        self._pool = pool
        self._started = time.time()
        self.wipe()

    def wipe(self) -> None:
        """As a host that was installed anew."""
        self._driver = NoopDriver()
        self._driver.running = True
        self._controller = LBaaSController(self._driver)

    def stop_proxy(self) -> None:
        """Until something is configured anew, or `start_proxy`."""
        self._driver.running = False

    def start_proxy(self) -> None:
        """It runs what it ran."""
        self._driver.ensure_running()

    def answer(self, job: TakenJob) -> tuple[str, bytes]:
        """The action, and the reply to send."""
        message = decode(job.payload)
        reply = self._controller.handle(message)
        return str(message.get("hpcs_action", "?")).upper(), encode(reply)

    def describe(self) -> Announcement:
        """As its announcer tells of it."""
        now = time.time()
        return Announcement(
            name=self.name,
            address=address_of(self.number),
            pool=self._pool,
            release=__version__,
            proxy=f"noop {__version__}",
            digest=self._controller.digest(),
            started=self._started,
            uptime=now - self._started,
        )


def address_of(number: int) -> str:
    """One for each of the first 131,072 devices."""
    value = _FIRST + number % _MOST
    return ".".join(str(value >> shift & 255) for shift in (24, 16, 8, 0))
