"""Other spellings of Octavia's paths."""

import pytest

from libra.api.paths import respell

SPELLINGS = [
    ("/v2/lbaas/loadbalancers", "/v2/lbaas/loadbalancers"),
    ("/v2.0/loadbalancers", "/v2.0/lbaas/loadbalancers"),
    ("/load-balancer/v2/pools/1/members", "/load-balancer/v2/lbaas/pools/1/members"),
    ("/v2/lbaas/loadbalancers.json", "/v2/lbaas/loadbalancers"),
    ("/v2/lbaas/loadbalancers/1.json", "/v2/lbaas/loadbalancers/1"),
    ("/v2/lbaas/loadbalancers/", "/v2/lbaas/loadbalancers"),
    ("/v2/quotas/defaults/", "/v2/lbaas/quotas/defaults"),
    ("/v2.0/octavia/amphorae/", "/v2.0/octavia/amphorae"),
    ("/load-balancer/v2/octavia/amphorae/1.json", "/load-balancer/v2/octavia/amphorae/1"),
]
OTHERS = [
    "/",
    "/v2",
    "/v2/",
    "/v2.0/subnets",
    "/v2/loadbalancersx",
    "/v2/lbaas/lbaas/loadbalancers",
    "/v20/loadbalancers",
    "/v1/jobs/",
    "/v1/jobs.json",
    "/x/v2/loadbalancers",
]


@pytest.mark.parametrize(("path", "wanted"), SPELLINGS)
def test_one_path_for_every_spelling(path: str, wanted: str) -> None:
    assert respell(path) == wanted
    assert respell(wanted) == wanted


@pytest.mark.parametrize("path", OTHERS)
def test_what_is_not_octavias_stays(path: str) -> None:
    assert respell(path) == path


def test_ids_stay_whatever_they_hold() -> None:
    for odd in ("\n", "a\n", "a.jsonx", "..", "a//b"):
        path = f"/v2/lbaas/pools/1/members/{odd}"
        assert respell(path) == path
