"""Jobs, the newest first."""

from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.model.job import JobState
from libra.storage.query import Query
from libra.usecases.jobs import ORDERS, list_jobs
from libra.web.pages import Context, Look

MOST = 100


def view(look: Look) -> Context:
    """In one state where that is asked for."""
    where: dict[str, object] = {}
    if not look.caller.sees_everything:
        where["project_id"] = look.caller.project_id
    state = look.asked.get("state", "")
    if state:
        try:
            where["state"] = JobState(state)
        except ValueError:
            raise Invalid(f"cannot show jobs in the state {quoted(state)}") from None
    query = Query(where=where, sort=(("created_at", False),), limit=MOST)
    return {
        "now": look.services.clock(),
        "jobs": list_jobs(look.services, query),
        "states": [item.value for item in JobState],
        "asked": {"state": state},
        "orders": {order.value: allowed for order, (allowed, _) in ORDERS.items()},
    }
