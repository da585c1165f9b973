import re

import pytest
from hypothesis import given

from libra.drivers.haproxy.logformat import build_needles, build_pattern
from tests.support.accesslogs import LINES, MINE, Line


@given(LINES)
def test_a_line_is_mine_exactly_by_its_frontend_field(lines: list[Line]) -> None:
    pattern = re.compile(build_pattern([MINE]).encode())
    assert [line for line in lines if pattern.match(line.text)] == [
        line for line in lines if line.is_mine
    ]


@given(LINES)
def test_the_needle_is_in_every_line_that_is_mine(lines: list[Line]) -> None:
    (needle,) = build_needles([MINE])
    assert all(needle in line.text for line in lines if line.is_mine)


def test_several_frontends_of_one_load_balancer() -> None:
    pattern = re.compile(build_pattern(["fe-a", "fe-b.c"]))
    for name, expected in (("fe-a", True), ("fe-b.c", True), ("fe-bxc", False), ("fe-ab", False)):
        line = f"::1:5 [21/Nov/2026:05:26:00.130] {name} be/s 1/0/12 345"
        assert bool(pattern.match(line)) is expected


@pytest.mark.parametrize("name", ["", "a b", "a\n", "a|b", "a(", "\xe4", "a*", "-e\x00"])
def test_what_no_frontend_can_be_called_never_becomes_a_pattern(name: str) -> None:
    with pytest.raises(ValueError, match="no frontend"):
        build_pattern([name])


def test_no_frontend_is_not_every_frontend() -> None:
    with pytest.raises(ValueError, match="no frontend"):
        build_pattern([])
