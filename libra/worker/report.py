"""Statistics as the fields of a STATS reply."""

from collections.abc import Mapping
from types import MappingProxyType

from libra.messages.codec import JsonObject
from libra.model.statistics import (
    ListenerStatistics,
    LoadBalancerStatistics,
    MemberStatistics,
    PoolStatistics,
)

NO_ANSWERS: Mapping[str, bool] = MappingProxyType({})


def render_statistics(
    statistics: LoadBalancerStatistics,
    *,
    detailed: bool = False,
    answers: Mapping[str, bool] = NO_ANSWERS,
) -> JsonObject:
    """One entry of the reply's `loadbalancers`; members stand under `nodes`, as in UPDATE.

    `detailed` adds what 2.0 tells of listeners and pools, `answers` whether listeners with web services do, by id.
    """
    entry = _render_sums(statistics)
    if detailed:
        entry["listeners"] = [
            {**_render_listener(item), **_answer(item, answers)} for item in statistics.listeners
        ]
        entry["pools"] = [_render_pool(item) for item in statistics.pools]
    return entry


def _render_listener(listener: ListenerStatistics) -> JsonObject:
    return {
        "id": listener.id,
        "status": listener.status.value,
        "bytes_in": listener.bytes_in,
        "bytes_out": listener.bytes_out,
        "current_sessions": listener.current_sessions,
        "total_sessions": listener.total_sessions,
        "total_requests": listener.total_requests,
        "errors": listener.errors,
    }


def _answer(listener: ListenerStatistics, answers: Mapping[str, bool]) -> JsonObject:
    return {"answers": answers[listener.id]} if listener.id in answers else {}


def _render_pool(pool: PoolStatistics) -> JsonObject:
    return {
        "id": pool.id,
        "status": pool.status.value,
        "nodes": [_render_member(member) for member in pool.members],
    }


def _render_sums(statistics: LoadBalancerStatistics) -> JsonObject:
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
