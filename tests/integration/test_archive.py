"""ARCHIVE as a message: from log files through the controller into a real Swift."""

import gzip
import hashlib
import json
import logging
import random
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from libra.config.settings import SwiftSettings
from libra.messages.replies import passed
from tests.support.accesslogs import build_line
from tests.support.archives import build_archive, build_controller
from tests.support.messages import http, tcp
from tests.support.ports import free_port
from tests.support.stores import build_swift_store
from tests.support.swift_lab import SwiftLab
from tests.support.tcpfault import TcpFault

LB15 = {"id": "15", "protocol": "HTTP"}
LB16 = {"id": "16", "protocol": "TCP"}
BAIT = "?] fe-15 "
MEMORY_LIMIT_MIB = 64


def write_log(directory: Path) -> Path:
    """Three files with two load balancers in them, each line with bait."""
    numbers = iter(range(100_000))
    for name in ("haproxy.log.2.gz", "haproxy.log.1", "haproxy.log"):
        lines = [
            build_line("fe-15" if n % 2 else "fe-16", n, syslog=n % 3 == 0, tail=BAIT)
            for n in (next(numbers) for _ in range(5000))
        ]
        data = b"".join(lines)
        (directory / name).write_bytes(gzip.compress(data, 1) if name.endswith("gz") else data)
    return directory / "haproxy.log"


def lines_of(frontend: str) -> bytes:
    return b"".join(
        build_line(frontend, n, syslog=n % 3 == 0, tail=BAIT)
        for n in range(15_000)
        if (n % 2 == 1) == (frontend == "fe-15")
    )


