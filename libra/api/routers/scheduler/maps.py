"""Cloud aliases and user limits: which device pools have a name together, and how many devices a project may use."""

import json

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OBSERVERS, OPERATORS, Given
from libra.api.routers.scheduler.ordering import COMMENT, Ordering
from libra.api.routers.scheduler.parameters import Asked
from libra.api.routers.scheduler.telling import tell
from libra.usecases.admin import maps

router = APIRouter(tags=["scheduler: orders"])


@router.get("/cloud-aliases", dependencies=[Depends(OBSERVERS)])
@router.get("/cloud_aliases", dependencies=[Depends(OBSERVERS)], include_in_schema=False)
def list_aliases(request: Request, asked: Asked, services: Given) -> Response:
    """The names of the pools of each, as JSON in any case."""
    asked.only()
    return _tell(request, maps.list_aliases(services))


@router.post("/cloud-aliases", dependencies=[Depends(OPERATORS)])
@router.post("/cloud_aliases", dependencies=[Depends(OPERATORS)], include_in_schema=False)
def reload_aliases(request: Request, asked: Asked, services: Given, caller: Ordering) -> Response:
    """From the file that the settings name; a bad one changes nothing, and is told of."""
    asked.only(COMMENT)
    return _tell(request, maps.reload_aliases(services, caller))


@router.get("/user-limits", dependencies=[Depends(OBSERVERS)])
@router.get("/user_limits", dependencies=[Depends(OBSERVERS)], include_in_schema=False)
def list_limits(request: Request, asked: Asked, services: Given) -> Response:
    """How many devices each project may use, -1 for no limit; as JSON in any case."""
    asked.only()
    return _tell(request, maps.list_limits(services))


@router.post("/user-limits", dependencies=[Depends(OPERATORS)])
@router.post("/user_limits", dependencies=[Depends(OPERATORS)], include_in_schema=False)
def reload_limits(request: Request, asked: Asked, services: Given, caller: Ordering) -> Response:
    """From the file that the settings name; a bad one changes nothing, and is told of."""
    asked.only(COMMENT)
    return _tell(request, maps.reload_limits(services, caller))


def _tell(request: Request, shown: object) -> Response:
    return tell(request, json.dumps(shown, indent=2), shown)
