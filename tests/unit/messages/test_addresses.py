"""Addresses: one canonical form, and nothing that a resolver would read in a way of its own."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.messages.addresses import (
    is_group,
    is_host_name,
    is_wildcard,
    parse_host_name,
    parse_ip_address,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.0.0.1", "10.0.0.1"),
        ("255.255.255.254", "255.255.255.254"),
        ("0.0.0.0", "0.0.0.0"),
        ("::1", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("2001:DB8::000A", "2001:db8::a"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::FFFF:0a00:0001", "10.0.0.1"),
        ("64:ff9b::10.0.0.1", "64:ff9b::a00:1"),
    ],
)
def test_an_ip_address_has_one_form(text: str, canonical: str) -> None:
    assert parse_ip_address(text) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "10.0.0.256", "10.0.0", "10.0.0.1.", "127.1", "0x7f.1", "0x7f000001", "2130706433"),
        *("010.0.0.1", "10.0.0.01", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1\n", "1.2.3.4/32", "1.2.3.4:80"),
        *("\uff11.2.3.4", "1.2.3.٤", "1。2。3。4", "+1.2.3.4", "1.2.3.-4", "1_0.0.0.1"),
        *("::g", ":::", "1::2::3", "[::1]", "::1/64", "fe80::1%eth0", "fe80::1%", "::1\x00", "::\uff11"),
        *("::ffff:10.0.0.256", "::ffff:010.0.0.1", "12345::"),
    ],
)  # fmt: skip
def test_what_is_no_ip_address(text: str) -> None:
    assert parse_ip_address(text) is None


@given(st.ip_addresses())
def test_every_address_is_read_as_the_standard_library_reads_it(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    assert parse_ip_address(str(address)) == str(mapped or address)
    assert parse_ip_address(address.exploded) == str(mapped or address)


@given(st.text("0123456789.", max_size=16))
def test_ipv4_is_exactly_what_the_standard_library_takes(text: str) -> None:
    try:
        expected = str(ipaddress.IPv4Address(text))
    except ValueError:
        expected = None
    assert parse_ip_address(text) == expected


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("localhost", "localhost"),
        ("LOCALHOST.", "localhost"),
        ("Web-1.Example.com", "web-1.example.com"),
        ("_srv.example", "_srv.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("1.example", "1.example"),
        ("3com", "3com"),
        ("a" * 63, "a" * 63),
    ],
)
def test_a_host_name_has_one_form(text: str, canonical: str) -> None:
    assert parse_host_name(text) == canonical
    assert is_host_name(text)


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "..", "a..b", ".a", "a..", "-a", "a-", "a.-b", "a b", "a\n", "a\t", "a\x00b"),
        *("10.0.0.256", "127.1", "0x7f.1", "0x7f000001", "host.0x1f", "host.0x", "2130706433", "a.1"),
        *("bücher.example", "host\u212a", "\uff48ost", "\uff11", "a/b", "a:80", "[a]", "a%b", "a'b", 'a"b'),
        *("a" * 64, ".".join(["a" * 63] * 4), "user@host", "*", "*.example.com", "a\\b", "a#b"),
    ],
)  # fmt: skip
def test_what_is_no_host_name(text: str) -> None:
    assert parse_host_name(text) is None
    assert not is_host_name(text)


@given(st.text(max_size=20))
def test_a_canonical_form_is_its_own_canonical_form_and_one_plain_word(text: str) -> None:
    for parse in (parse_ip_address, parse_host_name):
        canonical = parse(text)
        if canonical is not None:
            assert parse(canonical) == canonical
            assert canonical.isascii()
            assert canonical.split() == [canonical]


@given(st.ip_addresses())
def test_groups_are_what_no_single_host_can_have(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    text = parse_ip_address(str(address)) or ""
    plain = ipaddress.ip_address(text)
    this_network = text.startswith("0.") and text != "0.0.0.0"
    broadcast = text == "255.255.255.255"
    assert is_group(text) == (plain.is_multicast or this_network or broadcast)
    assert is_wildcard(text) == plain.is_unspecified


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("224.0.0.1", True),
        ("239.255.255.255", True),
        ("255.255.255.255", True),
        ("0.1.2.3", True),
        ("ff02::1", True),
        ("223.255.255.255", False),
        ("240.0.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
        ("ff::1", False),
        ("ff.example", False),
        ("fe80::1", False),
    ],
)
def test_group_by_example(address: str, group: bool) -> None:
    assert is_group(address) is group
