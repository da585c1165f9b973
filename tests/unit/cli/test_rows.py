"""Answers of the API for people: ages, notes below their rows, trees of statuses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from libra.cli.rows import Format, show_one, show_rows, tell_age
from libra.cli.status import show_statuses

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
KEY = "0b6a3a44-1c1b-4e9e-8f4e-0123456789ab"


@pytest.mark.parametrize(
    ("age", "told"),
    [
        (timedelta(seconds=-0.5), "0 s ago"),
        (timedelta(seconds=119), "119 s ago"),
        (timedelta(minutes=2), "2 min ago"),
        (timedelta(hours=2), "2 h ago"),
        (timedelta(days=2), "2 d ago"),
        (timedelta(days=31), "2026-10-27"),
        (timedelta(days=-3), "2026-11-30"),
    ],
)
def test_ages(age: timedelta, told: str) -> None:
    assert tell_age((NOW - age).isoformat(), NOW) == told
    assert tell_age((NOW - age).replace(tzinfo=None).isoformat(), NOW) == told


def test_what_is_no_time_is_shown_harmlessly() -> None:
    assert tell_age("never\x1b[2J", NOW) == r"'never\x1b[2J'"


def test_a_note_stands_below_its_row(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[dict[str, Any]] = [
        {"id": KEY, "state": "failed", "error": "cannot [bold]do\x1b[2J it"},
        {"id": KEY, "state": "complete", "error": ""},
    ]
    show_rows(rows, ("id", "state", "error"), Format.TABLE)
    lines = [line.strip() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0].split() == ["id", "state"]
    assert lines[2].split() == [KEY, "failed"]
    assert lines[3] == r"cannot [bold]do\x1b[2J it"
    assert lines[4].split() == [KEY, "complete"]


def test_an_empty_list_is_a_head(capsys: pytest.CaptureFixture[str]) -> None:
    show_rows([], ("id", "vip_address", "provisioning_status"), Format.TABLE)
    assert capsys.readouterr().out.split()[:3] == ["id", "address", "provisioning"]


def test_one_record_keeps_its_fields_names(capsys: pytest.CaptureFixture[str]) -> None:
    show_one({"provisioning_status": "ACTIVE", "name": None, "tags": ["a"]}, Format.TABLE)
    assert capsys.readouterr().out.split() == [
        "provisioning_status",
        "ACTIVE",
        "name",
        "tags",
        '["a"]',
    ]


def test_a_pool_is_shown_where_its_listener_is(capsys: pytest.CaptureFixture[str]) -> None:
    both = {"provisioning_status": "ACTIVE", "operating_status": "ONLINE"}
    member = {"id": "m", "name": "", "address": "10.0.0.1", "protocol_port": 80, **both}
    pool = {"id": "p", "name": "web", "members": [member], **both}
    pool["health_monitor"] = {"id": "h", "name": "", "type": "HTTP", **both}
    other = {"id": "q", "name": "spare", "members": [], **both}
    listener = {"id": "l", "name": "http", "pools": [pool], **both}
    owner = {"id": "b", "name": "shop", "listeners": [listener], "pools": [other], **both}
    show_statuses({"loadbalancer": owner})
    lines = capsys.readouterr().out.splitlines()
    assert [line.lstrip("│├└─ ").replace("  ACTIVE  ONLINE", "") for line in lines] == [
        "shop",
        "listener http",
        "pool web",
        "member 10.0.0.1:80",
        "health monitor HTTP",
        "pool spare",
    ]
