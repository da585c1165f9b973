"""The `openstack` command, as its users call it."""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

OPENSTACK = Path(sys.executable).parent / "openstack"
SERVER = Path(__file__).with_name("openstackcli_server.py")
WAIT = 120.0


class OpenStack:
    """One process that runs any number of commands; `environment` is what they are told of clouds."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = dict(environment)
        self.ran: list[list[str]] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SERVER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=_plain_environment(),
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(WAIT)
        self._process.stdout.close()

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        """What it prints: on standard error where it is to fail."""
        asked = {
            "arguments": list(arguments),
            "environment": environment or self.environment,
        }
        self.ran.append(list(arguments))
        done = self._ask(asked)
        assert done["status"] == status, (arguments, done)
        return str(done["stderr"] if status else done["stdout"])

    def json(self, *arguments: str) -> Any:
        """For commands that show something."""
        return json.loads(self.run(*arguments, "-f", "json"))

    def _ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        stuck = threading.Timer(WAIT, process.kill)
        stuck.start()
        try:
            line = process.stdout.readline()
        finally:
            stuck.cancel()
        assert line, f"{asked['arguments']}: no answer in {WAIT} s"
        done: dict[str, Any] = json.loads(line)
        return done


def run_really(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """In a process of its own, which takes seconds."""
    return subprocess.run(
        [str(OPENSTACK), *arguments],
        env={**_plain_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def _plain_environment() -> dict[str, str]:
    """Without anything of the caller's clouds, a wide terminal, and no file of its own in the home directory."""
    return {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", "COLUMNS": "200"}
