"""Lines that no value can break out of, blow up or leak through."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.logs.lines import MAX_VALUE, JsonLines, TextLines

HEAD = {"timestamp": "2026-01-02T03:04:05Z", "level": "info", "logger": "libra.x"}


def text_line(event: str, in_journal: bool = False, **fields: Any) -> str:
    return TextLines(in_journal)(None, "", {**HEAD, "event": event, **fields})


def json_line(event: str, in_journal: bool = False, **fields: Any) -> str:
    return JsonLines(in_journal)(None, "", {**HEAD, "event": event, **fields})


VALUES = (
    st.text() | st.binary() | st.integers() | st.floats() | st.none() | st.booleans()
    | st.dictionaries(st.text(), st.text()) | st.lists(st.text())
)  # fmt: skip


@given(st.text(), VALUES)
def test_text_is_one_printable_line(event: str, value: object) -> None:
    assert text_line(event, value=value).isprintable()


@given(st.text(), VALUES)
def test_json_is_one_ascii_line_that_parses(event: str, value: object) -> None:
    line = json_line(event, value=value)
    assert line.isprintable()
    assert line.isascii()
    assert set(json.loads(line)) == {*HEAD, "event", "value"}


@given(st.text())
def test_a_traceback_cannot_pose_as_an_event(text: str) -> None:
    first, *rest = text_line("failed", exception=f"ValueError: {text}").split("\n")
    assert first == "2026-01-02T03:04:05Z info     failed"
    assert all(line.startswith("    ") and line.isprintable() for line in rest)


def test_a_traceback_is_one_line_in_json() -> None:
    line = json_line("failed", exception="Traceback\n  File x\nValueError: y")
    assert line.isprintable()
    assert json.loads(line)["exception"] == "Traceback\n  File x\nValueError: y"


def test_the_journal_is_told_the_level_of_each_line_but_no_time() -> None:
    lines = text_line("failed", True, level="error", exception="a\nb").splitlines()
    assert lines == ["<3>error    failed", "<3>    a", "<3>    b"]
    assert json_line("up", True).startswith('<6>{"timestamp": ')


def test_other_peoples_events_carry_their_name() -> None:
    assert text_line("odd", logger="urllib3").endswith("odd  logger=urllib3")
    assert "logger" not in text_line("odd")
    assert json.loads(json_line("odd"))["logger"] == "libra.x"


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("value", [Unprintable(), nested(5_000), [Unprintable()], {1: {2, 3}}])
def test_a_value_that_cannot_be_shown_costs_only_itself(value: object) -> None:
    assert "event  value=" in text_line("event", value=value)
    assert json.loads(json_line("event", value=value, good=1))["good"] == 1


@pytest.mark.parametrize("depth", range(900, 1000, 7))
def test_depth_at_the_edge_of_what_can_be_written_costs_only_itself(depth: int) -> None:
    assert json.loads(json_line("event", value=nested(depth), good=1))["good"] == 1


@pytest.mark.parametrize("value", ["x" * 10_000_000, ["x" * 10_000_000], {"a": "x" * 10_000_000}])
def test_a_huge_value_is_cut(value: object) -> None:
    for line in (text_line("event", value=value), json_line("event", value=value)):
        assert len(line) < 2 * MAX_VALUE
        assert "characters)" in line


def test_a_huge_traceback_is_cut_in_the_middle() -> None:
    trace = "\n".join(f"line {number}" for number in range(100_000))
    for line in (text_line("event", exception=trace), json_line("event", exception=trace)):
        assert len(line) < 10_000
        assert "line 0" in line
        assert "line 99999" in line


def test_secrets_are_masked_by_their_name() -> None:
    fields = {"token": "tell-tale", "message": {"HPCS_Object_Store_Token": "tell-tale", "a": 1}}
    for line in (text_line("event", **fields), json_line("event", **fields)):
        assert "tell-tale" not in line
        assert '"a": 1' in line
