"""Address pools shown as subnets."""

import pytest

from libra.api.schemas.networks import show_subnet
from libra.usecases.services import AddressPool


@pytest.mark.parametrize(
    ("ranges", "cidr", "pools"),
    [
        (["10.1.1.0/24"], "10.1.1.0/24", [("10.1.1.1", "10.1.1.254")]),
        (["10.0.0.10-10.0.0.99"], "10.0.0.0/25", [("10.0.0.10", "10.0.0.99")]),
        (["10.0.0.7"], "10.0.0.7/32", [("10.0.0.7", "10.0.0.7")]),
        (
            ["10.0.1.1", "10.0.0.0/31", "fd00::/64"],
            "10.0.0.0/23",
            [("10.0.1.1", "10.0.1.1"), ("10.0.0.0", "10.0.0.1")],
        ),
        (["fd00::1-fd00::ff", "10.0.0.1"], "fd00::/120", [("fd00::1", "fd00::ff")]),
        ([], None, []),
    ],
)
def test_a_subnet_has_all_of_its_pool(
    ranges: list[str], cidr: str | None, pools: list[tuple[str, str]]
) -> None:
    shown = show_subnet(AddressPool(id="an-id", name="vip", ranges=tuple(ranges)))
    assert (shown["id"], shown["name"], shown["network_id"]) == ("an-id", "vip", "an-id")
    assert shown["cidr"] == cidr
    assert [(item["start"], item["end"]) for item in shown["allocation_pools"]] == pools
    assert shown["ip_version"] == (6 if ranges and ":" in ranges[0] else 4)
