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
from typing import Any, Self

from tests.support import swift_conf
from tests.support.ports import LOOPBACK, free_ports

BIN = Path(sys.executable).parent
SERVERS = ("object", "container", "account", "proxy")


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
            "pipeline": f"{swift_conf.FRONT} {'slo' if slo else ''} dlo container_quotas proxy-server",
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
        rings = [str(BIN / "python"), "-W", "ignore", "-c", swift_conf.RINGS, str(self._etc)]
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

    def __exit__(self, *_: object) -> None:
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

    def device(self, kind: str, number: int) -> Path:
        """Where a disk of "object", "container" or "account" is mounted."""
        return self._devices / kind / f"d{number}"

    def disk(self, kind: str, number: int, *, mounted: bool) -> None:
        """Mount or lose a disk: without the stub the server answers 507 for that device."""
        stub = self.device(kind, number) / ".ismount"
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
        self._write("swift.conf", swift_conf.SWIFT_CONF, values)
        self._write(
            "proxy.conf",
            swift_conf.COMMON + tls + swift_conf.PROXY,
            {**values, "port": self.port["proxy"]},
        )
        for kind in SERVERS[:3]:
            own = {**values, "kind": kind, "port": self.port[kind]}
            self._write(f"{kind}.conf", swift_conf.COMMON + swift_conf.STORAGE, own)
        (self._etc / "swiftfault.py").write_text(swift_conf.FAULT_FILTER)
        (self._etc / "swiftcache.py").write_text(swift_conf.CACHE_FILTER)

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
