"""A driver without a proxy: keeps the desired state in memory and reports from it.

For trying out the fleet side without HAProxy, and the twin of every other driver in tests: what it does not do,
no caller may expect.
"""

import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from libra import __version__
from libra.drivers.base import LoadBalancerDriver, Preview, ProxyVersion, Step
from libra.drivers.textdiff import render_diff
from libra.errors import ProxyNotRunning
from libra.messages.requests import PROTOCOL_VERSION
from libra.messages.updates import build_update
from libra.messages.version2 import writer as version2
from libra.model.listener import Listener
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Condition, Member, Pool
from libra.model.statistics import (
    ListenerStatistics,
    ListenerStatus,
    LoadBalancerStatistics,
    MemberStatistics,
    MemberStatus,
    OperatingStatus,
    PoolStatistics,
)

if TYPE_CHECKING:
    from libra.config.settings import Settings
_KEY = re.compile(r'"key": "-----BEGIN [^"]*"')
_NOTHING: Counter[str] = Counter()


def create_driver(_settings: "Settings") -> LoadBalancerDriver:
    """The entry point; nothing is to be set."""
    return NoopDriver()


class NoopDriver(LoadBalancerDriver):
    """Believes whatever it is told.

    `desired` is what was applied last, `applied` how many changes that took. `running` may be set to False, as if
    the proxy had died: the next `apply` starts it again.
    """

    name = "noop"

    def __init__(self) -> None:
        self.running = False
        self.desired = Desired()
        self.applied = 0
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, str], Counter[str]] = {}
        self._lines: dict[str, list[bytes]] = {}

    def apply(
        self,
        desired: Desired,
        meanwhile: Callable[[], None] | None = None,  # noqa: ARG002 - it waits for nothing
    ) -> None:
        """Keep it; an equal one changes nothing."""
        self.running = True
        if desired != self.desired:
            self.desired = desired
            self.applied += 1

    def preview(self, desired: Desired) -> Preview:
        """The difference to what was applied last; there are no actions in between."""
        step = Step.NOTHING if desired == self.desired else Step.CHANGE
        diff = render_diff(_text(self.desired), _text(desired))
        if self.running:
            return Preview(step=step, diff=diff)
        return Preview(step=Step.START, reasons=("the noop proxy is not running",), diff=diff)

    def ensure_running(self) -> None:
        """Start it again, with what was applied last."""
        self.running = True

    def forget(self) -> None:
        """Drop the counters and log lines of load balancers that are gone."""
        ids = {lb.id for lb in self.desired.loadbalancers}
        with self._lock:
            self._counters = {key: value for key, value in self._counters.items() if key[0] in ids}
            self._lines = {key: value for key, value in self._lines.items() if key in ids}

    def statistics(self, desired: Desired) -> tuple[LoadBalancerStatistics, ...]:
        """What `count` was told, beside the states that the messages ask for."""
        if not self.running:
            raise ProxyNotRunning("cannot read statistics: the noop proxy is not running")
        return tuple(self._loadbalancer(lb, desired.suspended) for lb in desired.loadbalancers)

    def access_log(self, loadbalancer: LoadBalancer) -> AbstractContextManager[Iterator[bytes]]:
        """What `log` was told, one block a line."""
        with self._lock:
            lines = tuple(self._lines.get(loadbalancer.id, ()))
        return nullcontext(iter(lines))

    def version(self) -> ProxyVersion:
        """The name "noop" and libra's own release."""
        return ProxyVersion(name="noop", version=__version__)

    def count(self, loadbalancer_id: str, part_id: str, counts: Mapping[str, int]) -> None:
        """As if traffic had come to a member or a listener; nothing is added up.

        `counts`: of `total_sessions`, `bytes_in`, `bytes_out` and `errors`.
        """
        with self._lock:
            self._counters.setdefault((loadbalancer_id, part_id), Counter()).update(counts)

    def log(self, loadbalancer_id: str, lines: Iterable[bytes]) -> None:
        """As if requests had been logged; each line ends with its newline."""
        with self._lock:
            self._lines.setdefault(loadbalancer_id, []).extend(lines)

    def _loadbalancer(self, loadbalancer: LoadBalancer, suspended: bool) -> LoadBalancerStatistics:
        pools = tuple(self._pool(loadbalancer.id, pool) for pool in loadbalancer.pools)
        members = tuple(member for pool in pools for member in pool.members)
        protocols = [listener.protocol.value for listener in loadbalancer.listeners]
        suspended = suspended or not loadbalancer.enabled
        status = _health(loadbalancer, members)
        return LoadBalancerStatistics(
            id=loadbalancer.id,
            name=loadbalancer.name,
            protocol=protocols[0] if protocols else "",
            status=OperatingStatus.SUSPENDED if suspended else status,
            bytes_in=sum(member.bytes_in for member in members),
            bytes_out=sum(member.bytes_out for member in members),
            current_sessions=0,
            total_sessions=sum(member.total_sessions for member in members),
            errors=sum(member.errors for member in members),
            members=members,
            listeners=tuple(
                self._listener(loadbalancer.id, item, stopped=suspended)
                for item in loadbalancer.listeners
            ),
            pools=pools,
        )

    def _pool(self, loadbalancer_id: str, pool: Pool) -> PoolStatistics:
        members = tuple(self._member(loadbalancer_id, pool, member) for member in pool.members)
        return PoolStatistics(id=pool.id, status=MemberStatus.NO_CHECK, members=members)

    def _member(self, loadbalancer_id: str, pool: Pool, member: Member) -> MemberStatistics:
        counts = self._counters.get((loadbalancer_id, member.id), _NOTHING)
        return MemberStatistics(
            id=member.id,
            address=member.address,
            port=member.port,
            status=_status(member) if pool.enabled else MemberStatus.MAINT,
            last_check=None,
            current_sessions=0,
            total_sessions=counts["total_sessions"],
            bytes_in=counts["bytes_in"],
            bytes_out=counts["bytes_out"],
            errors=counts["errors"],
        )

    def _listener(
        self, loadbalancer_id: str, listener: Listener, *, stopped: bool
    ) -> ListenerStatistics:
        counts = self._counters.get((loadbalancer_id, listener.id), _NOTHING)
        is_open = listener.enabled and not stopped
        return ListenerStatistics(
            id=listener.id,
            status=ListenerStatus.OPEN if is_open else ListenerStatus.STOPPED,
            bytes_in=counts["bytes_in"],
            bytes_out=counts["bytes_out"],
            current_sessions=0,
            total_sessions=counts["total_sessions"],
            errors=counts["errors"],
        )


def _health(loadbalancer: LoadBalancer, members: Iterable[MemberStatistics]) -> OperatingStatus:
    """Where no listener sends anywhere, nothing is wrong either."""
    sends = any(item.enabled and item.pool for item in loadbalancer.listeners)
    serves = any(member.status is MemberStatus.NO_CHECK for member in members)
    return OperatingStatus.ONLINE if serves or not sends else OperatingStatus.ERROR


def _text(desired: Desired) -> str:
    """As the message that asks for it, without private keys."""
    build = build_update if desired.version == PROTOCOL_VERSION else version2.build_update
    fields = {"suspended": desired.suspended, **build(desired.loadbalancers)}
    return _KEY.sub('"key": "***"', json.dumps(fields, indent=2))


def _status(member: Member) -> MemberStatus:
    """As a proxy without checks sees it; weight 0 is draining, whoever set it."""
    if member.condition is Condition.DISABLED:
        return MemberStatus.MAINT
    drains = member.condition is Condition.DRAINING or member.weight == 0
    return MemberStatus.DRAIN if drains else MemberStatus.NO_CHECK
