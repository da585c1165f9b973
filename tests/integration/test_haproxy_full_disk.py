"""The disk fills up, or becomes read-only, before each write of a change: it is told, and traffic goes on.

What is told is a FAIL with the reason, or a PASS where the change was made and kept all the same. When the disk takes
files again the device goes to what it acknowledged last, by itself. At a few writes, spread over all, or at every one
where LIBRA_CRASHES is "all" in the environment.
"""

import errno
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from libra.messages.replies import passed
from tests.support.certificates import Authority
from tests.support.disks import FailingDisk
from tests.support.haproxy import haproxy, haproxy_binary, socket_directory
from tests.support.headers import ask
from tests.support.ports import free_port, wait_until
from tests.support.second import node
from tests.support.seconddevice import (
    Device,
    authority,
    certificate,
    device,
    one,
    simple,
    trusting,
    two,
)
from tests.support.web import WebServer

__all__ = ["authority", "device", "haproxy", "haproxy_binary", "one", "socket_directory", "two"]

FAULTS = [errno.ENOSPC, errno.EROFS]
NEVER = 10_000
FEW = 4
Message = dict[str, Any]


class Scene:
    """Two states of one TLS listener, each served by one of two members with one of two certificates."""

    def __init__(self, device: Device, servers: list[WebServer], authority: Authority) -> None:
        self.device = device
        self.context = trusting(authority)
        self._port = free_port()
        self._servers = servers
        self._issued = [authority.issue(f"full-{number}") for number in range(2)]

    def update(self, number: int, **fields: object) -> Message:
        server, issued = self._servers[number], self._issued[number]
        return simple(
            self._port,
            node(f"n{number}", server.port),
            protocol="TERMINATED_HTTPS",
            tls={"certificates": [certificate("1", issued)]},
            allowed_cidrs=["127.0.0.1/32", f"10.{number}.0.0/16"],
            **fields,
        )

    def served_by(self) -> str:
        """One request; it may not fail."""
        answer = ask(self._port, context=self.context)
        assert answer.status == 200
        return answer.body

    def runs_what_is_saved(self) -> bool:
        step = self.device.haproxy.driver.preview(self.device.desired()).step
        return step.value == "nothing"


@pytest.fixture
def scene(
    device: Device,
    one: WebServer,
    two: WebServer,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    monkeypatch.setattr("libra.drivers.haproxy.driver.LOOK_EVERY_SECONDS", 0.0)
    return Scene(device, [one, two], authority)


def by_runtime(scene: Scene, number: int) -> Message:
    return scene.update(number)


def by_reload(scene: Scene, number: int) -> Message:
    return scene.update(number, connection_limit=1000 + number)


def suspension(scene: Scene, number: int) -> Message:
    return {"hpcs_action": "SUSPEND" if number else "ENABLE"}


def deletion(scene: Scene, number: int) -> Message:
    return {"hpcs_action": "DELETE"} if number else scene.update(0)


def chosen(writes: int) -> list[int]:
    """The last is that of the saved state, when HAProxy has changed already."""
    if os.environ.get("LIBRA_CRASHES") == "all":
        return list(range(1, writes + 1))
    return sorted({1 + number * (writes - 1) // (FEW - 1) for number in range(FEW)})


@pytest.mark.parametrize("fault", FAULTS, ids=["full", "read-only"])
@pytest.mark.parametrize("change", [by_runtime, by_reload, suspension, deletion])
def test_each_write_of_a_change(
    scene: Scene, change: Callable[[Scene, int], Message], fault: int
) -> None:
    device, directory = scene.device, scene.device.haproxy.directory
    serves = change in (by_runtime, by_reload)
    device.pass_(change(scene, 0) if change is not suspension else scene.update(0))
    before = device.desired()
    with FailingDisk(directory, fault, at=NEVER) as disk:
        device.pass_(change(scene, 1))
    after = device.desired()
    assert disk.writes > 3
    told = set()
    for write in chosen(disk.writes):
        device.pass_(change(scene, 0))
        with FailingDisk(directory, fault, at=write):
            reply = device.controller.handle(change(scene, 1))
            told.add(passed(reply))
            if not passed(reply):
                assert re.fullmatch(rf"cannot .*: {os.strerror(fault)}", str(reply["hpcs_error"]))
            if serves:
                assert scene.served_by() in ("one", "two")
        device.controller.ensure()
        assert device.desired() == (after if passed(reply) else before)
        wait_until(scene.runs_what_is_saved, what=f"what is saved to run, after write {write}")
        if serves:
            assert scene.served_by() == ("two" if passed(reply) else "one")
    assert False in told
    device.pass_(change(scene, 1))
    wait_until(scene.runs_what_is_saved, what="what is saved to run")
