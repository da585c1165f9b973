"""Keeps each device pool with a provider at its size: boots spares, destroys what is retired."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from libra.daemon.beats import Beat
from libra.daemon.loop import Guard, Singly, tell
from libra.errors import LibraError, ProviderError, StorageUnavailable
from libra.manager.settle import MANAGER
from libra.model.device import Device, DeviceState, Mover, ensure_transition
from libra.model.devicepool import DevicePool
from libra.model.sizing import count_boots, find_late
from libra.providers.base import Host, Provider
from libra.storage.base import device_lock
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

log = structlog.get_logger(__name__)

AT_ONCE = 4
FIRST_PAUSE = timedelta(seconds=10)
LONGEST_PAUSE = timedelta(minutes=10)

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
        self._open = open_provider
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="boot")
        self._lock = threading.Lock()
        self._busy: set[str] = set()  # names of devices
        self._pauses: dict[
            str, tuple[timedelta, datetime]
        ] = {}  # by pool: how long, and until when

    def stop(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def turn(self, now: datetime) -> None:
        """Boot one of each pool where spares are missing, destroy what is retired, give up what does not come."""
        pools = self._services.storage.look(lambda unit: unit.device_pools.find())
        kept = [pool for pool in pools if pool.provider]
        self._pools.each(kept, lambda pool: pool.id, lambda pool: self._try(pool, now))

    def _try(self, pool: DevicePool, now: datetime) -> None:
        try:
            self._keep(pool, now)
        except StorageUnavailable:
            raise
        except LibraError as error:
            self._pause(pool, now, str(error))

    def _keep(self, pool: DevicePool, now: datetime) -> None:
        mine = Query(where={"pool_id": pool.id})
        devices = self._services.storage.look(lambda unit: unit.devices.find(mine))
        provider = self._open(pool.provider, pool.name)
        if provider.destroys:
            for device in find_late(devices, now):
                self._give_up(device)
            for device in devices:
                if device.state is DeviceState.RETIRED:
                    self._begin(device.name, self._destroy, pool, provider, device)
        wanted = 0 if self._is_paused(pool, now) else count_boots(pool, devices)
        for _ in range(wanted):
            self._boot_next(pool, provider)

    def _boot_next(self, pool: DevicePool, provider: Provider) -> None:
        """The record comes first: what is booted and not known would be nobody's."""
        with self._services.storage.writing() as unit:
            host = provider.choose({device.name for device in unit.devices.find()})
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
        self._threads.submit(self._work, work, pool, provider, device)

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
            self._pause(pool, self._services.clock(), "internal error")
            tell(self._boots, error, 0.0, device=device.name)
        finally:
            with self._lock:
                self._busy.discard(device.name)
            self._services.bell.ring()

    def _boot(self, pool: DevicePool, provider: Provider, device: Device) -> None:
        try:
            provider.boot(Host(name=device.name, address=device.address))
        except ProviderError as error:
            self._pause(pool, self._services.clock(), str(error))
            self._fail(device, str(error))
            return
        with self._lock:
            self._pauses.pop(pool.id, None)

    def _destroy(self, _pool: DevicePool, provider: Provider, device: Device) -> None:
        provider.shutdown(device.name)
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None or current.state is not DeviceState.RETIRED:
                return
            unit.devices.remove(device.id)
            reason = f"'{device.name}'"
            add_event(unit, self._services, MANAGER, "device.destroyed", device.id, reason=reason)

    def _fail(self, device: Device, reason: str) -> None:
        self._move(device, DeviceState.ERROR, reason)

    def _give_up(self, device: Device) -> None:
        """It was booted and never answered: another one is tried."""
        self._move(device, DeviceState.RETIRED, "it never answered")

    def _move(self, device: Device, into: DeviceState, reason: str) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None or current.state is into or current.last_seen is not None:
                return
            if unit.loadbalancers.count({"device_id": device.id}):
                return
            ensure_transition(current, into, Mover.KEEPER)
            unit.devices.replace(replace(current, state=into, reason=reason))
            kind = f"device.{into.value.lower()}"
            add_event(unit, self._services, MANAGER, kind, device.id, reason=reason)

    def _is_paused(self, pool: DevicePool, now: datetime) -> bool:
        with self._lock:
            return pool.id in self._pauses and self._pauses[pool.id][1] > now

    def _pause(self, pool: DevicePool, now: datetime, why: str) -> None:
        """Twice as long each time, until one comes up."""
        with self._lock:
            before = self._pauses.get(pool.id)
            pause = min(2 * before[0], LONGEST_PAUSE) if before else FIRST_PAUSE
            self._pauses[pool.id] = (pause, now + pause)
        log.warning(
            "cannot boot a device",
            action="provide",
            pool=pool.name,
            error=why,
            seconds=pause.total_seconds(),
        )
