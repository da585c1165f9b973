"""Looking up the names of job servers."""

import socket
import threading

import pytest

from libra.jobs.gearman import sockets
from libra.jobs.gearman.deadline import Deadline


@pytest.mark.parametrize(
    ("host", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
)
def test_an_address_needs_no_look_up(host: str, family: socket.AddressFamily) -> None:
    threads = threading.active_count()
    [(found, address)] = sockets.resolve(host, 4730, Deadline(0.0))
    assert (found, address[:2]) == (family, (host, 4730))
    assert threading.active_count() == threads


def test_a_name_server_that_never_answers_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    answered = threading.Event()

    def hang(*arguments: object, flags: int = 0, **options: object) -> list[object]:
        if flags & socket.AI_NUMERICHOST:
            raise socket.gaierror
        answered.wait(60)
        return []

    monkeypatch.setattr(sockets.socket, "getaddrinfo", hang)
    with pytest.raises(TimeoutError, match="not resolved in time"):
        sockets.resolve("gearman.example", 4730, Deadline(0.05))
    answered.set()


def test_an_unknown_name_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> list[object]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(sockets.socket, "getaddrinfo", refuse)
    with pytest.raises(socket.gaierror, match="not known"):
        sockets.resolve("gearman.example", 4730, Deadline(5.0))
