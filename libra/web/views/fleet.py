"""The fleet at a glance."""

from collections import Counter
from collections.abc import Mapping

from libra.model.device import READY, DeviceState
from libra.model.job import OPEN
from libra.model.status import ProvisioningStatus
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.web.charts import draw
from libra.web.pages import Context, Look

MOST_TROUBLE = 20
_CALM = (*READY, DeviceState.RETIRED)
LEAST_REQUESTS = (
    10.0  # at the upper edge of a chart, so that a single one does not look like a storm
)
LEAST_ERRORS = 0.01


def view(look: Look) -> Context:
    """Figures for who sees everything; a project's own for the others."""
    with look.services.storage.reading() as unit:
        context = _counts(unit, look)
    rates = look.history.rates() if look.caller.sees_everything else None
    return {
        **context,
        "now": look.services.clock(),
        "rates": rates,
        "requests": draw(rates.requests, LEAST_REQUESTS) if rates else None,
        "errors": draw(rates.errors, LEAST_ERRORS) if rates else None,
        "bytes_out": draw(rates.bytes_out, 1000.0) if rates else None,
    }


def _counts(unit: UnitOfWork, look: Look) -> Context:
    everywhere = look.caller.sees_everything
    mine = {} if everywhere else {"project_id": look.caller.project_id}
    statuses = _statuses(unit, mine)
    faulty = {**mine, "provisioning_status": ProvisioningStatus.ERROR}
    trouble = unit.loadbalancers.find(Query(where=faulty, limit=MOST_TROUBLE))
    return {
        "balancers": statuses,
        "faulty_balancers": trouble,
        "devices": {state: tally.count for state, tally in unit.figures.devices().items()}
        if everywhere
        else {},
        "faulty_devices": _troubled(unit) if everywhere else [],
        "braked": [pool for pool in unit.device_pools.find() if pool.brake_since]
        if everywhere
        else [],
        "jobs": _open_jobs(unit) if everywhere else {},
        "clusters": Counter(item.status for item in unit.web_clusters.find(Query(where=mine))),
    }


def _statuses(unit: UnitOfWork, mine: Mapping[str, object]) -> Mapping[str, int]:
    """By provisioning status."""
    if mine:
        found = unit.loadbalancers.find(Query(where=mine))
        return Counter(item.provisioning_status.value for item in found)
    counted: Counter[str] = Counter()
    for statuses, count in unit.loadbalancers.count_by_status().items():
        counted[statuses[0]] += count
    return counted


def _troubled(unit: UnitOfWork) -> list[object]:
    states = [state for state in DeviceState if state not in _CALM]
    return list(unit.devices.find(Query(where={"state": states}, limit=MOST_TROUBLE)))


def _open_jobs(unit: UnitOfWork) -> Mapping[str, int]:
    counted: Counter[str] = Counter()
    for (_, state), tally in unit.figures.open_jobs().items():
        if state in OPEN:
            counted[state.value] += tally.count
    return counted
