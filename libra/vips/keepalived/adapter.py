"""Lets hosts that serve the same address hand it over to each other by VRRP, with keepalived."""

import grp
import ipaddress
import os
import pwd
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from libra.errors import AddressRefused, DriverError
from libra.vips import routing
from libra.vips.base import Address, VipAdapter
from libra.vips.keepalived import host, serving
from libra.vips.keepalived.config import Check, Unicast, Vrrp, render, router_ids
from libra.vips.keepalived.file import NOTHING, ConfigurationFile, Installed
from libra.vips.keepalived.process import (
    OwnSupervisor,
    Places,
    Supervisor,
    SystemdSupervisor,
    reload,
)

if TYPE_CHECKING:
    from libra.config.settings import Settings, VrrpSettings

PROGRAM = "keepalived"
DIRECTORY = "serving"  # beside keepalived's configuration

log = structlog.get_logger(__name__)


def create_vips(settings: "Settings") -> "KeepalivedVips":
    """The entry point."""
    vrrp = settings.vip.vrrp
    program = _find(vrrp)
    places = Places(config_file=vrrp.config_file)
    own = vrrp.supervisor.value == "own"
    admin = settings.haproxy.admin_socket if settings.worker.driver == "haproxy" else None
    return KeepalivedVips(
        Vrrp(
            networks=tuple(map(ipaddress.ip_network, settings.vip.networks)),
            interface=vrrp.interface or settings.vip.interface or "",
            router_id=vrrp.router_id,
            priority=vrrp.priority,
            advert_seconds=vrrp.advert_seconds,
            preempt=vrrp.preempt,
            preempt_delay_seconds=vrrp.preempt_delay_seconds,
        ),
        _build_check(vrrp.config_file.parent / DIRECTORY, admin),
        peers=tuple(map(ipaddress.ip_address, vrrp.peers)),
        places=places,
        file=ConfigurationFile(vrrp.config_file, program),
        supervisor=OwnSupervisor(program, places) if own else SystemdSupervisor(places),
    )


