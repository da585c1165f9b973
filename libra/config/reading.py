"""Settings for a process that stays small: another one reads and checks them, and is gone."""

import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from libra.errors import Invalid

if TYPE_CHECKING:
    from libra.config.settings import Settings

DEADLINE_SECONDS = 60.0
TICK_SECONDS = 0.1
_COMMAND = (sys.executable, "-P", "-m", "libra.config.checking")  # -P: nothing from where we stand


def read_settings(
    path: Path, environ: Mapping[str, str], meanwhile: Callable[[], None] = lambda: None
) -> "Settings":
    """What `load_settings` gives, as far as it is a worker's, in `Values` with the same attributes.

    Calls `meanwhile` again and again while it waits, for whoever watches the process. Raises `Invalid` with its text.
    """
    with Reading(path, environ) as reading:
        return reading.result(meanwhile)


class Reading:
    """A check under way, so that others can be imported meanwhile. Left by its `with` block it is over."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        try:
            self._process = subprocess.Popen(
                [*_COMMAND, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                env=dict(environ),
            )
        except OSError as error:
            raise Invalid(f"{path}: cannot be checked: {error.strerror}") from error
        self._path = path

    def result(self, meanwhile: Callable[[], None] = lambda: None) -> "Settings":
        """As `read_settings`; once."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (output := self._wait(TICK_SECONDS)) is None:
            if time.monotonic() > deadline:
                raise Invalid(f"{self._path}: not checked within {DEADLINE_SECONDS:g} s")
            meanwhile()
        if self._process.returncode:
            raise Invalid(f"{self._path}: the check ended with {self._process.returncode}")
        result = pickle.loads(output)  # noqa: S301 - our own child's
        if isinstance(result, str):
            raise Invalid(result)
        return cast("Settings", result)

    def _wait(self, seconds: float) -> bytes | None:
        try:
            return self._process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            return None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            self._process.kill()