def fingerprint(directory: Path) -> dict[str, tuple[str, int, int]]:
    return {
        path.name: (
            hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in directory.iterdir()
    }


def test_a_log_arrives_exactly(swift: SwiftLab, container: str, tmp_path: Path) -> None:
    log = write_log(tmp_path)
    before = fingerprint(tmp_path)
    controller = build_controller(log, build_swift_store(), http(id="15"), tcp(id="16"))
    message = build_archive(swift.storage_url, swift.token(), container, LB15)
    reply = controller.handle(message)
    assert passed(reply), reply
    assert {name: reply[name] for name in message} == message
    path = str(reply["hpcs_object_store_object"])
    assert re.fullmatch(
        rf"{container}/15/haproxy-[0-9]{{8}}T[0-9]{{6}}\.[0-9]{{6}}Z\.log\.gz", path
    )
    data = swift.download(path)
    assert reply["hpcs_object_store_bytes"] == len(data)
    assert reply["hpcs_object_store_lines"] == 7500
    assert gzip.decompress(data) == lines_of("fe-15")
    assert fingerprint(tmp_path) == before


def test_two_logs_in_one_message(swift: SwiftLab, container: str, tmp_path: Path) -> None:
    controller = build_controller(
        write_log(tmp_path), build_swift_store(), http(id="15"), tcp(id="16")
    )
    reply = controller.handle(
        build_archive(swift.storage_url, swift.token(), container, LB16, LB15)
    )
    assert passed(reply), reply
    paths: Any = reply["hpcs_object_store_object"]
    assert reply["hpcs_object_store_lines"] == [7500, 7500]
    assert [gzip.decompress(swift.download(path)) for path in paths] == [
        lines_of("fe-16"),
        lines_of("fe-15"),
    ]


def test_no_log_yet_is_an_empty_archive(swift: SwiftLab, container: str, tmp_path: Path) -> None:
    controller = build_controller(tmp_path / "haproxy.log", build_swift_store(), http(id="15"))
    reply = controller.handle(build_archive(swift.storage_url, swift.token(), container, LB15))
    assert passed(reply), reply
    assert reply["hpcs_object_store_lines"] == 0
    assert gzip.decompress(swift.download(str(reply["hpcs_object_store_object"]))) == b""


def test_archives_at_once(swift: SwiftLab, container: str, tmp_path: Path) -> None:
    controller = build_controller(
        write_log(tmp_path), build_swift_store(segment_bytes=20_000), http(id="15"), tcp(id="16")
    )
    message = build_archive(swift.storage_url, swift.token(), container, LB15)
    replies: list[dict[str, Any]] = []
    threads = [
        threading.Thread(target=lambda: replies.append(controller.handle(message)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [passed(reply) for reply in replies] == [True] * 4
    paths = {str(reply["hpcs_object_store_object"]) for reply in replies}
    assert len(paths) == 4
    assert {gzip.decompress(swift.download(path)) for path in paths} == {lines_of("fe-15")}


def test_a_log_rotated_meanwhile_arrives_whole(
    swift: SwiftLab, container: str, tmp_path: Path
) -> None:
    log = tmp_path / "haproxy.log"
    lines = b"".join(build_line("fe-15", number) for number in range(50_000))
    log.write_bytes(lines)
    controller = build_controller(log, build_swift_store(), http(id="15"))
    with TcpFault(swift.port["proxy"]) as link:
        link.hang = True
        url = swift.storage_url.replace(str(swift.port["proxy"]), str(link.port))
        message = build_archive(url, swift.token(), container, LB15)
        replies: list[dict[str, Any]] = []
        thread = threading.Thread(target=lambda: replies.append(controller.handle(message)))
        thread.start()
        thread.join(0.3)
        log.rename(tmp_path / "haproxy.log.1")
        log.write_bytes(build_line("fe-15", 999_999))
        with gzip.open(tmp_path / "haproxy.log.1.gz", "wb", 1) as packed:
            packed.write(lines)
        (tmp_path / "haproxy.log.1").unlink()
        link.hang = False
        thread.join(60)
    assert passed(replies[0]), replies
    assert gzip.decompress(swift.download(str(replies[0]["hpcs_object_store_object"]))) == lines


def test_a_failure_says_swifts_words_and_leaves_the_logs_alone(
    swift: SwiftLab, container: str, tmp_path: Path
) -> None:
    log = write_log(tmp_path)
    before = fingerprint(tmp_path)
    controller = build_controller(log, build_swift_store(), http(id="15"), tcp(id="16"))
    reply = controller.handle(build_archive(swift.storage_url, "AUTH_tkexpired", container, LB15))
    assert str(reply["hpcs_error"]).startswith(
        "cannot archive load balancer '15': cannot store: Swift answered 401 Unauthorized to PUT "
    )
    assert fingerprint(tmp_path) == before


def test_what_the_settings_do_not_allow_is_never_connected_to(
    container: str, tmp_path: Path
) -> None:
    controller = build_controller(
        write_log(tmp_path), build_swift_store(), http(id="15"), tcp(id="16")
    )
    reply = controller.handle(build_archive("https://evil.example/v1", "t" * 20, container, LB15))
    assert reply["hpcs_error"] == (
        "cannot connect to 'https://evil.example/v1': "
        "the setting object_stores.swift.allowed_endpoints of this worker does not allow it"
    )


def test_the_token_is_nowhere(
    swift: SwiftLab,
    container: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not in any log at its lowest level, not on the terminal, not in an error: in good times and in bad ones."""
    caplog.set_level(logging.DEBUG)
    for name in ("swiftclient", "urllib3", "urllib3.connectionpool", "requests", "keystoneclient"):
        caplog.set_level(logging.DEBUG, logger=name)
    controller = build_controller(
        write_log(tmp_path), build_swift_store(segment_bytes=5000), http(id="15"), tcp(id="16")
    )
    good, bad = swift.token(), "AUTH_tk" + "5ecret" * 6
    errors = []
    for token, url, fault in (
        (good, swift.storage_url, {}),
        (bad, swift.storage_url, {}),
        (good, swift.storage_url, {"match": "PUT /v1/.*", "status": 500, "body": f"you: {good}"}),
        (good, swift.storage_url, {"match": "PUT /v1/.*/0000", "status": 507}),
        (good, f"http://127.0.0.1:{free_port()}/v1", {}),
        (good, swift.storage_url.replace("http:", "https:"), {}),
    ):
        swift.fault(**fault)
        reply = controller.handle(build_archive(url, token, container, LB15))
        errors.append(str(reply.get("hpcs_error", "")))
    assert errors[0] == ""
    assert all(errors[1:])
    shown = caplog.text + "".join(capfd.readouterr()) + "".join(errors)
    for token in (good, bad):
        for part in (token[start : start + 12] for start in range(7, len(token) - 12)):
            assert part not in shown


CHILD = """
import json, sys, threading
from pathlib import Path
import libra.logs  # before structlog, as in a worker; the next line is what a worker has in memory, too
import libra.cmd.assembly, libra.drivers.haproxy.driver, libra.worker.daemon, gear
from libra.config.values import Values
from libra.messages.replies import passed
from libra.objectstores.swift import create_store
from tests.support.archives import build_controller

log, job = Path(sys.argv[1]), json.loads(sys.argv[2])
store = create_store(Values(swift=Values(**job["swift"])))
assert "pydantic" not in sys.modules, "a worker does without"
controller = build_controller(log, store, *job["loadbalancers"])
replies = []
threads = [
    threading.Thread(target=lambda message=message: replies.append(controller.handle(message)))
    for message in job["messages"]
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
assert all(map(passed, replies)), replies
status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps({"peak_kib": int(status["VmHWM"].split()[0]), "replies": replies}))
"""


def archive_in_child(
    log: Path, swift: SwiftLab, messages: list[dict[str, Any]], ca_file: Path | None = None
) -> dict[str, Any]:
    """A process of its own: its peak is that of the archiving, not that of the tests."""
    settings = SwiftSettings(
        allowed_endpoints=(f"{swift.storage_url.partition(':')[0]}://127.0.0.1:*",)
    )
    job = {
        "swift": {**settings.model_dump(), "ca_file": ca_file and str(ca_file)},
        "loadbalancers": [http(id="15"), tcp(id="16")],
        "messages": messages,
    }
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(log), json.dumps(job)],
        capture_output=True,
        timeout=120,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert child.returncode == 0, child.stderr.decode()[-3000:]
    result: dict[str, Any] = json.loads(child.stdout.splitlines()[-1])
    return result


def write_large_log(path: Path, size: int) -> int:
    """Lines of two load balancers; gives how many are of "15". What tells them apart compresses badly, as in life."""
    lines = [
        build_line(
            "fe-15" if n % 4 else "fe-16", n, tail=f"/{random.Random(n).randbytes(24).hex()}"
        )
        for n in range(50_000)
    ]
    block = b"".join(lines)
    count = -(-size // len(block))
    with path.open("wb") as file:
        for _ in range(count):
            file.write(block)
    return count * 37_500


@pytest.fixture(scope="module")
def large_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    path = tmp_path_factory.mktemp("large") / "haproxy.log"
    yield path, write_large_log(path, 300 * 1000 * 1000)
    path.unlink()


@pytest.mark.parametrize("at_once", [1, 2])
def test_memory_stays_bounded(
    swift: SwiftLab, container: str, large_log: tuple[Path, int], at_once: int
) -> None:
    """Whatever the size of the log, and however many ARCHIVEs there are: they share their buffers."""
    log, lines = large_log
    message = build_archive(swift.storage_url, swift.token(), container, LB15)
    result = archive_in_child(log, swift, [message] * at_once)
    assert [reply["hpcs_object_store_lines"] for reply in result["replies"]] == [lines] * at_once
    assert result["replies"][0]["hpcs_object_store_bytes"] > 40_000_000, "hardly worth the name"
    assert len(swift.names(f"{container}_segments")) > 5 * at_once
    assert result["peak_kib"] < MEMORY_LIMIT_MIB * 1024
