"""The embedded job server among other people's programs, and among hostile ones."""

import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from gear import constants

from libra.errors import JobFailed, JobServerUnavailable
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource
from libra.jobs.gearman.peer import Peer
from tests.support.gearmand import read_admin
from tests.support.jobservers import await_registered, settings_for, submitting, working
from tests.support.ports import LOOPBACK, wait_until
from tests.support.programs import find_program
from tests.support.rawgearman import dial, read_packet, request, take_raw

LONG = 20.0


@pytest.fixture
def server() -> Iterator[EmbeddedJobServer]:
    server = EmbeddedJobServer()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def closing() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def open_client(closing: ExitStack, server: EmbeddedJobServer) -> GearmanJobClient:
    client = GearmanJobClient(settings_for(server.port))
    closing.callback(client.close)
    return client


def open_source(closing: ExitStack, server: EmbeddedJobServer) -> GearmanJobSource:
    source = GearmanJobSource(settings_for(server.port), "w1")
    closing.callback(source.close)
    await_registered(source)
    return source


def is_hung_up(sock: socket.socket) -> bool:
    """Whether the server ends the connection, before the socket's time-out."""
    try:
        while sock.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def serves(closing: ExitStack, server: EmbeddedJobServer) -> bool:
    """Whether a job of a new client comes to a new worker, and its answer back."""
    with working(open_source(closing, server)):
        return open_client(closing, server).submit("w1", b"x", timeout=LONG) == b"x"


# --- other people's programs


def test_gearman_program_as_client(server: EmbeddedJobServer, closing: ExitStack) -> None:
    with working(open_source(closing, server), lambda job: job.complete(job.payload.upper())):
        run = subprocess.run(
            [
                find_program("gearman", package="gearman-tools"),
                "-h",
                LOOPBACK,
                "-p",
                str(server.port),
                "-f",
                "w1",
                "hello",
            ],
            capture_output=True,
            timeout=30,
            check=True,
        )
    assert run.stdout == b"HELLO"


def test_gearman_program_as_worker(server: EmbeddedJobServer, closing: ExitStack) -> None:
    program = [
        find_program("gearman", package="gearman-tools"),
        "-h",
        LOOPBACK,
        "-p",
        str(server.port),
        "-w",
        "-f",
        "w2",
    ]
    with subprocess.Popen([*program, "--", "tr", "a-z", "A-Z"]) as worker:
        client = open_client(closing, server)
        assert client.submit("w2", b"hello", timeout=LONG) == b"HELLO"
        assert client.submit("w2", b"again", timeout=LONG) == b"AGAIN"
        worker.kill()


