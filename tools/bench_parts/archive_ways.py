"""The ways of an access log into Swift, each run as a process of its own, which prints what it took as JSON.

    python -m tools.bench_parts.archive_ways WAY LOG STORAGE_URL TOKEN

The two bare ways are written as one would write them without libra: commands in a shell, and the loop of 2013.
"""

import gzip
import hashlib
import http.client
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

FRONTEND = "fe-15"
CONTAINER = "bench"


def run_libra(log: Path, url: str, token: str) -> float:
    """The message through the controller; gives the seconds of it."""
    import libra.logs  # noqa: F401 - before structlog, as in a worker
    from libra.config.reading import read_settings
    from libra.messages.replies import passed
    from libra.objectstores.swift import create_store
    from tests.support.archives import build_archive, build_controller

    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write('object_stores: {swift: {allowed_endpoints: ["http://127.0.0.1:*"]}}')
        file.flush()
        store = create_store(read_settings(Path(file.name), os.environ).object_stores)
    node = {"address": "10.0.0.1", "port": 80}
    loadbalancer = {"id": "15", "protocol": "HTTP", "nodes": [node]}
    controller = build_controller(log, store, loadbalancer)
    message = build_archive(url, token, CONTAINER, {"id": "15", "protocol": "HTTP"})
    start = time.perf_counter()
    reply = controller.handle(message)
    seconds = time.perf_counter() - start
    assert passed(reply), reply
    return seconds


def run_shell(log: Path, url: str, token: str) -> float:
    """grep -F LOG | gzip -6 > FILE, then one PUT of it. Takes lines that only mention the frontend, too."""
    with tempfile.NamedTemporaryFile() as packed:
        start = time.perf_counter()
        command = f"LC_ALL=C grep -F '] {FRONTEND} ' '{log}' | gzip -6"
        subprocess.run(command, shell=True, stdout=packed, check=True)
        upload(Path(packed.name), url, token, None)
        return time.perf_counter() - start


def run_loop(log: Path, url: str, token: str) -> float:
    """Copy, a line loop with re.search, the filtered file, the gzip module, MD5 over it, one PUT."""
    with tempfile.TemporaryDirectory() as directory:
        copied, filtered, packed = (Path(directory) / name for name in ("copy", "lines", "gz"))
        start = time.perf_counter()
        shutil.copy(log, copied)
        with copied.open() as source, filtered.open("w") as target:
            for line in source:
                if re.search(rf"\] {FRONTEND} ", line):
                    target.write(line)
        with filtered.open("rb") as source, gzip.open(packed, "wb") as target:
            shutil.copyfileobj(source, target)
        etag = hashlib.md5(packed.read_bytes()).hexdigest()
        upload(packed, url, token, etag)
        return time.perf_counter() - start


def upload(path: Path, url: str, token: str, etag: str | None) -> None:
    """One PUT of the whole file, in large pieces."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=600, blocksize=1024 * 1024)
    headers = {"X-Auth-Token": token, "Content-Length": str(path.stat().st_size)}
    if etag:
        headers["ETag"] = etag
    connection.request("PUT", f"{parts.path}/{CONTAINER}", headers={"X-Auth-Token": token})
    assert connection.getresponse().read() is not None
    with path.open("rb") as body:
        connection.request("PUT", f"{parts.path}/{CONTAINER}/{path.name}", body, headers)
        response = connection.getresponse()
        assert response.status == 201, (response.status, response.read())


WAYS: dict[str, Callable[[Path, str, str], float]] = {
    "libra": run_libra,
    "shell": run_shell,
    "loop": run_loop,
}


def peak_mib() -> tuple[float, float]:
    """Of this process, and of its largest child."""
    status = Path("/proc/self/status").read_text()
    own = re.search(r"VmHWM:\s*([0-9]+)", status)
    assert own is not None
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return int(own[1]) / 1024, children / 1024


def main() -> None:
    """See above."""
    way, log, url, token = sys.argv[1:]
    seconds = WAYS[way](Path(log), url, token)
    own, child = peak_mib()
    print(json.dumps({"seconds": seconds, "own_mib": own, "child_mib": child, "pid": os.getpid()}))


if __name__ == "__main__":
    main()
