"""HAProxy's configuration file on disk: checked before it is installed, and what was good is kept.

Beside `haproxy.cfg` stand `.candidate` (being checked), `.rejected` (the last one that HAProxy's check refused),
`.last-good` (the last one seen running) and `.adopted` (somebody else's, moved away by `haproxy.adopt`).
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from libra.drivers.haproxy.alerts import explain
from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.render import MARK, description_of
from libra.durable import (
    remove_file,
    removed_on_failure,
    sync_directory,
    sync_file,
    write_new,
)
from libra.errors import ConfigurationRejected, DriverError


class FileKey(NamedTuple):
    """The times tell a file that was changed in place, the number one that was replaced."""

    inode: int
    modified: int
    changed: int
    size: int


@dataclass(frozen=True, slots=True)
class Installed:
    """A file's text, None where there is none. `description` None means that it is not as libra wrote it."""

    text: str | None = None
    description: str | None = None


class _Ahead(NamedTuple):
    """A text that stands beside, but may not be on disk yet."""

    text: str
    syncing: Future[None]


class ConfigurationFile:
    """The file that HAProxy starts from. Every method raises `DriverError`; one thread at a time.

    With a `disk`, that waits for the disk while others do something useful.
    """

    def __init__(
        self, path: Path, *, adopt: bool = False, disk: ThreadPoolExecutor | None = None
    ) -> None:
        self.path = path
        self._disk = disk
        self._ahead: _Ahead | None = None
        self._adopt = adopt
        self._candidate = _beside(path, "candidate")
        self._rejected = _beside(path, "rejected")
        self._last_good = _beside(path, "last-good")
        self._adopted = _beside(path, "adopted")
        self._seen: dict[FileKey, Installed] = {}
        self._unsynced = False

    def load(self) -> Installed:
        """What is installed."""
        return self._load(self.path)

    def load_last_good(self) -> Installed:
        """What ran last; nothing, where somebody changed it."""
        found = self._load(self._last_good)
        return found if found.description else Installed()

    def sweep(self) -> None:
        """Take away what a worker left beside that was killed. Never raises."""
        for path in (self._candidate, *map(_new, (self.path, self._last_good, self._adopted))):
            with suppress(OSError):
                path.unlink()

    def ensure_ours(self, installed: Installed) -> None:
        """Refuse a file that somebody else wrote or changed, unless the settings say to adopt it."""
        if installed.text is None or installed.description is not None or self._adopt:
            return
        what = (
            "was changed by hand" if installed.text.startswith(MARK) else "was not written by libra"
        )
        raise DriverError(
            f"cannot replace {self.path}: it {what}; move it away, or set haproxy.adopt to let libra do so"
        )

    @contextmanager
    def written_ahead(self, text: str, description: str) -> Iterator[None]:
        """Likely to be installed in this block, so it is on its way to the disk; where it was not, it is gone then."""
        if self.load().description != description and self._disk is not None:
            self._ahead = self._write_ahead(text, self._disk)
        try:
            yield
        finally:
            if self._ahead is not None:
                self._drop(self._ahead)

    def _write_ahead(self, text: str, disk: ThreadPoolExecutor) -> "_Ahead | None":
        """None where it cannot be written, which is for whoever installs it to say."""
        try:
            write_new(self._candidate, text.encode(), synced=False)
        except OSError:
            return None
        return _Ahead(text, disk.submit(sync_file, self._candidate))

    def _drop(self, ahead: "_Ahead") -> None:
        self._ahead = None
        with suppress(OSError):
            wait((ahead.syncing,))
            self._candidate.unlink(missing_ok=True)

    def install(
        self, text: str, binary: Binary, meanwhile: Callable[[], None] | None = None
    ) -> None:
        """Put the text in place once HAProxy's own check has passed it; raises `ConfigurationRejected`.

        `meanwhile` is called during the check; what it raises keeps the text from being installed.
        """
        self._write_candidate(text)
        self._check(text, binary, meanwhile)
        self._put_in_place()

    def install_unchecked(self, text: str, description: str) -> None:
        """Put in place what differs from a text that runs by nothing but what the running process will judge itself.

        `description` is the text's own.

        The new name is made durable by `mark_good`: a loss of power before it ends HAProxy, too, and brings back the
        file of before, as the change was not acknowledged.
        """
        self._write_candidate(text)
        content = Installed(text, description)
        with self._writing(), self._known_after(self._candidate, self.path, content):
            self._put_in_place(synced=False)

    def check(self, text: str, binary: Binary, missing: Mapping[Path, bytes] | None = None) -> None:
        """HAProxy's own check, without an installation or any trace beside the file; raises `ConfigurationRejected`.

        `missing` are files that the text names and that will be there, with their content; others stand in for them.
        """
        self.ensure_ours(self.load())
        try:
            with tempfile.TemporaryDirectory(prefix="libra-check-") as directory:
                for file, content in (missing or {}).items():
                    stand_in = Path(directory, file.name)
                    write_new(stand_in, content)
                    text = text.replace(str(file), str(stand_in))
                path = Path(directory, self.path.name)
                write_new(path, text.encode())
                words = _refusal(path, text, binary)
        except OSError as error:
            raise DriverError(f"cannot check the configuration: {error.strerror}") from error
        if words is not None:
            raise ConfigurationRejected(f"cannot use the configuration: {words}")

    def _write_candidate(self, text: str) -> None:
        self.ensure_ours(self.load())
        ahead, self._ahead = self._ahead, None
        with self._writing():
            if ahead is not None and ahead.text == text:
                with removed_on_failure(self._candidate):
                    ahead.syncing.result()
                return
            self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            write_new(self._candidate, text.encode())

    def _put_in_place(self, *, synced: bool = True) -> None:
        with self._writing():
            self._keep_adopted()
            self._candidate.replace(self.path)
            self._unsynced = not synced
            if synced:
                sync_directory(self.path.parent)

    def mark_good(self) -> None:
        """The installed text was seen running: it is what to go back to."""
        with self._writing():
            if not _same(self.path, self._last_good):
                with self._known_after(self.path, self.path, self._load(self.path)):
                    _link(self.path, self._last_good)
            if self._unsynced:
                sync_directory(self.path.parent)
                self._unsynced = False

    def put_back(self, *, keep_untried: bool) -> Installed:
        """Install again what ran last, which is returned; without such a text, take away what does not run.

        `keep_untried`: or leave that, for whoever starts HAProxy cannot do so without any file.
        """
        last_good = self.load_last_good()
        with self._writing():
            if last_good.text is not None:
                _link(self._last_good, self.path)
                sync_directory(self.path.parent)
            elif not keep_untried:
                remove_file(self.path)
        return last_good

    def _check(self, text: str, binary: Binary, meanwhile: Callable[[], None] | None) -> None:
        with removed_on_failure(self._candidate):
            words = _refusal(self._candidate, text, binary, meanwhile)
        if words is None:
            return
        with suppress(OSError):  # a full disk must not hide why it was refused
            self._candidate.replace(self._rejected)
        raise ConfigurationRejected(f"cannot use the configuration (see {self._rejected}): {words}")

    def _keep_adopted(self) -> None:
        installed = self.load()
        if installed.text is not None and installed.description is None:
            _link(self.path, self._adopted)

    def _load(self, path: Path) -> Installed:
        """A file that was read before is not read again: the installed one and what ran last are often the same."""
        try:
            key = _key(path)
            found = self._seen.get(key)
            if found is None:
                text = path.read_text(errors="replace")
                found = Installed(text, description_of(text))
        except FileNotFoundError:
            return Installed()
        except OSError as error:
            raise DriverError(f"cannot read {path}: {error.strerror}") from error
        self._remember(key, found)
        return found

    def _remember(self, key: FileKey, found: Installed) -> None:
        """The last two."""
        self._seen = {**dict(list(self._seen.items())[-1:]), key: found}

    @contextmanager
    def _known_after(self, path: Path, new_path: Path, content: Installed) -> Iterator[None]:
        """A new name for a file of that content: it need not be read again, though the name changes its ctime."""
        before = _key(path)
        yield
        after = _key(new_path)
        if (before.inode, before.modified, before.size) == (
            after.inode,
            after.modified,
            after.size,
        ):
            self._remember(after, content)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise DriverError(f"cannot write {self.path}: {error.strerror}") from error


def _refusal(
    path: Path, text: str, binary: Binary, meanwhile: Callable[[], None] | None = None
) -> str | None:
    """HAProxy's words against the text in this file, None where it has none."""
    outcome = binary.run("-c", "-f", str(path), meanwhile=meanwhile)
    if outcome.status == 0:
        return None
    return explain(outcome.output, text) or f"its check ended with status {outcome.status}"


def _key(path: Path) -> FileKey:
    now = path.stat()
    return FileKey(now.st_ino, now.st_mtime_ns, now.st_ctime_ns, now.st_size)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(f"{path.name}.{suffix}")


def _new(path: Path) -> Path:
    return _beside(path, "new")


def _link(source: Path, target: Path) -> None:
    """Another name for the same file, in one step; needs no room for its data, as on a full disk."""
    beside = _new(target)
    beside.unlink(missing_ok=True)
    beside.hardlink_to(source)
    beside.replace(target)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except FileNotFoundError:
        return False
