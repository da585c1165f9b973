"""The fabfile of the manual, with the real Fabric, over ssh to a real sshd."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from libra.model.access import Role
from tests.support.chaos import choose_networks
from tests.support.control import control_lab
from tests.support.ports import free_port
from tests.support.sshd import Sshd
from tests.support.web import WebServer

MANUAL = Path(__file__).parents[2] / "doc" / "how-to" / "rollouts.md"
FAB = Path(sys.executable).parent / "fab"
NAMES = ("web1", "web2", "web3")


class Place:
    """Three hosts by one sshd; their application is one web server."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        self.directory = directory
        _, network = choose_networks()
        self.addresses = [f"{network}.{n}" for n in (1, 2, 3)]
        self.sshd = stack.enter_context(Sshd(directory, self.addresses))
        self.lab = stack.enter_context(control_lab(directory))
        self.client = self.lab.token(Role.DEPLOYER)
        (self.text,) = re.findall(r"```python\n(.*?)```", MANUAL.read_text(), re.DOTALL)
        (directory / "fabfile.py").write_text(self.text)

    def fab(self, *words: str) -> "subprocess.CompletedProcess[str]":
        environ = {
            "HOME": str(self.sshd.home),
            "PATH": "/usr/bin:/bin",
            "LIBRA_API_URL": str(self.client.base_url),
            "LIBRA_API_TOKEN": self.client.headers["X-Auth-Token"],
        }
        return subprocess.run(
            [FAB, *words],
            cwd=self.directory,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def told(self) -> list[str]:
        """What was done, with the address that it was done at."""
        return (self.directory / "told").read_text().splitlines()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def test_the_fabfile_of_the_manual(place: Place) -> None:
    told, fault = place.directory / "told", place.directory / "fault"
    where = 'set -- $SSH_CONNECTION "$@"'
    place.sshd.program("sudo", f'what="$*"; {where}; echo "$3 $what" >>{told}; ! test -e {fault}')
    with ExitStack() as stack:
        port = free_port()
        for name, address in zip(NAMES, place.addresses, strict=True):
            stack.enter_context(WebServer(name, port, host=address))
            body = {"name": name, "group": "web", "address": address, "port": port}
            place.lab.post("/v1/nodes", body)
        fault.touch()
        done = place.fab("deploy")
        assert done.returncode == 1, done.stdout + done.stderr
        assert "1 of 3 nodes done" not in done.stderr
        assert "libra rollout resume web" in done.stderr
        assert len(place.told()) == 1
        fault.unlink()
        done = place.fab("deploy", "--resume")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "the rollout of web is complete, 3 of 3 nodes done" in done.stdout
    restarts = [f"{address} systemctl restart app" for address in place.addresses]
    assert place.told() == [restarts[0], *restarts]
