"""Ports: what a configuration listens on, and what the kernel says."""

import pytest

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.ports import Bind, overlap, parse_binds, parse_listening
from libra.drivers.haproxy.render import render
from tests.support.desired import build_desired
from tests.unit.drivers.haproxy.test_build import OPTIONS

TEXT = """\
global
    stats socket /run/a.sock mode 600
frontend a
    bind *:80
frontend b
    bind 127.0.0.1:81
    disabled
frontend c
    bind [::1]:82
    bind [::]:83 v4v6
    bind :84
    bind ::1:85
    bind ipv4@10.0.0.1:86 ssl crt /x.pem
    bind /run/some.sock
backend d
    server s 127.0.0.1:90 disabled
"""
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0100007F:1F91 0100007F:0050 01 00000000:00000000 00:00000000 00000000     0        0 1 1
"""
TABLE6 = """\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A
   1: B80D0120000000000000000002000000:0052 00000000000000000000000000000000:0000 0A
"""


def test_binds_of_a_text() -> None:
    assert parse_binds(TEXT) == {
        Bind("0.0.0.0", 80),
        Bind("::1", 82),
        Bind("::", 83, both=True),
        Bind("0.0.0.0", 84),
        Bind("::1", 85),
        Bind("10.0.0.1", 86),
    }


@pytest.mark.parametrize("suspended", [False, True])
def test_binds_of_what_is_rendered(suspended: bool) -> None:
    assert isinstance(OPTIONS, Options)
    text = render(build(build_desired(1, listen=8080, suspended=suspended), OPTIONS))
    assert parse_binds(text) == (set() if suspended else {Bind("127.0.0.1", 8080)})


def test_listening_sockets() -> None:
    assert parse_listening(TABLE) == {Bind("127.0.0.1", 8080)}
    assert parse_listening(TABLE6) == {Bind("::1", 81), Bind("2001:db8::2", 82)}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Bind("127.0.0.1", 80), Bind("127.0.0.1", 80), True),
        (Bind("127.0.0.1", 80), Bind("127.0.0.2", 80), False),
        (Bind("127.0.0.1", 80), Bind("127.0.0.1", 81), False),
        (Bind("0.0.0.0", 80), Bind("127.0.0.1", 80), True),
        (Bind("127.0.0.1", 80), Bind("::", 80, both=True), True),
    ],
)
def test_overlaps(one: Bind, other: Bind, expected: bool) -> None:
    assert overlap(one, other) is overlap(other, one) is expected


def test_a_bind_for_a_person() -> None:
    assert str(Bind("0.0.0.0", 80)) == "every address port 80"
    assert str(Bind("::1", 80)) == "::1 port 80"
