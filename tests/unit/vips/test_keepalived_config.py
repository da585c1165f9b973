"""keepalived's configuration: the same bytes for the same wish, each address a router of its own."""

import ipaddress
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import AddressRefused, DriverError
from libra.vips.base import Address
from libra.vips.keepalived.config import Check, Unicast, Vrrp, addresses_in, render, router_ids
from tests.support.vips import addresses

VRRP = Vrrp(
    networks=(ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/120")),
    interface="eth0",
    router_id=51,
    priority=100,
    advert_seconds=0.3,
)
CHECK = Check(
    command=("/usr/bin/python3", "-I", "/lib/serving.py", "/var/lib/libra/serving", "/run/a"),
    user="libra",
    group="libra",
    directory=Path("/var/lib/libra/serving"),
)
RELOAD = Path("/var/lib/libra/keepalived.reload")
UNICAST = {
    4: Unicast(ipaddress.ip_address("10.0.0.250"), (ipaddress.ip_address("10.0.0.251"),)),
}
allowed = st.sampled_from([*VRRP.networks[0].hosts(), *VRRP.networks[1].hosts()])


def text_of(wanted: frozenset[Address], vrrp: Vrrp = VRRP, check: Check = CHECK) -> str:
    return render(wanted, vrrp, check, {}, RELOAD)


@given(st.lists(allowed, max_size=20, unique=True), st.randoms())
def test_equal_wishes_give_equal_bytes(wanted: list[Address], chance: object) -> None:
    """In whatever order they come, and what was wanted can be read from them."""
    again = list(wanted)
    chance.shuffle(again)  # type: ignore[attr-defined]
    text = text_of(frozenset(wanted))
    assert render(again, VRRP, CHECK, {}, RELOAD) == text
    assert addresses_in(text) == frozenset(wanted)


@given(st.frozensets(allowed, max_size=10), allowed)
def test_another_address_changes_no_line_of_the_others(
    wanted: frozenset[Address], more: Address
) -> None:
    def routers(text: str) -> set[str]:
        return set(re.findall(r"^vrrp_instance .*?^}$", text, re.DOTALL | re.MULTILINE))

    before = routers(text_of(wanted))
    assert before <= routers(text_of(wanted | {more}))
    assert len(before) == len(wanted)


def test_each_address_is_a_router_of_its_own() -> None:
    text = text_of(addresses("10.0.0.1", "10.0.0.2", "fd00::1"))
    assert re.findall(r"virtual_router_id (\d+)", text) == ["52", "53", "52"]
    assert re.findall(r"        (\S+) dev eth0", text) == [
        "10.0.0.1/32",
        "10.0.0.2/32",
        "fd00::1/128",
    ]
    assert text.count("nopreempt") == 3
    assert "preempt_delay" not in text


def test_a_higher_priority_may_take_an_address_back() -> None:
    eager = replace(VRRP, preempt=True, preempt_delay_seconds=60.0)
    text = text_of(addresses("10.0.0.1"), eager)
    assert "preempt_delay 60.00\n" in text
    assert "nopreempt" not in text


def test_peers_are_told_one_by_one() -> None:
    text = render(addresses("10.0.0.1"), VRRP, CHECK, UNICAST, RELOAD)
    assert "unicast_src_ip 10.0.0.250\n    unicast_peer {\n        10.0.0.251\n    }" in text
    assert "unicast" not in text_of(addresses("10.0.0.1"))


def test_ids_go_round_and_two_of_a_family_never_share_one() -> None:
    late = replace(VRRP, router_id=250)
    assert set(router_ids(addresses("10.0.0.4", "10.0.0.5", "10.0.0.6"), late).values()) == {
        254,
        255,
        1,
    }
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.255: its .* id 51 is that of 10\.0\.0\.0"):
        router_ids(addresses("10.0.0.0", "10.0.0.255"), VRRP)


def test_networks_are_counted_through() -> None:
    networks = tuple(map(ipaddress.ip_network, ("10.0.0.16/28", "fd00::/124", "10.1.0.0/28")))
    found = router_ids(addresses("10.0.0.31", "10.1.0.0"), replace(VRRP, networks=networks))
    assert list(found.values()) == [66, 67]


def test_what_the_settings_do_not_allow_is_refused() -> None:
    with pytest.raises(AddressRefused, match=r"vip\.networks does not allow it"):
        text_of(addresses("10.0.1.1"))


@pytest.mark.parametrize(
    "word",
    ["a b", 'a"b', "a{", "a}", "a#b", "a!b", "$X", "@x", "a\nb", "a\tb", "~SEQ(a)", "", "a;b", "é"],
)
def test_no_word_can_mean_something_else(word: str) -> None:
    wanted = addresses("10.0.0.1")
    for vrrp, check in (
        (replace(VRRP, interface=word), CHECK),
        (VRRP, replace(CHECK, user=word)),
        (VRRP, replace(CHECK, command=("/bin/true", word))),
        (VRRP, replace(CHECK, directory=Path("/", word, "x") if word else Path("/ "))),
    ):
        with pytest.raises(DriverError, match="cannot use"):
            text_of(wanted, vrrp, check)
    with pytest.raises(DriverError, match="cannot use"):
        render(wanted, VRRP, CHECK, {}, Path(f"/x {word}"))


def test_a_text_that_was_changed_is_not_ours() -> None:
    text = text_of(addresses("10.0.0.1"))
    assert addresses_in(text.replace("priority 100", "priority 200")) is None
    assert addresses_in("vrrp_instance x {\n}\n") is None
    assert addresses_in("") is None
    assert addresses_in(text_of(frozenset())) == frozenset()


def test_root_s_script_is_not_guarded_by_keepalived() -> None:
    assert "enable_script_security" in text_of(frozenset())
    assert "enable_script_security" not in text_of(frozenset(), check=replace(CHECK, user="root"))
