"""Echo requests and replies of ICMP and ICMPv6. Pure: bytes in, bytes out.

Format: RFC 792 and RFC 4443, type, code, checksum, identifier, sequence number, data.
"""

import struct

V4, V6 = 4, 6
_REQUEST = {V4: 8, V6: 128}
REPLY = {V4: 0, V6: 129}
_HEAD = struct.Struct("!BBHHH")
_WORDS_OF_HEADER = 0x0F  # an IPv4 header's length, in words of four bytes


def build_request(version: int, identifier: int, sequence: int, data: bytes) -> bytes:
    """One echo request. The kernel fills in the checksum of ICMPv6, which covers the addresses too."""
    kind, number = _REQUEST[version], sequence & 0xFFFF
    bare = _HEAD.pack(kind, 0, 0, identifier, number) + data
    if version == V6:
        return bare
    return _HEAD.pack(kind, 0, checksum(bare), identifier, number) + data


def parse_reply(version: int, packet: bytes, *, with_header: bool) -> bytes | None:
    """The data of an echo reply, None for everything else; raw sockets of IPv4 give its header too."""
    start = (packet[0] & _WORDS_OF_HEADER) * 4 if with_header and packet else 0
    message = packet[start:]
    if len(message) < _HEAD.size or message[:2] != bytes((REPLY[version], 0)):
        return None
    return message[_HEAD.size :]


def checksum(data: bytes) -> int:
    """The internet's: the complement of the sum of 16-bit words (RFC 1071)."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
