"""Orders to the controller that is asked: how much it logs, its settings again, its end."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from libra.api.auth import OPERATORS, Given
from libra.api.routers.scheduler.ordering import COMMENT, Ordering
from libra.api.routers.scheduler.parameters import Asked
from libra.api.routers.scheduler.telling import tell
from libra.usecases.admin.daemon import (
    Daemon,
    Reconfiguration,
    change_log_level,
    quick_shutdown,
    reconfigure,
)

router = APIRouter(tags=["scheduler: orders"], dependencies=[Depends(OPERATORS)])
ACTIONS = ("reconfig", "quick_shutdown")
LEVEL = "log_level"
"""The parameter."""


async def _daemon_of(request: Request) -> Daemon:
    daemon: Daemon = request.app.state.daemon
    return daemon


Process = Annotated[Daemon, Depends(_daemon_of)]


@router.put("/", response_model=None)
def set_log_level(
    request: Request, services: Given, caller: Ordering, asked: Asked, daemon: Process
) -> Response:
    """log_level=CRITICAL, ERROR, WARNING, INFO, DEBUG or VERBOSE: what is logged from now on, until the settings are
    read again."""
    given = asked.only(LEVEL, COMMENT).text(LEVEL)
    level = change_log_level(services, caller, daemon, given or "")
    return tell(request, f"logs from {level} on", {LEVEL: level})


@router.post("/", response_model=None)
def order(
    request: Request, services: Given, caller: Ordering, asked: Asked, daemon: Process
) -> Response:
    """action=reconfig: read the settings again. action=quick_shutdown: stop, and leave all devices running."""
    action = asked.only("action", COMMENT).word("action", ACTIONS)
    if action == "reconfig":
        done = reconfigure(services, caller, daemon)
        shown = {"changed": done.changed, "needs_restart": done.waiting}
        return tell(request, _words(done), shown)
    quick_shutdown(services, caller, daemon)
    text = "stops, and leaves all devices running"
    return tell(request, text, {"action": action, "status": text})


def _words(done: Reconfiguration) -> str:
    if not done.changed and not done.waiting:
        return "read the settings; nothing has changed"
    lines = ["read the settings"]
    lines += [f"changed: {key}" for key in done.changed]
    lines += [f"needs a restart: {key}" for key in done.waiting]
    return "\n".join(lines)
