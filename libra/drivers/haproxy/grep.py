"""`grep` as a child that picks lines at a gigabyte a second: a thread of ours feeds it, the caller reads it."""

import fcntl
import os
import select
import shutil
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import IO, Self

from libra.drivers.haproxy.logblocks import BLOCK_BYTES, cut_short, read_blocks
from libra.drivers.haproxy.logfiles import LogFile
from libra.errors import DriverError

PIPE_BYTES = 1024 * 1024  # the most that Linux gives without privileges
STALL_SECONDS = 60.0  # neither read nor written for so long: the disk hangs
PROBE_SECONDS = 5.0
OPTIONS = ("-a", "-P", "-e")  # whatever the bytes; Perl's expressions
FOUND_NOTHING = 1


def find_grep() -> tuple[str, ...] | None:
    """How to run a grep that knows Perl's expressions, None where there is none.

    Compiled to machine code they cost no more than a fixed text, a third of what `grep -E` takes. Left alone, grep
    writes a pipe in pieces of 4 KiB, which costs as much as its whole search.
    """
    grep, stdbuf = shutil.which("grep"), shutil.which("stdbuf")
    command = (stdbuf, "-o", f"{BLOCK_BYTES}", grep) if stdbuf else (grep,)
    return tuple(filter(None, command)) if grep and _works(grep) else None


def _works(grep: str) -> bool:
    """False for one that was built without PCRE."""
    try:
        tried = subprocess.run(
            [grep, *OPTIONS, "^(?:x)"],
            input=b"x\n",
            capture_output=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return tried.returncode == 0


class Grep:
    """One child for all files. Left by its `with` block, the child is ended and reaped, and the thread stopped."""

    def __init__(self, program: Sequence[str], pattern: str, files: Sequence[LogFile]) -> None:
        # Errors go into memory, so that no full pipe can hold the child up.
        self._errors = os.fdopen(os.memfd_create("grep-errors"), "w+b")
        self._child = subprocess.Popen(
            [*program, *OPTIONS, pattern],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={"LC_ALL": "C"},  # bytes, not characters
            start_new_session=True,  # Ctrl-C is for the daemon, which lets running jobs finish
        )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._stdout = self._child.stdout
        for pipe in (self._child.stdin, self._stdout):
            with suppress(OSError):
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._feeder = _Feeder(files, self._child.stdin)

    def lines(self) -> Iterator[bytes]:
        """The lines, in blocks that may end amid one; raises `DriverError`."""
        while block := self._read():
            yield block
        self._check_end()

    def _read(self) -> bytes:
        """Waits for output, but not for ever."""
        poll = select.poll()
        poll.register(self._stdout, select.POLLIN)
        fed = -1
        while not poll.poll(STALL_SECONDS * 1000):
            if fed == self._feeder.fed:
                raise DriverError(
                    f"cannot read the access log: nothing moved for {STALL_SECONDS:g} s"
                )
            fed = self._feeder.fed
        return os.read(self._stdout.fileno(), BLOCK_BYTES)

    def _check_end(self) -> None:
        self._feeder.join(STALL_SECONDS)
        code = self._child.wait(STALL_SECONDS)
        if self._feeder.error is not None:
            raise self._feeder.error
        if code not in (0, FOUND_NOTHING):
            self._errors.seek(0)
            said = ascii(self._errors.read(200).decode("utf-8", "replace").strip())
            raise DriverError(f"cannot read the access log: grep ended with {code} and said {said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.kill()
        self._child.wait()
        self._feeder.join(STALL_SECONDS)  # its next write finds the child gone
        self._stdout.close()
        self._errors.close()


class _Feeder(threading.Thread):
    """Writes the files into the child, and closes its input at the end."""

    def __init__(self, files: Sequence[LogFile], sink: IO[bytes]) -> None:
        super().__init__(name="log-feeder", daemon=True)
        self._files = files
        self._sink = sink
        self.fed = 0
        self.error: DriverError | None = None
        self.start()

    def run(self) -> None:
        """Ends early, without an error, where the child has ended."""
        try:
            for file in self._files:
                self._feed_blocks(file) if file.compressed else self._feed_pages(file)
        except BrokenPipeError:
            pass
        except DriverError as error:
            self.error = error
        except OSError as error:
            self.error = DriverError(f"cannot read the access log: {error}")
        finally:
            with suppress(OSError):
                self._sink.close()

    def _feed_pages(self, file: LogFile) -> None:
        """From the page cache into the pipe: the bytes never come up here."""
        position = 0
        while position < file.size:
            try:
                count = os.splice(
                    file.fd, self._sink.fileno(), file.size - position, offset_src=position
                )
            except BrokenPipeError:
                raise
            except OSError:
                if position:
                    raise
                return self._feed_blocks(file)  # a file system without splice
            if count == 0:
                raise cut_short(file)
            position += count
            self.fed += count
        return None

    def _feed_blocks(self, file: LogFile) -> None:
        for block in read_blocks(file):
            rest = memoryview(block)
            while rest:
                count = os.write(self._sink.fileno(), rest)
                self.fed += count
                rest = rest[count:]
