"""The worker's announcer, wired from the settings in use."""

import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from libra import __version__
from libra.cmd.assembly import LiveSettings
from libra.jobs.gearman import GearmanJobClient
from libra.messages.announcement import Announcement
from libra.worker.announcer import Announcer
from libra.worker.controller import LBaaSController

if TYPE_CHECKING:  # the daemon does without what checks settings, for memory
    from libra.config.settings import JobServerSettings, Settings

SEND_SECONDS = 5.0


def build_announcer(live: LiveSettings, controller: LBaaSController) -> Announcer:
    """Not started."""
    started = time.time()

    def describe() -> Announcement:
        return describe_worker(live.settings, controller, started)

    return Announcer(describe, lambda name, payload: send(live.settings, name, payload))


def describe_worker(
    settings: "Settings", controller: LBaaSController, started: float
) -> Announcement:
    """Raises `LibraError`."""
    reply = controller.handle({"hpcs_action": "DISCOVER"})
    proxy = f"{reply.get('proxy') or ''} {reply.get('proxy_version') or ''}".strip()
    return Announcement(
        name=settings.worker.name,
        address=settings.worker.address or find_address(settings.job_servers),
        pool=settings.worker.pool,
        release=__version__,
        proxy=proxy,
        digest=controller.digest(),
        started=started,
        uptime=max(0.0, time.time() - started),
    )


def send(settings: "Settings", name: str, payload: bytes) -> None:
    """Over a connection of its own: there is one announcement in a long while. Raises `JobServerUnavailable`."""
    client = GearmanJobClient(settings.job_servers)
    try:
        client.leave(settings.worker.announce_to, payload, unique=name, timeout=SEND_SECONDS)
    finally:
        client.close()


def find_address(servers: "Sequence[JobServerSettings]") -> str:
    """The one that a job server sees us come from; nothing is sent for it."""
    for server in servers:
        with suppress(OSError):
            family, kind, _, _, address = socket.getaddrinfo(
                server.host, server.port, type=socket.SOCK_DGRAM
            )[0]
            with socket.socket(family, kind) as probe:
                probe.connect(address)
                return str(probe.getsockname()[0])
    return ""
