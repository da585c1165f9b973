"""Events: listed, waited for, and followed as a stream."""

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from libra.api.auth import EVERYBODY, Asking, Given, caller_of
from libra.api.errors import Unauthorized
from libra.api.rendering import WrittenRoute
from libra.api.routers.octavia import Json
from libra.api.schemas.v1 import EventsAsked, EventsFollowed
from libra.api.streams import MEDIA_TYPE, EventStream, Streams, show_event
from libra.api.tail import Wanted
from libra.errors import Invalid, StorageUnavailable
from libra.messages.fields import quoted
from libra.model.access import Caller

router = APIRouter(prefix="/v1", route_class=WrittenRoute)
POLL_SECONDS = 0.25
LARGEST_ID = 2**62
LAST_ID = "last-event-id"


@router.get("/events", dependencies=[Depends(EVERYBODY)], tags=["events"], response_model=None)
def list_events(
    request: Request, services: Given, caller: Asking, asked: Annotated[EventsAsked, Query()]
) -> Json | Response:
    """Oldest first; `wait` seconds for the next one where there is none yet.

    Whoever accepts text/event-stream gets what /v1/events/stream answers.
    """
    if MEDIA_TYPE in request.headers.get("accept", ""):
        return _follow(request, services, caller, asked)
    wanted = _wanted(caller, asked)
    until = time.monotonic() + asked.wait
    while True:
        found = services.storage.look(
            lambda unit: unit.events.since(
                asked.since, limit=asked.limit, where=wanted.where, kind_prefix=wanted.kind
            )
        )
        if found or time.monotonic() >= until:
            return {"events": [show_event(event) for event in found]}
        time.sleep(POLL_SECONDS)


@router.get(
    "/events/stream",
    dependencies=[Depends(EVERYBODY)],
    tags=["events"],
    response_class=StreamingResponse,
    # OpenAPI 3.1 has no words for it, and whoever tries all operations would wait for its end.
    include_in_schema=False,
)
def follow_events(
    request: Request, services: Given, caller: Asking, asked: Annotated[EventsFollowed, Query()]
) -> Response:
    """Server-sent events: each with its id, its kind, and as data what /v1/events shows of it.

    Last-Event-ID, or `since`, is where it goes on; without either it begins with what happens next. A comment every 15
    seconds is a sign of life. 503 where too many follow already.
    """
    return _follow(request, services, caller, asked)


def _follow(
    request: Request, services: Given, caller: Caller, asked: EventsFollowed
) -> EventStream:
    streams: Streams = request.app.state.streams
    newest = services.storage.look(lambda unit: unit.figures.newest_event())
    known = _last_id(request)
    if known is None and "since" in asked.model_fields_set:
        known = asked.since
    # An id that was never given is another database's: what happens here from now on is new to whoever has it.
    after = newest if known is None else min(known, newest)

    async def may_go_on() -> bool:
        try:
            await caller_of(request)
        except Unauthorized:
            return False
        except StorageUnavailable:
            return True  # nobody can tell, and nothing can be read either
        return True

    return EventStream(streams, after, _wanted(caller, asked), may_go_on)


def _last_id(request: Request) -> int | None:
    text = request.headers.get(LAST_ID, "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= LARGEST_ID):
        raise Invalid(f"cannot go on after {quoted(text[:64])}: Last-Event-ID must be an event's")
    return int(text)


def _wanted(caller: Caller, asked: EventsFollowed) -> Wanted:
    where = asked.where()
    if not caller.sees_everything:
        # Another project's are none that this caller could see, and no row matches an empty set.
        mine = where.get("project_id", caller.project_id) == caller.project_id
        where["project_id"] = caller.project_id if mine else frozenset()
    return Wanted(where, asked.kind)
