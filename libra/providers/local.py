"""Worker processes on this host, each in a directory of its own: spares that can really be built and destroyed."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from libra.config.types import MAX_SOCKET_PATH
from libra.daemon.lockfile import LockFile
from libra.durable import replace_file
from libra.errors import Conflict, LibraError, ProviderError
from libra.providers.base import Host

if TYPE_CHECKING:
    from libra.config.settings import Settings

ADDRESS = "127.0.0.1"
BOOT_SECONDS = 60.0
STOP_SECONDS = 90.0
POLL_SECONDS = 0.05
WORKER = (sys.executable, "-c", "import sys; from libra.cmd.worker import main; sys.exit(main())")
STOP_PROXY = (sys.executable, "-m", "libra.cmd.stopping")
STATE, CONFIG, PID_FILE, LOCK = "state", "worker.yaml", "worker.pid", "worker.lock"
PROXY_CONFIG = "haproxy.cfg"


def create_provider(settings: "Settings", pool: str) -> "LocalProvider":
    """Starts nothing yet."""
    return LocalProvider(settings, pool)


class LocalProvider:
    """See `Provider`. Workers outlive a controller that is killed, and are found again by their directories."""

    destroys = True
    ends_with_controller = True

    def __init__(self, settings: "Settings", pool: str) -> None:
        self._settings = settings
        self._pool = pool
        self._root = settings.providers.local_dir

    def choose(self, taken: Collection[str]) -> Host | None:
        """Numbered; None where there are as many as the settings allow.

        A worker that runs and was forgotten is left alone.
        """
        for number in range(1, self._settings.providers.local_most + 1):
            name = f"{self._pool}-{number}"
            if name not in taken and not self._is_running(self._root / name):
                return Host(name=name, address=ADDRESS)
        return None

    def boot(self, host: Host) -> None:
        """Returns once its worker is ready."""
        directory = self._directory(host.name)
        if self._is_running(directory):
            return
        self._write_config(directory, host.name)
        command = [*WORKER, "--daemon", "--config", str(directory / CONFIG)]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                timeout=BOOT_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            raise ProviderError(
                f"cannot boot '{host.name}': its worker is not ready after {BOOT_SECONDS:g} s"
            ) from None
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or ["it does not say why"]
            raise ProviderError(f"cannot boot '{host.name}': {said[0]}")

    def shutdown(self, name: str) -> None:
        """Jobs that it has are answered; then HAProxy ends, and the directory goes."""
        directory = self._directory(name)
        if not directory.is_dir():
            return
        self._stop_worker(directory, name)
        if (directory / PROXY_CONFIG).exists():
            done = subprocess.run(
                [*STOP_PROXY, str(directory / CONFIG)],
                capture_output=True,
                text=True,
                timeout=STOP_SECONDS,
                check=False,
            )
            if done.returncode:
                raise ProviderError(f"cannot end HAProxy of '{name}': {done.stderr.strip()[-200:]}")
        try:
            shutil.rmtree(directory)
        except OSError as error:
            raise ProviderError(f"cannot remove {directory}: {error.strerror}") from error

    def list(self) -> "list[Host]":
        """Those whose worker runs."""
        if not self._root.is_dir():
            return []
        found = sorted(path for path in self._root.iterdir() if self._is_mine(path.name))
        return [Host(name=path.name, address=ADDRESS) for path in found if self._is_running(path)]

    def _is_mine(self, name: str) -> bool:
        head, _, number = name.rpartition("-")
        return head == self._pool and number.isdecimal()

    def _directory(self, name: str) -> Path:
        if not self._is_mine(name):
            raise ProviderError(
                f"cannot look after '{name}': it is none of the pool '{self._pool}'"
            )
        directory = self._root / name
        if len(str(directory / "m")) > MAX_SOCKET_PATH:
            raise ProviderError(
                f"cannot use {directory}: a socket in it would have too long a path; "
                "providers.local_dir may be shorter"
            )
        return directory

    def _write_config(self, directory: Path, name: str) -> None:
        given = self._settings
        config: dict[str, Any] = {
            "job_servers": [
                server.model_dump(mode="json", exclude_none=True) for server in given.job_servers
            ],
            "worker": {
                "name": name,
                "announce_to": given.controller.function,
                "pool": self._pool,
                "address": ADDRESS,
                "driver": given.providers.local_driver,
                "state_dir": str(directory / STATE),
                "pid_file": str(directory / PID_FILE),
            },
            "haproxy": {
                "supervisor": "own",
                "config_file": str(directory / PROXY_CONFIG),
                "admin_socket": str(directory / "a"),
                "master_socket": str(directory / "m"),
                "log_file": str(directory / "access.log"),
            },
        }
        head = "# Written by libra when it boots this device.\n"
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            text = head + yaml.safe_dump(config, sort_keys=False)
            replace_file(directory / CONFIG, text.encode(), mode=0o600)
        except OSError as error:
            raise ProviderError(f"cannot write into {directory}: {error.strerror}") from error

    def _is_running(self, directory: Path) -> bool:
        """By its lock, which ends with it, whatever a file says of a pid."""
        if not (directory / STATE / LOCK).exists():
            return False
        try:
            LockFile(directory / STATE / LOCK).close()
        except Conflict:
            return True
        except LibraError as error:
            raise ProviderError(str(error)) from error
        return False

    def _stop_worker(self, directory: Path, name: str) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        told = False
        while self._is_running(directory):
            if not told:
                with suppress(OSError, ValueError):
                    os.kill(int((directory / STATE / LOCK).read_text()), signal.SIGTERM)
                    told = True
            if time.monotonic() > deadline:
                raise ProviderError(f"cannot stop the worker of '{name}': it does not end")
            time.sleep(POLL_SECONDS)
