"""What is balanced, as the REST API says it, as HAProxy and the kernel say it, and as clients find it.

Nothing here asks libra's own code: names, columns and states are read as HAProxy's management guide has them.
"""

import csv
import http.client
import io
import ipaddress
import socket
import socketserver
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from tests.support.balancers import ALGORITHMS
from tests.support.control import LBAAS
from tests.support.ports import LISTENING, local_ends

Json = dict[str, Any]
Ask = Callable[[str], Json]
Place = tuple[str, int]
FORCED_MAINTENANCE = 1
CLIENT_SECONDS = 5.0
REFUSED, NOBODY = "refused", "nobody"


@dataclass(frozen=True, slots=True)
class Sight:
    """Open frontends with mode and limit; backends with mode, algorithm and whether they check; servers by backend and
    name with address, port, weight and whether they are in maintenance; and where it is listened.
    """

    frontends: dict[str, tuple[str, int]]
    backends: dict[str, tuple[str, str, bool]]
    servers: dict[tuple[str, str], tuple[str, int, int, bool]]
    places: frozenset[Place]


def see_api(ask: Ask) -> Sight:
    """What the REST API shows; `ask` gives the answer to a GET."""
    owners = {item["id"]: item for item in ask(f"{LBAAS}/loadbalancers")["loadbalancers"]}
    listeners = ask(f"{LBAAS}/listeners")["listeners"]
    used = {item["default_pool_id"] for item in listeners}
    pools = [item for item in ask(f"{LBAAS}/pools")["pools"] if item["id"] in used]
    opened = [item for item in listeners if item["admin_state_up"] and _is_up(item, owners)]
    members = {item["id"]: ask(f"{LBAAS}/pools/{item['id']}/members")["members"] for item in pools}
    return Sight(
        frontends={
            f"fe-{item['id']}": (item["protocol"].lower(), item["connection_limit"])
            for item in opened
        },
        backends={f"be-{item['id']}": _backend(item, members[item["id"]]) for item in pools},
        servers={
            (f"be-{pool['id']}", member["id"]): _server(pool, member)
            for pool in pools
            for member in members[pool["id"]]
        },
        places=frozenset(
            (owners[item["loadbalancers"][0]["id"]]["vip_address"], item["protocol_port"])
            for item in opened
        ),
    )


def _is_up(listener: Json, owners: dict[str, Json]) -> bool:
    return bool(owners[listener["loadbalancers"][0]["id"]]["admin_state_up"])


def _backend(pool: Json, members: list[Json]) -> tuple[str, str, bool]:
    """A backend whose servers are all in maintenance checks nothing that could be seen."""
    checks = pool["healthmonitor_id"] is not None and pool["admin_state_up"]
    seen = checks and any(item["admin_state_up"] for item in members)
    return pool["protocol"].lower(), ALGORITHMS[pool["lb_algorithm"]], seen


def _server(pool: Json, member: Json) -> tuple[str, int, int, bool]:
    in_maintenance = not (pool["admin_state_up"] and member["admin_state_up"])
    return member["address"], member["protocol_port"], member["weight"], in_maintenance


def see_haproxy(admin_socket: Path, network: str) -> Sight:
    """What the process that serves says, and where the kernel says that it is listened in `network`.

    Raises `OSError` where nobody answers, and `ValueError` where the answer is not whole.
    """
    rows = list(csv.DictReader(io.StringIO(_ask(admin_socket, "show stat").removeprefix("# "))))
    return Sight(
        frontends={
            row["pxname"]: (row["mode"], int(row["slim"]))
            for row in rows
            if row["svname"] == "FRONTEND" and row["status"] in ("OPEN", "FULL")
        },
        backends={
            row["pxname"]: (row["mode"], row["algo"], _is_checked(rows, row["pxname"]))
            for row in rows
            if row["svname"] == "BACKEND"
        },
        servers=dict(_servers(_ask(admin_socket, "show servers state"))),
        places=frozenset(_listening(ipaddress.IPv4Network(network))),
    )


def _is_checked(rows: list[dict[str, str]], backend: str) -> bool:
    servers = [row for row in rows if row["pxname"] == backend and row["type"] == "2"]
    return any(row["check_status"] for row in servers)


def _servers(text: str) -> Iterator[tuple[tuple[str, str], tuple[str, int, int, bool]]]:
    version, head, *lines = text.strip().splitlines()
    if version != "1":
        raise ValueError(f"servers state of version {version}")
    names = head.removeprefix("# ").split(" ")
    for line in lines:
        row = dict(zip(names, line.split(" "), strict=True))
        in_maintenance = bool(int(row["srv_admin_state"]) & FORCED_MAINTENANCE)
        place = row["srv_addr"], int(row["srv_port"]), int(row["srv_uweight"])
        yield (row["be_name"], row["srv_name"]), (*place, in_maintenance)


def _listening(network: ipaddress.IPv4Network) -> Iterator[Place]:
    for address, port, state in local_ends():
        if state == LISTENING and address in network:
            yield str(address), port


def _ask(path: Path, command: str) -> str:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(CLIENT_SECONDS)
        connection.connect(str(path))
        connection.sendall(f"{command}\n".encode())
        text = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    if not text.endswith("\n\n"):
        raise ValueError(f"no whole answer to '{command}'")
    return text


def ask_client(place: Place) -> str:
    """A client's request there: who answered, REFUSED where nobody listens, NOBODY where no member is there for it."""
    client = http.client.HTTPConnection(*place, timeout=CLIENT_SECONDS)
    with closing(client):
        try:
            client.request("GET", "/")
            answer = client.getresponse()
            text = answer.read().decode()
        except ConnectionRefusedError:
            return REFUSED
        except (http.client.RemoteDisconnected, ConnectionResetError):
            return NOBODY
    return text if answer.status == http.client.OK else NOBODY


def ask_clients(place: Place, count: int) -> Counter[str]:
    """As many, one after the other."""
    return Counter(ask_client(place) for _ in range(count))


class _Target(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = self.connection.getsockname()[0].encode()
        self.send_response(http.client.OK)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Tests print nothing."""


class _Targets(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A check that hangs up is nobody's fault."""


def targets_here(port: int) -> Callable[[], None]:
    """As `targets`, at that port of the host of this thread; gives what ends it."""
    server = _Targets(("", port), _Target)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="targets")
    thread.start()

    def end() -> None:
        server.shutdown()
        thread.join()
        server.server_close()

    return end


@contextmanager
def targets() -> Iterator[int]:
    """A member at every loopback address, which answers with the address that it was asked at; gives its port."""
    with _Targets(("", 0), _Target) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="targets")
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()
