"""Packets and their framing, fed from bytes in pieces of any size."""

import contextlib
import struct

import gear
import pytest
from gear import constants
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.jobs.gearman.packets import (
    MOST_BYTES,
    Framed,
    NotGearman,
    Packet,
    ensure_function,
    ensure_sendable,
)

arguments = st.lists(st.binary(max_size=20).filter(lambda item: b"\0" not in item), max_size=3)


class Fed(Framed):
    """A connection that reads from a list of pieces; None where nothing has come yet."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._partial = bytearray()
        super().__init__("test", 0)
        self._pieces = pieces

    def _receive_piece(self) -> bytes:
        if not self._pieces:
            raise gear.RetryIOError
        return self._pieces.pop(0)


class FedServer(Fed):
    """The same, taking lines of the text protocol, too."""

    def _getAdminRequest(self) -> gear.AdminRequest:
        return gear.ServerAdminRequest(self)


def read_all(connection: Fed) -> list[object]:
    """Every packet's (type, data), and every line."""
    got: list[object] = []
    while True:
        try:
            item = connection.readPacket()
        except gear.RetryIOError:
            return got
        if isinstance(item, gear.Packet):
            got.append((item.ptype, item.data))
        else:
            assert item is not None
            got.append(item.command)


@given(
    st.lists(st.tuples(st.integers(1, 36), st.binary(max_size=300))),
    st.lists(st.integers(1, 100)),
)
def test_packets_come_whole_however_the_bytes_come(
    packets: list[tuple[int, bytes]], sizes: list[int]
) -> None:
    stream = b"".join(
        bytes(gear.Packet(constants.RES, kind, data).toBinary()) for kind, data in packets
    )
    pieces = []
    for size in sizes:
        pieces.append(stream[:size])
        stream = stream[size:]
    pieces.append(stream)
    connection = Fed([piece for piece in pieces if piece])
    assert read_all(connection) == packets


def test_lines_and_packets_may_alternate() -> None:
    packet = bytes(gear.Packet(constants.REQ, constants.ECHO_REQ, b"x\ny").toBinary())
    stream = b"status\n" + packet + b"workers\r\n" + packet + b"ver"
    connection = FedServer([stream[:20], stream[20:], b"sion\n"])
    echo = (constants.ECHO_REQ, b"x\ny")
    assert read_all(connection) == [b"status", echo, b"workers\r", echo, b"version"]


@pytest.mark.parametrize("length", [-1, -12, MOST_BYTES + 1, 2**31 - 1])
def test_a_length_beyond_all_measure_is_refused(length: int) -> None:
    header = b"\0RES" + struct.pack("!ii", 8, length)
    with pytest.raises(NotGearman, match="announces a packet"):
        Fed([header]).readPacket()


@given(st.binary(min_size=1, max_size=200))
def test_no_bytes_make_it_spin_or_fail_otherwise(data: bytes) -> None:
    connection = FedServer([data])
    with contextlib.suppress(NotGearman):
        read_all(connection)


def test_an_endless_line_is_refused() -> None:
    with pytest.raises(NotGearman, match="in one line"):
        FedServer([b"x" * 4096] * 3).readPacket()


@given(arguments, st.binary(max_size=50))
def test_arguments_come_apart_as_they_were_put_together(first: list[bytes], last: bytes) -> None:
    packet = Packet(constants.REQ, constants.SUBMIT_JOB, b"\0".join([*first, last]))
    assert [packet.getArgument(index) for index in range(len(first))] == first
    assert packet.getArgument(len(first), True) == last


@given(st.binary(max_size=30), st.integers(0, 5))
def test_arguments_are_those_that_gear_finds(data: bytes, index: int) -> None:
    ours = Packet(constants.REQ, constants.SUBMIT_JOB, data)
    theirs = gear.Packet(constants.REQ, constants.SUBMIT_JOB, data)
    count = data.count(b"\0") + 1
    if index < count:
        assert ours.getArgument(index) == theirs.getArgument(index)
        assert ours.getArgument(index, True) == theirs.getArgument(index, True)
    else:
        with pytest.raises(IndexError):
            ours.getArgument(index)


@pytest.mark.parametrize("name", ["", "a\0b", "a\nb", "x" * 513, "\ud800"])
def test_what_is_no_name_of_a_function_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="as the name of a function"):
        ensure_function(name)


def test_names_of_functions_may_hold_letters_of_all_kinds() -> None:
    for name in ("w1", "web-1.example", "größe"):
        ensure_function(name)


def test_what_no_packet_holds_is_refused() -> None:
    ensure_sendable(MOST_BYTES - 4096)
    with pytest.raises(Invalid, match="cannot send 67108864 bytes in one packet"):
        ensure_sendable(MOST_BYTES)
