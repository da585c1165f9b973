"""Which device is to be asked when, and by which thread."""

import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from libra.daemon.beats import Beat
from libra.manager.prober import LEAST_SECONDS, Prober
from libra.model.device import WATCHED, Device
from libra.storage.query import Query
from libra.usecases.services import Services

WATCHED_A_SECOND = 2000  # devices; so those of a small fleet are read each time
MOST_AT_ONCE = 64


class Probing:
    """`turn` is called by one thread; `probes` is the beat of those that ask. `probed` is called after each."""

    def __init__(
        self,
        services: Services,
        prober: Prober,
        every: timedelta,
        concurrent: int,
        probes: Beat,
        probed: Callable[[], None],
    ) -> None:
        self._services = services
        self._prober = prober
        self._every = every
        self._probes = probes
        self._probed = probed
        most = min(MOST_AT_ONCE, concurrent)
        self._threads = ThreadPoolExecutor(most, thread_name_prefix="probe")
        self._lock = threading.Lock()
        self._probing: set[str] = set()
        self._probe_at: dict[str, datetime] = {}
        self._watched: list[tuple[Device, timedelta]] = []  # and how often they are probed
        self._watched_until = services.clock()
        self._stopping = False

    def stop(self) -> None:
        """Ask nothing more; what is under way ends by itself."""
        self._stopping = True
        self._threads.shutdown(wait=False, cancel_futures=True)

    def hasten(self, device_id: str) -> None:
        """Something was done there: how does it do now?"""
        with self._lock:
            self._probe_at[device_id] = self._services.clock()

    def turn(self, now: datetime) -> None:
        """Those that are due."""
        self._renew_watched(now)
        for device, every in self._watched:
            with self._lock:
                due = self._probe_at.get(device.id)
                if due is None:
                    due = now + _phase(device, every, now)
                    self._probe_at[device.id] = due
                if due > now or device.id in self._probing or self._stopping:
                    continue
                self._probing.add(device.id)
                self._probe_at[device.id] = now + every
            self._threads.submit(self._probe, device, every)

    def _renew_watched(self, now: datetime) -> None:
        """The more there are, the more rarely: reading ten thousand takes a while."""
        if now < self._watched_until:
            return
        with self._services.storage.reading() as unit:
            devices = unit.devices.find(Query(where={"state": WATCHED, "stopped": False}))
            paces = {
                pool.id: timedelta(seconds=pool.probe_seconds)
                for pool in unit.device_pools.find()
                if pool.probe_seconds is not None
            }
        self._watched = [(item, paces.get(item.pool_id, self._every)) for item in devices]
        self._watched_until = now + timedelta(seconds=len(devices) / WATCHED_A_SECOND)

    def _probe(self, device: Device, every: timedelta) -> None:
        try:
            if not self._stopping:
                with self._probes.turn(2 * max(LEAST_SECONDS, every.total_seconds())):
                    self._prober.probe(device, every.total_seconds())
        finally:
            with self._lock:
                self._probing.discard(device.id)
            self._probed()


def _phase(device: Device, every: timedelta, now: datetime) -> timedelta:
    """How long the first probe of a manager waits: not all at once, but at once where something is to be found out."""
    if not device.is_ready or device.misses or device.last_seen is None:
        return timedelta()
    due = max(timedelta(), device.last_seen + every - now)
    return min(due, zlib.crc32(device.id.encode()) % 1000 / 1000 * every)
