"""The installed console script `libra` against real job servers, with a worker in this process that answers as told."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from libra import __version__
from libra.jobs.base import TakenJob
from libra.jobs.embedded import EmbeddedJobServer
from libra.jobs.gearman import GearmanJobSource
from tests.support.cli import DONE_SECONDS, SCRIPT, TERMINAL, run
from tests.support.gearmand import Gearmand
from tests.support.jobservers import await_registered, count_jobs, settings_for, working
from tests.support.ports import free_port, wait_for_port, wait_until

UPDATE = {"loadbalancers": [{"protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": 80}]}]}
STATISTICS = {
    "loadbalancers": [
        {
            "id": "http",
            "name": "shop",
            "protocol": "HTTP",
            "status": "ONLINE",
            "total_sessions": 1200,
            "nodes": [{"id": "n1", "address": "10.0.0.1", "port": 80, "status": "UP"}],
        }
    ]
}


@contextlib.contextmanager
def run_server(kind: str) -> Iterator[int]:
    if kind == "gearmand":
        with Gearmand() as gearmand:
            yield gearmand.port
        return
    embedded = EmbeddedJobServer()
    embedded.start()
    try:
        yield embedded.port
    finally:
        embedded.stop()


@pytest.fixture(params=["gearmand", "embedded"])
def port(request: pytest.FixtureRequest) -> Iterator[int]:
    with run_server(request.param) as port:
        yield port


@contextlib.contextmanager
def answering(
    port: int, answer: Callable[[dict[str, object]], dict[str, object]]
) -> Iterator[None]:
    """A worker "web1" that echoes each message with the fields of `answer`."""

    def work(job: TakenJob) -> None:
        message = json.loads(job.payload)
        job.complete(json.dumps({**message, **answer(message)}).encode())

    source = GearmanJobSource(settings_for(port), "web1")
    try:
        await_registered(source)
        with working(source, work):
            yield
    finally:
        source.close()


def send(port: int, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[str]:
    server = f"127.0.0.1:{port}"
    return run("job", "send", *arguments, "--device", "web1", "--job-server", server, stdin=stdin)


def test_pass_fail_and_the_ways_to_look_at_a_reply(port: int) -> None:
    def answer(message: dict[str, object]) -> dict[str, object]:
        match message["hpcs_action"]:
            case "STATS":
                return {"hpcs_response": "PASS", **STATISTICS}
            case "ENABLE":
                return {"hpcs_response": "FAIL", "hpcs_error": "cannot enable: nothing\x1b[2J"}
            case _:
                return {"hpcs_response": "PASS", "version": "1.0", "proxy": "HAProxy"}

    with answering(port, answer):
        statistics = send(port, "stats")
        assert (statistics.returncode, statistics.stderr) == (0, "")
        assert "shop (HTTP)  ONLINE  sessions 1,200" in statistics.stdout
        assert "10.0.0.1:80" in statistics.stdout

        discovered = send(port, "DISCOVER")
        assert (discovered.returncode, discovered.stderr) == (0, "")
        assert "HAProxy" in discovered.stdout

        refused = send(port, "enable", "-o", "json")
        assert refused.returncode == 1
        assert json.loads(refused.stdout)["hpcs_response"] == "FAIL"
        assert refused.stderr == "FAIL  ENABLE on web1: cannot enable: nothing\\x1b[2J\n"

        stdin = json.dumps({**UPDATE, "hpcs_object_store_token": "tell-tale"}).encode()
        updated = send(port, "update", "--message", "-", "-o", "json", stdin=stdin)
        assert (updated.returncode, updated.stderr) == (0, "")
        reply = json.loads(updated.stdout)
        assert reply.pop("hpcs_object_store_token") == "***"
        assert reply == {
            "hpcs_action": "UPDATE",
            **UPDATE,
            "hpcs_response": "PASS",
            "version": "1.0",
            "proxy": "HAProxy",
        }

        suspended = send(port, "suspend")
        assert suspended.stdout.startswith("PASS  SUSPEND on web1 in ")


def test_a_device_that_is_not_there_is_3_within_the_timeout(port: int) -> None:
    began = time.monotonic()
    result = send(port, "stats", "--timeout", "1")
    assert time.monotonic() - began < DONE_SECONDS / 2
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("libra: cannot ")
    assert result.stderr.count("\n") == 1
    assert "web1" in result.stderr


def test_a_reply_that_is_no_json_is_3(port: int) -> None:
    source = GearmanJobSource(settings_for(port), "web1")
    with contextlib.closing(source):
        await_registered(source)
        with working(source, lambda job: job.complete(b"\x1b[2Jnonsense")):
            result = send(port, "stats")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("libra: the reply of web1 is no use: ")


def test_no_job_server_is_3() -> None:
    result = send(free_port(), "stats")
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("libra: cannot ")
    assert "Traceback" not in result.stderr


def test_the_second_job_server_is_used_where_the_first_is_away() -> None:
    with (
        run_server("embedded") as port,
        answering(port, lambda _: {"hpcs_response": "PASS"}),
    ):
        result = send(port, "suspend", "--job-server", f"127.0.0.1:{free_port()}")
    assert result.returncode == 0


def test_bad_input_is_2_without_a_job_server() -> None:
    for arguments in (("update",), ("explode",), ("stats", "-m", "./missing.json")):
        result = send(free_port(), *arguments)
        assert (result.returncode, result.stdout) == (2, "")
        assert "Traceback" not in result.stderr


def test_settings_say_which_job_server(tmp_path: Path) -> None:
    file = tmp_path / "libra.yaml"
    with (
        run_server("embedded") as port,
        answering(port, lambda _: {"hpcs_response": "PASS"}),
    ):
        file.write_text(f"job_servers: [{{port: {port}}}]")
        command = ("job", "send", "suspend", "-d", "web1")
        assert run(*command, "--config", str(file)).returncode == 0
        environ = {"LIBRA_JOB_SERVERS": f"[{{port: {port}}}]"}
        assert run(*command, environ=environ).returncode == 0


def test_the_job_server_command_serves_and_stops_cleanly() -> None:
    for stop in (signal.SIGTERM, signal.SIGINT):
        port = free_port()
        process = start("jobserver", "--port", str(port))
        try:
            wait_for_port(port)
            with answering(port, lambda _: {"hpcs_response": "PASS"}):
                assert send(port, "suspend").returncode == 0
            taken = run("jobserver", "--port", str(port))
            assert taken.returncode == 1
            assert taken.stderr.startswith(f"libra: cannot listen on 127.0.0.1:{port}: ")
            process.send_signal(stop)
            output, errors = process.communicate(timeout=DONE_SECONDS)
        finally:
            process.kill()
            process.wait()
        assert (process.returncode, errors) == (0, b"")
        assert output.decode().splitlines() == [f"job server on 127.0.0.1:{port}", "stopped"]


def test_the_job_server_command_picks_a_free_port_and_prints_it() -> None:
    process = start("jobserver", "--port", "0")
    try:
        assert process.stdout is not None
        words = process.stdout.readline().decode().split()
        port = int(words[-1].rpartition(":")[2])
        assert send(port, "stats", "--timeout", "0.5").returncode == 3
    finally:
        process.terminate()
        process.communicate(timeout=DONE_SECONDS)


def test_ctrl_c_while_waiting_is_130_and_quiet() -> None:
    with run_server("embedded") as port:
        process = start("job", "send", "stats", "-d", "web1", "-s", f"127.0.0.1:{port}")
        try:
            wait_for_job(port)
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=DONE_SECONDS)
        finally:
            process.kill()
            process.wait()
    assert (process.returncode, output) == (130, b"")
    assert b"Traceback" not in errors


@pytest.mark.parametrize("arguments", [("config", "sample"), ("--help",)])
def test_a_reader_that_goes_away_is_no_traceback(arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [SCRIPT, *arguments],
        stdout=writing,
        stderr=subprocess.PIPE,
        env={**os.environ, **TERMINAL},
        timeout=DONE_SECONDS,
        check=False,
    )
    os.close(writing)
    assert done.stderr == b""


def test_settings_are_checked_and_a_sample_is_printed(tmp_path: Path) -> None:
    file = tmp_path / "libra.yaml"
    file.write_text(run("config", "sample").stdout)
    good = run("config", "check", str(file))
    assert (good.returncode, good.stderr) == (0, "")
    file.write_text("worker: {nmae: x}\nlogging: {level: loud}\n")
    bad = run("config", "check", str(file))
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.count("\n") == 2
    assert bad.stderr.startswith(f"{file}: worker.nmae: no such setting; did you mean 'name'?")


def test_the_version_is_printed_without_loading_what_it_does_not_need() -> None:
    result = run("--version", environ={"PYTHONPROFILEIMPORTTIME": "1"})
    assert result.stdout == f"libra {__version__}\n"
    assert " typer\n" in result.stderr
    for heavy in ("pydantic", "yaml", "structlog", "gear", "rich.console", "asyncio"):
        assert f" {heavy}\n" not in result.stderr, heavy


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_get_completion(shell: str) -> None:
    script = run(
        "--show-completion", shell, environ={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    )
    assert script.returncode == 0
    assert "_LIBRA_COMPLETE" in script.stdout
    words = run(
        environ={
            "_LIBRA_COMPLETE": "complete_bash",
            "COMP_WORDS": "libra job send D",
            "COMP_CWORD": "3",
        }
    )
    assert words.stdout.split() == ["DELETE", "DISCOVER"]


def start(*arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [SCRIPT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **TERMINAL},
    )


def wait_for_job(port: int) -> None:
    wait_until(lambda: count_jobs(port, "web1") == 1, what="the job at the server")
