"""The fleet as an operator looks at it: pools with their devices, whose they are, how long their jobs take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from libra.errors import NotFound
from libra.model.controller import Controller
from libra.model.device import Device
from libra.model.devicepool import DevicePool
from libra.model.job import Job
from libra.model.overview import JobQuestion, Run, Share
from libra.model.shrinking import counts
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.devicepools import get_pool
from libra.usecases.services import Services

RUNS_WITHIN = timedelta(days=7)
"""How old a job may be whose time counts where many devices are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vm:
    """A device, the name of its pool, whose parts it has, and the last runs of its jobs, the newest first."""

    device: Device
    pool: str
    projects: tuple[str, ...] = ()
    parts: int = 0
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """A device pool, and its devices by creation."""

    pool: DevicePool
    vms: tuple[Vm, ...]

    @property
    def used(self) -> int:
        """How many of what it may have it has: those that are not on their way out."""
        return sum(counts(vm.device) for vm in self.vms)

    @property
    def free(self) -> int | None:
        """How many more it may have; None: as many as there are."""
        most = self.pool.max_devices
        return None if most is None else max(0, most - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is read of devices beside their records: the runs of their jobs cost the most."""

    shares: bool = True
    runs: bool = True


EVERYTHING, RECORDS = Wanted(), Wanted(shares=False, runs=False)


def list_clouds(services: Services, wanted: Wanted = EVERYTHING) -> list[Cloud]:
    """By name; a handful of statements, however many there are."""
    with services.storage.reading() as unit:
        pools = sorted(unit.device_pools.find(), key=lambda pool: pool.name)
        return _build(unit, services, pools, unit.devices.find(), wanted)


def find_cloud(services: Services, key: str, wanted: Wanted = EVERYTHING) -> Cloud:
    """By id or name; raises `NotFound`."""
    with services.storage.reading() as unit:
        pool = get_pool(unit, key)
        mine = unit.devices.find(Query(where={"pool_id": pool.id}))
        (found,) = _build(unit, services, [pool], mine, wanted)
        return found


def find_vm(services: Services, cloud: str, key: str) -> Vm:
    """Both by id or name; raises `NotFound`."""
    with services.storage.reading() as unit:
        pool = get_pool(unit, cloud)
        device = unit.devices.get(key) or unit.devices.by_name(key)
        if device is None or device.pool_id != pool.id:
            raise NotFound(f"Device {key} not found in the device pool {pool.name}.")
        (found,) = _build(unit, services, [pool], [device], EVERYTHING, device.id)[0].vms
        return found


def _build(
    unit: UnitOfWork,
    services: Services,
    pools: Sequence[DevicePool],
    devices: Sequence[Device],
    wanted: Wanted,
    only: str | None = None,
) -> list[Cloud]:
    shares: dict[str, list[Share]] = {}
    for share in unit.overview.shares() if wanted.shares else ():
        shares.setdefault(share.device_id, []).append(share)
    runs: dict[str, list[Run]] = {}
    since = services.clock() - RUNS_WITHIN
    for run in unit.overview.runs(since, only) if wanted.runs else ():
        runs.setdefault(run.device_id, []).append(run)
    by_pool: dict[str, list[Device]] = {}
    for device in devices:
        by_pool.setdefault(device.pool_id, []).append(device)
    return [
        Cloud(
            pool=pool,
            vms=tuple(_vm(pool, device, shares, runs) for device in by_pool.get(pool.id, ())),
        )
        for pool in pools
    ]


def _vm(
    pool: DevicePool,
    device: Device,
    shares: Mapping[str, Sequence[Share]],
    runs: Mapping[str, Sequence[Run]],
) -> Vm:
    mine = shares.get(device.id, ())
    return Vm(
        device=device,
        pool=pool.name,
        projects=tuple(sorted({share.project_id for share in mine})),
        parts=sum(share.parts for share in mine),
        runs=tuple(runs.get(device.id, ())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class JobPage:
    """Jobs, the newest first; how many there are in all; the pools' names by the devices' ids."""

    jobs: Sequence[Job]
    total: int
    pools: Mapping[str, str]


def list_jobs(
    services: Services, question: JobQuestion, limit: int, marker: str | None = None
) -> JobPage:
    """Those behind the job `marker`, where one is given; raises `NotFound` where it is gone."""
    with services.storage.reading() as unit:
        place = None
        if marker is not None:
            before = _get_job(unit, marker)
            place = (before.created_at, before.id)
        jobs = unit.overview.jobs(question.states, question.priority, limit, place)
        total = unit.overview.count_jobs(question.states, question.priority)
        return JobPage(jobs=jobs, total=total, pools=_pools_of(unit, jobs))


def find_job(services: Services, key: str) -> JobPage:
    """A page of one; raises `NotFound`."""
    with services.storage.reading() as unit:
        job = _get_job(unit, key)
        return JobPage(jobs=[job], total=1, pools=_pools_of(unit, [job]))


def _get_job(unit: UnitOfWork, key: str) -> Job:
    job = unit.jobs.get(key)
    if job is None:
        raise NotFound(f"Job {key} not found.")
    return job


def _pools_of(unit: UnitOfWork, jobs: Sequence[Job]) -> dict[str, str]:
    """In two statements; a device that is gone has none."""
    wanted = {job.device_id for job in jobs}
    if not wanted:
        return {}
    names = {pool.id: pool.name for pool in unit.device_pools.find()}
    pools = unit.overview.pools_of(wanted)
    return {key: names[pool] for key, pool in pools.items() if pool in names}


def list_controllers(services: Services) -> list[Controller]:
    """All that tell of their loops, the one that manages first, then by host and age."""
    found = services.storage.look(lambda unit: unit.controllers.find())
    return sorted(found, key=lambda item: (not item.manages, item.host, item.started_at))


def find_missing(
    services: Services, workers: Mapping[str, Collection[str]], own: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Functions with a worker that are no device's name, and where it is; `own` are the controllers'."""
    known = services.storage.look(lambda unit: unit.overview.device_names())
    return {
        name: tuple(sorted(addresses))
        for name, addresses in sorted(workers.items())
        if name not in known and name not in own
    }
