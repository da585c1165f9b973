"""The application: every router on one screen, with who may call it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache

from fastapi import APIRouter, Depends, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from libra import __version__
from libra.api import errors
from libra.api.auth import EVERYBODY
from libra.api.board import NodeBoard
from libra.api.docs import render_docs
from libra.api.doors import Doors
from libra.api.insight import Insight
from libra.api.lookup import Lookup, Room, build_rooms
from libra.api.metrics import Metrics
from libra.api.middleware import Surroundings
from libra.api.openapi import build_openapi
from libra.api.probes import Probes
from libra.api.routers import (
    amphorae,
    around,
    certificates,
    clusters,
    devices,
    events,
    health,
    identity,
    listeners,
    loadbalancers,
    monitors,
    nodes,
    objectstores,
    policies,
    pools,
    rollouts,
    scheduler,
    v1,
    webclusters,
)
from libra.api.routers.around import BASES
from libra.api.streams import Streams
from libra.daemon.beats import Beats
from libra.errors import LibraError, StorageUnavailable
from libra.usecases.admin.daemon import Daemon, NoDaemon
from libra.usecases.services import Services

OCTAVIA = (
    loadbalancers.router,
    listeners.router,
    pools.router,
    monitors.router,
    policies.router,
    around.router,
)

# Prefixes, routers, and who may call them at least; a route may ask for more.
ROUTERS: tuple[tuple[str, APIRouter, bool], ...] = (
    *((f"{base}/lbaas", router, True) for base in BASES for router in OCTAVIA),
    *((f"{base}/octavia", amphorae.router, True) for base in BASES),
    *((base, around.networks, True) for base in BASES),
    ("", around.versions, False),
    ("", scheduler.root.router, False),
    *(("", router, True) for router in scheduler.ROUTERS),
    ("", around.projects, True),
    ("", identity.logins, False),
    ("", identity.router, True),
    ("", v1.router, True),
    ("", events.router, True),
    ("", devices.router, True),
    ("", certificates.router, True),
    ("", objectstores.router, True),
    ("", webclusters.router, True),
    # each of their operations says who may call it, for deployers may
    ("", nodes.router, False),
    ("", health.router, False),
    ("", rollouts.router, False),
    ("", rollouts.live, False),
    ("", clusters.versions, False),
    (
        "",
        clusters.router,
        False,
    ),  # its own operations ask for a token, and say so in their own words
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """What is wired. `beats` are those of every loop of this process; `manages` whether this process is the one that
    sends jobs, None where it does not know yet; `daemon` what orders to this process do."""

    services: Services
    max_body_bytes: int = 2_000_000
    max_page: int = 1000
    max_streams: int = 100
    anonymous_metrics: bool = True
    insight: Insight = field(default_factory=Insight)
    beats: Beats = field(default_factory=Beats)
    doors: Doors = field(default_factory=Doors)
    issued_lifetime: timedelta = timedelta(hours=1)
    manages: Callable[[], bool | None] = lambda: None
    daemon: Daemon = field(default_factory=NoDaemon)


def create_app(parts: ApiParts) -> FastAPI:
    """Serves as soon as a server runs it."""
    app = FastAPI(
        title="libra",
        version=__version__,
        description="Load balancing as a service on plain hosts.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.services = parts.services
    app.state.doors = parts.doors
    app.state.issued_lifetime = parts.issued_lifetime
    app.state.daemon = parts.daemon
    app.state.max_page = parts.max_page
    app.state.insight = parts.insight
    app.state.streams = Streams(parts.services.storage, parts.max_streams, parts.beats)
    app.state.endings = [app.state.streams.end]
    app.state.board = NodeBoard(parts.services)
    metrics = Metrics(parts.services, app.state.streams, parts.beats, parts.manages)
    app.state.refusals = {}
    _add_errors(app)
    app.router.routes.append(_routes())
    _add_health(app, parts, metrics)
    app.openapi = lambda: build_openapi(app)  # type: ignore[method-assign]
    app.add_middleware(Surroundings, max_body_bytes=parts.max_body_bytes, observe=metrics.observe)
    app.add_middleware(Probes, board=app.state.board, observe=metrics.observe)
    return app


@cache
def _routes() -> Lookup:
    """All that stand in ROUTERS; made once in a process."""
    return Lookup(room for row in ROUTERS for room in _build_rooms(*row))


def _build_rooms(prefix: str, router: APIRouter, needs_token: bool) -> Iterator[Room]:
    wanted = [Depends(EVERYBODY)] if needs_token else []
    shown = not prefix or prefix.startswith(BASES[0])

    def include(part: APIRouter) -> list[BaseRoute]:
        above = APIRouter()
        above.include_router(part, prefix=prefix, dependencies=wanted, include_in_schema=shown)
        return above.routes

    return build_rooms(router, prefix, include)


def _add_errors(app: FastAPI) -> None:
    app.add_exception_handler(LibraError, errors.answer_libra_error)
    app.add_exception_handler(RequestValidationError, errors.answer_invalid)
    app.add_exception_handler(HTTPException, errors.answer_http)
    app.add_exception_handler(errors.Unauthorized, errors.answer_unauthorized)
    app.add_exception_handler(Exception, errors.answer_bug)


def _add_health(app: FastAPI, parts: ApiParts, metrics: Metrics) -> None:
    @app.get("/healthz", tags=["health"])
    def healthz() -> dict[str, str]:
        """The process serves."""
        return {"status": "ok", "release": __version__}

    @app.get("/readyz", tags=["health"])
    def readyz() -> JSONResponse:
        """The database answers, and no loop hangs."""
        try:
            parts.services.storage.check()
        except StorageUnavailable as error:
            return JSONResponse({"status": str(error)}, 503)
        if fault := parts.beats.fault():
            return JSONResponse({"status": fault}, 503)
        return JSONResponse({"status": "ok"})

    wanted = [] if parts.anonymous_metrics else [Depends(EVERYBODY)]

    @app.get("/metrics", tags=["health"], response_class=PlainTextResponse, dependencies=wanted)
    def show_metrics() -> Response:
        """For Prometheus."""
        return Response(metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    def docs() -> HTMLResponse:
        """Made of the OpenAPI document, without anybody else's scripts."""
        return HTMLResponse(render_docs(app.openapi()))
