"""What a worker says about itself, and what is believed of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.announcement import Announcement, build_announcement, parse_announcement

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", fullmatch=True)
WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=128)
SECONDS = st.integers(0, 10**10).map(float)


@given(
    told=st.builds(
        Announcement,
        name=NAMES,
        address=st.sampled_from(["", "10.0.0.1", "fd00::1", "web1.example.org"]),
        pool=NAMES,
        release=WORDS,
        proxy=WORDS,
        digest=WORDS,
        started=SECONDS,
        uptime=SECONDS,
    )
)
def test_what_is_built_is_read(told: Announcement) -> None:
    assert parse_announcement(build_announcement(told)) == told


GOOD: dict[str, Any] = {"libra_announcement": "1.0", "name": "web1"}


def test_the_name_is_enough() -> None:
    assert parse_announcement(json.dumps(GOOD).encode()) == Announcement(name="web1")


@pytest.mark.parametrize(
    "fields",
    [
        {"libra_announcement": "9.0"},
        {"name": ""},
        {"name": None},
        {"name": "a b"},
        {"name": "a\n"},
        {"name": "x" * 129},
        {"name": ["web1"]},
        {"pool": "a/b"},
        {"pool": 1},
        {"address": "10.0.0.1\nx"},
        {"address": "; rm"},
        {"address": 7},
        {"release": "x" * 129},
        {"release": "\x1b[2J"},
        {"proxy": {}},
        {"digest": 5},
        {"started": -1},
        {"started": True},
        {"started": "now"},
        {"started": 1e12},
        {"uptime": float("nan")},
        {"uptime": float("inf")},
    ],
)
def test_nonsense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        parse_announcement(json.dumps({**GOOD, **fields}).encode())


@pytest.mark.parametrize("payload", [b"", b"x", b"[]", b"\xff", b'{"a": ' + b" " * 20_000 + b"1}"])
def test_what_is_no_announcement_is_refused(payload: bytes) -> None:
    with pytest.raises(Invalid):
        parse_announcement(payload)
