"""The questions to neighbours and their answers, by RFC 826, RFC 5227 and RFC 4861."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from libra.vips.announce import REPLY, REQUEST, build_advertisement, build_arp
from libra.vips.plan import plan_asking
from libra.vips.rivals import build_probe, build_solicitation, parse_advertisement, parse_arp
from tests.support.vips import HOST, HOST6, POLICY, addresses, on_eth0

OURS, THEIRS = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
FOUR, SIX = ipaddress.IPv4Address("10.0.0.70"), ipaddress.IPv6Address("fd00::70")


def test_a_probe_asks_everybody_and_claims_nothing() -> None:
    head = "ffffffffffff0200000000010806"
    fixed = "0001080006040001"
    assert build_probe(OURS, FOUR.packed).hex() == (
        f"{head}{fixed}02000000000100000000{'00' * 6}0a000046"
    )


def test_a_reply_of_another_host_claims_an_address() -> None:
    assert parse_arp(build_arp(THEIRS, FOUR.packed, REPLY), OURS) == FOUR


def test_questions_and_our_own_words_claim_none() -> None:
    assert parse_arp(build_arp(THEIRS, FOUR.packed, REQUEST), OURS) is None
    assert parse_arp(build_arp(OURS, FOUR.packed, REPLY), OURS) is None
    assert parse_advertisement(build_advertisement(OURS, SIX.packed), OURS) is None
    assert parse_advertisement(build_solicitation(THEIRS, SIX.packed), OURS) is None


def test_an_advertisement_of_another_host_claims_an_address() -> None:
    assert parse_advertisement(build_advertisement(THEIRS, SIX.packed), OURS) == SIX


@given(st.binary(max_size=80))
def test_no_frame_does_harm(frame: bytes) -> None:
    parse_arp(frame, OURS)
    parse_advertisement(frame, OURS)


def test_neighbours_are_asked_about_what_is_ours_or_would_be() -> None:
    ours = on_eth0("10.0.0.70")
    wanted = addresses("10.0.0.70", "10.0.0.71", "10.0.0.5", "10.0.0.9", "fd00::70")
    asked = plan_asking(wanted, {HOST, HOST6, ours}, {ours}, POLICY)
    assert asked == (ours, on_eth0("10.0.0.71"), on_eth0("fd00::70"))
