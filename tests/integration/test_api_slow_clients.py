"""Clients that begin a request and do not end it lose their connection; those who only wait for an answer do not."""

import socket
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI, Request

from libra.api.server import ApiServer
from libra.config.controller import ApiSettings

RECEIVE_SECONDS = 0.4
ANSWER_SECONDS = 3 * RECEIVE_SECONDS
WAIT = 20.0
WHOLE = b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    app = FastAPI()

    @app.get("/slow")
    def slow() -> str:
        time.sleep(ANSWER_SECONDS)
        return "slow"

    @app.post("/echo")
    async def echo(request: Request) -> str:
        return (await request.body()).decode()

    server = ApiServer(app, ApiSettings(receive_timeout_seconds=RECEIVE_SECONDS), port=0)
    server.start()
    yield server.port
    server.stop()


@pytest.fixture
def client(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=WAIT) as client:
        yield client


def read_answer(client: socket.socket, last: bytes) -> bytes:
    data = b""
    while not data.endswith(last):
        piece = client.recv(4096)
        assert piece, f"closed after {data!r}"
        data += piece
    return data


@pytest.mark.parametrize(
    "beginning", [b"", b"G", WHOLE[:-2], HEAD, HEAD + b"abc"], ids=lambda text: f"{len(text)} bytes"
)
def test_a_request_that_is_never_whole(client: socket.socket, beginning: bytes) -> None:
    client.sendall(beginning)
    assert client.recv(4096) == b""


def test_a_byte_now_and_then_wins_no_time(client: socket.socket) -> None:
    client.sendall(WHOLE[:-2] + b"X-Long: ")
    with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - which byte meets it is open
        for _ in range(int(WAIT / 0.05)):
            client.sendall(b"x")
            time.sleep(0.05)  # the pace is what is tested


def test_who_waits_for_an_answer_gets_it(client: socket.socket) -> None:
    client.sendall(WHOLE)
    assert b"200 OK" in read_answer(client, b'"slow"')


def test_between_requests_there_is_time_but_not_within_the_next(client: socket.socket) -> None:
    client.sendall(HEAD + b"some")
    assert b"200 OK" in read_answer(client, b'"some"')
    client.settimeout(ANSWER_SECONDS)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(WAIT)
    client.sendall(HEAD + b"more")
    assert b"200 OK" in read_answer(client, b'"more"')
    client.sendall(HEAD[:20])
    assert client.recv(4096) == b""
