"""The command line `libra`, in this process with a job client that answers as it is told, or as a real process."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import typer.testing
from typer.testing import CliRunner, Result

from libra.cli.app import app
from libra.cli.wiring import Wiring
from libra.cmd.libra import wire
from libra.config.settings import JobServerSettings
from libra.jobs.base import Priority
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobClient
from tests.support import forking

SCRIPT = Path(sys.executable).parent / "libra"
# A terminal of a fixed width without colours, so that what is printed is the same everywhere.
TERMINAL = {"COLUMNS": "100", "NO_COLOR": "1", "TERM": "dumb"}
DONE_SECONDS = 60
# Otherwise the whole tree of commands is made for each of them, which takes a hundred times as long as to run one.
typer.testing._get_command = cache(typer.testing._get_command)  # type: ignore[attr-defined]


@dataclass
class FakeClient:
    """A job client that keeps what was submitted, and answers with bytes or raises."""

    answer: bytes | Exception = b'{"hpcs_response": "PASS"}'
    submitted: list[tuple[str, bytes, float]] = field(default_factory=list)
    servers: tuple[JobServerSettings, ...] = ()
    closed: int = 0

    def open(self, servers: Sequence[JobServerSettings]) -> "FakeClient":
        """For `Wiring.open_job_client`."""
        self.servers = tuple(servers)
        return self

    def submit(
        self, function: str, payload: bytes, *, timeout: float, priority: Priority = Priority.NORMAL
    ) -> bytes:
        self.submitted.append((function, payload, timeout))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def close(self) -> None:
        self.closed += 1


def invoke(
    *arguments: str,
    client: FakeClient | None = None,
    stdin: bytes | None = None,
    environ: dict[str, str] | None = None,
) -> Result:
    """Run a command in this process."""
    wiring = Wiring(
        open_job_client=(client or FakeClient()).open,
        create_job_server=EmbeddedJobServer,
        environ=environ or {},
    )
    return CliRunner().invoke(app, arguments, input=stdin, env=TERMINAL, obj=wiring)


def invoke_really(*arguments: str, stdin: bytes | None = None, **environ: str) -> Result:
    """Run a command in this process, with everything real; its log stays as the tests have it."""
    wiring = replace(wire({**os.environ, **environ}), open_job_client=GearmanJobClient)
    return CliRunner().invoke(app, arguments, input=stdin, env=TERMINAL, obj=wiring)


def run(
    *arguments: str, stdin: bytes = b"", environ: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the console script as a process."""
    done = forking.run(
        [SCRIPT, *arguments],
        said=stdin,
        env={**os.environ, **TERMINAL, **(environ or {})},
        timeout=DONE_SECONDS,
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
