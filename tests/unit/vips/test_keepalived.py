"""The adapter, with a keepalived in memory: what it installs, starts and reloads, and what it leaves alone."""

import ipaddress
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from libra.errors import AddressRefused, ConfigurationRejected, DriverError
from libra.vips import routing
from libra.vips.keepalived import adapter, host
from libra.vips.keepalived.adapter import KeepalivedVips
from libra.vips.keepalived.config import Check, Vrrp, addresses_in
from libra.vips.keepalived.file import ConfigurationFile
from libra.vips.keepalived.process import Places
from tests.support.vips import addresses

VIP, OTHER, OWN = "10.0.0.1", "10.0.0.2", "10.0.0.200"
VRRP = Vrrp(
    networks=(ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("fd00::/120")),
    interface="eth0",
    router_id=1,
    priority=100,
    advert_seconds=0.3,
)


class FakeKeepalived:
    """`reads` are the texts that it ran, one after the other."""

    reads_now = True

    def __init__(self, file: Path) -> None:
        self._file = file
        self._pid: int | None = None
        self.reads: list[str] = []
        self.broken = False

    def running(self) -> int | None:
        return self._pid

    def start(self) -> int:
        if self.broken:
            raise DriverError("cannot start keepalived: it is broken")
        self._pid = 100 + len(self.reads)
        self.read()
        return self._pid

    def read(self) -> None:
        if self.broken:
            raise DriverError("cannot reload keepalived: it is broken")
        self.reads.append(self._file.read_text())

    def stop(self) -> None:
        self._pid = None

    def die(self) -> None:
        self._pid = None

    @property
    def ran(self) -> list[set[str]]:
        return [set(map(str, addresses_in(text) or ())) for text in self.reads]


class Bench:
    def __init__(self, directory: Path, program: str = "/bin/true", peers: Iterable[str] = ()):
        self.path = directory / "keepalived.conf"
        self.keepalived = FakeKeepalived(self.path)
        self._directory, self._program, self._peers = directory, program, tuple(peers)
        self.restart()

    def restart(self) -> None:
        serving = self._directory / "serving"
        self.vips = KeepalivedVips(
            VRRP,
            Check(command=("/bin/true",), user="root", group="root", directory=serving),
            peers=tuple(map(ipaddress.ip_address, self._peers)),
            places=Places(config_file=self.path),
            file=ConfigurationFile(self.path, self._program),
            supervisor=self.keepalived,
        )

    def told(self) -> set[str]:
        return {path.name for path in (self._directory / "serving").iterdir()}


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bench]:
    """The host has one address of its own, and lets programs listen on others."""
    monkeypatch.setattr(routing, "source_towards", lambda _: OWN)
    monkeypatch.setattr(host, "let_bind", lambda _: None)
    monkeypatch.setattr(host, "ensure_can_bind", lambda _: None)

    def build(**settings: object) -> Bench:
        bench = Bench(tmp_path, **settings)  # type: ignore[arg-type]
        monkeypatch.setattr(adapter, "reload", lambda *_: bench.keepalived.read())
        return bench

    return build


def test_it_is_started_with_the_first_address_and_ended_after_the_last(
    make: Callable[..., Bench],
) -> None:
    bench = make()
    bench.vips.hold(addresses())
    bench.vips.release(addresses())
    assert (bench.keepalived.running(), bench.path.exists()) == (None, False)
    bench.vips.hold(addresses(VIP))
    assert bench.keepalived.running() is not None
    bench.vips.hold(addresses(OTHER))
    bench.vips.release(addresses(OTHER))
    assert bench.told() == {OTHER}
    bench.vips.release(addresses())
    assert bench.keepalived.ran == [{VIP}, {VIP, OTHER}, {OTHER}, set()]
    assert bench.keepalived.running() is None
    assert bench.told() == set()


def test_what_is_as_it_shall_be_is_left_alone(make: Callable[..., Bench]) -> None:
    bench = make()
    for _ in range(3):
        bench.vips.hold(addresses(VIP))
        bench.vips.release(addresses(VIP))
    assert bench.keepalived.ran == [{VIP}]


def test_another_worker_makes_sure_once_that_the_file_was_read(make: Callable[..., Bench]) -> None:
    """The one before may have been killed between both."""
    bench = make()
    bench.vips.hold(addresses(VIP))
    bench.restart()
    for _ in range(2):
        bench.vips.hold(addresses(VIP))
    assert bench.keepalived.ran == [{VIP}, {VIP}]


