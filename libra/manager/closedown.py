"""Destroys the devices of this host when the last controller stops; the next start boots them again.

Each device is marked as stopped before its host goes, so that whatever ends this half way, the next manager knows which
ones to boot: `PoolKeeper` does that, and has them told what they are to run. Nothing else of their records changes.
"""

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog

from libra.errors import LibraError, StorageUnavailable
from libra.manager.poolkeeper import OpenProvider
from libra.manager.settle import MANAGER
from libra.model.device import WATCHED, Device, DeviceState
from libra.model.devicepool import DevicePool
from libra.providers.base import Provider
from libra.storage.base import Lease, UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

AT_ONCE = 8
LEAST_SECONDS = 30.0
SECONDS_EACH = 3.0
POLL_SECONDS = 0.2
TOLD_EVERY = 1.0  # seconds between two words on how far it is

Patience = Callable[[float], bool]
"""Wait so many seconds; False where there is no time to wait for anything any more."""
Progress = Callable[[str, float], None]
"""What is being done, and how many seconds more it may take."""


def wait(seconds: float) -> bool:
    """All the patience there is."""
    time.sleep(seconds)
    return True


def say_nothing(_what: str, _seconds: float) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A device, and who destroys it."""

    device: Device
    provider: Provider


class CloseDown:
    """For a manager that turns no more, and still has the lease; `services` write under it."""

    def __init__(self, services: Services, lease: Lease, open_provider: OpenProvider) -> None:
        self._services = services
        self._lease = lease
        self._open = open_provider
        self._over = threading.Event()  # nothing more is to be begun

    def run(self, busy: Callable[[], set[str]], patience: Patience, progress: Progress) -> None:
        """Returns when all are gone, or the time is over, or `patience` is; never raises.

        `busy` are the names of devices that a boot, or the like, is still under way for.
        """
        try:
            if self._lease.hold() and (doomed := self._find()):
                self._destroy(doomed, busy, patience, progress)
        except StorageUnavailable as error:
            log.warning("devices are left running", action="stop", error=str(error))
        except Exception:
            log.exception("internal error", action="stop")

    def _find(self) -> list[Doomed]:
        with self._services.storage.reading() as unit:
            pools = [pool for pool in unit.device_pools.find() if pool.provider]
            return [found for pool in pools for found in self._find_in(unit, pool)]

    def _find_in(self, unit: UnitOfWork, pool: DevicePool) -> list[Doomed]:
        """One that its operator has made the controller forget is announced, and none of ours."""
        try:
            provider = self._open(pool.provider, pool.name)
        except LibraError as error:
            log.warning("cannot destroy", action="stop", pool=pool.name, error=str(error))
            return []
        if not getattr(provider, "ends_with_controller", False):
            return []
        where = {"pool_id": pool.id, "state": [*WATCHED, DeviceState.RETIRED]}
        return [Doomed(device, provider) for device in unit.devices.find(Query(where=where))]

    def _destroy(
        self,
        doomed: Sequence[Doomed],
        busy: Callable[[], set[str]],
        patience: Patience,
        progress: Progress,
    ) -> None:
        """In threads that nobody has to wait for."""
        deadline = time.monotonic() + LEAST_SECONDS + SECONDS_EACH * len(doomed)
        waiting: queue.SimpleQueue[Doomed | None] = queue.SimpleQueue()
        ended: queue.SimpleQueue[bool] = queue.SimpleQueue()
        held = list(doomed)
        for _ in range(min(AT_ONCE, len(doomed))):
            work = threading.Thread(
                target=self._work, args=(waiting, ended), name="closedown", daemon=True
            )
            work.start()
        log.info("destroying devices", action="stop", devices=len(doomed))
        told_at = -TOLD_EVERY
        while ended.qsize() < len(doomed) and time.monotonic() < deadline:
            taken = busy()
            for item in [one for one in held if one.device.name not in taken]:
                held.remove(item)
                waiting.put(item)
            if time.monotonic() - told_at >= TOLD_EVERY:
                told_at = time.monotonic()
                text = _words(ended, doomed)
                progress(text, deadline - told_at)
                log.info(text, action="stop")
            if not patience(POLL_SECONDS) or not self._lease.hold():
                break
        self._over.set()
        for _ in range(AT_ONCE):
            waiting.put(None)
        progress(_words(ended, doomed), 0.0)
        self._tell(ended, len(doomed))

    def _tell(self, ended: "queue.SimpleQueue[bool]", wanted: int) -> None:
        through = ended.qsize()
        gone = sum(ended.get() for _ in range(through))
        if gone == wanted:
            log.info("all devices are destroyed", action="stop", devices=gone)
        else:
            log.warning("some devices may be left running", action="stop", devices=wanted - gone)

    def _work(
        self, waiting: "queue.SimpleQueue[Doomed | None]", ended: "queue.SimpleQueue[bool]"
    ) -> None:
        while (item := waiting.get()) is not None and not self._over.is_set():
            good = False
            try:
                self._end(item)
                good = True
            except LibraError as error:
                log.warning(
                    "cannot destroy", action="stop", device=item.device.name, error=str(error)
                )
            except BaseException:
                log.exception("internal error", action="stop", device=item.device.name)
            ended.put(good)

    def _end(self, item: Doomed) -> None:
        if self._mark(item.device):
            item.provider.shutdown(item.device.name)
            self._forget(item.device)

    def _mark(self, device: Device) -> bool:
        """Before its host goes: it is to be booted again, unless it was to go anyway. False: it is gone meanwhile."""
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None:
                return False
            if current.state is not DeviceState.RETIRED and not (
                current.shutting_down or current.stopped
            ):
                unit.devices.replace(replace(current, stopped=True))
                reason = f"'{device.name}', with the controller"
                add_event(unit, self._services, MANAGER, "device.stopped", device.id, reason=reason)
        return True

    def _forget(self, device: Device) -> None:
        """One that is retired was to go anyway."""
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None or current.state is not DeviceState.RETIRED:
                return
            unit.devices.remove(device.id)
            reason = f"'{device.name}'"
            add_event(unit, self._services, MANAGER, "device.destroyed", device.id, reason=reason)


def _words(ended: "queue.SimpleQueue[bool]", doomed: Sequence[Doomed]) -> str:
    noun = "device" if len(doomed) == 1 else "devices"
    return f"destroyed {ended.qsize()} of {len(doomed)} {noun}"
