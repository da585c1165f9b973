"""An installed libra-worker that runs a HAProxy itself, asked by a program that nobody here wrote."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from libra.drivers.haproxy.master import MasterSocket
from tests.support.ports import LOOPBACK
from tests.support.programs import find_program
from tests.support.web import WebServer
from tests.support.worker import WAIT, WorkerProcess


def build_haproxy_worker(
    directory: Path,
    sockets: Path,
    binary: Path,
    job_ports: Sequence[int],
    **sections: dict[str, object],
) -> WorkerProcess:
    """Not started. It may archive to any Swift on the loopback address; `sockets` needs a short path."""
    haproxy = {
        "supervisor": "own",
        "binary": str(binary),
        "config_file": str(directory / "state" / "haproxy.cfg"),
        "admin_socket": str(sockets / "a"),
        "master_socket": str(sockets / "m"),
        "log_file": str(directory / "haproxy.log"),
    }
    swift = {"allowed_endpoints": ["http://127.0.0.1:*"]}
    worker = WorkerProcess(
        directory,
        job_ports,
        worker={"driver": "haproxy"},
        haproxy=haproxy,
        object_stores={"swift": swift},
    )
    worker.serve(*job_ports, **sections)
    return worker


def build_loadbalancer(port: int, *nodes: WebServer, **fields: object) -> dict[str, object]:
    """One for HTTP, with numbers as texts."""
    return {
        "id": "15",
        "name": "lb #1",
        "protocol": "http",
        "bind_address": LOOPBACK,
        "port": str(port),
        "nodes": [{"address": LOOPBACK, "port": str(node.port)} for node in nodes],
        **fields,
    }


def send_by_gearman(worker: WorkerProcess, payload: bytes, *, timeout: float = 2 * WAIT) -> bytes:
    """What the C program `gearman` prints as the reply to these bytes."""
    program = find_program("gearman", package="gearman-tools")
    done = subprocess.run(
        [program, "-h", LOOPBACK, "-p", str(worker.ports[0]), "-f", worker.name],
        input=payload,
        capture_output=True,
        timeout=timeout,
        check=True,
    )
    return done.stdout


def ask_by_gearman(worker: WorkerProcess, payload: bytes) -> dict[str, Any]:
    """The reply as an object."""
    return dict(json.loads(send_by_gearman(worker, payload)))


@dataclass(frozen=True)
class Footprint:
    """What a message that fails must leave as it was: files byte for byte, and the processes."""

    configuration: bytes
    desired: bytes
    processes: tuple[int, ...]

    @classmethod
    def of(cls, worker: WorkerProcess) -> "Footprint":
        settings = worker.settings["haproxy"]
        processes = MasterSocket(Path(settings["master_socket"])).show_processes()
        assert worker.process is not None
        return cls(
            Path(settings["config_file"]).read_bytes(),
            (worker.state_dir / "desired.json").read_bytes(),
            (worker.process.pid, processes.master.pid, *(one.pid for one in processes.workers)),
        )
