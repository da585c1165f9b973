"""A real controller that is given orders at the root of its API."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from libra.config.controller import AdminSettings
from tests.support.control import ControlLab, control_lab

Json = dict[str, Any]
JSON = {"Accept": "application/json"}


@contextmanager
def ordered_lab(directory: Path) -> Iterator[ControlLab]:
    """Two devices in the pool `default`; `core` and `a.b` are empty."""
    admin = AdminSettings(
        aliases_file=directory / "aliases.json", limits_file=directory / "limits.json"
    )
    (directory / "aliases.json").write_text('{"west": ["default", "core"]}')  # core comes later
    (directory / "limits.json").write_text('{"poor": 0}')
    with control_lab(directory, admin=admin, probe_seconds=0.3) as lab:
        for name in ("web1", "web2"):
            lab.worker(name)
        for name in ("core", "a.b"):
            lab.post("/v1/device-pools", {"name": name})
        yield lab


def ask(lab: ControlLab, method: str, path: str, **options: Any) -> httpx.Response:
    return lab.client.request(method, path, **options)


def order(lab: ControlLab, method: str, path: str, status: int = 200, **options: Any) -> Json:
    answer = ask(lab, method, path, headers=JSON, **options)
    assert answer.status_code == status, (path, answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/json"
    shown: Json = answer.json()
    return shown


def events(lab: ControlLab, **filters: Any) -> list[Json]:
    found: list[Json] = lab.get("/v1/events", limit=1000, **filters)["events"]
    return found


def device(lab: ControlLab, name: str) -> Json:
    shown: Json = lab.get(f"/v1/devices/{name}")["device"]
    return shown


def pool(lab: ControlLab, name: str) -> Json:
    shown: Json = lab.get(f"/v1/device-pools/{name}")["device_pool"]
    return shown
