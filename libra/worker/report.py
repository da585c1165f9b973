"""Statistics as the fields of a STATS reply."""

from dataclasses import asdict

from libra.messages.codec import JsonObject
from libra.model.statistics import LoadBalancerStatistics


def render_statistics(statistics: LoadBalancerStatistics) -> JsonObject:
    """One entry of the reply's `loadbalancers`; members stand under `nodes`, as in UPDATE."""
    fields = asdict(statistics)
    members = fields.pop("members")
    return {
        **fields,
        "status": statistics.status.value,
        "nodes": [
            {**fields, "status": member.status.value}
            for fields, member in zip(members, statistics.members, strict=True)
        ],
    }
