"""The configuration to run, as data and as text; what did not change since the last one is not made again."""

from collections.abc import Sequence
from dataclasses import dataclass

from libra.drivers.haproxy.build import PoolShape, build, build_server
from libra.drivers.haproxy.config import Backend, Configuration, Options, Server
from libra.drivers.haproxy.render import (
    ServerShape,
    render_described,
    render_server,
    shape_of,
)
from libra.model.loadbalancer import Desired
from libra.model.pool import Member
from libra.model.remembered import RememberedByKey


@dataclass(frozen=True, slots=True)
class Wanted:
    """`description` is what a process answers that was started from the text."""

    configuration: Configuration
    text: str
    description: str


class WantedBuilder:
    """Remembers servers and their lines from one build to the next. One thread at a time."""

    def __init__(self) -> None:
        self._servers: RememberedByKey[PoolShape, Member, Server] = RememberedByKey(
            lambda shape: lambda member: build_server(shape, member)
        )
        self._lines: RememberedByKey[ServerShape, Server, str] = RememberedByKey(
            lambda shape: lambda server: render_server(shape, server)
        )

    def build(self, desired: Desired, options: Options) -> Wanted:
        """Raises `Invalid` where the text would hold a control character."""
        configuration = build(desired, options, self._build_servers)
        text, description = render_described(configuration, self._render_servers)
        self._servers.sweep()
        self._lines.sweep()
        return Wanted(configuration, text, description)

    def _build_servers(self, shape: PoolShape, members: Sequence[Member]) -> Sequence[Server]:
        return self._servers(shape, members)

    def _render_servers(self, backend: Backend) -> Sequence[str]:
        return self._lines(shape_of(backend), backend.servers)
