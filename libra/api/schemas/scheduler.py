"""Pools, devices, jobs and loops as the scheduler's JSON has them: its own names, and beside them ours.

Times by its names are seconds since 1970, by ours as everywhere else.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from libra.api.schemas.shown import show_fields
from libra.api.text import loops
from libra.api.text.clouds import address_of, type_of
from libra.api.text.jobs import NUMBERS
from libra.api.text.jobs import status_of as status_of_job
from libra.model.controller import Controller
from libra.model.device import DeviceState
from libra.model.job import Job, JobPriority, JobState
from libra.model.overview import override_of, startup_of, status_of
from libra.model.sizing import BOOT_TIME
from libra.usecases.admin.failures import BootFailures, Failure, ImageFailures
from libra.usecases.admin.overview import Cloud, Vm

Json = dict[str, Any]
_POOL = (
    *("id", "provider", "auto_enroll", "shared", "min_spare", "max_devices", "priority"),
    *("disabled", "disabled_reason", "brake_since", "brake_reason", "created_at", "updated_at"),
)
_DEVICE = (
    *("id", "name", "address", "state", "reason", "generation", "acknowledged", "protocol"),
    *("release", "proxy", "created_at", "first_seen", "last_seen", "misses", "failing_since"),
    *("retiring", "shutting_down", "stopped", "announced_at", "started_at"),
)
_JOB = (
    *("id", "action", "state", "device_id", "device_name", "project_id", "loadbalancer_id"),
    *("generation", "attempts", "created_at", "updated_at", "deadline", "not_before", "sent_at"),
    *("requested_by", "request_id", "error"),
)
_PRIORITIES = {JobPriority.HIGH: 1, JobPriority.NORMAL: 0, JobPriority.LOW: -1}
_LOOP = ("name", "interval", "limit", "beat", "failures", "error", "failed_at", "hung", "stores")
_CONTROLLER = ("id", "host", "pid", "release", "started_at", "seen_at", "manages")


def _epoch(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def show_cluster(cloud: Cloud) -> Json:
    """With its devices."""
    pool = cloud.pool
    return {
        **show_fields(pool, _POOL),
        "name": pool.name,
        "network_address": address_of(cloud),
        "cloud_type": type_of(cloud),
        "vm_slots": cloud.free,
        "max_slots": pool.max_devices,
        "used_slots": cloud.used,
        "enabled": not pool.disabled,
        "boot_timeout": int(BOOT_TIME.total_seconds()),
        "connection_problem": pool.brake_since is not None,
        "errorconnect": _epoch(pool.brake_since),
        "vms": [show_vm(vm, type_of(cloud)) for vm in cloud.vms],
    }


def show_vm(vm: Vm, kind: str) -> Json:
    """`kind` is its cluster's."""
    device, user = vm.device, ",".join(vm.projects)
    idle = device.state is DeviceState.SPARE
    return {
        **show_fields(device, _DEVICE),
        "pool": vm.pool,
        "projects": list(vm.projects),
        "parts": vm.parts,
        "vmtype": kind,
        "hostname": device.name,
        "clusteraddr": vm.pool,
        "ipaddress": device.address,
        "cloudtype": kind,
        "image": " ".join(filter(None, (device.release, device.proxy))),
        "status": status_of(device),
        "override_status": override_of(device),
        "user": user,
        "uservmtype": f"{user}:{vm.pool}",
        "idle": idle,
        "errorcount": device.misses,
        "errorconnect": _epoch(device.failing_since),
        "lastpoll": _epoch(device.last_seen),
        "initialize_time": _epoch(device.created_at),
        "startup_time": startup_of(device),
        "force_retire": device.retiring,
        "job_run_times": [run.seconds for run in vm.runs],
    }


def show_job(job: Job, pools: Mapping[str, str]) -> Json:
    """`pools` are names by the devices' ids."""
    running = job.state is JobState.RUNNING
    pool = pools.get(job.device_id)
    return {
        **show_fields(job, _JOB),
        "pool": pool,
        "user": job.project_id or "",
        "priority": _PRIORITIES[job.priority],
        "high_priority": int(job.priority is JobPriority.HIGH),
        "job_status": NUMBERS[job.state],
        "status": status_of_job(job),
        "override_status": None,
        "remote_host": job.device_name if running else None,
        "running_cloud": pool if running else None,
        "running_vm": job.device_name if running else None,
        "uservmtype": f"{job.project_id or ''}:{pool or ''}",
        "banned": False,
        "servertime": _epoch(job.updated_at),
        "jobstarttime": _epoch(job.sent_at),
    }


def show_controller(item: Controller, now: datetime) -> Json:
    """With its loops, as `threads`."""
    return {
        **show_fields(item, _CONTROLLER),
        "live": item.is_live(now),
        "threads": [
            {
                **show_fields(loop, _LOOP),
                "age": loops.age_of(loop, now),
                "state": loops.state_of(item, loop, now),
            }
            for loop in item.loops
        ],
    }


def show_boot_failures(found: BootFailures) -> Json:
    """By project and by pool."""
    return {"users": _failures("user", found.placements), "clouds": _failures("cloud", found.pools)}


def show_image_failures(found: ImageFailures) -> Json:
    """What never came, and what refuses."""
    refused = [{**_failure("cloud", failure), "image": image} for failure, image in found.refused]
    return {"never_online": _failures("cloud", found.never_online), "refused": refused}


def _failures(name: str, found: Iterable[Failure]) -> list[Json]:
    return [_failure(name, failure) for failure in found]


def _failure(name: str, failure: Failure) -> Json:
    shown = show_fields(failure, ("reason", "at"))
    return {name: failure.subject, "vm": failure.device or None, **shown}