@pytest.mark.parametrize(
    ("option", "answer"),
    [
        ("--status", b"w1\t0\t0\t1\n.\n"),
        ("--workers", b"127.0.0.1 w1 : w1\n"),
        ("--server-version", b"libra "),
    ],
)
def test_gearadmin(
    server: EmbeddedJobServer, closing: ExitStack, option: str, answer: bytes
) -> None:
    open_source(closing, server)
    program = find_program("gearadmin", package="gearman-tools")
    run = subprocess.run(
        [program, "-h", LOOPBACK, "-p", str(server.port), option],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert answer in run.stdout


def test_an_unknown_admin_command_is_answered(server: EmbeddedJobServer) -> None:
    with dial(server.port) as sock:
        sock.sendall(b"make me a sandwich\n")
        assert sock.recv(100).startswith(b"ERR UNKNOWN_COMMAND")


@pytest.mark.parametrize(
    ("sent", "kind", "data"),
    [
        (request(constants.ECHO_REQ, b"a\0b"), constants.ECHO_RES, b"a\0b"),
        (request(constants.OPTION_REQ, b"exceptions"), constants.OPTION_RES, b"exceptions"),
        (request(constants.GRAB_JOB), constants.NO_JOB, b""),
        (request(39), constants.NO_JOB, b""),
        (request(constants.OPTION_REQ, b"flight"), constants.ERROR, None),
        (request(35, b"w1", b"", b""), constants.ERROR, None),
        (request(4711), constants.ERROR, None),
        (request(constants.SUBMIT_JOB, b"a\nb", b"", b""), constants.ERROR, None),
    ],
)
def test_every_request_is_answered(
    server: EmbeddedJobServer, sent: bytes, kind: int, data: bytes | None
) -> None:
    with dial(server.port) as sock:
        sock.sendall(sent)
        got = read_packet(sock)
    assert got[0] == kind
    assert data is None or got[1] == data


@pytest.mark.parametrize(
    ("grab", "assigned"),
    [
        (request(constants.GRAB_JOB), (constants.JOB_ASSIGN, [b"w5", b"a\0b"])),
        (request(constants.GRAB_JOB_UNIQ), (constants.JOB_ASSIGN_UNIQ, [b"w5", b"", b"a\0b"])),
        (request(39), (40, [b"w5", b"", b"", b"a\0b"])),
    ],
)
def test_every_way_to_ask_for_a_job(
    server: EmbeddedJobServer,
    closing: ExitStack,
    grab: bytes,
    assigned: tuple[int, list[bytes]],
) -> None:
    submission = submitting(open_client(closing, server), "w5", b"a\0b")
    with dial(server.port) as sock:
        sock.sendall(request(23, b"w5", b"30") + request(constants.PRE_SLEEP))
        assert read_packet(sock) == (constants.NOOP, b"")
        sock.sendall(grab)
        kind, data = read_packet(sock)
        handle = data.split(b"\0")[0]
        assert (kind, data) == (assigned[0], b"\0".join([handle, *assigned[1]]))
        sock.sendall(request(constants.WORK_COMPLETE, handle, b"done"))
        assert submission.reply() == b"done"


# --- workers and clients that die


def test_a_job_whose_worker_dies_goes_to_the_next(
    server: EmbeddedJobServer, closing: ExitStack
) -> None:
    client = open_client(closing, server)
    submission = submitting(client, "w1", b"survives")
    with dial(server.port) as worker:
        take_raw(worker, b"w1")
    with working(open_source(closing, server)):
        assert submission.reply() == b"survives"
    assert read_admin(server.port, "status")[b"w1"][:2] == [b"0", b"0"]


def test_a_job_that_ends_three_workers_fails(server: EmbeddedJobServer, closing: ExitStack) -> None:
    submission = submitting(open_client(closing, server), "w1", b"poison")
    for _ in range(3):
        with dial(server.port) as worker:
            take_raw(worker, b"w1")
    with pytest.raises(JobFailed):
        submission.reply()
    assert read_admin(server.port, "status")[b"w1"] == [b"0", b"0", b"0"]


def test_a_client_that_dies_does_not_take_its_worker_along(
    server: EmbeddedJobServer, closing: ExitStack
) -> None:
    source = open_source(closing, server)
    with dial(server.port) as client:
        client.sendall(request(constants.SUBMIT_JOB, b"w1", b"", b"orphan"))
        job = source.take(LONG)
        assert job is not None
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    job.complete(b"x" * 1_000_000)
    with working(source):
        assert open_client(closing, server).submit("w1", b"x", timeout=LONG) == b"x"
    assert source.connected() == 1


def test_sending_to_one_who_has_gone_raises_nothing() -> None:
    ours, theirs = socket.socketpair()
    peer = Peer(("gone", 0), ours)
    theirs.close()
    assert [peer.sendRaw(b"x" * 100) for _ in range(3)] == [None] * 3
    with pytest.raises(BrokenPipeError):  # as the socket itself does
        ours.send(b"x")
    ours.close()


# --- hostile ones


@pytest.mark.parametrize(
    "garbage",
    [
        b"\0REQ\0\0\0\x07\xff\xff\xff\xf4",  # -12 bytes: gear's own server spins on it for ever
        b"\0REQ\0\0\0\x07\x7f\xff\xff\xff",
        b"\0XXX\0\0\0\x07\0\0\0\0",
        b"x" * 10_000,
        b"\x16\x03\x01\x02\0\x01" + bytes(10_000),
        request(constants.SUBMIT_JOB),
        request(12),  # WORK_STATUS of nothing
    ],
)
def test_garbage_ends_its_own_connection_only(
    server: EmbeddedJobServer, closing: ExitStack, garbage: bytes
) -> None:
    with dial(server.port) as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        assert is_hung_up(sock)
    assert serves(closing, server)


def test_half_packets_hold_up_nobody(server: EmbeddedJobServer, closing: ExitStack) -> None:
    whole = request(constants.SUBMIT_JOB, b"w1", b"", b"x" * 1000)
    for size in range(0, len(whole), 100):
        sock = closing.enter_context(dial(server.port))
        sock.sendall(whole[:size])
    assert serves(closing, server)


def test_names_that_no_list_can_show_do_no_harm(
    server: EmbeddedJobServer, closing: ExitStack
) -> None:
    sock = closing.enter_context(dial(server.port))
    for name in (b"\xff\xfe", b"a\nb", b"", b"x" * 5000):
        sock.sendall(request(constants.CAN_DO, name) + request(constants.SET_CLIENT_ID, name))
        sock.sendall(request(constants.CANT_DO, name))
    sock.sendall(request(constants.ECHO_REQ, b"done"))
    assert read_packet(sock) == (constants.ECHO_RES, b"done")
    open_source(closing, server)
    assert list(read_admin(server.port, "status")) == [b"w1"]
    assert len(read_admin(server.port, "workers")) == 3


def test_a_flood_of_connections(server: EmbeddedJobServer, closing: ExitStack) -> None:
    for _ in range(200):
        closing.enter_context(dial(server.port))
    assert serves(closing, server)


def test_one_that_never_reads_is_dropped(server: EmbeddedJobServer, closing: ExitStack) -> None:
    sock = closing.enter_context(dial(server.port))
    with pytest.raises(OSError, match=r"Broken pipe|reset by peer"):  # not the server's memory
        sock.sendall(request(constants.ECHO_REQ, bytes(1_000_000)) * 300)
    assert serves(closing, server)


def test_one_that_never_stops_leaves_the_others_a_turn(
    server: EmbeddedJobServer, closing: ExitStack
) -> None:
    stop = threading.Event()

    def flood() -> None:
        with dial(server.port) as sock:
            while not stop.is_set():
                sock.sendall(request(constants.PRE_SLEEP) * 1000)

    thread = threading.Thread(target=flood, daemon=True)
    thread.start()
    try:
        assert serves(closing, server)
    finally:
        stop.set()
        thread.join(10)


# --- start and stop


def test_a_taken_port_is_named(server: EmbeddedJobServer) -> None:
    with pytest.raises(
        JobServerUnavailable,
        match=rf"^cannot listen on 127.0.0.1:{server.port}: address already in use$",
    ):
        EmbeddedJobServer(port=server.port).start()


def test_it_listens_on_the_loopback_address_only(server: EmbeddedJobServer) -> None:
    with dial(server.port) as sock:
        assert sock.getpeername()[0] == LOOPBACK


def test_it_leaves_nothing_behind() -> None:
    before = set(threading.enumerate())
    server = EmbeddedJobServer()
    for _ in range(3):
        server.start()
        socks = [dial(server.port) for _ in range(5)]
        with ExitStack() as closing:
            assert serves(closing, server)
        port = server.port
        server.stop()
        server.stop()
        for sock in socks:
            assert is_hung_up(sock)
            sock.close()
    assert server.port == port
    wait_until(lambda: set(threading.enumerate()) <= before, what="the end of all threads")
