"""Certificates and maps on disk, where HAProxy reads them when it starts."""

from collections.abc import Container, Iterable
from contextlib import suppress
from pathlib import Path

from libra.drivers.haproxy.config import Material
from libra.durable import replace_files
from libra.errors import DriverError


class MaterialFiles:
    """A directory of files that nobody else may read: keys are among them. One thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: set[str] = set()

    def path(self, material: Material) -> Path:
        """Where it is."""
        return self._directory / material.name

    def ensure(self, materials: Iterable[Material]) -> None:
        """Write those that are not there; a name tells the content. Raises `DriverError`."""
        sound = self._known & self._present()
        missing = [item for item in materials if item.name not in sound]
        if not missing:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            files = {self.path(item): item.content.encode() for item in missing}
            replace_files(files, mode=0o600)
        except OSError as error:
            raise DriverError(
                f"cannot write {error.filename or self._directory}: {error.strerror}"
            ) from error
        self._known.update(item.name for item in missing)

    def missing(self, materials: Iterable[Material]) -> dict[Path, bytes]:
        """What `ensure` would write."""
        paths = {self.path(item): item for item in materials}
        return {path: item.content.encode() for path, item in paths.items() if not path.exists()}

    def sweep(self, kept: Container[str]) -> None:
        """Take away all but these names; a text holds the names that stand in it. Never raises."""
        for name in self._present():
            if name not in kept:
                with suppress(OSError):
                    (self._directory / name).unlink()
                self._known.discard(name)

    def _present(self) -> set[str]:
        """One look at the directory is quicker than one at each of hundreds of files."""
        try:
            return {path.name for path in self._directory.iterdir()}
        except OSError:
            return set()
