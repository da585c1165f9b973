"""How the controllers do, who has how much, and what came to nothing."""

from dataclasses import asdict

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OBSERVERS, Given
from libra.api.routers.scheduler.parameters import Asked
from libra.api.routers.scheduler.telling import tell
from libra.api.schemas.scheduler import (
    show_boot_failures,
    show_controller,
    show_image_failures,
)
from libra.api.text.developer import render_memory
from libra.api.text.failures import render_boot, render_image
from libra.api.text.fairness import named, render_distribution
from libra.api.text.loops import describe, render_beats, render_stores
from libra.daemon.memory import measure_memory
from libra.errors import NotFound
from libra.messages.fields import quoted
from libra.usecases import devicepools
from libra.usecases.admin import failures, overview
from libra.usecases.services import Services

router = APIRouter(tags=["scheduler: status"], dependencies=[Depends(OBSERVERS)])
KINDS = ("boot", "image")


@router.get("/developer_info", include_in_schema=False)
@router.get("/developer-info")
def show_memory(request: Request, asked: Asked) -> Response:
    """Of this process."""
    asked.only()
    found = measure_memory()
    return tell(request, render_memory(found), asdict(found))


@router.get("/thread-heart-beats")
@router.get("/thread_heart_beats", include_in_schema=False)
def show_beats(request: Request, services: Given, asked: Asked) -> Response:
    """Of every loop of every controller."""
    asked.only()
    found, now = overview.list_controllers(services), services.clock()
    shown = [show_controller(item, now) for item in found]
    return tell(request, render_beats(found, now), {"controllers": shown})


@router.get("/shared-objs")
@router.get("/shared_objs", include_in_schema=False)
def show_stores(request: Request, services: Given, asked: Asked) -> Response:
    """What each loop of every controller works on."""
    asked.only()
    found, now = overview.list_controllers(services), services.clock()
    shown = [
        {
            "controller": describe(item, now),
            "threads": {loop.name: list(loop.stores) for loop in item.loops},
        }
        for item in found
    ]
    return tell(request, render_stores(found, now), {"controllers": shown})


@router.get("/diff-types")
@router.get("/diff_types", include_in_schema=False)
def show_types(request: Request, services: Given, asked: Asked) -> Response:
    """Wanted and actual share of the devices, by project and pool."""
    asked.only()
    found, pools = failures.distribute_devices(services), devicepools.pool_names(services)
    shown = {
        "diff_types": named(found.differences, pools),
        "current_types": named(found.current, pools),
        "desired_types": named(found.desired, pools),
    }
    return tell(request, render_distribution(found, pools), shown)


@router.get("/failures")
def show_failures(request: Request, services: Given, asked: Asked) -> Response:
    """By the parameter type."""
    return _tell_failures(request, services, asked.only("type").word("type", KINDS))


@router.get("/failures/{kind:segment}")
def show_failures_of(request: Request, kind: str, services: Given, asked: Asked) -> Response:
    """By the path."""
    asked.only()
    if kind not in KINDS:
        raise NotFound(f"cannot show failures of {quoted(kind)}: there are those of boot and image")
    return _tell_failures(request, services, kind)


def _tell_failures(request: Request, services: Services, kind: str) -> Response:
    if kind == "boot":
        found = failures.list_boot_failures(services)
        return tell(request, render_boot(found), show_boot_failures(found))
    images = failures.list_image_failures(services)
    return tell(request, render_image(images), show_image_failures(images))
