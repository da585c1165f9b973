"""Events, the newest first."""

from collections.abc import Mapping

from libra.model.event import Event
from libra.storage.base import UnitOfWork
from libra.web.pages import Context, Look

MOST = 100
FIRST_SPAN = 200
LONGEST_SPAN = 200_000  # ids; a project's own may be far between


def view(look: Look) -> Context:
    """Of a kind that begins so, where that is asked for."""
    kind = look.asked.get("kind", "")
    where: dict[str, object] = {}
    if not look.caller.sees_everything:
        where["project_id"] = look.caller.project_id
    with look.services.storage.reading() as unit:
        found = read_newest(unit, where, kind)
    return {"now": look.services.clock(), "events": found, "asked": {"kind": kind}}


def read_newest(unit: UnitOfWork, where: Mapping[str, object], kind: str = "") -> list[Event]:
    """At most `MOST`, looked for further and further back."""
    newest, span = unit.figures.newest_event(), FIRST_SPAN
    while True:
        after = max(0, newest - span)
        found = unit.events.since(after, limit=span, where=where, kind_prefix=kind)
        if len(found) >= MOST or after == 0 or span >= LONGEST_SPAN:
            return found[-MOST:][::-1]
        span *= 10
