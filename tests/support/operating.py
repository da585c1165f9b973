"""An operator at the command line, in this process, before a controller with a pool of worker processes."""

import json
import logging
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from typer.testing import Result

from libra.config.controller import AdminSettings
from libra.config.settings import ObjectStoreSettings
from libra.providers.local import create_provider
from tests.support.cli import invoke_really
from tests.support.control import ControlLab, control_lab

Json = dict[str, Any]
POOL = "edge"


class Operator:
    """`directory` has everything: a process of the pool has it in its command line."""

    def __init__(self, lab: ControlLab) -> None:
        self.lab = lab
        self.directory = lab.directory
        self.token_file = lab.directory / "operator-token"
        self.token_file.write_text(lab.secret)

    def run(self, *arguments: str, status: int = 0, stdin: bytes | None = None) -> str:
        """What it prints: on standard output where it goes well, else on standard error."""
        done = self._invoke(arguments, status, stdin)
        return done.stdout if status == 0 else done.stderr

    def watch(self, *arguments: str) -> str:
        """What it prints on standard error while all goes well."""
        return self._invoke(arguments, 0, None).stderr

    def _invoke(self, arguments: Sequence[str], status: int, stdin: bytes | None) -> Result:
        done = invoke_really(
            *arguments,
            stdin=stdin,
            LIBRA_API_URL=f"http://127.0.0.1:{self.lab.controller.api.port}",
            LIBRA_API_TOKEN_FILE=str(self.token_file),
        )
        assert done.exit_code == status, (arguments, done.exit_code, done.stdout, done.stderr)
        return done

    def json(self, *arguments: str, status: int = 0) -> Any:
        return json.loads(self.run(*arguments, "-o", "json", status=status))

    def vms(self) -> list[Json]:
        """Of the pool, the oldest first."""
        found: list[Json] = self.lab.get(f"/clusters/{POOL}.json")["vms"]
        return found

    def states(self) -> list[str]:
        return sorted(item["state"] for item in self.vms())

    def grow(self, spares: int) -> None:
        """Until so many are ready."""
        self.lab.put(f"/v1/device-pools/{POOL}", {"min_spare": spares})
        self.lab.wait(lambda: self.states().count("SPARE") >= spares, f"{spares} spares")

    def processes(self) -> list[int]:
        """Of the pool's workers."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes()
            except OSError:
                continue
            if f"{self.directory}/d/".encode() in line:
                found.append(int(path.parent.name))
        return found

    def last_event(self, kind: str) -> Json:
        events = self.lab.get("/v1/events", kind=kind, limit=1000)["events"]
        assert events, kind
        found: Json = events[-1]
        return found


@contextmanager
def operating(object_stores: ObjectStoreSettings | None = None) -> Iterator[Operator]:
    """The pool is made, and empty; the files of aliases and limits are not written yet. At the end no worker process
    is left.
    """
    _log_elsewhere()
    directory = Path(tempfile.mkdtemp(prefix="lo", dir="/tmp"))  # sockets have short names
    try:
        admin = AdminSettings(
            aliases_file=directory / "aliases.json", limits_file=directory / "limits.json"
        )
        with control_lab(directory, object_stores, admin, probe_seconds=0.3) as lab:
            lab.post("/v1/device-pools", {"name": POOL, "provider": "local", "min_spare": 0})
            try:
                yield Operator(lab)
            finally:
                lab.stop_controller()
                provider = create_provider(lab.settings, POOL)
                for host in provider.list():
                    provider.shutdown(host.name)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        structlog.reset_defaults()


def _log_elsewhere() -> None:
    """The controller is in this process, and would write into what its commands print."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.__stderr__),
    )
