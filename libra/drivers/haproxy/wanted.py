"""The configuration to run, as data and as text; what did not change since the last one is not made again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from libra.drivers.haproxy.build import (
    Part,
    PoolShape,
    build_own,
    build_part,
    build_server,
    join_parts,
)
from libra.drivers.haproxy.config import Backend, Configuration, Options, Server
from libra.drivers.haproxy.render import Sections, compose, render_sections
from libra.drivers.haproxy.serverlines import ServerShape, render_server, shape_of
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Member
from libra.model.remembered import ByIdentity, RememberedByKey


@dataclass(frozen=True, slots=True)
class Wanted:
    """`description` is what a process answers that was started from the text."""

    configuration: Configuration
    text: str
    description: str


class _Made(NamedTuple):
    """One load balancer, and by which keys the memories know its servers."""

    part: Part
    sections: Sections
    pools: tuple[PoolShape, ...]


class WantedBuilder:
    """Remembers load balancers, servers and their lines from one build to the next. One thread at a time."""

    def __init__(self) -> None:
        self._made: ByIdentity[LoadBalancer, _Made] = ByIdentity()
        self._around: tuple[Options, bool] | None = None
        self._shapes: list[PoolShape] = []
        self._servers: RememberedByKey[PoolShape, Member, Server] = RememberedByKey(
            lambda shape: lambda member: build_server(shape, member)
        )
        self._lines: RememberedByKey[ServerShape, Server, str] = RememberedByKey(
            lambda shape: lambda server: render_server(shape, server)
        )

    def build(self, desired: Desired, options: Options) -> Wanted:
        """Raises `Invalid` where the text would hold a control character."""
        if self._around != (options, desired.suspended):
            self._made, self._around = ByIdentity(), (options, desired.suspended)
        made = [self._make(item, options, desired.suspended) for item in desired.loadbalancers]
        self._made.replace(desired.loadbalancers, made)
        self._servers.sweep()
        self._lines.sweep()
        own = build_own(desired, options)
        configuration = join_parts([*(item.part for item in made), *own], options)
        sections = [item.sections for item in made]
        sections += [render_sections(*part, options) for part in own]
        text, description = compose(sections, options, configuration.around)
        return Wanted(configuration, text, description)

    def _make(self, loadbalancer: LoadBalancer, options: Options, suspended: bool) -> _Made:
        made = self._made.get(loadbalancer)
        if made is None:
            self._shapes = []
            part = build_part(loadbalancer, self._build_servers, suspended=suspended)
            sections = render_sections(*part, options, self._render_servers)
            return _Made(part, sections, tuple(self._shapes))
        for shape in made.pools:
            self._servers.keep(shape)
        for backend in made.part.backends:
            self._lines.keep(shape_of(backend))
        return made

    def _build_servers(self, shape: PoolShape, members: Sequence[Member]) -> Sequence[Server]:
        self._shapes.append(shape)
        return self._servers(shape, members)

    def _render_servers(self, backend: Backend) -> Sequence[str]:
        return self._lines(shape_of(backend), backend.servers)