def test_a_killed_one_starts_on_what_it_ran_before_it_runs_less(make: Callable[..., Bench]) -> None:
    """Else what it left on the interface would stay there."""
    bench = make()
    bench.vips.hold(addresses(VIP, OTHER))
    bench.keepalived.die()
    bench.vips.release(addresses(VIP))
    bench.keepalived.die()
    bench.vips.release(addresses())
    assert bench.keepalived.ran == [{VIP, OTHER}, {VIP, OTHER}, {VIP}, {VIP}, set()]


def test_the_host_s_own_address_is_left_alone(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.vips.hold(addresses(OWN))
    assert not bench.path.exists()
    assert bench.vips.preview(addresses(OWN)) == ()


def test_a_refused_address_changes_nothing(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.vips.hold(addresses(VIP))
    before = bench.path.read_bytes()
    with pytest.raises(AddressRefused):
        bench.vips.hold(addresses("192.0.2.1"))
    assert bench.path.read_bytes() == before
    assert bench.keepalived.ran == [{VIP}]


def test_what_keepalived_does_not_read_is_taken_back(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.vips.hold(addresses(VIP))
    before = bench.path.read_bytes()
    bench.keepalived.broken = True
    with pytest.raises(DriverError, match="it is broken"):
        bench.vips.hold(addresses(OTHER))
    assert bench.path.read_bytes() == before
    bench.keepalived.broken = False
    bench.vips.hold(addresses(VIP))
    assert bench.keepalived.ran == [{VIP}, {VIP}]


def test_the_first_that_does_not_start_leaves_no_file(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.keepalived.broken = True
    with pytest.raises(DriverError, match="it is broken"):
        bench.vips.hold(addresses(VIP))
    assert not bench.path.exists()


def test_what_its_check_refuses_is_not_installed(
    make: Callable[..., Bench], tmp_path: Path
) -> None:
    program = tmp_path / "keepalived"
    program.write_text("#!/bin/sh\necho 'Unknown keyword: x'\nexit 5\n")
    program.chmod(0o755)
    bench = make(program=str(program))
    with pytest.raises(ConfigurationRejected, match="Unknown keyword: x"):
        bench.vips.hold(addresses(VIP))
    assert not bench.path.exists()
    assert not list(tmp_path.glob("*.candidate"))


def test_without_keepalived_it_says_what_to_install(make: Callable[..., Bench]) -> None:
    with pytest.raises(DriverError, match="install the system's package keepalived"):
        make(program="/nowhere/keepalived").vips.hold(addresses(VIP))


@pytest.mark.parametrize("text", ["vrrp_instance x {\n}\n", None])
def test_somebody_else_s_file_is_refused(make: Callable[..., Bench], text: str | None) -> None:
    bench = make()
    bench.vips.hold(addresses(VIP))
    other = bench.path.read_text() + "# by hand\n" if text is None else text
    bench.path.write_text(other)
    for call in (bench.vips.hold, bench.vips.preview):
        with pytest.raises(DriverError, match="move it away"):
            call(addresses(OTHER))
    bench.vips.release(addresses())
    assert bench.path.read_text() == other


def test_all_hosts_may_have_the_same_peers(make: Callable[..., Bench]) -> None:
    bench = make(peers=("10.0.0.199", OWN))
    bench.vips.hold(addresses(VIP))
    text = bench.path.read_text()
    assert f"unicast_src_ip {OWN}" in text
    assert "unicast_peer {\n        10.0.0.199\n    }" in text
    with pytest.raises(AddressRefused, match=r"fd00::1: vip\.vrrp\.peers has none of IPv6"):
        bench.vips.hold(addresses("fd00::1"))


def test_a_preview_says_what_both_would_do(make: Callable[..., Bench]) -> None:
    bench = make()
    bench.vips.hold(addresses(VIP))
    assert bench.vips.preview(addresses(OTHER)) == (
        f"the address {OTHER} is shared by VRRP on eth0, as virtual router 3",
        f"the address {VIP} is left to other hosts",
    )
    assert bench.keepalived.ran == [{VIP}]
    with pytest.raises(AddressRefused):
        bench.vips.preview(addresses("192.0.2.1"))


@pytest.mark.parametrize(("value", "writable"), [("0", True), ("1", False), ("0", False)])
def test_haproxy_is_let_listen_where_another_host_has_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, writable: bool
) -> None:
    switch = tmp_path / "ip_nonlocal_bind"
    switch.write_text(f"{value}\n")
    monkeypatch.setattr(host, "SWITCHES", {4: switch})
    if not writable:
        monkeypatch.setattr(Path, "write_text", _refuse)
    if value == "0" and not writable:
        with pytest.raises(DriverError, match=r"write 'net\.ipv4\.ip_nonlocal_bind = 1'"):
            host.let_bind([4])
    else:
        host.let_bind([4, 4])
        assert switch.read_text() == "1\n"


def _refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")
