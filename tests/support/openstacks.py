"""Servers of OpenStack's own, of a virtual environment that tools/openstack-venv makes."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
WAIT = 60.0
PASSWORD = "keystone-secret"


def find_venv() -> Path:
    """Where it is; skips the test where there is none, but fails it where CI is set."""
    venv = Path(os.environ.get("LIBRA_OPENSTACK_VENV", ROOT / ".venv" / "openstack"))
    if (venv / "installed").exists():
        return venv
    reason = f"{venv} is not there: tools/openstack-venv makes it"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, slots=True)
class Keystone:
    """A running one; `process` is its own to be ended by who wants to see it gone."""

    url: str
    process: "subprocess.Popen[str]"


@contextmanager
def keystone_in(directory: Path) -> Iterator[Keystone]:
    """It has an administrator `admin`, of the project `admin`, with `PASSWORD`."""
    venv, port = find_venv(), free_port()
    shutil.copytree(venv / "keystone", directory, dirs_exist_ok=True)
    script = Path(__file__).with_name("keystone_server.py")
    with (directory / "errors").open("w") as errors:
        process = subprocess.Popen(
            [str(venv / "bin" / "python"), str(script), "serve", str(directory), str(port)],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    try:
        assert process.stdout is not None
        told = process.stdout.readline()
        assert told == "ready\n", (directory / "errors").read_text()
        yield Keystone(f"http://127.0.0.1:{port}/v3", process)
    finally:
        process.kill()
        process.wait(WAIT)
        assert process.stdout is not None
        process.stdout.close()
