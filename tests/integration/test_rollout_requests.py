"""Health checks and warm-ups of a rollout, at servers that behave badly."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from libra.rollout.commands import ActionFailed
from libra.rollout.requests import await_answer, is_healthy, is_warm
from tests.support.ports import LOOPBACK, free_port
from tests.support.web import WebServer


@contextmanager
def dripping() -> Iterator[int]:
    """A server whose answer never ends."""
    ending = threading.Event()
    with socket.create_server((LOOPBACK, 0)) as server:
        server.settimeout(0.1)

        def serve() -> None:
            while not ending.is_set():
                with suppress(OSError):
                    connection, _ = server.accept()
                    with connection:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                        while not ending.wait(0.02):
                            connection.sendall(b".")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            ending.set()
            thread.join()


def test_it_waits_until_the_answer_is_good() -> None:
    with WebServer("one") as server:
        server.answer_with(503)
        threading.Timer(0.3, server.answer_with, (200,)).start()
        await_answer(f"http://{LOOPBACK}:{server.port}/", is_healthy, 30, threading.Event())
        server.answer_with(302)
        await_answer(f"http://{LOOPBACK}:{server.port}/", is_warm, 30, threading.Event())
        with pytest.raises(ActionFailed, match=r"answers 302, for 0.3 s"):
            await_answer(f"http://{LOOPBACK}:{server.port}/", is_healthy, 0.3, threading.Event())


def test_nobody_there() -> None:
    url = f"http://{LOOPBACK}:{free_port()}/"
    with pytest.raises(ActionFailed, match="gives no answer"):
        await_answer(url, is_healthy, 0.3, threading.Event())


def test_an_answer_that_never_ends_is_none() -> None:
    started = time.monotonic()
    with dripping() as port, pytest.raises(ActionFailed, match="does not end its answer"):
        await_answer(f"http://{LOOPBACK}:{port}/", is_healthy, 0.5, threading.Event())
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("url", ["http://[::1/", "http://a b/", "http://:x/", "gopher://a/"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ActionFailed, match="gives no answer"):
        await_answer(url, is_healthy, 0.1, threading.Event())


def test_the_end_of_the_rollout_ends_it() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(ActionFailed, match="until the rollout was ended"):
        await_answer(f"http://{LOOPBACK}:{free_port()}/", is_healthy, 60, cancelled)
