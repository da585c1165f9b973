"""Statistics as the fields of a STATS reply."""

import json
from dataclasses import replace

from libra.model.statistics import (
    LoadBalancerStatistics,
    MemberStatistics,
    MemberStatus,
    OperatingStatus,
)
from libra.worker.report import render_statistics

MEMBER = MemberStatistics(
    id="m0",
    address="::1",
    port=80,
    status=MemberStatus.NO_CHECK,
    last_check=None,
    current_sessions=1,
    total_sessions=2,
    bytes_in=3,
    bytes_out=4,
    errors=5,
)
STATISTICS = LoadBalancerStatistics(
    id="15",
    name="lb #1",
    protocol="HTTP",
    status=OperatingStatus.DEGRADED,
    bytes_in=2**63,
    bytes_out=7,
    current_sessions=8,
    total_sessions=9,
    errors=10,
    members=(MEMBER, replace(MEMBER, id="m1", status=MemberStatus.DOWN, last_check="L7STS/500")),
)
NODE = {
    "id": "m0",
    "address": "::1",
    "port": 80,
    "status": "no check",
    "last_check": None,
    "current_sessions": 1,
    "total_sessions": 2,
    "bytes_in": 3,
    "bytes_out": 4,
    "errors": 5,
}


def test_every_field_is_there_in_words_of_json() -> None:
    fields = render_statistics(STATISTICS)
    assert fields == {
        "id": "15",
        "name": "lb #1",
        "protocol": "HTTP",
        "status": "DEGRADED",
        "bytes_in": 2**63,
        "bytes_out": 7,
        "current_sessions": 8,
        "total_sessions": 9,
        "errors": 10,
        "nodes": [NODE, NODE | {"id": "m1", "status": "DOWN", "last_check": "L7STS/500"}],
    }
    assert json.loads(json.dumps(fields)) == fields


def test_without_members() -> None:
    assert render_statistics(replace(STATISTICS, members=()))["nodes"] == []
