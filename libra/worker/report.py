"""Statistics as the fields of a STATS reply."""

from libra.messages.codec import JsonObject
from libra.model.statistics import LoadBalancerStatistics, MemberStatistics


def render_statistics(statistics: LoadBalancerStatistics) -> JsonObject:
    """One entry of the reply's `loadbalancers`; members stand under `nodes`, as in UPDATE."""
    return {
        "id": statistics.id,
        "name": statistics.name,
        "protocol": statistics.protocol,
        "status": statistics.status.value,
        "bytes_in": statistics.bytes_in,
        "bytes_out": statistics.bytes_out,
        "current_sessions": statistics.current_sessions,
        "total_sessions": statistics.total_sessions,
        "errors": statistics.errors,
        "nodes": [_render_member(member) for member in statistics.members],
    }


def _render_member(member: MemberStatistics) -> JsonObject:
    return {
        "id": member.id,
        "address": member.address,
        "port": member.port,
        "status": member.status.value,
        "last_check": member.last_check,
        "current_sessions": member.current_sessions,
        "total_sessions": member.total_sessions,
        "bytes_in": member.bytes_in,
        "bytes_out": member.bytes_out,
        "errors": member.errors,
    }
