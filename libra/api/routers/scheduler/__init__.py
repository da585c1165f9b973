"""The scheduler's API: what an operator asks and orders with curl, as text, and as JSON for who wants that.

Its paths begin at the root; `libra.api.scheduling` says how they are spelled. A name in one is `{name:segment}`.
"""

from fastapi import APIRouter
from starlette.convertors import register_url_convertor

from libra.api.routers.scheduler.segments import Segment

register_url_convertor("segment", Segment())  # before the routes that are made of it

from libra.api.routers.scheduler import (  # noqa: E402
    admin,
    daemon,
    fleet,
    health,
    maps,
    users,
    work,
)
from libra.api.routers.scheduler import root as root  # noqa: E402

ROUTERS: tuple[APIRouter, ...] = (
    admin.router,
    daemon.router,
    fleet.router,
    health.router,
    maps.router,
    users.router,
    work.router,
)
"""All of them want a token; each route says which role it wants at least."""