class KeepalivedVips(VipAdapter):
    """Each address is a virtual router, in which this host takes part while something here listens on the address.

    The configuration on disk is the record of what is held. Addresses that the host has anyway are left alone.
    """

    name = "keepalived"

    def __init__(
        self,
        vrrp: Vrrp,
        check: Check,
        *,
        peers: tuple[Address, ...],
        places: Places,
        file: ConfigurationFile,
        supervisor: Supervisor,
    ) -> None:
        self._vrrp = vrrp
        self._check = check
        self._peers = peers
        self._places = places
        self._file = file
        self._supervisor = supervisor
        self._read: tuple[int, str | None] | None = (
            None  # which keepalived has read what from this worker
        )

    def hold(self, wanted: frozenset[Address]) -> None:
        """keepalived runs a configuration with them when it returns; who has them is for VRRP to find out."""
        before = self._file.load()
        coming = self._coming(wanted, before)
        after = before.addresses | coming
        if not after:
            return
        host.let_bind({address.version for address in after})
        try:
            self._run(before, after)
        except DriverError:
            self._go_back(before)
            raise
        for address in sorted(coming, key=str):
            log.info("takes part for an address", action="addresses", address=str(address))

    def release(self, wanted: frozenset[Address]) -> None:
        """Handed over first where another host wants it."""
        try:
            before = self._file.load()
            if after := before.addresses & wanted:
                self._run(before, after)
            elif before.addresses:
                self._end()
            self._sweep(after)
        except (DriverError, OSError) as error:
            log.warning("addresses stay for now", action="addresses", error=str(error))
            return
        for address in sorted(before.addresses - after, key=str):
            log.info("takes no part any more", action="addresses", address=str(address))

    def preview(self, wanted: frozenset[Address]) -> tuple[str, ...]:
        """Reads, and changes nothing."""
        before = self._file.load()
        coming = self._coming(wanted, before)
        routers = router_ids(before.addresses & wanted | coming, self._vrrp)
        host.ensure_can_bind({address.version for address in coming})
        self._unicast()
        where = self._vrrp.interface
        return (
            *(
                f"the address {one} is shared by VRRP on {where}, as virtual router {number}"
                for one, number in routers.items()
                if one in coming
            ),
            *(
                f"the address {one} is left to other hosts"
                for one in sorted(before.addresses - wanted, key=str)
            ),
        )

    def _coming(self, wanted: frozenset[Address], before: Installed) -> frozenset[Address]:
        """What is new and not the host's own."""
        return frozenset(one for one in wanted - before.addresses if not routing.has(one))

    def _run(self, before: Installed, addresses: frozenset[Address]) -> None:
        """Starts it on the former text where it was killed: what it left on the interface is cleared by that."""
        text = self._render(addresses)
        self._look(addresses)
        pid = self._supervisor.running()
        if pid is None and before.addresses:
            pid = self._start(before.text)
        if text != before.text:
            self._file.install(text)
        if pid is None:
            pid = self._start(text)
        if self._read != (pid, text):
            reload(pid, self._places)
            self._read = (pid, text)

    def _start(self, text: str | None) -> int:
        pid = self._supervisor.start()
        self._read = (pid, text) if self._supervisor.reads_now else None
        return pid

    def _end(self) -> None:
        pid = self._supervisor.running() or self._supervisor.start()
        self._file.install(self._render(NOTHING))
        reload(pid, self._places)
        self._supervisor.stop()
        self._read = None

    def _go_back(self, before: Installed) -> None:
        """What was there before goes on; its own trouble is for the next look to tell."""
        try:
            if self._file.load().text == before.text:
                return
            self._file.put_back(before)
            self._read = None
            pid = self._supervisor.running()
            if pid is not None and before.addresses:
                reload(pid, self._places)
            elif pid is not None:
                self._supervisor.stop()
            self._sweep(before.addresses)
        except (DriverError, OSError) as error:
            log.error("cannot go back", action="addresses", error=str(error))

    def _render(self, addresses: frozenset[Address]) -> str:
        unicast = self._unicast() if addresses else {}
        if unicast:
            for address in addresses:
                if address.version not in unicast:
                    raise AddressRefused(
                        f"cannot take the address {address}: vip.vrrp.peers has none of IPv{address.version}"
                    )
        return render(addresses, self._vrrp, self._check, unicast, self._places.reload_file)

    def _unicast(self) -> dict[int, Unicast]:
        """By IP version. This host may be among the peers, so that all can have the same settings."""
        found: dict[int, Unicast] = {}
        for version in sorted({peer.version for peer in self._peers}):
            peers = [peer for peer in self._peers if peer.version == version]
            own = [peer for peer in peers if routing.has(peer)]
            others = tuple(peer for peer in peers if peer not in own)
            source = str(own[0]) if own else routing.source_towards(others[0])
            if not source or not others:
                raise DriverError(
                    f"cannot reach a peer of vip.vrrp.peers by IPv{version} from this host"
                )
            found[version] = Unicast(ipaddress.ip_address(source), others)
        return found

    def _look(self, addresses: frozenset[Address]) -> None:
        """What keepalived sees first is how it is now."""
        directory = self._check.directory
        try:
            directory.mkdir(mode=0o750, parents=True, exist_ok=True)
            for address in addresses:
                path = directory / str(address)
                if not path.exists():
                    path.write_bytes(serving.NOT_SERVED)
            serving.look(str(directory))
        except OSError as error:
            raise DriverError(
                f"cannot tell keepalived what is served: {error.filename}: {error.strerror}"
            ) from error

    def _sweep(self, addresses: frozenset[Address]) -> None:
        """Raises OSError."""
        names = {str(address) for address in addresses}
        if self._check.directory.exists():
            for path in self._check.directory.iterdir():
                if path.name not in names:
                    path.unlink()


def _find(vrrp: "VrrpSettings") -> str:
    """Where it is missing, its check will say so."""
    if vrrp.binary is not None:
        return str(vrrp.binary)
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
    return shutil.which(PROGRAM, path=path) or f"/usr/sbin/{PROGRAM}"


def _build_check(directory: Path, admin: Path | None) -> Check:
    """-I and -S: nothing but the standard library, whose start takes a hundredth of a second."""
    command = [sys.executable, "-I", "-S", str(Path(serving.__file__)), str(directory)]
    return Check(
        command=(*command, *([str(admin)] if admin is not None else [])),
        user=pwd.getpwuid(os.geteuid()).pw_name,
        group=grp.getgrgid(os.getegid()).gr_name,
        directory=directory,
    )
