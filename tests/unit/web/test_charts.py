"""Small line charts."""

import re

from hypothesis import given
from hypothesis import strategies as st

from libra.web.charts import HEIGHT, WIDTH, draw

values = st.lists(st.none() | st.floats(0, 1e12), max_size=40)
POINT = re.compile(r"(-?[0-9.e+]+) (-?[0-9.e+]+)")


@given(values)
def test_every_point_is_inside(given_values: list[float | None]) -> None:
    chart = draw(given_values)
    for x, y in POINT.findall(chart.line):
        assert 0 <= float(x) <= WIDTH
        assert 0 <= float(y) <= HEIGHT
    assert chart.line.count("M") == chart.area.count("Z")


@given(values)
def test_what_is_known_is_drawn(given_values: list[float | None]) -> None:
    chart = draw(given_values)
    known = [value for value in given_values if value is not None]
    assert len(POINT.findall(chart.line)) == len(known)
    assert chart.top == max([0.0, *known])


def test_a_gap_is_a_gap() -> None:
    assert draw([1.0, None, 1.0]).line == "M0.0 0.0M240.0 0.0"


def test_a_single_one_is_no_storm() -> None:
    assert draw([0.0, 1.0], top=10.0).line == "M0.0 48.0L240.0 43.2"
