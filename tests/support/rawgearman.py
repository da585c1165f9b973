"""The Gearman protocol by hand, for clients and workers that do what no library would."""

import socket
import struct

from gear import constants

from tests.support.ports import LOOPBACK

DIAL_SECONDS = 20.0


def dial(port: int) -> socket.socket:
    """A connection to a job server."""
    return socket.create_connection((LOOPBACK, port), timeout=DIAL_SECONDS)


def request(kind: int, *arguments: bytes) -> bytes:
    """One request packet."""
    return _packet(b"\0REQ", kind, *arguments)


def response(kind: int, *arguments: bytes) -> bytes:
    """One response packet, for servers by hand."""
    return _packet(b"\0RES", kind, *arguments)


def read_packet(sock: socket.socket) -> tuple[int, bytes]:
    """Type and data of the next response packet."""
    header = sock.recv(12, socket.MSG_WAITALL)
    magic, kind, length = struct.unpack("!4sII", header)
    assert magic == b"\0RES"
    return kind, sock.recv(length, socket.MSG_WAITALL) if length else b""


def await_request(sock: socket.socket, kind: int) -> bytes:
    """For servers by hand: read up to the next request of that type; its data."""
    while True:
        _magic, got, length = struct.unpack("!4sII", sock.recv(12, socket.MSG_WAITALL))
        data = sock.recv(length, socket.MSG_WAITALL) if length else b""
        if got == kind:
            return data


def take_raw(worker: socket.socket, function: bytes) -> bytes:
    """Register, and take one job that waits or comes; its handle."""
    worker.sendall(request(constants.CAN_DO, function) + request(constants.PRE_SLEEP))
    assert read_packet(worker)[0] == constants.NOOP
    worker.sendall(request(constants.GRAB_JOB))
    kind, data = read_packet(worker)
    assert kind == constants.JOB_ASSIGN
    return data.split(b"\0")[0]


def _packet(magic: bytes, kind: int, *arguments: bytes) -> bytes:
    data = b"\0".join(arguments)
    return magic + struct.pack("!II", kind, len(data)) + data
