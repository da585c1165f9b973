"""A real OpenStack Swift on 127.0.0.1: four ordinary processes, about two seconds to ready.

with SwiftLab(directory) as swift:
    token = swift.token()
    swift.storage_url
"""

import base64
import getpass
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.ports import LOOPBACK, free_ports

BIN = Path(sys.executable).parent
SERVERS = ("object", "container", "account", "proxy")

_RINGS = """
import json, sys
from swift.common.ring import RingBuilder
etc, devices, ports = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
for kind in ("account", "container", "object"):
    ring = RingBuilder(4, devices, 0)  # 16 partitions, a replica a device, no minimum hours between moves
    for number in range(1, devices + 1):
        ring.add_dev(dict(
            id=number - 1, region=1, zone=number, weight=1, device="d%d" % number,
            ip="127.0.0.1", port=ports[kind], replication_ip="127.0.0.1", replication_port=ports[kind],
        ))
    ring.rebalance(seed=1)
    ring.get_ring().save("%s/%s.ring.gz" % (etc, kind))
"""

_FAULT_FILTER = '''
"""WSGI filter: answers what faults.json says, the first `count` requests that match after `skip` others."""
import json, os, re
import eventlet


def filter_factory(settings, file, **_):
    from swift.common import constraints
    constraints.reload_constraints()  # read at import from /etc/swift only; now from swift_dir

    def load(request):
        try:
            with open(file) as source:
                fault = json.load(source)
        except (OSError, ValueError):
            return None
        if not re.match(fault.get("match", ".*"), request):
            return None
        for name in ("skip", "count"):
            if fault.get(name, 0) > 0:
                fault[name] -= 1
                with open(file + ".new", "w") as target:
                    json.dump(fault, target)
                os.rename(file + ".new", file)
                return None if name == "skip" else fault
        return None if "count" in fault else fault

    def make(app):
        def call(environ, start):
            with open(file + ".requests", "a") as requests:
                requests.write("%(REQUEST_METHOD)s %(PATH_INFO)s\\n" % environ)
            fault = load("%(REQUEST_METHOD)s %(PATH_INFO)s" % environ)
            if fault and fault.get("delay"):
                eventlet.sleep(fault["delay"])  # time.sleep would stop the whole proxy
            if not fault or not fault.get("status"):
                return app(environ, start)
            if fault.get("late"):  # done, and then denied
                for _ in app(environ, lambda *_: None):
                    pass
            body = fault.get("body", "").encode()
            headers = [("Content-Length", str(len(body))), *fault.get("headers", {}).items()]
            start("%d %s" % (fault["status"], fault.get("reason", "Injected")), headers)
            return [body]
        return call
    return make
'''

_FRONT = "catch_errors gatekeeper healthcheck fault proxy-logging cache bulk tempauth"

_CACHE_FILTER = '''
"""WSGI filter: what memcached is in production, for this lab's single proxy process."""
import copy, time


class Cache:
    def __init__(self):
        self.kept = {}

    def get(self, key, **_):
        value, until = self.kept.get(key, (None, 0))
        return copy.deepcopy(value) if until > time.time() else None

    def set(self, key, value, time=0, **_):
        self.kept[key] = (copy.deepcopy(value), now() + (time or 86400))

    def incr(self, key, delta=1, time=0):
        value = (self.get(key) or 0) + delta
        self.set(key, value, time)
        return value

    def delete(self, key, **_):
        self.kept.pop(key, None)


now = time.time


def filter_factory(settings, **_):
    cache = Cache()

    def make(app):
        def call(environ, start):
            environ["swift.cache"] = cache
            return app(environ, start)
        return call
    return make
'''

_COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {etc}
log_address = {etc}/log.sock
log_level = INFO
"""

_PROXY = """
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
node_timeout = {node_timeout}
recoverable_node_timeout = {node_timeout}
conn_timeout = 0.5
# a 507 puts a node on the error list, for a minute by default: "disk back" must work at once
error_suppression_limit = 1000000
error_suppression_interval = 0.1
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:container_quotas]
use = egg:swift#container_quotas
[filter:fault]
paste.filter_factory = swiftfault:filter_factory
file = {etc}/faults.json
[filter:cache]
paste.filter_factory = swiftcache:filter_factory
[filter:tempauth]
use = egg:swift#tempauth
token_life = {token_life}
fernet_key_k1 = {fernet_key}
active_fernet_key_id = k1
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test_reader = reading
"""

_STORAGE = """
devices = {devices}/{kind}
mount_check = true
fallocate_reserve = 0
recon_cache_path = {etc}
[pipeline:main]
pipeline = healthcheck {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
[filter:healthcheck]
use = egg:swift#healthcheck
"""

_SWIFT_CONF = """
[swift-hash]
swift_hash_path_prefix = lab
swift_hash_path_suffix = lab
[storage-policy:0]
name = default
default = yes
[swift-constraints]
max_file_size = {max_file_size}
"""


class SwiftLab:
    """One Swift cluster below `directory`, with `devices` disks and as many replicas.

    `token_life` in seconds; `slo` False leaves static large objects out; `tls` is certificate and key as PEM files.
    """

    user, key = "test:tester", "testing"

    def __init__(
        self,
        directory: Path,
        *,
        devices: int = 1,
        token_life: int = 86400,
        node_timeout: float = 3,
        max_file_size: int = 16 * 1024 * 1024,
        slo: bool = True,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._directory = directory
        self._etc = directory / "etc"
        self._devices = directory / "devices"
        self._device_count = devices
        self._options = {
            "token_life": token_life,
            "node_timeout": node_timeout,
            "max_file_size": max_file_size,
            "pipeline": f"{_FRONT} {'slo' if slo else ''} dlo container_quotas proxy-server",
        }
        self._tls = tls
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.port: dict[str, int] = {}

    @staticmethod
    def missing() -> str | None:
        """Why no Swift can be started here, None where one can."""
        absent = [name for name in SERVERS if not (BIN / f"swift-{name}-server").exists()]
        return f"swift is not installed beside {sys.executable}" if absent else None

    def start(self, timeout: float = 30) -> Self:
        """Bring all four servers up and wait until each answers."""
        self._etc.mkdir(parents=True)
        for kind in SERVERS[:3]:
            for number in range(1, self._device_count + 1):
                (self._devices / kind / f"d{number}").mkdir(parents=True)
                self.disk(kind, number, mounted=True)
        # Swift refuses port 0, and rings hold ports: all of them are picked before the first server starts.
        self.port = dict(zip(SERVERS, free_ports(len(SERVERS)), strict=True))
        self._write_configuration()
        rings = [str(BIN / "python"), "-W", "ignore", "-c", _RINGS, str(self._etc)]
        subprocess.run(
            [*rings, str(self._device_count), json.dumps(self.port)], check=True, env=self._env()
        )
        deadline = time.monotonic() + timeout
        for server in SERVERS:
            self.start_server(server)
        for server in SERVERS:
            self.wait(server, deadline)
        return self

    def stop(self) -> None:
        """End the four processes, by force where they do not end by themselves."""
        for number in (signal.SIGCONT, signal.SIGTERM):
            for server in self._processes:
                self.signal(server, number)
        for server, process in self._processes.items():
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                self.signal(server, signal.SIGKILL)
                process.wait(5)

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def storage_url(self) -> str:
        """What a message names as its endpoint."""
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{LOOPBACK}:{self.port['proxy']}/v1/AUTH_test"

    def token(self, user: str = user, key: str = key) -> str:
        """A token for the account `test`."""
        headers = {"X-Auth-User": user, "X-Auth-Key": key}
        status, answer, _ = self.request("GET", "/auth/v1.0", headers=headers)
        assert status == 200, (status, answer)
        return str(answer["x-auth-token"])

    def request(
        self, method: str, path: str, *, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, dict[str, str], bytes]:
        """One plain request to the proxy, past the code under test: status, headers, body."""
        return self._ask("proxy", method, path, headers or {}, body)

    def download(self, path: str, query: str = "") -> bytes:
        """The bytes of `container/object` in the account test."""
        status, _, body = self.request(
            "GET", f"/v1/AUTH_test/{path}{query}", headers={"X-Auth-Token": self.token()}
        )
        assert status == 200, (status, body[:500])
        return body

    def names(self, container: str) -> list[str]:
        """What a container holds; nothing where there is no such container."""
        headers = {"X-Auth-Token": self.token()}
        status, _, body = self.request("GET", f"/v1/AUTH_test/{container}", headers=headers)
        return body.decode().split("\n")[:-1] if status == 200 else []

    def start_server(self, server: str) -> None:
        """Start one of `SERVERS`, also again after it was killed."""
        if server in self._processes:
            self._processes[server].wait(5)
        with (self._directory / f"{server}.log").open("ab") as log:
            self._processes[server] = subprocess.Popen(
                [
                    str(BIN / f"swift-{server}-server"),
                    str(self._etc / f"{server}.conf"),
                    "--verbose",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env(),
                cwd="/",
                start_new_session=True,
            )

    def wait(self, server: str, deadline: float) -> None:
        """Until the server answers its health check; `deadline` on the monotonic clock."""
        while True:
            try:
                if self._ask(server, "GET", "/healthcheck", {}, b"")[0] == 200:
                    return
            except OSError:
                pass
            if self._processes[server].poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{server} does not come up:\n{self.log(server)[-3000:]}")
            time.sleep(0.02)

    def log(self, server: str) -> str:
        """What a server wrote so far."""
        return (self._directory / f"{server}.log").read_text(errors="replace")

    def requests(self) -> list[str]:
        """Every request that reached the proxy since the last fault was set or cleared."""
        path = self._etc / "faults.json.requests"
        return path.read_text().splitlines() if path.exists() else []

    def disk(self, kind: str, number: int, *, mounted: bool) -> None:
        """Mount or lose a disk: without the stub the server answers 507 for that device."""
        stub = self._devices / kind / f"d{number}" / ".ismount"
        stub.touch() if mounted else stub.unlink()

    def signal(self, server: str, number: signal.Signals) -> None:
        """Send a signal to one server (it has a process group of its own)."""
        if self._processes[server].poll() is None:
            os.killpg(self._processes[server].pid, number)

    def fault(self, **fault: Any) -> None:
        """Answer requests that match: match="PUT /v1/.*", status=, reason=, body=, headers=, delay=, count=, skip=.

        With late=True Swift does what was asked, and only its answer is replaced.
        Without arguments: no faults any more.
        """
        path = self._etc / "faults.json"
        (self._etc / "faults.json.requests").unlink(missing_ok=True)
        if not fault:
            path.unlink(missing_ok=True)
            return
        beside = path.with_suffix(".set")
        beside.write_text(json.dumps(fault))
        beside.rename(path)

    def _ask(
        self, server: str, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        kind = http.client.HTTPConnection
        if self._tls and server == "proxy":
            kind = _UncheckedHTTPSConnection
        connection = kind(LOOPBACK, self.port[server], timeout=20)
        try:
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            answer = {name.lower(): value for name, value in response.getheaders()}
            return response.status, answer, response.read()
        finally:
            connection.close()

    def _env(self) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(self._etc), "PYTHONWARNINGS": "ignore"}

    def _write_configuration(self) -> None:
        fernet_key = base64.urlsafe_b64encode(os.urandom(32)).decode()
        values = {
            **self._options,
            "etc": self._etc,
            "devices": self._devices,
            "user": getpass.getuser(),
            "fernet_key": fernet_key,
        }
        tls = "cert_file = {}\nkey_file = {}\n".format(*self._tls) if self._tls else ""
        self._write("swift.conf", _SWIFT_CONF, values)
        self._write("proxy.conf", _COMMON + tls + _PROXY, {**values, "port": self.port["proxy"]})
        for kind in SERVERS[:3]:
            own = {**values, "kind": kind, "port": self.port[kind]}
            self._write(f"{kind}.conf", _COMMON + _STORAGE, own)
        (self._etc / "swiftfault.py").write_text(_FAULT_FILTER)
        (self._etc / "swiftcache.py").write_text(_CACHE_FILTER)

    def _write(self, name: str, template: str, values: dict[str, Any]) -> None:
        (self._etc / name).write_text(template.format(**values))


class _UncheckedHTTPSConnection(http.client.HTTPSConnection):
    """For the lab's own requests; what is under test checks certificates."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        import ssl

        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(host, port, timeout=timeout, context=context)
