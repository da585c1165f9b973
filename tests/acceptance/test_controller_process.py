"""The installed libra-controller as a process: start, readiness, signals, exit statuses, --daemon."""

import os
import shutil
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from libra.cmd.controlling import read_token
from libra.errors import StateError
from libra.jobs.embedded import EmbeddedJobServer
from tests.support import forking
from tests.support.certificates import Authority
from tests.support.haproxy import is_running
from tests.support.ports import free_port, wait_until
from tests.support.web import NOBODY
from tests.support.worker import NotifySocket

PROGRAM = Path(sys.executable).parent / "libra-controller"
WAIT = 90.0


class Process:
    """Its settings in a directory, and commands on them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.config = directory / "libra.yaml"
        self.token_file = directory / "admin-token"
        self.pid_file = directory / "controller.pid"
        self.configure()

    def configure(self, **sections: Any) -> None:
        settings: dict[str, Any] = {
            "job_servers": [{"host": "127.0.0.1", "port": free_port()}],
            "controller": {
                "key_file": str(self.directory / "secrets.key"),
                "admin_token_file": str(self.token_file),
                "pid_file": str(self.pid_file),
            },
            "database": {"url": f"sqlite:///{self.directory / 'libra.db'}"},
            "api": {"port": self.port},
        }
        self.config.write_text(yaml.safe_dump({**settings, **sections}))

    def command(self, *arguments: str) -> list[str]:
        return [str(PROGRAM), "--config", str(self.config), *arguments]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return forking.run(self.command(*arguments), text=True, timeout=WAIT)

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)

    def post(self, path: str, body: object) -> httpx.Response:
        return self.request("POST", path, json=body)

    def request(self, method: str, path: str, **fields: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.token_file.read_text().strip()}
        url = f"http://127.0.0.1:{self.port}{path}"
        return httpx.request(method, url, headers=headers, verify=NOBODY, timeout=WAIT, **fields)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


@pytest.mark.usefixtures("started_alone")
def test_it_tells_the_service_manager_and_stops_on_a_signal(process: Process) -> None:
    with closing(NotifySocket(process.directory)) as notify:
        environ = {**os.environ, "NOTIFY_SOCKET": str(notify.path)}
        environ |= {"WATCHDOG_USEC": "3000000"}
        with forking.Popen(process.command(), env=environ, stderr=subprocess.PIPE) as running:
            notify.wait_for("READY=1")
            assert process.get("/v1/devices").json() == {"devices": [], "devices_links": []}
            assert process.token_file.stat().st_mode & 0o077 == 0
            notify.wait_for("WATCHDOG=1")
            running.send_signal(signal.SIGTERM)
            notify.wait_for("STOPPING=1")
            assert running.wait(WAIT) == 0


@pytest.mark.usefixtures("started_alone")
def test_its_life_as_a_daemon(process: Process) -> None:
    started = process.run("--daemon")
    assert (started.returncode, started.stdout) == (0, ""), started.stderr
    pid = int(process.pid_file.read_text())
    try:
        assert process.get("/readyz").status_code == 200
        assert process.get("/v1/jobs").status_code == 200
        again = process.run("--daemon")
        assert again.returncode == 1
        assert "held by a running process" in again.stderr
    finally:
        os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not is_running(pid), timeout=WAIT, what="its end")
    assert not process.pid_file.exists()


def test_a_second_signal_ends_the_waiting_for_devices(process: Process) -> None:
    local = process.directory / "d"
    providers = {"local_dir": str(local), "local_driver": "noop"}
    with (
        closing(NotifySocket(process.directory)) as notify,
        closing_server(EmbeddedJobServer("127.0.0.1", 0)) as jobs,
    ):
        servers = [{"host": "127.0.0.1", "port": jobs.port}]
        process.configure(providers=providers, job_servers=servers)
        environ = {**os.environ, "NOTIFY_SOCKET": str(notify.path)}
        with forking.Popen(process.command(), env=environ) as running:
            notify.wait_for("READY=1", timeout=WAIT)
            pool = {"name": "a", "provider": "local", "min_spare": 1}
            assert process.post("/v1/device-pools", pool).status_code == 201
            lock = local / "a-1" / "state" / "worker.lock"
            wait_until(lambda: states(process) == ["SPARE"], timeout=WAIT, what="a spare")
            worker = int(lock.read_text())
            os.kill(worker, signal.SIGSTOP)  # it does not end
            running.send_signal(signal.SIGTERM)
            notify.wait_for("STATUS=destroyed 0 of 1 device", timeout=WAIT)
            assert running.poll() is None
            running.send_signal(signal.SIGTERM)
            assert running.wait(WAIT) == 0
        os.kill(worker, signal.SIGTERM)
        os.kill(worker, signal.SIGCONT)
        wait_until(lambda: not is_running(worker), timeout=WAIT, what="its end")


def states(process: Process) -> list[str]:
    return [item["state"] for item in process.get("/v1/devices").json()["devices"]]


@contextmanager
def closing_server(server: EmbeddedJobServer) -> Iterator[EmbeddedJobServer]:
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_an_api_that_ends_by_itself_ends_the_controller(process: Process) -> None:
    """With an error, so that systemd starts another one."""
    program = (
        "import sys; from libra.cmd import controlling;"
        "controlling.ApiServer.has_ended = property(lambda self: True);"
        "from libra.cmd.controller import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", program, "--config", str(process.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 1
    assert "the API ended by itself" in done.stderr


@pytest.mark.usefixtures("started_alone")
def test_settings_at_fault(process: Process) -> None:
    process.configure(api={"prt": 1}, database={"url": "mysql://x"})
    done = process.run("--check")
    assert done.returncode == 2
    assert "api.prt" in done.stderr
    assert "database.url" in done.stderr
    process.configure(api={"host": "0.0.0.0"})
    assert "give cert and key, or set allow_clear_text" in process.run().stderr
    process.configure()
    assert process.run("--check").returncode == 0


def test_a_database_that_is_not_there(process: Process) -> None:
    url = f"postgresql://libra:open-sesame@127.0.0.1:{free_port()}/libra"
    process.configure(database={"url": url})
    done = process.run()
    assert done.returncode == 1
    assert "cannot upgrade the database" in done.stderr
    assert "sesame" not in done.stderr


def test_a_port_that_is_taken(process: Process) -> None:
    import socket

    with socket.create_server(("127.0.0.1", process.port)):
        done = process.run()
    assert done.returncode == 1
    assert f"cannot serve the API on 127.0.0.1:{process.port}" in done.stderr


def test_a_token_file_that_holds_none(process: Process) -> None:
    process.token_file.write_text("two\nlines\n")
    done = process.run()
    assert done.returncode == 1
    assert f"cannot use the token in {process.token_file}: it must be one line" in done.stderr
    process.token_file.unlink()
    process.token_file.mkdir()
    said = process.run().stderr
    assert f"cannot read the token in {process.token_file}: Is a directory\n" in said


@pytest.mark.parametrize("content", [b"\xff\xfe\n", b"a\nb\n", b"x" * 513, "caf\xe9".encode()])
def test_what_is_no_token(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(content)
    with pytest.raises(StateError, match="it must be one line"):
        read_token(tmp_path / "token")


def test_the_database_by_hand(process: Process) -> None:
    libra = PROGRAM.with_name("libra")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(libra), "db", *arguments, "--config", str(process.config)]
        return subprocess.run(command, capture_output=True, text=True, timeout=WAIT, check=False)

    assert run("check").returncode == 1
    assert "it has no schema yet" in run("check").stderr
    assert run("upgrade").stdout == "the schema is 0040\n"
    assert run("check").returncode == 0


def shown_certificate(port: int) -> str:
    return ssl.get_server_certificate(("127.0.0.1", port), timeout=WAIT)


def test_what_a_reload_takes_and_what_it_says(process: Process) -> None:
    authority = Authority(process.directory)
    first, second = authority.issue("first"), authority.issue("second")
    cert, key = process.directory / "api.pem", process.directory / "api.key"
    shutil.copy(first.cert, cert)
    shutil.copy(first.key, key)
    api = {"port": process.port, "cert": str(cert), "key": str(key)}
    process.configure(api=api)
    output = process.directory / "output"

    def reload(until: str) -> None:
        running.send_signal(signal.SIGHUP)
        wait_until(lambda: until in output.read_text(), timeout=WAIT, what=until)

    with closing(NotifySocket(process.directory)) as notify, output.open("wb") as sink:
        environ = {**os.environ, "NOTIFY_SOCKET": str(notify.path)}
        with forking.Popen(process.command(), env=environ, stderr=sink) as running:
            try:
                notify.wait_for("READY=1")
                assert shown_certificate(process.port) == first.cert.read_text()
                shutil.copy(second.cert, cert)
                reload(f"cannot use {cert} with {key}")  # not the certificate's key
                assert shown_certificate(process.port) == first.cert.read_text()
                shutil.copy(second.key, key)
                process.token_file.write_text("another-secret\n")
                process.configure(api={**api, "max_page": 7}, manager={"probe_seconds": 1})
                reload("administrator's token read")
                notify.wait_for("RELOADING=1")
                wait_until(
                    lambda: shown_certificate(process.port) == second.cert.read_text(),
                    what="the new certificate",
                )
                headers = {"X-Auth-Token": "another-secret"}
                url = f"https://127.0.0.1:{process.port}/v1/tokens"
                trusted = ssl.create_default_context(cafile=str(authority.ca))
                answer = httpx.get(url, headers=headers, verify=trusted, timeout=WAIT)
                assert answer.status_code == 200
                process.configure(api={"prt": 1})
                reload("cannot use the new settings")
            finally:
                running.terminate()
                assert running.wait(WAIT) == 0
    said = output.read_text()
    assert "needs a restart  action=reload key=api.max_page" in said
    assert "needs a restart  action=reload key=manager.probe_seconds" in said
    assert "another-secret" not in said
