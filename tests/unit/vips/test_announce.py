"""The bytes of announcements, by RFC 826, RFC 5227 and RFC 4861."""

import ipaddress

from libra.vips.announce import REPLY, REQUEST, build_advertisement, build_arp

MAC = bytes.fromhex("020000000001")
FOUR = ipaddress.ip_address("10.0.0.70").packed
SIX = ipaddress.ip_address("fd00::70").packed


def test_an_arp_request_goes_to_all_and_names_the_address_twice() -> None:
    head = "ffffffffffff0200000000010806"
    fixed = "0001080006040001"
    assert build_arp(MAC, FOUR, REQUEST).hex() == (
        f"{head}{fixed}0200000000010a0000460000000000000a000046"
    )


def test_an_arp_reply_has_its_own_target() -> None:
    frame = build_arp(MAC, FOUR, REPLY)
    assert frame[20:22] == b"\x00\x02"
    assert frame[22:28] == frame[32:38] == MAC


def test_an_advertisement_overrides_and_tells_the_link_layer_address() -> None:
    message = build_advertisement(MAC, SIX)
    assert message[0] == 136
    assert message[4] == 0x20  # override; neither router nor solicited
    assert message[8:24] == SIX
    assert message[24:] == b"\x02\x01" + MAC
