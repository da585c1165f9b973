"""Which addresses go where."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import AddressRefused
from libra.vips.base import parse_address
from libra.vips.plan import Placed, Policy, plan_holding, plan_release
from tests.support.vips import HOST, HOST6, POLICY, addresses, on_eth0

NARROW = Placed("eth1", ipaddress.ip_address("10.0.0.66"), 28)
some = st.frozensets(
    st.integers(64, 126).map(lambda last: ipaddress.ip_address(f"10.0.0.{last}")), max_size=8
)


def test_an_address_goes_where_its_network_is() -> None:
    plan = plan_holding(addresses("10.0.0.70", "fd00::70"), {HOST, HOST6}, POLICY)
    assert {str(one): name for one, name in plan.items()} == {
        "10.0.0.70": "eth0",
        "fd00::70": "eth0",
    }


def test_the_narrowest_network_wins() -> None:
    plan = plan_holding(addresses("10.0.0.70"), {HOST, NARROW}, POLICY)
    assert set(plan.values()) == {"eth1"}


def test_an_interface_that_the_settings_name_needs_no_address_of_the_network() -> None:
    policy = Policy(networks=POLICY.networks, interface="dummy0")
    assert set(plan_holding(addresses("10.0.0.70"), (), policy).values()) == {"dummy0"}


def test_an_address_of_its_own_is_no_network_to_put_others_in() -> None:
    with pytest.raises(AddressRefused, match=r"name one in vip\.interface"):
        plan_holding(addresses("10.0.0.70"), {on_eth0("10.0.0.71"), HOST6}, POLICY)


@pytest.mark.parametrize("address", ["10.0.0.1", "10.0.1.70", "fd01::1"])
def test_what_the_policy_does_not_name_is_refused(address: str) -> None:
    with pytest.raises(AddressRefused, match=r"vip\.networks does not allow it, only 10\.0\.0\.64"):
        plan_holding(addresses(address), {HOST, HOST6}, POLICY)


def test_what_the_host_has_anyway_is_allowed() -> None:
    assert plan_holding(addresses("10.0.0.5", "fd00::5"), {HOST, HOST6}, POLICY) == {}


@pytest.mark.parametrize(
    "text",
    [None, "", "web.example.com", "0.0.0.0", "::", "127.0.1.9", "::1", "fe80::1", "224.0.0.1"],
)
def test_what_cannot_be_put_on_an_interface_is_none(text: str | None) -> None:
    assert parse_address(text) is None


@given(wanted=some, ours=some, later=some)
def test_in_the_end_there_is_what_is_wanted_and_what_others_put_there(
    wanted: frozenset[ipaddress.IPv4Address],
    ours: frozenset[ipaddress.IPv4Address],
    later: frozenset[ipaddress.IPv4Address],
) -> None:
    theirs = {HOST, HOST6, *(Placed("eth0", one, 24) for one in later - ours)}
    noted = {on_eth0(str(one)) for one in ours}
    present = theirs | noted
    added = {on_eth0(str(one)) for one in plan_holding(wanted, present, POLICY)}
    gone = set(plan_release(noted | added, present | added, wanted))
    left = (present | added) - gone
    assert theirs <= left
    assert {one.address for one in left - theirs} == wanted - {one.address for one in theirs}
