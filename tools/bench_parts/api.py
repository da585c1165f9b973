"""How long a call of the API takes until HAProxy does it, beside the same done by hand on another HAProxy.

`libra up` runs with a real worker and a real HAProxy. The ways take turns, so that they see the same noise.
"""

import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from libra.drivers.haproxy.runtime import AdminSocket
from tools.bench_parts.bare import PORT, BareHAProxy
from tools.bench_parts.member import running_member
from tools.bench_parts.restclient import LBAAS, RestClient, whole

CREATES, ADDITIONS = 50, 100
QUICK_CREATES, QUICK_ADDITIONS = 10, 20
PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.0005
REQUEST = b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of each change: until the API answered, until HAProxy did it, until it was ACTIVE; and by hand."""

    answered: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


def run(console: Console, *, quick: bool) -> None:
    """One table: additions with one load balancer on the device, creates, additions beside all of those."""
    creates = QUICK_CREATES if quick else CREATES
    additions = QUICK_ADDITIONS if quick else ADDITIONS
    table = Table("what", "p50 ms", "p99 ms", "ratio p50", "ratio p99")
    with running_member() as member, _lab(member) as lab:
        _add(table, "member added, alone on the device", "HAProxy has it", lab.additions(additions))
        _add(table, f"{creates} creates", "first 200 through it", lab.creates(creates))
        title = f"member added, beside {creates} others"
        _add(table, title, "HAProxy has it", lab.additions(additions))
    console.print(table)


def _add(table: Table, title: str, goal: str, times: Times) -> None:
    rows = {
        f"{title}: the API has answered": times.answered,
        f"{title}: {goal}": times.done,
        f"{title}: ACTIVE": times.active,
        f"by hand: {goal}": times.bare,
    }
    bare = percentiles(times.bare)
    for name, values in rows.items():
        found = percentiles(values)
        ratios = [f"{one / other:.2f} x" for one, other in zip(found, bare, strict=True)]
        shown = ratios if values is times.done else ["", ""]
        table.add_row(name, *(f"{value * 1000:.1f}" for value in found), *shown)
    table.add_section()


def percentiles(values: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    return statistics.median(values), statistics.quantiles(values, n=100, method="inclusive")[98]


class Lab:
    """libra and a HAProxy by hand, both with one load balancer."""

    def __init__(self, client: RestClient, admin: AdminSocket, bare: BareHAProxy, member: int):
        self._client = client
        self._admin = admin
        self._bare = bare
        self._member = member
        self._added = 0
        made = client.post(f"{LBAAS}/loadbalancers", whole("first", member, monitored=False))
        self._first = made["loadbalancer"]
        client.wait_active(self._first["id"])

    def creates(self, count: int) -> Times:
        """Load balancers with all their parts, one after the other."""
        times = Times()
        for number in range(count):
            self._create(f"lb{number}", times)
            self._bare.settle()
            started = time.perf_counter()
            wait_for_answer(self._bare.grow())
            times.bare.append(time.perf_counter() - started)
        return times

    def _create(self, name: str, times: Times) -> None:
        started = time.perf_counter()
        made = self._client.post(f"{LBAAS}/loadbalancers", whole(name, self._member))
        times.answered.append(time.perf_counter() - started)
        wait_for_answer(made["loadbalancer"]["vip_address"])
        times.done.append(time.perf_counter() - started)
        self._client.wait_active(made["loadbalancer"]["id"])
        times.active.append(time.perf_counter() - started)

    def additions(self, count: int) -> Times:
        """Members of the first load balancer, one after the other."""
        times = Times()
        for _ in range(count):
            self._added += 1
            address = f"127.1.{self._added >> 8}.{self._added & 255}"
            self._add_member(address, times)
            started = time.perf_counter()
            self._bare.admin.ask(f"add server be-1/m{self._added} {address}:80")
            self._bare.admin.ask(f"enable server be-1/m{self._added}")
            wait_for_server(self._bare.admin, "be-1", address)
            times.bare.append(time.perf_counter() - started)
        return times

    def _add_member(self, address: str, times: Times) -> None:
        pool = self._first["pools"][0]["id"]
        body = {"member": {"address": address, "protocol_port": 80}}
        started = time.perf_counter()
        self._client.post(f"{LBAAS}/pools/{pool}/members", body)
        times.answered.append(time.perf_counter() - started)
        wait_for_server(self._admin, f"be-{pool}", address)
        times.done.append(time.perf_counter() - started)
        self._client.wait_active(self._first["id"])
        times.active.append(time.perf_counter() - started)


@contextmanager
def _lab(member: int) -> Iterator[Lab]:
    directory = Path(tempfile.mkdtemp(prefix="lb"))
    state, by_hand = directory / "up", directory / "bare"
    by_hand.mkdir()
    bare = BareHAProxy(by_hand, member)
    try:
        with running_up(state) as port, bare.running():
            token = (state / "admin-token").read_text().strip()
            with RestClient(port, token) as client:
                wait(lambda: _is_ready(client), "the device")
                yield Lab(client, AdminSocket(state / "worker" / "admin.sock"), bare, member)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_up(state: Path) -> Iterator[int]:
    """`libra up`; the port of its API."""
    program = str(Path(sys.executable).parent / "libra")
    command = [program, "up", "--state-dir", str(state), "--api-port", "0", "--job-port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        try:
            lines = (process.stdout.readline() for _ in range(3))
            yield int(next(line for line in lines if line.startswith("API")).rpartition(":")[2])
        finally:
            process.terminate()


def _is_ready(client: RestClient) -> bool:
    return all(
        item["state"] in ("SPARE", "ASSIGNED") for item in client.get("/v1/devices")["devices"]
    )


def wait_for_answer(address: str) -> None:
    """The first 200 from there, each try on a connection of its own."""
    wait(lambda: _answers(address), f"an answer of {address}")


def _answers(address: str) -> bool:
    try:
        with socket.create_connection((address, PORT), timeout=PATIENCE_SECONDS) as connection:
            connection.sendall(REQUEST)
            return connection.recv(65536).startswith(b"HTTP/1.1 200")
    except ConnectionError:
        return False


def wait_for_server(admin: AdminSocket, backend: str, address: str) -> None:
    """HAProxy lists it, and it is not in maintenance."""
    wait(lambda: _has_server(admin, backend, address), f"a server {address}")


def _has_server(admin: AdminSocket, backend: str, address: str) -> bool:
    """Fields of a line: be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state ..."""
    lines = admin.ask(f"show servers state {backend}").splitlines()
    found = [line.split() for line in lines if f" {address} " in line]
    return any(words[4] == address and words[6] == "0" for words in found)


def wait(condition: Callable[[], bool], what: str) -> None:
    """Looked at every half a millisecond."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"cannot measure: waited for {what} in vain")
        time.sleep(LOOK_SECONDS)
