"""Whether listeners answer: who is asked, what counts, and that nobody holds STATS up."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace

from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Pool
from libra.model.tls import Tls
from libra.model.webservice import NodeInfo
from libra.worker.knock import WITHIN_SECONDS, knock_all
from tests.support.ports import LOOPBACK, free_port

Answer = Callable[[socket.socket], None]


@contextmanager
def answering(answer: Answer | None) -> Iterator[int]:
    """A port on which somebody listens, and does that with the first who comes; None lets them wait."""
    with socket.create_server((LOOPBACK, 0)) as server, ExitStack() as stack:
        thread = threading.Thread(target=_accept, args=(server, answer, stack))
        if answer is not None:
            thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            if answer is not None:
                with socket.create_connection(server.getsockname()):  # in case nobody came
                    thread.join(10)


def _accept(server: socket.socket, answer: Answer, stack: ExitStack) -> None:
    connection = stack.enter_context(server.accept()[0])
    with suppress(OSError):
        answer(connection)


def listener(port: int, **fields: object) -> Listener:
    given = Listener(
        id=f"li-{port}",
        protocol=Protocol.HTTP,
        port=port,
        pool=None,
        services=(NodeInfo(path="/"),),
    )
    return replace(given, **fields)  # type: ignore[arg-type]


def desired(*listeners: Listener, **fields: object) -> Desired:
    owner = LoadBalancer(id="lb", address=LOOPBACK, listeners=listeners)
    return Desired(loadbalancers=(replace(owner, **fields),))  # type: ignore[arg-type]


def knocked(answer: Answer | None, **fields: object) -> bool:
    with answering(answer) as port:
        (found,) = knock_all(desired(listener(port, **fields)), ()).values()
    return found


def say(text: bytes) -> Answer:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(text)

    return answer


def hang_up(connection: socket.socket) -> None:
    connection.close()


def trickle(connection: socket.socket) -> None:
    """A byte whenever one would be given up a second after the last."""
    for byte in b"HTTP/1.1":
        connection.sendall(bytes([byte]))
        time.sleep(0.6)


def test_any_answer_in_http_counts() -> None:
    assert knocked(say(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"))
    assert not knocked(say(b"SSH-2.0-x\r\n"))
    assert not knocked(hang_up)


def test_who_lets_only_some_in_answers_by_turning_one_away() -> None:
    assert knocked(hang_up, allowed_cidrs=("10.0.0.0/8",))
    assert knocked(hang_up, allowed_cidrs=("10.0.0.0/8",), tls=Tls(certificates=()))
    assert not knocked(None, allowed_cidrs=("10.0.0.0/8",))
    gone = listener(free_port(), allowed_cidrs=("10.0.0.0/8",))
    assert list(knock_all(desired(gone), ()).values()) == [False]


def test_of_an_address_that_another_host_has_the_proxy_is_believed() -> None:
    """What is asked there would be answered by that host."""
    listeners = [replace(listener(port), bind_address="192.0.2.7") for port in (80, 81)]
    assert knock_all(desired(*listeners), {"li-80"}) == {"li-80": True, "li-81": False}


def test_nobody_at_the_port_is_no_answer() -> None:
    assert list(knock_all(desired(listener(free_port())), ()).values()) == [False]


def test_who_is_not_to_listen_is_not_asked() -> None:
    pool = Pool(id="p", members=())
    port = free_port()
    assert knock_all(desired(listener(port, enabled=False)), ()) == {}
    assert knock_all(desired(listener(port), enabled=False), ()) == {}
    assert knock_all(replace(desired(listener(port)), suspended=True), ()) == {}
    assert knock_all(desired(listener(port, services=None, pool=pool)), ()) == {}
    assert knock_all(desired(listener(port, services=None)), ()) == {}
    assert knock_all(desired(listener(port, services=None, protocol=Protocol.TCP)), ()) == {}
    assert knock_all(desired(listener(port, services=())), ()) == {f"li-{port}": False}


def test_who_says_nothing_holds_nobody_up() -> None:
    """A proxy that hangs still takes connections, for the kernel does that."""
    with ExitStack() as stack:
        ports = [stack.enter_context(answering(None)) for _ in range(150)]
        given = [listener(port, tls=Tls(certificates=()) if port % 2 else None) for port in ports]
        began = time.monotonic()
        answers = knock_all(desired(*given), ())
        took = time.monotonic() - began
    assert answers == {item.id: False for item in given}
    assert (
        took < WITHIN_SECONDS + 1
    )  # one after the other, or some at a time, it would be more than four


def test_who_says_little_at_a_time_holds_nobody_up() -> None:
    with answering(trickle) as port:
        began = time.monotonic()
        assert knock_all(desired(listener(port)), ()) == {f"li-{port}": False}
        assert time.monotonic() - began < WITHIN_SECONDS + 1
