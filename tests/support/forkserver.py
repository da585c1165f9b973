"""A process that has all of libra loaded, and runs its programs in forks of itself, for those that start many.

    python -P tests/support/forkserver.py SOCKET ROOM

An order comes as one packet of the socket, pickled: arguments, environment, directory, and the name of a network
namespace or None; with it come the three standard streams. The answer is the new process's number. It is no child of
this one, but of whoever asks: see `tests.support.forking`.

ROOM is any text: where it stands a fork has its own command line, which `ps` shows.

One thing is not as elsewhere: a worker checks its settings itself, for what it takes is in memory already, instead of
asking another process.
"""

import atexit
import ctypes
import gc
import os
import pickle
import re
import runpy
import signal
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

PROGRAMS = {
    "libra-worker": "libra.cmd.worker",
    "libra-controller": "libra.cmd.controller",
    "libra": "libra.cmd.libra",
}
LOADED = (
    *("libra.logs", "libra.cmd.working", "libra.cmd.assembly", "libra.cmd.controlling"),
    *("libra.drivers.haproxy.driver", "libra.drivers.noop", "libra.config.checking"),
    *("libra.vips.none", "libra.objectstores.swift", "libra.providers.local", *PROGRAMS.values()),
)
CLONE_NEWNET = 0x40000000  # linux/sched.h
MOST_BYTES = 1024 * 1024
# How libra itself starts a program.
MAIN = re.compile(r"import sys; from (libra\.cmd\.\w+) import main; sys\.exit\(main\(\)\)$")
PID = struct.Struct("i")


def main() -> None:
    """Until nobody can ask any more; in a fork, until its program ends."""
    for name in LOADED:
        import_module(name)
    gc.freeze()  # a collection would copy all of it in each fork
    with socket.socket(fileno=int(sys.argv[1])) as channel:
        channel.send(b"ready")
        program = serve(channel)
    if program is not None:
        _end(program)


def _end(program: Callable[[], None]) -> None:
    """As the interpreter ends, but nothing is taken down: to free what was loaded would first copy all of it."""
    status: object = 0
    try:
        program()
    except SystemExit as end:
        status = end.code
    except BaseException:  # noqa: BLE001 - told as the interpreter does
        sys.excepthook(*sys.exc_info())
        status = 1
    if isinstance(status, str):
        sys.stderr.write(f"{status}\n")
        status = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(status if isinstance(status, int) else 0)


def serve(channel: socket.socket) -> Callable[[], None] | None:
    """None at the end; what there is to run, in a fork."""
    while True:
        packet, streams, _, _ = socket.recv_fds(channel, MOST_BYTES, 3)
        if not packet:
            return None
        if (process := _fork_away()) is None:
            channel.detach()
            arguments, environment, directory, namespace = pickle.loads(packet)
            _become(streams, environment, directory)
            _show([sys.executable, *arguments])
            if namespace is not None:
                enter(namespace)
            return lambda: _run(arguments)
        for stream in streams:
            os.close(stream)
        channel.send(PID.pack(process))


def _fork_away() -> int | None:
    """The number of a grandchild whose parent has ended; None in it."""
    reading, writing = os.pipe()
    between = os.fork()
    if between == 0:
        process = os.fork()
        if process == 0:
            return None
        os.write(writing, PID.pack(process))
        os._exit(0)
    os.waitpid(between, 0)  # only then the grandchild has its new parent
    (process,) = PID.unpack(os.read(reading, PID.size))
    os.close(reading)
    os.close(writing)
    return int(process)


def _become(streams: list[int], environment: dict[str, str], directory: str) -> None:
    """A process as if started for this."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    _open_streams()


def _show(words: list[str]) -> None:
    """The command line, for `ps`, and for whoever looks for a process by it. A long one is cut."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(fields[number - 3]) for number in (48, 49))  # arg_start and arg_end, proc(5)
    text = b"".join(os.fsencode(word) + b"\0" for word in words)[: end - start - 1]
    ctypes.memset(start, 0, end - start)
    ctypes.memmove(start, text, len(text))


def enter(namespace: str) -> None:
    """A network namespace, by its name: this thread only."""
    with (Path("/run/netns") / namespace).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), f"cannot enter {namespace}")


def _open_streams() -> None:
    """As the interpreter does at its start, for these may be a terminal."""
    at_once = 1 if os.isatty(1) else -1
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115 - open as long as the process
    sys.stdout = sys.__stdout__ = open(1, "w", at_once, closefd=False)  # noqa: SIM115
    errors = open(2, "w", 1, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = sys.__stderr__ = errors


def _run(arguments: list[str]) -> None:
    reading: Any = import_module("libra.config.reading")
    reading.Reading = Here
    first, *rest = arguments
    if first == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        return
    sys.argv = rest if first == "-c" else arguments
    main = MAIN.match(rest[0]) if first == "-c" else None
    module = main[1] if main else PROGRAMS.get(Path(first).name)
    if module is not None:
        sys.exit(import_module(module).main())
    runpy.run_path(first, run_name="__main__")


class Here:
    """In the place of `libra.config.reading.Reading`."""

    def __init__(self, path: Path, environ: dict[str, str]) -> None:
        self._path, self._environ = path, environ

    def result(self, meanwhile: Callable[[], None] = lambda: None) -> object:
        """The same values."""
        from libra.config.checking import extract
        from libra.config.load import load_settings

        meanwhile()
        return extract(load_settings(self._path, self._environ))

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left."""


if __name__ == "__main__":
    main()
