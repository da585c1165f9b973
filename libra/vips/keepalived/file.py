"""keepalived's configuration file on disk: checked before it is installed, and never somebody else's."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from libra.durable import remove_file, removed_on_failure, sync_directory, write_new
from libra.errors import ConfigurationRejected, DriverError
from libra.vips.base import Address
from libra.vips.keepalived.config import MARK, addresses_in

CHECK_SECONDS = 30.0
# All that it has against the text of a worker that is root. The status for it is another in each release.
UNGUARDED = "SECURITY VIOLATION - scripts are being executed but script_security not enabled."
NOTHING: frozenset[Address] = frozenset()


@dataclass(frozen=True, slots=True)
class Installed:
    """A file of ours; `text` None where there is none."""

    text: str | None = None
    addresses: frozenset[Address] = NOTHING


class ConfigurationFile:
    """Every method raises `DriverError`. One thread at a time."""

    def __init__(self, path: Path, program: str) -> None:
        self.path = path
        self._program = program
        self._candidate = path.with_name(f"{path.name}.candidate")

    def load(self) -> Installed:
        """What is installed; refuses a file that somebody else wrote or changed."""
        try:
            text = self.path.read_text(errors="replace")
        except FileNotFoundError:
            return Installed()
        except OSError as error:
            raise DriverError(f"cannot read {self.path}: {error.strerror}") from error
        addresses = addresses_in(text)
        if addresses is None:
            what = "was changed by hand" if text.startswith(MARK) else "was not written by libra"
            raise DriverError(f"cannot use {self.path}: it {what}; move it away")
        return Installed(text, addresses)

    def install(self, text: str) -> None:
        """Durable when it returns; raises `ConfigurationRejected` with keepalived's words and the old one in place."""
        try:
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            write_new(self._candidate, text.encode(), mode=0o640)
            with removed_on_failure(self._candidate):
                self._check()
                self._candidate.replace(self.path)
            sync_directory(self.path.parent)
        except OSError as error:
            raise DriverError(f"cannot write {self.path}: {error.strerror}") from error

    def put_back(self, before: Installed) -> None:
        """What ran before the last `install`, unchecked."""
        try:
            if before.text is None:
                remove_file(self.path)
                return
            write_new(self._candidate, before.text.encode(), mode=0o640)
            self._candidate.replace(self.path)
        except OSError as error:
            raise DriverError(f"cannot write {self.path}: {error.strerror}") from error

    def _check(self) -> None:
        command = [self._program, "--config-test", "-P", "-f", str(self._candidate)]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=CHECK_SECONDS,
                check=False,
            )
        except FileNotFoundError as error:
            raise DriverError(
                "cannot find keepalived: install the system's package keepalived, or set vip.vrrp.binary"
            ) from error
        except subprocess.SubprocessError as error:
            raise DriverError(f"cannot check keepalived's configuration: {error}") from error
        words = done.stdout.decode(errors="replace")
        if done.returncode != 0 and words.strip() != UNGUARDED:
            why = " ".join(words.split()) or f"its check ended with status {done.returncode}"
            raise ConfigurationRejected(f"cannot use keepalived's configuration: {why[:1000]}")
