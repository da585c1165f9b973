"""The manager: one loop that looks what is due, and threads that do it."""

from collections.abc import Iterator
from dataclasses import replace

import structlog

from libra.daemon.beats import Beats
from libra.daemon.loop import Loop
from libra.jobs.base import JobClient
from libra.manager.chores import Chores
from libra.manager.chores import Guards as ChoreGuards
from libra.manager.closedown import CloseDown, Patience, Progress
from libra.manager.dispatcher import CountWorkers, Dispatcher
from libra.manager.keeper import FleetKeeper
from libra.manager.nodekeeper import NodeKeeper
from libra.manager.noop import provision_noops
from libra.manager.pace import Pace
from libra.manager.poolkeeper import OpenProvider, PoolKeeper, no_provider
from libra.manager.prober import Prober
from libra.manager.probing import Probing
from libra.manager.room import BELL, JOB_SERVERS, LEASE, PROVIDERS, Room, Timed
from libra.manager.sender import Sender
from libra.manager.webmonitor import WebMonitor
from libra.storage.base import Lease
from libra.storage.fences import FencedStorage
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.5
CHORES_SECONDS = 1.0
DEVICES_SECONDS = 0.25  # between two looks at all devices: the bell may ring much more often
MOVING_SECONDS = 0.05  # while a web cluster goes from node to node
PROVIDER_LIMIT_SECONDS = 1800.0  # another package's provider may have a whole host installed
STOP_SECONDS = 30.0


