"""Brings back the devices that a clean stop of the controller destroyed: `closedown` marked them."""

from collections.abc import Sequence
from dataclasses import replace

import structlog

from libra.manager.settle import MANAGER
from libra.model.device import Device, DeviceState
from libra.model.job import OPEN, JobAction
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.outbox import add_event, add_update
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

MOST_TRIES = 3


class Waker:
    """Knows how far each one is. Nobody probes such a device, or takes it for dead, before it has what it shall run."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._told: set[str] = (
            set()
        )  # ids of those that are booted, and were told what they shall run
        self._failures: dict[str, int] = {}

    def find(self) -> list[Device]:
        """All that wait for it. Most of the time there are none; to find that out must cost nothing."""
        where = {"stopped": True}
        look = self._services.storage.look
        if not look(lambda unit: unit.devices.count(where)):
            self._told.clear()
            return []
        found = look(lambda unit: unit.devices.find(Query(where=where)))
        self._told &= {device.id for device in found}
        return [device for device in found if device.state is not DeviceState.RETIRED]

    def to_boot(self, devices: Sequence[Device]) -> list[Device]:
        """Of these."""
        return [item for item in devices if item.id not in self._told and not item.shutting_down]

    def finish(self, devices: Sequence[Device]) -> None:
        """Of these, those that have answered, well or not: from now on they are looked after like all others."""
        for device in devices:
            if device.id in self._told:
                with self._services.storage.writing() as unit:
                    unit.hold(device_lock(device.id))
                    if not unit.jobs.count(_updates(device)):
                        self.release(unit, device)

    def leave(self, devices: Sequence[Device]) -> None:
        """Nobody is to boot these: their pool has no provider any more, or somebody wants them gone."""
        for device in devices:
            with self._services.storage.writing() as unit:
                unit.hold(device_lock(device.id))
                self.release(unit, device)

    def tell(self, device: Device) -> None:
        """It is booted and has nothing: the UPDATE that it gets is on its way before anybody asks it anything."""
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None:
                return
            nodes = unit.web_nodes.find(Query(where={"node_oid": device.id}))
            for node in nodes:  # nothing is wrong with it before it was asked
                unit.web_nodes.replace(replace(node, since=self._services.clock()))
            moving = unit.moves.count({"source": device.id})
            if nodes or moving or unit.loadbalancers.count({"device_id": device.id}):
                generation = unit.devices.next_generation(device.id)
                add_update(unit, self._services, MANAGER, current, generation=generation)
        self._told.add(device.id)
        self._failures.pop(device.id, None)
        self._services.bell.ring()

    def fail(self, device: Device) -> None:
        """Its boot failed. After some more it is left to the others, who find it dead and move what it has."""
        self._failures[device.id] = tries = self._failures.get(device.id, 0) + 1
        if tries >= MOST_TRIES:
            with self._services.storage.writing() as unit:
                unit.hold(device_lock(device.id))
                self.release(unit, device)

    def release(self, unit: UnitOfWork, device: Device) -> None:
        """Its lock is held."""
        current = unit.devices.get(device.id)
        if current is None or not current.stopped:
            return
        fresh = replace(current, stopped=False, misses=0, failing_since=None)
        unit.devices.replace(fresh)
        reason = f"'{device.name}', again"
        add_event(unit, self._services, MANAGER, "device.booted", device.id, reason=reason)
        log.info("a device is back", action="provide", device=device.name)


def _updates(device: Device) -> dict[str, object]:
    return {"device_id": device.id, "action": JobAction.UPDATE, "state": list(OPEN)}
