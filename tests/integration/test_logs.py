"""A real process's log: what the streams of a process can be, and what it keeps out of memory."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from libra.logs import configure_logging
configure_logging()
import structlog
for _ in range(1000):
    structlog.get_logger("libra.x").info("event", value="x" * 100)
print("done", "rich" in sys.modules)
"""


def run(**streams: int) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
        **streams,
    )
    return done.returncode, done.stdout


def test_it_keeps_rich_out() -> None:
    assert run(stderr=subprocess.DEVNULL) == (0, "done False\n")


def test_standard_error_whose_reader_is_gone_does_not_stop_the_work() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        assert run(stderr=writing) == (0, "done False\n")
    finally:
        os.close(writing)


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_standard_error_that_is_closed_or_full_does_not_stop_the_work(redirection: str) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$1" {redirection}', sys.executable, PROGRAM],
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "done False\n")
