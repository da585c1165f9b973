"""What the environment says about the watchdog."""

from datetime import timedelta

import pytest

from libra.daemon.systemd import parse_watchdog


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "2000000"}, timedelta(seconds=2)),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "77"}, timedelta(seconds=2)),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "78"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdog_is_meant_for_one_process(
    environ: dict[str, str], expected: timedelta | None
) -> None:
    assert parse_watchdog(environ, 77) == expected
