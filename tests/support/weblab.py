"""A web cluster on hosts of its own (network namespaces): a controller with its job server, three workers with their
HAProxies, members, and a client.
"""

import os
import signal
import socket
import socketserver
import ssl
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from tests.support.certificates import Authority, Certificate
from tests.support.haproxy import find_haproxy, stop_master
from tests.support.netlab import NetLab
from tests.support.ports import accepts, wait_until
from tests.support.programs import find_program
from tests.support.web import NOBODY

BIN = Path(sys.executable).parent
API, JOBS, WEB, MEMBER = 8111, 4730, 8443, 9000
NODES = ("web1", "web2", "web3")
MEMBERS = 3
NETWORK, SHARED = "10.77.0.96/27", "10.77.0.100"
WAIT = 60.0
PROBE_SECONDS = 0.5
Json = dict[str, Any]


class WebLab:
    """`start`, then `close`. The cluster is "shop", on port `WEB` of every node.

    With `shared`, workers and keepalived keep the addresses of `NETWORK` at one of the hosts that serve them.
    """

    def __init__(self, directory: Path, sockets: Path, *, shared: bool = False) -> None:
        self.directory = directory
        self._sockets = sockets
        self._shared = shared
        self._stack = ExitStack()
        self._processes: dict[str, Any] = {}
        self.authority = Authority(directory)

    def start(self) -> None:
        self.net = NetLab()
        self._stack.callback(self.net.close)
        for host in ("client", "ctl", "members", *NODES):
            self.net.add(host)
        port = ("--listen", "0.0.0.0", "--port", str(JOBS), "--log-file", "none")
        user = ("--pid-file", str(self.directory / "g.pid"), "--user", "root")
        self.net.start("ctl", find_program("gearmand", package="gearman-job-server"), *port, *user)
        self._configure()
        self._run("ctl", "libra-controller")
        wait_until(
            lambda: self.net.inside("ctl", lambda: accepts(API)), timeout=WAIT, what="the API"
        )
        self.call("PUT", "/v1/device-pools/default", {"auto_enroll": True, "shared": True})
        for host in NODES:
            self._run(host, "libra-worker")
        self.wait(lambda: len(self.ready()) == len(NODES), "three devices")
        for number in range(MEMBERS):
            self._serve("members", MEMBER + number, _Member)
        self._serve("members", MEMBER + MEMBERS, _Echo)

    def close(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        for host in NODES:
            for pid in self._beside(host):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(OSError):
                stop_master(self._sockets / host / "m")
        self._stack.close()

    def stop(self, host: str) -> None:
        """Everything on it dies."""
        for pid in (self._processes[host].pid, *self._beside(host)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _run(self, host: str, program: str) -> None:
        log = (self.directory / f"{host}.log").open("ab")
        self._stack.callback(log.close)
        config = str(self.directory / host / "libra.yaml")
        command = (str(BIN / program), "--config", config)
        self._processes[host] = self.net.start(host, *command, output=log)

    def _serve(self, host: str, port: int, handler: type[socketserver.BaseRequestHandler]) -> None:
        server = self.net.inside(host, lambda: _Server(("0.0.0.0", port), handler))
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        self._stack.callback(server.server_close)
        self._stack.callback(thread.join)
        self._stack.callback(server.shutdown)

    def _beside(self, host: str) -> list[int]:
        """HAProxies, the server of web services, and keepalived."""
        wanted = (str(self._sockets / host) + "/").encode()
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                if wanted in path.read_bytes():
                    found.append(int(path.parent.name))
        return found

    def _configure(self) -> None:
        jobs = {"job_servers": [{"host": self.net.address("ctl"), "port": JOBS}]}
        self._write(
            "ctl",
            {
                **jobs,
                "controller": {
                    "key_file": str(self.directory / "secrets.key"),
                    "admin_token_file": str(self.directory / "admin-token"),
                },
                "database": {"url": f"sqlite:///{self.directory / 'libra.db'}"},
                "api": {"port": API},
                "manager": {"probe_seconds": PROBE_SECONDS, "web_grace_seconds": 2},
            },
        )
        for host in NODES:
            directory = self._sockets / host
            directory.mkdir()
            self._write(
                host,
                {
                    **jobs,
                    "worker": {
                        "name": host,
                        "state_dir": str(directory / "state"),
                        "address": self.net.address(host),
                    },
                    "haproxy": {
                        "supervisor": "own",
                        "binary": str(find_haproxy("system")),
                        "config_file": str(directory / "haproxy.cfg"),
                        "admin_socket": str(directory / "a"),
                        "master_socket": str(directory / "m"),
                        "log_file": str(directory / "access.log"),
                    },
                    "serving": {"directories": [str(self.directory)]},
                    **(self._vrrp(directory) if self._shared else {}),
                },
            )

    def _vrrp(self, directory: Path) -> Json:
        vrrp = {
            "interface": "eth0",
            "supervisor": "own",
            "binary": find_program("keepalived", package="keepalived"),
            "config_file": str(directory / "keepalived.conf"),
        }
        return {"vip": {"adapter": "keepalived", "networks": [NETWORK], "vrrp": vrrp}}

    def _write(self, host: str, settings: Json) -> None:
        (self.directory / host).mkdir(exist_ok=True)
        (self.directory / host / "libra.yaml").write_text(yaml.safe_dump(settings))

    # What there is.

    def holder(self) -> str:
        """Which node has the shared address; empty where none has."""
        return next((node for node in NODES if SHARED in self.net.run(node, "ip", "addr")), "")

    def is_answered(self, address: str) -> bool:
        """Whether a request of the client's gets a good answer soon."""

        def ask() -> bool:
            context = ssl.create_default_context(cafile=str(self.authority.ca))
            context.check_hostname = False
            with suppress(OSError), socket.create_connection((address, WEB), 0.2) as plain:
                plain.settimeout(0.5)
                with context.wrap_socket(plain) as connection:
                    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    return connection.recv(4096).startswith(b"HTTP/1.1 200")
            return False

        return self.net.inside("client", ask)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, timeout=WAIT, what=what)

    def call(self, method: str, path: str, body: Json | None = None) -> Json:
        """The answer of the API, which is a good one."""
        token = (self.directory / "admin-token").read_text().strip()
        url, headers = f"http://127.0.0.1:{API}{path}", {"X-Auth-Token": token}
        answer = self.net.inside(
            "ctl",
            lambda: httpx.request(
                method, url, json=body, headers=headers, verify=NOBODY, timeout=WAIT
            ),
        )
        assert answer.is_success, (path, answer.status_code, answer.text)
        return dict(answer.json()) if answer.content else {}

    def ready(self) -> list[str]:
        devices = self.call("GET", "/v1/devices")["devices"]
        return [item["name"] for item in devices if item["state"] in ("SPARE", "ASSIGNED")]

    def shop(self) -> Json:
        return dict(self.call("GET", "/v1/webclusters/shop")["webcluster"])

    def settled(self) -> bool:
        """It runs its newest definition on every node."""
        shop = self.shop()
        return shop["status"] == "RUNNING" and shop["good_revision"] == shop["revision"]

    def active(self) -> list[str]:
        """The addresses of nodes that have confirmed that they listen."""
        listed = self.call("GET", "/v1/webclusters/shop/nodes?details=true")["nodes"]
        return sorted(self.net.address(item["name"]) for item in listed if item["confirmed_active"])

    def service(self, path: str, **fields: object) -> Json:
        """Add one."""
        body = {"path": path, **fields}
        return dict(self.call("POST", "/v1/webclusters/shop/services", body)["service"])

    def members(self) -> list[Json]:
        address = self.net.address("members")
        return [{"address": address, "port": MEMBER + number} for number in range(MEMBERS)]

    def tls(self, issued: Certificate) -> Json:
        return {"tls_certificate": issued.cert.read_text(), "tls_key": issued.key.read_text()}

    def tell(self) -> None:
        """What was said last, for whoever reads why a test failed."""
        for host in ("ctl", *NODES):
            path = self.directory / f"{host}.log"
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            print(f"== {host}", *lines[-40:], sep="\n")  # noqa: T201 - pytest shows it then


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A check that hangs up is nobody's fault."""


class _Member(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        while line := self.rfile.readline():
            for _header in iter(self.rfile.readline, b"\r\n"):
                pass
            path = line.split()[1]
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(path)}\r\n\r\n"
            self.wfile.write(head.encode() + path)


class _Echo(socketserver.StreamRequestHandler):
    """Upgrades, and sends back what comes."""

    def handle(self) -> None:
        for _line in iter(self.rfile.readline, b"\r\n"):
            pass
        accept = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        upgrade = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket"
        self.wfile.write(f"{upgrade}\r\n{accept}\r\n\r\n".encode())
        while data := self.connection.recv(4096):
            self.wfile.write(data)


class WebLoad:
    """Requests over TLS, so many a second, until the block ends; from the host of the thread that makes them.

    `targets` gives the addresses of nodes now: a client that is refused tries the next one, as browsers do with the
    addresses of a name. Everything else that is no good answer is a failure.
    """

    def __init__(
        self, lab: WebLab, targets: Callable[[], list[str]], paths: list[str], rate: float = 200
    ) -> None:
        self._lab = lab
        self._targets = targets
        self._paths = paths
        self._rate = rate
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.failures: list[str] = []
        self.counts: Counter[str] = Counter()
        self._context = ssl.create_default_context(cafile=str(lab.authority.ca))
        self._context.check_hostname = False
        self._threads = [threading.Thread(target=self._client, args=(n,)) for n in range(8)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    def _client(self, number: int) -> None:
        self._lab.net.inside("client", lambda: self._talk(number))

    def _talk(self, number: int) -> None:
        pause, turn = len(self._threads) / self._rate, number
        due = time.monotonic()
        while not self._stop.is_set():
            turn += 1
            path = self._paths[turn % len(self._paths)]
            try:
                status = self._request(turn, path)
            except OSError as error:
                self._note(f"{path}: {type(error).__name__} {error}", bad=True)
            else:
                self._note(f"{path} {status}", bad=status != 200)
            due = max(due + pause, time.monotonic() - 1)
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _note(self, what: str, *, bad: bool) -> None:
        with self._lock:
            if bad:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {what}")
            else:
                self.counts[what] += 1

    def _request(self, turn: int, path: str) -> int:
        targets = self._targets()
        for attempt in range(len(targets)):
            address = targets[(turn + attempt) % len(targets)]
            try:
                plain = socket.create_connection((address, WEB), 10)
            except ConnectionRefusedError:
                if attempt + 1 == len(targets):
                    raise
                continue
            with self._context.wrap_socket(plain) as connection:
                head = f"GET {path} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n"
                connection.sendall(head.encode())
                answer = bytearray()
                while block := connection.recv(65536):
                    answer += block
            if b"\r\n\r\n" not in answer:
                raise ConnectionResetError("no whole answer")
            return int(answer.split(b" ", 2)[1])
        raise ConnectionRefusedError("nobody to ask")


def websocket(lab: WebLab, address: str, context: ssl.SSLContext) -> bytes:
    """What an echo over a web socket gives."""

    def talk() -> bytes:
        plain = socket.create_connection((address, WEB), 10)
        with context.wrap_socket(plain) as connection:
            head = "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            connection.sendall(f"{head}{key}".encode())
            assert connection.recv(4096).startswith(b"HTTP/1.1 101")
            connection.sendall(b"ping")
            return connection.recv(4096)

    return lab.net.inside("client", talk)