class Manager:
    """Started and stopped by its owner; `beats` tell how its steps do, also where another one manages.

    `count_workers` tells how many workers each function has, or None where no job server answers.
    """

    def __init__(
        self,
        services: Services,
        lease: Lease,
        client: JobClient,
        count_workers: CountWorkers,
        pace: Pace,
        open_provider: OpenProvider = no_provider,
        beats: Beats | None = None,
    ) -> None:
        services = replace(services, storage=FencedStorage(services.storage, lease))
        self._services = services
        self._lease = lease
        self._room = room = Room(beats or Beats(), services.storage)
        beat = room.beats.add("manager", interval=LOOK_SECONDS, stores=(LEASE, BELL), endless=True)
        self._loop = Loop(beat, self._turn)
        self._leasing = room.beats.add("lease", interval=LOOK_SECONDS, stores=("database", LEASE))
        self._pace = pace
        self._build(client, count_workers, open_provider)
        self._steps = tuple(self._build_steps())
        self.manages: bool | None = None  # not known yet

    def _build(
        self, client: JobClient, count_workers: CountWorkers, open_provider: OpenProvider
    ) -> None:
        """Who has threads of their own first: they have beats of their own, too."""
        services, pace, beats = self._services, self._pace, self._room.beats
        prober = Prober(services, client, pace.probe_deadline.total_seconds())
        every = pace.probe.total_seconds()
        probes = beats.add("probes", interval=every, stores=("database", JOB_SERVERS))
        self._probing = Probing(
            services, prober, pace.probe, pace.concurrent, probes, self._ring_where_moving
        )
        sends = beats.add("sends", interval=LOOK_SECONDS, stores=("database", JOB_SERVERS))
        self._dispatcher = Dispatcher(
            services,
            Sender(services, client),
            count_workers,
            pace.concurrent,
            sends,
            lambda job: self._probing.hasten(job.device_id),
        )
        self._open_provider = open_provider

    def _build_steps(self) -> Iterator[Timed]:
        """In the order of a turn."""
        services, guard = self._services, self._room.guard
        jobs, late = guard("jobs", CHORES_SECONDS), guard("late", CHORES_SECONDS)
        repairs = guard("repairs", CHORES_SECONDS, BELL)
        chores = Chores(
            services,
            self._pace,
            self._dispatcher.is_sending,
            ChoreGuards(jobs, late, repairs),
        )
        fleet, moves = guard("fleet", CHORES_SECONDS, BELL), guard("moves", DEVICES_SECONDS, BELL)
        self._keeper = FleetKeeper(services, self._pace.probe, fleet, moves)
        pools = guard("pools", CHORES_SECONDS, PROVIDERS)
        boots = self._room.beats.add(
            "boots",
            interval=CHORES_SECONDS,
            limit=PROVIDER_LIMIT_SECONDS,
            stores=("database", PROVIDERS),
        )
        self._pool_keeper = PoolKeeper(services, self._open_provider, pools, boots)
        web = guard("web", DEVICES_SECONDS, BELL)
        self._web_monitor = WebMonitor(services, self._pace.web, web)
        dispatch = guard("dispatch", LOOK_SECONDS, JOB_SERVERS)
        prune, look = guard("prune", CHORES_SECONDS), guard("look", DEVICES_SECONDS)
        marks, noops = guard("marks", CHORES_SECONDS, BELL), guard("noops", LOOK_SECONDS)
        yield Timed(jobs, lambda: CHORES_SECONDS, chores.keep_jobs)
        yield Timed(late, lambda: CHORES_SECONDS, chores.end_late)
        yield Timed(repairs, lambda: CHORES_SECONDS, chores.repair)
        yield Timed(fleet, lambda: CHORES_SECONDS, self._keeper.turn)
        yield Timed(pools, lambda: CHORES_SECONDS, self._pool_keeper.turn)
        yield Timed(marks, lambda: CHORES_SECONDS, NodeKeeper(services).turn)
        yield Timed(prune, lambda: CHORES_SECONDS, chores.prune)
        yield Timed(noops, lambda: 0.0, lambda _now: provision_noops(services))
        yield Timed(dispatch, lambda: 0.0, self._dispatcher.turn)
        yield Timed(moves, self._pause, self._keeper.finish_moves)
        yield Timed(web, self._pause, self._web_monitor.turn)
        yield Timed(look, self._pause, self._probing.turn)

    def start(self) -> None:
        """Begin; what another manager has left half done is taken up."""
        self._loop.start()

    def stop(self) -> None:
        """Send nothing more, and wait for what is under way; what does not end comes again with the next manager."""
        self.rest()
        self._lease.release()

    def rest(self) -> None:
        """The same, but keep the lease: what `close_down` needs. Idempotent."""
        self._loop.stop(STOP_SECONDS, self._services.bell.ring)
        self._pool_keeper.stop()
        self._dispatcher.stop()
        self._probing.stop()

    def close_down(self, patience: Patience, progress: Progress) -> None:
        """Between `rest` and `stop`: have the devices destroyed that end with the controller, where this one manages.

        That there is no other controller is for the caller to know.
        """
        if self.manages and not self._loop.is_alive:
            closing = CloseDown(self._services, self._lease, self._open_provider)
            closing.run(self._pool_keeper.busy, patience, progress)

    def _turn(self) -> None:
        if self._may_manage():
            self.turn()
        self._services.bell.wait(LOOK_SECONDS)

    def _may_manage(self) -> bool:
        """One manager at a time: two would do no harm, but send everything twice."""
        with self._leasing.turn():
            may = self._lease.hold()
        if may is not self.manages:
            self.manages = may
            if may:
                log.info("this controller manages", action="manage")
            else:
                log.warning(
                    "another controller manages; this one serves the API and stands by",
                    action="manage",
                    holder=self._lease.holder,
                )
        return may

    def turn(self) -> None:
        """One look, and what follows from it. Raises `StorageUnavailable` and nothing else."""
        now = self._services.clock()
        for step in self._steps:
            if not self._loop.stopping.is_set():
                step.turn(now)
                self._loop.beat.beat()

    def _pause(self) -> float:
        return MOVING_SECONDS if self._web_monitor.moving else DEVICES_SECONDS

    def _ring_where_moving(self) -> None:
        if self._web_monitor.moving:
            self._services.bell.ring()
