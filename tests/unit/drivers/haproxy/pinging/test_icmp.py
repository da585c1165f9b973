"""Echo requests and replies, byte for byte, and whatever else may arrive."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.pinging.icmp import V4, V6, build_request, checksum, parse_reply

HEADER = bytes([0x46]) + bytes(23)  # of IPv4, with four bytes of options


def test_the_checksum_is_that_of_rfc_1071() -> None:
    assert checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF & ~0xDDF2
    assert checksum(b"\x01") == 0xFEFF


@given(st.integers(0, 0xFFFF), st.integers(0, 2**64), st.binary(max_size=40))
def test_a_request_adds_up(identifier: int, number: int, data: bytes) -> None:
    packet = build_request(V4, identifier, number, data)
    assert checksum(packet) == 0
    kind, code, _, found, sequence = struct.unpack("!BBHHH", packet[:8])
    assert (kind, code, found, sequence) == (8, 0, identifier, number & 0xFFFF)
    assert build_request(V6, identifier, number, data)[:4] == b"\x80\0\0\0"


@pytest.mark.parametrize(("version", "kind"), [(V4, 0), (V6, 129)])
def test_a_reply_gives_its_data(version: int, kind: int) -> None:
    packet = bytes([kind, 0, 1, 2, 3, 4, 5, 6]) + b"data"
    assert parse_reply(version, packet, with_header=False) == b"data"
    assert parse_reply(version, HEADER + packet, with_header=True) == b"data"
    assert parse_reply(version, b"\x08" + packet[1:], with_header=False) is None
    assert parse_reply(version, packet[:1] + b"\x01" + packet[2:], with_header=False) is None


@given(st.binary(max_size=80), st.sampled_from([V4, V6]), st.booleans())
def test_nothing_that_arrives_is_too_odd(packet: bytes, version: int, header: bool) -> None:
    data = parse_reply(version, packet, with_header=header)
    assert data is None or packet.endswith(data)
