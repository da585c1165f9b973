"""A HAProxy that somebody else started from a file of their own: refused with a sentence, and never touched unasked."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from libra.drivers.base import Step
from libra.errors import DriverError
from tests.support.desired import build_desired
from tests.support.haproxy import DrivenHAProxy, StartedHAProxy, haproxy_binary, socket_directory
from tests.support.ports import LOOPBACK, accepts, free_ports, wait_until
from tests.support.web import EchoServer, WebServer, get

__all__ = ["haproxy_binary", "socket_directory"]

THEIRS = """\
global
defaults
    timeout client 1m
    timeout server 1m
    timeout connect 5s
frontend theirs
    mode tcp
    bind 127.0.0.1:{port}
    default_backend theirs
backend theirs
    mode tcp
    server echo 127.0.0.1:{echo}
"""


class Scene:
    """Their HAProxy, on our sockets; `client` is connected through it."""

    def __init__(self, theirs: StartedHAProxy, client: socket.socket, port: int) -> None:
        self.theirs = theirs
        self.text = theirs.config_file.read_text()
        self.client = client
        self.port = port
        self.pid = theirs.pid()

    def is_untouched(self) -> bool:
        """The same process with the same file, and no reload."""
        master = self.theirs.master.show_processes().master
        return (self.theirs.pid(), master.reloads, self.theirs.config_file.read_text()) == (
            self.pid,
            0,
            self.text,
        )

    def client_is_served(self) -> bool:
        self.client.sendall(b"there?")
        return self.client.recv(100) == b"there?"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where their file is: in ours's place."""
    return tmp_path


@pytest.fixture
def scene(haproxy_binary: Path, place: Path, socket_directory: Path) -> Iterator[Scene]:
    place.mkdir(exist_ok=True)
    theirs = StartedHAProxy(haproxy_binary, socket_directory)
    theirs.config_file = place / "haproxy.cfg"
    (port,) = free_ports(1)
    with (
        EchoServer("echo") as echo,
        theirs.running(THEIRS.format(port=port, echo=echo.port)),
        socket.create_connection((LOOPBACK, port), timeout=10) as client,
    ):
        assert client.recv(100) == b"echo\n"
        yield Scene(theirs, client, port)


def test_it_is_refused_and_serves_on(
    scene: Scene, haproxy_binary: Path, tmp_path: Path, socket_directory: Path
) -> None:
    ours = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory)
    desired = build_desired(1, listen=free_ports(1)[0])
    for ask in (ours.driver.preview, ours.driver.apply):
        with pytest.raises(DriverError, match=r"^cannot replace .*haproxy.cfg: it was not written"):
            ask(desired)
        assert scene.is_untouched()
        assert scene.client_is_served()
    ours.driver.ensure_running()
    assert scene.is_untouched()
    ours.driver.close()


def test_it_is_adopted_where_that_is_asked_for(
    scene: Scene, haproxy_binary: Path, tmp_path: Path, socket_directory: Path
) -> None:
    """By a reload like any other: who is connected ends in their process, and their file is kept."""
    ours = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, adopt=True)
    (port,) = free_ports(1)
    with WebServer("one") as one:
        desired = build_desired(one.port, listen=port)
        assert ours.driver.preview(desired).step is Step.RELOAD
        assert scene.is_untouched()
        ours.driver.apply(desired)
        assert get(port) == (200, "one")
        assert scene.client_is_served()
        wait_until(lambda: not accepts(scene.port), what="the end of their listener")
    assert (tmp_path / "haproxy.cfg.adopted").read_text() == scene.text
    assert ours.text().startswith("# Managed by libra")
    ours.driver.close()


@pytest.mark.parametrize("adopt", [True, False])
class TestAnotherPlace:
    """Their file is not where ours would be, so no reload could make that HAProxy load ours."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path / "theirs"

    def test_it_is_refused_and_serves_on(
        self,
        scene: Scene,
        haproxy_binary: Path,
        tmp_path: Path,
        socket_directory: Path,
        *,
        adopt: bool,
    ) -> None:
        ours = DrivenHAProxy(haproxy_binary, tmp_path, socket_directory, adopt=adopt)
        desired = build_desired(1, listen=free_ports(1)[0])
        words = rf"^cannot take over the HAProxy .*: process {scene.pid} was started from .*/theirs/haproxy.cfg; "
        for ask in (ours.driver.preview, ours.driver.apply):
            with pytest.raises(DriverError, match=words):
                ask(desired)
            assert scene.is_untouched()
            assert scene.client_is_served()
        assert not ours.config_file.exists()
        ours.driver.close()
