"""Mixed UPDATEs while clients of four kinds keep a load balancer busy: what fails is counted.

wrk holds keep-alive connections and sends as fast as it can; threads hold idle keep-alive connections, connect for each
request, and hold long TCP connections. A second HAProxy answers as the web servers.
"""

import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from libra.messages.codec import JsonObject
from libra.worker.controller import LBaaSController
from libra.worker.state import FileState
from tests.support.haproxy import BINARIES, DrivenHAProxy, StartedHAProxy, find_haproxy, stop_master
from tests.support.load import Load
from tests.support.ports import accepts, free_ports, wait_until
from tests.support.web import EchoServer
from tools.bench_parts.figures import Figure, print_figures
from tools.bench_parts.wrk import Wrk

WEB_SERVERS = 12
ECHO_SERVERS = 3
LONGEST = timedelta(minutes=5)
RELOAD_EVERY = 20  # UPDATEs


def run(console: Console, *, quick: bool) -> None:
    """Both HAProxy versions."""
    print_figures(console, [figure for kind in BINARIES for figure in figures(kind, quick=quick)])


def figures(kind: str, *, quick: bool) -> list[Figure]:
    """How much failed with one HAProxy, and how much there was."""
    updates, requests = (60, 20_000) if quick else (1000, 1_000_000)
    with _lab(find_haproxy(kind)) as lab:
        version = lab.haproxy.driver.version().version
        done, total, failures = lab.measure(updates, requests)
    shown = f": {'; '.join(failures[:5])}" if failures else ""
    return [
        Figure(
            f"{version}: failed requests and cut connections",
            f"0 of {requests:,} requests over {updates:,} UPDATEs",
            f"{len(failures)} of {total:,} over {done:,}{shown}",
            not failures and done >= updates and total >= requests,
        )
    ]


class Lab:
    """A driven HAProxy with an HTTP and a TCP load balancer, before servers that do not fail."""

    def __init__(self, haproxy: DrivenHAProxy, web: list[int], echo: list[int]) -> None:
        self.haproxy = haproxy
        self._controller = LBaaSController(
            haproxy.driver, FileState(haproxy.directory / "desired.json")
        )
        self._http_port, self._tcp_port = free_ports(2)
        self._message = Messages(web, echo, (self._http_port, self._tcp_port))

    def measure(self, updates: int, requests: int) -> tuple[int, int, list[str]]:
        """UPDATEs done, requests answered, and a line a failure. Ends when both counts are reached, or at LONGEST."""
        self._update()
        end = time.monotonic() + LONGEST.total_seconds()
        done = 0
        failures: list[str] = []
        with (
            Wrk(self._http_port) as wrk,
            Load(self._http_port, keep_alive=1, idle=10, tcp=4, tcp_port=self._tcp_port) as load,
        ):
            while (done < updates or wrk.total + load.total < requests) and time.monotonic() < end:
                if done < updates:
                    done += 1
                    self._message.change(done)
                    self._update()
                share = (wrk.total + load.total) / requests  # spread over the whole load
                time.sleep(0.2 if done >= updates else 0.02 if done / updates > share else 0)
        failures += wrk.failures + load.failures
        return done, wrk.total + load.total, failures

    def _update(self) -> None:
        reply = self._controller.handle(self._message.build())
        assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]


class Messages:
    """UPDATEs that differ from each other in all that changes while a device lives."""

    def __init__(self, web: list[int], echo: list[int], ports: tuple[int, int]) -> None:
        self._chance = random.Random(3)
        self._ports = ports
        self._web = [self._node(f"w{n}", port) for n, port in enumerate(web)]
        self._echo = [self._node(f"e{n}", port) for n, port in enumerate(echo)]
        self._spare: list[dict[str, Any]] = []
        self._timeout = 50_000

    def build(self) -> JsonObject:
        """The whole message."""
        options = {"client_timeout": self._timeout}
        http = {"id": "web", "protocol": "HTTP", "port": self._ports[0], "nodes": self._web}
        tcp = {"id": "tcp", "protocol": "TCP", "port": self._ports[1], "nodes": self._echo}
        items = [{**item, "bind_address": "127.0.0.1", "options": options} for item in (http, tcp)]
        return {"hpcs_action": "UPDATE", "loadbalancers": items}

    def change(self, number: int) -> None:
        """One of them; the first two nodes of either always serve."""
        if number % RELOAD_EVERY == 0:
            self._timeout += 1
            return
        kinds = (self._weigh, self._condition, self._move, self._add_or_remove, self._weigh_echo)
        self._chance.choice(kinds)()

    def _some(self) -> dict[str, Any]:
        return self._chance.choice(self._web[2:])

    def _weigh(self) -> None:
        self._some()["weight"] = self._chance.randrange(1, 200)

    def _weigh_echo(self) -> None:
        self._chance.choice(self._echo)["weight"] = self._chance.randrange(1, 200)

    def _condition(self) -> None:
        conditions = ("ENABLED", "ENABLED", "DRAINING", "DISABLED")
        self._some()["condition"] = self._chance.choice(conditions)

    def _move(self) -> None:
        """Every address of the loopback network is this host."""
        self._some()["address"] = f"127.0.{self._chance.randrange(1, 200)}.1"

    def _add_or_remove(self) -> None:
        if (self._spare and self._chance.random() < 0.5) or len(self._web) <= 5:
            self._web.append(self._spare.pop())
        else:
            self._spare.append(self._web.pop(self._chance.randrange(2, len(self._web))))

    def _node(self, name: str, port: int) -> dict[str, Any]:
        return {"id": name, "address": "127.0.0.1", "port": port}


@contextmanager
def _lab(binary: Path) -> Iterator[Lab]:
    directory = Path(tempfile.mkdtemp(prefix="lb"))
    (directory / "web").mkdir()
    haproxy = DrivenHAProxy(binary, directory, directory, hard_stop_after_seconds=600)
    try:
        with ExitStack() as stack:
            web = free_ports(WEB_SERVERS)
            stack.enter_context(StartedHAProxy(binary, directory / "web").running(_web_text(web)))
            wait_until(lambda: all(map(accepts, web)), what="the web servers")
            echo = [stack.enter_context(EchoServer(f"e{n}")).port for n in range(ECHO_SERVERS)]
            yield Lab(haproxy, list(web), echo)
    finally:
        haproxy.driver.close()
        stop_master(directory / "m")
        shutil.rmtree(directory, ignore_errors=True)


def _web_text(ports: tuple[int, ...]) -> str:
    binds = "\n".join(f"    bind *:{port}" for port in ports)
    return f"""
global
    maxconn 4000

defaults
    mode http
    timeout client 1h
    timeout server 1h
    timeout connect 5s

frontend web
{binds}
    http-request return status 200 content-type text/plain string ok
"""
