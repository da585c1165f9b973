"""Keeps the fleet whole: moves what a dead or draining device has, holds back where that would do harm."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from libra.daemon.loop import Guard, Singly
from libra.manager.settle import MANAGER
from libra.messages.version2.loadbalancers import MAX_LOADBALANCERS
from libra.meters import FailoverOutcome
from libra.model.device import WATCHED, Device, DeviceState, Mover, ensure_transition
from libra.model.devicepool import DevicePool, Move
from libra.model.failover import Failover, PoolPlan, Watched, plan_pool
from libra.model.status import PENDING
from libra.storage.base import PLACEMENT, UnitOfWork, device_lock, hold_devices
from libra.storage.kinds import NO_LOAD, Load
from libra.storage.query import Query
from libra.usecases.moving import confirmed_moves, finish_move, move_all
from libra.usecases.outbox import add_event
from libra.usecases.placement import MAX_OLDER
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What the plan is made of, of one moment."""

    pools: Sequence[DevicePool]
    devices: Sequence[Device]
    loads: Mapping[str, Load]  # by device
    moves: Sequence[Move]
    pending: frozenset[str]  # of the moves' load balancers
    nodes: frozenset[str] = frozenset()  # devices that are nodes of web clusters


class FleetKeeper:
    """`turn` is called about once a second, `finish_moves` as often as somebody may wait for it; by one thread."""

    def __init__(self, services: Services, probe: timedelta, fleet: Guard, moves: Guard) -> None:
        self._services = services
        self._pools, self._failovers, self._retired = Singly(fleet), Singly(fleet), Singly(fleet)
        self._moves = Singly(moves)
        self._probe = probe
        self._told: dict[str, datetime] = {}
        self._eased: dict[str, datetime] = {}  # pool: since when its brake eases

    def turn(self, now: datetime) -> None:
        """Look at every pool, and begin what is to be done."""
        if not self._is_needed():
            return
        fleet = self._load()
        plans = {}
        for pool in fleet.pools:
            plans[pool.id] = self._plan(fleet, pool, now)
        self._services.meters.failover_brakes.set(sum(bool(plan.brake) for plan in plans.values()))
        self._pools.each(
            fleet.pools, lambda pool: pool.id, lambda pool: self._keep(pool, plans[pool.id], now)
        )
        failovers = [failover for plan in plans.values() for failover in plan.failovers]
        self._failovers.each(failovers, lambda failover: failover.source, self._fail_over)
        self._retire(fleet)

    def finish_moves(self, _now: datetime) -> None:
        """What its new device has confirmed, the old one lets go of."""
        confirmed = self._services.storage.look(confirmed_moves)
        self._moves.each(confirmed, lambda move: move.loadbalancer_id, self._finish_move)

    def _finish_move(self, move: Move) -> None:
        with self._services.storage.writing() as unit:
            finish_move(unit, self._services, MANAGER, move)
        self._services.bell.ring()

    def _plan(self, fleet: Fleet, pool: DevicePool, now: datetime) -> PoolPlan:
        watched = _watch(fleet, pool)
        return plan_pool(
            pool,
            watched,
            _count_busy(fleet, watched),
            timedelta(seconds=pool.probe_seconds) if pool.probe_seconds else self._probe,
            addresses_move=bool(self._services.address_pools),
            easing=now - self._eased.get(pool.id, now),
        )

    def _keep(self, pool: DevicePool, plan: PoolPlan, now: datetime) -> None:
        self._note_easing(pool, plan, now)
        self._set_brake(pool, plan, now)
        self._tell_waiting(plan, now)

    def _is_needed(self) -> bool:
        """Most of the time nothing fails; to find that out must cost nothing."""

        def count(unit: UnitOfWork) -> int:
            return unit.devices.count({"state": [DeviceState.ERROR, DeviceState.DRAINING]})

        if self._services.storage.look(count):
            return True
        with self._services.storage.reading() as unit:
            return any(pool.brake_since is not None for pool in unit.device_pools.find())

    def _load(self) -> Fleet:
        with self._services.storage.reading() as unit:
            moves = unit.moves.find()
            where = {
                "id": [move.loadbalancer_id for move in moves],
                "provisioning_status": list(PENDING),
            }
            pending = unit.loadbalancers.find(Query(where=where)) if moves else []
            return Fleet(
                pools=unit.device_pools.find(),
                devices=unit.devices.find(Query(where={"state": WATCHED, "stopped": False})),
                loads=unit.loadbalancers.loads(),
                moves=moves,
                pending=frozenset(owner.id for owner in pending),
                nodes=frozenset(node.node_oid for node in unit.web_nodes.find()),
            )

    def _fail_over(self, failover: Failover) -> None:
        """Looked at again under the locks: an operator, or an answer, may have come first."""
        with self._services.storage.writing() as unit:
            unit.hold(PLACEMENT)
            hold_devices(unit, failover.source, failover.target)
            source = unit.devices.get(failover.source)
            target = unit.devices.get(failover.target)
            if source is None or target is None or not target.is_ready or target.misses:
                return
            if source.state not in (DeviceState.ERROR, DeviceState.DRAINING):
                return
            owners = unit.loadbalancers.find(Query(where={"device_id": source.id}))
            reason = source.reason or "it is drained"
            move_all(unit, self._services, MANAGER, owners, source, target, reason)
            told = f"{len(owners)} load balancers go to '{target.name}': {reason}"
            add_event(unit, self._services, MANAGER, "device.failover", source.id, reason=told)
        self._services.meters.count_failover(FailoverOutcome.MOVED)
        log.warning("failover", action="failover", device=source.name, to=target.name)
        self._services.bell.ring()

    def _note_easing(self, pool: DevicePool, plan: PoolPlan, now: datetime) -> None:
        if plan.eases:
            self._eased.setdefault(pool.id, now)
        else:
            self._eased.pop(pool.id, None)

    def _set_brake(self, pool: DevicePool, plan: PoolPlan, now: datetime) -> None:
        """Once when it engages, once when it is let go."""
        if bool(plan.brake) == (pool.brake_since is not None):
            return
        with self._services.storage.writing() as unit:
            current = unit.device_pools.get(pool.id)
            if current is None:
                return
            since = now if plan.brake else None
            unit.device_pools.replace(replace(current, brake_since=since, brake_reason=plan.brake))
            kind = "devicepool.braked" if plan.brake else "devicepool.released"
            add_event(unit, self._services, MANAGER, kind, pool.id, reason=plan.brake)
        if plan.brake:
            self._services.meters.count_failover(FailoverOutcome.BRAKED)
            log.error("failover is held back", action="failover", pool=pool.name, error=plan.brake)

    def _tell_waiting(self, plan: PoolPlan, now: datetime) -> None:
        """That there is no spare, is told once a day; it is looked for at every turn."""
        self._told = {key: at for key, at in self._told.items() if now - at < DAY}
        for key in plan.waiting:
            if key in self._told:
                continue
            self._told[key] = now
            self._services.meters.count_failover(FailoverOutcome.NO_SPARE)
            with self._services.storage.writing() as unit:
                reason = "there is no spare device for what it has"
                add_event(unit, self._services, MANAGER, "device.stranded", key, reason=reason)

    def _retire(self, fleet: Fleet) -> None:
        """Those that are to go, and have nothing any more."""
        having = {*fleet.loads, *(move.source for move in fleet.moves), *fleet.nodes}
        empty = [item for item in fleet.devices if item.retiring and item.id not in having]
        self._retired.each(empty, lambda device: device.id, self._retire_one)

    def _retire_one(self, device: Device) -> None:
        with self._services.storage.writing() as unit:
            unit.hold(device_lock(device.id))
            current = unit.devices.get(device.id)
            if current is None or current.state is not DeviceState.DRAINING:
                return
            lets_go = current.acknowledged < current.generation and not current.misses
            if lets_go and not current.shutting_down:
                return  # it is about to, of the last one
            ensure_transition(current, DeviceState.RETIRED, Mover.KEEPER)
            unit.devices.replace(replace(current, state=DeviceState.RETIRED, retiring=False))
            add_event(unit, self._services, MANAGER, "device.retired", device.id)


def _watch(fleet: Fleet, pool: DevicePool) -> list[Watched]:
    return [
        _watch_one(device, fleet.loads.get(device.id, NO_LOAD))
        for device in fleet.devices
        if device.pool_id == pool.id
    ]


def _watch_one(device: Device, load: Load) -> Watched:
    most = MAX_OLDER if device.is_older else MAX_LOADBALANCERS
    return Watched(
        device=device,
        loadbalancers=load.loadbalancers,
        projects=load.projects,
        room=most - load.loadbalancers,
    )


def _count_busy(fleet: Fleet, watched: Sequence[Watched]) -> int:
    """Devices to which something moves that is not confirmed, and not refused either."""
    mine = {item.device.id for item in watched}
    open_moves = [move for move in fleet.moves if move.loadbalancer_id in fleet.pending]
    return len({move.target for move in open_moves if not move.confirmed} & mine)
