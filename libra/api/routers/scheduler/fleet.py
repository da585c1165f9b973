"""Pools and devices, as the scheduler's clouds, clusters and VMs."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OBSERVERS, Given
from libra.api.errors import wants_text
from libra.api.insight import Insight
from libra.api.routers.scheduler.parameters import Asked
from libra.api.routers.scheduler.telling import tell, tell_lazily
from libra.api.schemas.scheduler import show_cluster, show_vm
from libra.api.text import clouds, vms
from libra.config.showing import show_options
from libra.errors import JobServerUnavailable
from libra.model.overview import count_statuses, startup_of
from libra.usecases import devicepools
from libra.usecases.admin import overview
from libra.usecases.admin.overview import EVERYTHING, RECORDS, Cloud, Wanted
from libra.usecases.services import Services

router = APIRouter(tags=["scheduler: status"], dependencies=[Depends(OBSERVERS)])
METRICS = ("all", "total", "missing", "startup_time", "job_run_times")
Answer = Callable[[Request, Services, list[Cloud]], Response]


@router.get("/cloud")
@router.get("/clouds", include_in_schema=False)
def list_clouds(request: Request, services: Given, asked: Asked) -> Response:
    """The device pools."""
    asked.only()
    found = overview.list_clouds(services, _detail(request))
    return tell_lazily(
        request, lambda: clouds.render_clouds(found), lambda: {"resources": _clusters(found)}
    )


@router.get("/cloud/config")
def show_config(request: Request, services: Given, asked: Asked) -> Response:
    """The settings of this controller and what pools are made of, without secrets."""
    asked.only()
    insight: Insight = request.app.state.insight
    sections: dict[str, Mapping[str, object]] = dict(insight.settings())
    for pool in sorted(devicepools.list_pools(services), key=lambda pool: pool.name):
        sections[f"device_pool.{pool.name}"] = {
            "provider": pool.provider,
            "options": show_options(pool.options),
            "enabled": not pool.disabled,
            "max_devices": pool.max_devices,
            "min_spare": pool.min_spare,
            "priority": pool.priority,
            "shared": pool.shared,
            "auto_enroll": pool.auto_enroll,
        }
    return tell(request, clouds.render_config(sections), sections)


@router.get("/clusters")
def list_clusters(request: Request, services: Given, asked: Asked) -> Response:
    """The same, with their devices."""
    asked.only()
    found = overview.list_clouds(services, _detail(request))
    return tell_lazily(
        request, lambda: clouds.render_clusters(found), lambda: {"resources": _clusters(found)}
    )


@router.get("/clusters/{cluster:segment}")
@router.get("/clouds/{cluster:segment}", include_in_schema=False)
def show_one(request: Request, cluster: str, services: Given, asked: Asked) -> Response:
    """By id or name."""
    asked.only()
    found = overview.find_cloud(services, cluster, _detail(request))
    text = f"Cluster Info: {cluster}\n"
    return tell_lazily(
        request, lambda: text + clouds.render_cluster(found), lambda: show_cluster(found)
    )


@router.get("/clusters/{cluster:segment}/vms")
@router.get("/clouds/{cluster:segment}/vms", include_in_schema=False)
def list_vms_of(request: Request, cluster: str, services: Given, asked: Asked) -> Response:
    """Without a metric each of them."""
    metric = asked.only("metric").word("metric", METRICS, "")
    return ANSWERS[metric](
        request, services, [overview.find_cloud(services, cluster, WANTED[metric])]
    )


@router.get("/clusters/{cluster:segment}/vms/{vm:segment}")
@router.get("/clouds/{cluster:segment}/vms/{vm:segment}", include_in_schema=False)
def show_vm_of(request: Request, cluster: str, vm: str, services: Given, asked: Asked) -> Response:
    """By id or name."""
    asked.only()
    cloud = devicepools.find_pool(services, cluster)
    found = overview.find_vm(services, cluster, vm)
    kind = cloud.provider or clouds.MANUAL
    return tell_lazily(request, lambda: vms.render_vm(found, kind), lambda: show_vm(found, kind))


@router.get("/vms")
def list_vms(request: Request, services: Given, asked: Asked) -> Response:
    """Without a metric each of them."""
    metric = asked.only("metric").word("metric", METRICS, "")
    return ANSWERS[metric](request, services, overview.list_clouds(services, WANTED[metric]))


@router.get("/vms/resources")
def list_resources(request: Request, services: Given, asked: Asked) -> Response:
    """Each of them."""
    asked.only()
    return _tell_vms(request, services, overview.list_clouds(services))


@router.get("/ips")
def list_addresses(request: Request, services: Given, asked: Asked) -> Response:
    """For Munin: those with public addresses."""
    asked.only()
    found = vms.find_public(
        vm for cloud in overview.list_clouds(services, RECORDS) for vm in cloud.vms
    )
    shown = [{"hostname": name, "address": address} for name, address in found]
    return tell(request, vms.render_munin(found), {"hosts": shown})


def _detail(request: Request) -> Wanted:
    """The texts of pools tell no more of devices than their records do."""
    return RECORDS if wants_text(request) else EVERYTHING


def _clusters(found: list[Cloud]) -> list[dict[str, Any]]:
    return [show_cluster(cloud) for cloud in found]


def _tell_vms(request: Request, _services: Services, found: list[Cloud]) -> Response:
    kinds = {cloud.pool.name: clouds.type_of(cloud) for cloud in found}
    return tell_lazily(
        request,
        lambda: vms.render_vms(found, kinds),
        lambda: {"vms": [show_vm(vm, kinds[vm.pool]) for cloud in found for vm in cloud.vms]},
    )


def _tell_counts(request: Request, _services: Services, found: list[Cloud]) -> Response:
    each = [vm for cloud in found for vm in cloud.vms]
    counts = count_statuses(vm.device for vm in each)
    return tell(request, vms.render_counts(each), dict(counts))


def _tell_total(request: Request, _services: Services, found: list[Cloud]) -> Response:
    total = sum(len(cloud.vms) for cloud in found)
    return tell(request, str(total), {"total": total})


def _tell_missing(request: Request, services: Services, _found: list[Cloud]) -> Response:
    """A worker that is no device's is of no cluster."""
    insight: Insight = request.app.state.insight
    workers = insight.workers()
    if workers is None:
        raise JobServerUnavailable("cannot tell which workers there are: no job server answers")
    missing = overview.find_missing(services, workers, insight.functions())
    shown = [{"name": name, "addresses": addresses} for name, addresses in missing.items()]
    return tell(request, vms.render_missing(missing), {"missing": shown})


def _tell_startups(request: Request, _services: Services, found: list[Cloud]) -> Response:
    shown = {
        cloud.pool.name: {vm.device.name: startup_of(vm.device) for vm in cloud.vms}
        for cloud in found
    }
    return tell(request, vms.render_startups(found), {"startup_times": shown})


def _tell_runs(request: Request, _services: Services, found: list[Cloud]) -> Response:
    each = [vm for cloud in found for vm in cloud.vms]
    shown = {
        vm.device.name: {
            "average": vms.average_of(vm),
            "seconds": [run.seconds for run in vm.runs],
        }
        for vm in each
        if vm.runs
    }
    return tell(request, vms.render_runs(each), {"job_run_times": shown})


ANSWERS: Mapping[str, Answer] = {
    "": _tell_vms,
    "all": _tell_counts,
    "total": _tell_total,
    "missing": _tell_missing,
    "startup_time": _tell_startups,
    "job_run_times": _tell_runs,
}
"""By metric."""
WANTED: Mapping[str, Wanted] = {
    **dict.fromkeys(METRICS, RECORDS),
    "": EVERYTHING,
    "job_run_times": Wanted(shares=False),
}
"""What each of them tells of devices."""
