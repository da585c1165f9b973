"""The reference of Octavia's API names whatever a client may send."""

import re
from pathlib import Path

import pytest

from libra.api.schemas import octavia, policies
from libra.api.schemas.types import Body

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "doc/reference/octavia.md").read_text(encoding="utf-8")
BODIES = (
    *(octavia.LoadBalancerBody, octavia.ListenerBody, octavia.PoolBody, octavia.MemberBody),
    *(octavia.MonitorBody, octavia.PersistenceBody, policies.PolicyBody, policies.RuleBody),
)
ELSEWHERE = frozenset(("tenant_id", "loadbalancer_id", "listener_id", "pool_id"))
"""What says whose part it is."""


@pytest.mark.parametrize("body", BODIES, ids=lambda item: item.__name__)
def test_every_field_is_in_the_reference(body: type[Body]) -> None:
    named = set(re.findall(r"`([a-z_0-9]+)`", TEXT))
    assert set(body.model_fields) - ELSEWHERE <= named
