"""Keeps each device pool with a provider at its size: boots spares, destroys what is retired."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime

import structlog

from libra.daemon.beats import Beat
from libra.daemon.loop import Guard, Singly, tell
from libra.errors import LibraError, ProviderError, StorageUnavailable
from libra.manager.pauses import Pauses
from libra.manager.settle import MANAGER
from libra.manager.waking import Waker
from libra.model.device import Device, DeviceState, Mover, ensure_transition
from libra.model.devicepool import DevicePool
from libra.model.sizing import count_boots, find_late
from libra.providers.base import Host, Provider
from libra.storage.base import device_lock
from libra.storage.query import Query
from libra.usecases.admin.failures import BOOT_FAILED, NEVER_ONLINE, note_failure
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

log = structlog.get_logger(__name__)

AT_ONCE = 4

OpenProvider = Callable[[str, str], Provider]
"""By the provider's and the pool's name; raises `LibraError`."""


def no_provider(name: str, _pool: str) -> Provider:
    """Where none is wired; raises `ProviderError`."""
    raise ProviderError(f"cannot load the provider '{name}': there is none")


class PoolKeeper:
    """`turn` is called by one thread; what takes long is done by others, which `stop` leaves to their end."""

    def __init__(
        self, services: Services, open_provider: OpenProvider, guard: Guard, boots: Beat
    ) -> None:
        self._services = services
        self._pools = Singly(guard)
        self._boots = boots
        self._waker = Waker(services)
        self._open = open_provider
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="boot")
        self._lock = threading.Lock()
        self._busy: set[str] = set()  # names of devices
        self._pauses = Pauses()  # of pools where a boot failed, of devices whose end did
        self._gone: set[str] = set()  # ids of devices that are shut down, but not retired yet

    def stop(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def busy(self) -> set[str]:
        """The names of devices that something is under way for."""
        with self._lock:
            return set(self._busy)

    def turn(self, now: datetime) -> None:
        """Boot one of each pool where spares are missing, destroy what is retired, give up what does not come."""
        pools = self._services.storage.look(lambda unit: unit.device_pools.find())
        kept = [pool for pool in pools if pool.provider]
        stopped = self._waker.find()
        ours = {pool.id for pool in kept}
        self._waker.leave(
            [item for item in stopped if item.pool_id not in ours or item.shutting_down]
        )
        self._pools.each(kept, lambda pool: pool.id, lambda pool: self._try(pool, stopped, now))

    def _try(self, pool: DevicePool, stopped: Sequence[Device], now: datetime) -> None:
        try:
            self._wake(pool, [device for device in stopped if device.pool_id == pool.id], now)
            self._keep(pool, now)
        except StorageUnavailable:
            raise
        except LibraError as error:
            self._pause(pool, now, str(error))

    def _wake(self, pool: DevicePool, stopped: Sequence[Device], now: datetime) -> None:
        self._waker.finish(stopped)
        if stopped and not self._pauses.holds(pool.id, now):
            provider = self._open(pool.provider, pool.name)
            rested = [item for item in stopped if not self._pauses.holds(item.id, now)]
            for device in self._waker.to_boot(rested):
                self._begin(device.name, self._boot_again, pool, provider, device)

    def _keep(self, pool: DevicePool, now: datetime) -> None:
        mine = Query(where={"pool_id": pool.id})
        devices = self._services.storage.look(lambda unit: unit.devices.find(mine))
        provider = self._open(pool.provider, pool.name)
        if provider.destroys:
            for device in find_late(devices, now):
                self._give_up(device)
            for device in devices:
                if self._is_to_go(device) and not self._pauses.holds(device.id, now):
                    self._begin(device.name, self._destroy, pool, provider, device)
        paused = self._pauses.holds(pool.id, now)
        wanted = 0 if paused else count_boots(pool, devices, destroys=provider.destroys)
        for _ in range(wanted):
            self._boot_next(pool.id, provider)

    def _boot_next(self, pool_id: str, provider: Provider) -> None:
        """The record comes first: what is booted and not known would be nobody's.

        Whether one is wanted is asked again: the pool, or its devices, may have been taken away since.
        """
        with self._services.storage.writing() as unit:
            pool = unit.device_pools.get(pool_id)
            devices = unit.devices.find()
            own = [device for device in devices if device.pool_id == pool_id]
            if not pool or not count_boots(pool, own, destroys=provider.destroys):
                return
            host = provider.choose({device.name for device in devices})
            if host is None:
                return
            device = Device(
                id=new_id(),
                name=host.name,
                address=host.address,
                pool_id=pool.id,
                created_at=self._services.clock(),
            )
            unit.devices.add(device)
            reason = f"'{device.name}', by {pool.provider}"
            add_event(unit, self._services, MANAGER, "device.building", device.id, reason=reason)
        self._begin(host.name, self._boot, pool, provider, device)

    def _begin(
        self,
        name: str,
        work: Callable[[DevicePool, Provider, Device], None],
        pool: DevicePool,
        provider: Provider,
        device: Device,
    ) -> None:
        with self._lock:
            if name in self._busy:
                return
            self._busy.add(name)
        future = self._threads.submit(self._work, work, pool, provider, device)
        future.add_done_callback(lambda _: self._end(name))

    def _end(self, name: str) -> None:
        """Also of what was cancelled before it began."""
        with self._lock:
            self._busy.discard(name)
        self._services.bell.ring()

    def _work(
        self,
        work: Callable[[DevicePool, Provider, Device], None],
        pool: DevicePool,
        provider: Provider,
        device: Device,
    ) -> None:
        try:
            with self._boots.turn():
                work(pool, provider, device)
        except LibraError as error:
            log.warning("cannot go on", action="provide", device=device.name, error=str(error))
        except BaseException as error:  # noqa: BLE001 - another package's provider may raise anything
            tell(self._boots, error, 0.0, device=device.name)

    def _boot(self, pool: DevicePool, provider: Provider, device: Device) -> None:
        try:
            provider.boot(Host(name=device.name, address=device.address))
        except ProviderError as error:
            self._pause(pool, self._services.clock(), str(error))
            self._fail(device, str(error))
            return
        self._pauses.end(pool.id)

    def _is_to_go(self, device: Device) -> bool:
        if device.state is DeviceState.RETIRED:
            return True
        return device.shutting_down and device.id not in self._gone

    def _boot_again(self, pool: DevicePool, provider: Provider, device: Device) -> None:
        self._pauses.begin(device.id, self._services.clock())  # whatever a provider raises
        try:
            provider.boot(Host(name=device.name, address=device.address))
        except ProviderError as error:
            self._pause(pool, self._services.clock(), str(error))
            self._waker.fail(device)
            return
        self._pauses.end(device.id)
        self._waker.tell(device)

    def _destroy(self, _pool: DevicePool, provider: Provider, device: Device) -> None:
        """One that still has something stays recorded until that is elsewhere."""
        self._pauses.begin(device.id, self._services.clock())  # whatever a provider raises
        try:
            provider.shutdown(device.name)
        except ProviderError as error:
            self._note(device, str(error))
            raise
        self._pauses.end(device.id)
        self._gone.add(device.id)
        self._forget(device)

    def _forget(self, device: Device) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None or current.state is not DeviceState.RETIRED:
                return
            unit.devices.remove(device.id)
            reason = f"'{device.name}'"
            add_event(unit, self._services, MANAGER, "device.destroyed", device.id, reason=reason)
        self._gone.discard(device.id)

    def _note(self, device: Device, reason: str) -> None:
        """For who waits for its end."""
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is not None and current.reason != reason:
                unit.devices.replace(replace(current, reason=reason))

    def _fail(self, device: Device, reason: str) -> None:
        self._move(device, DeviceState.ERROR, reason)

    def _give_up(self, device: Device) -> None:
        """It was booted and never answered: another one is tried."""
        reason = device.reason or "it never answered"
        if self._move(device, DeviceState.RETIRED, "it never answered"):
            told = f"'{device.name}': {reason}"
            note_failure(self._services, MANAGER, NEVER_ONLINE, device.pool_id, told)

    def _move(self, device: Device, into: DeviceState, reason: str) -> bool:
        """False where somebody was faster, or it is in use after all."""
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None or current.state is into or current.last_seen is not None:
                return False
            if unit.loadbalancers.count({"device_id": device.id}):
                return False
            ensure_transition(current, into, Mover.KEEPER)
            unit.devices.replace(replace(current, state=into, reason=reason))
            kind = f"device.{into.value.lower()}"
            add_event(unit, self._services, MANAGER, kind, device.id, reason=reason)
        return True

    def _pause(self, pool: DevicePool, now: datetime, why: str) -> None:
        """Until one comes up."""
        pause = self._pauses.begin(pool.id, now)
        note_failure(self._services, MANAGER, BOOT_FAILED, pool.id, why)
        log.warning(
            "cannot boot a device",
            action="provide",
            pool=pool.name,
            error=why,
            seconds=pause.total_seconds(),
        )
