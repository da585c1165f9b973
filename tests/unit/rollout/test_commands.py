"""Commands: their output, their ends, and that nothing of them is left."""

import os
import threading
import time
from pathlib import Path

import pytest

from libra.rollout.commands import ActionFailed, run_command
from libra.rollout.options import Options, read_options, write_options
from libra.rollout.templates import Node
from tests.support.ports import wait_until

NODE = Node(name="web1", address="10.0.0.1", port=80, group="web")


def run(*words: str, timeout: float = 30.0, shell: bool = False) -> list[str]:
    lines: list[str] = []
    given = Options(command=words, command_timeout=timeout, shell=shell)
    run_command(given, NODE, lines.append, threading.Event())
    return lines


def test_every_line_is_told() -> None:
    script = "echo one; echo two >&2; printf three; printf '\\377' "
    assert run("/bin/sh", "-c", script) == ["one", "two", "three\ufffd"]


def test_what_it_knows_of_its_node() -> None:
    text = "echo $LIBRA_NODE $LIBRA_ADDRESS $LIBRA_PORT $LIBRA_GROUP {node}"
    assert run(text, shell=True) == ["web1 10.0.0.1 80 web web1"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("/bin/sh", "-c", "exit 3"), "ended with status 3"),
        (("/bin/sh", "-c", "kill -9 $$"), "was killed by signal 9"),
        (("/no/such/program",), "cannot run '/no/such/program': No such file"),
        (("/etc/passwd",), "cannot run '/etc/passwd': Permission denied"),
    ],
)
def test_failures(words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(ActionFailed, match=reason):
        run(*words)


def test_what_it_leaves_running_does_not_hold_it_up(tmp_path: Path) -> None:
    """A daemon that keeps the output."""
    pid = tmp_path / "pid"
    started = time.monotonic()
    assert run("/bin/sh", "-c", f"sleep 600 & echo $! >{pid}; echo done") == ["done"]
    assert time.monotonic() - started < 60
    os.kill(int(pid.read_text()), 15)


def test_its_deadline_ends_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    with pytest.raises(ActionFailed, match=r"has not ended after 0.5 s"):
        run(
            "/bin/sh",
            "-c",
            f"sleep 600 & echo $! >{pid}.new; mv {pid}.new {pid}; wait",
            timeout=0.5,
        )
    wait_until(lambda: is_gone(int(pid.read_text())), what="the end of its child")


def is_gone(pid: int) -> bool:
    try:
        return "State:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


def test_options_come_back_as_they_went() -> None:
    given = Options(command=("a", "b"), warm_up=("http://a/",), health="http://b/", batch=3)
    assert read_options({**write_options(given), "newer": 1}) == given
