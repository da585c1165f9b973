"""Whether this host serves its addresses: run by keepalived every second, and by the worker when it changed something.

As a program: serving.py DIRECTORY [ADMIN_SOCKET]. Status 0 where HAProxy answers; then each file of the directory,
named by an address, says 0 where something listens there, else 1. keepalived hands an address over where either fails.
It knows nothing of libra's other modules, for it must start within milliseconds, and go on whatever the worker does.
"""

import os
import socket
import sys

TABLES = ((socket.AF_INET, "/proc/net/tcp"), (socket.AF_INET6, "/proc/net/tcp6"))
PATIENCE_SECONDS = 3.0  # a HAProxy that is gone is known at once; one that hangs may only be busy
LISTENING = "0A"
SERVED, NOT_SERVED = b"0\n", b"1\n"


def main(arguments: list[str]) -> int:
    """The exit status."""
    directory, *admin = arguments
    if admin and not answers(admin[0]):
        return 1
    look(directory)
    return 0


def answers(path: str) -> bool:
    """Whether a HAProxy says a word at this socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        try:
            connection.connect(path)
            connection.sendall(b"show info\n")
            return bool(connection.recv(1))
        except OSError:
            return False


def look(directory: str) -> None:
    """Bring the files up to date; raises OSError."""
    served = {address for family, path in TABLES for address in listening(family, path)}
    with os.scandir(directory) as entries:
        for entry in entries:
            write(entry.path, served=entry.name in served)


def listening(family: int, path: str) -> set[str]:
    """The addresses with a listener of their own; none where the kernel has no such family."""
    found: set[str] = set()
    try:
        with open(path, encoding="ascii") as table:  # noqa: PTH123 - loading pathlib takes longer than all the rest
            next(table)
            for line in table:
                _, local, _, state, _ = line.split(None, 4)
                if state != LISTENING:
                    break  # the kernel tells of listeners first, and of connections there may be many
                found.add(_text(family, local.partition(":")[0]))
    except OSError:
        pass
    return found


def _text(family: int, words: str) -> str:
    """From hexadecimal words in the machine's byte order."""
    packed = bytes.fromhex(words)
    if sys.byteorder == "little":
        packed = b"".join(packed[at : at + 4][::-1] for at in range(0, len(packed), 4))
    return socket.inet_ntop(family, packed)


def write(path: str, *, served: bool) -> None:
    """In place, one byte that is another: no reader sees half of it. keepalived looks when a writer closes it."""
    wanted = SERVED if served else NOT_SERVED
    try:
        if _read(path) != wanted:
            with open(path, "r+b", buffering=0) as file:  # noqa: PTH123
                file.write(wanted)
    except FileNotFoundError:
        pass  # the worker has taken it away meanwhile


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        return file.read(len(SERVED)) or b""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
