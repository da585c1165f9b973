"""Carries out ARCHIVE: the log of a load balancer, filtered and compressed on its way into an object store."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libra.drivers.base import LoadBalancerDriver
from libra.errors import Conflict, Invalid, LibraError, ObjectStoreError
from libra.messages.codec import JsonObject
from libra.messages.fields import quoted
from libra.messages.loadbalancers import default_id
from libra.messages.requests import SECOND_VERSION, Archive, ArchiveTarget
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.objectstores.base import Account, ObjectStore
from libra.worker.compress import compress_gzip

TICK = timedelta(microseconds=1)
MOST_LISTED = 5  # load balancers in an error


@dataclass(frozen=True, slots=True)
class Archived:
    """One log in the store: its path container/object, compressed bytes, lines."""

    path: str
    size: int
    lines: int


class Archiver:
    """Uploads logs; `stores` by the message's `hpcs_object_store_type`, `clock` gives the time in UTC."""

    def __init__(
        self,
        stores: Mapping[str, ObjectStore],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._stores = stores
        self._stamps = _Stamps(clock)

    def archive(self, request: Archive, desired: Desired, driver: LoadBalancerDriver) -> JsonObject:
        """The fields to add to the reply; raises `LibraError`, and then nothing is stored in halves.

            hpcs_object_store_object    container/object, the object being <id>/haproxy-<UTC time>.log.gz
            hpcs_object_store_bytes     its size, compressed
            hpcs_object_store_lines     how many lines it holds; 0 where nothing was logged

        Each is a list, in the message's order, where the message names two load balancers.
        """
        store = self._find_store(request.store_type)
        account = Account(endpoint=request.endpoint, token=request.token)
        store.check(account)
        chosen = find_loadbalancers(request.targets, desired)
        done: list[Archived] = []
        for loadbalancer, target in zip(chosen, request.targets, strict=True):
            identity = target.id or loadbalancer.id
            name = build_name(identity, self._stamps.next())
            try:
                with driver.access_log(loadbalancer) as blocks:
                    done.append(_store(store, account, request.basepath, name, blocks))
            except LibraError as error:
                raise _explain(error, identity, done) from None
        return _render(done)

    def _find_store(self, kind: str) -> ObjectStore:
        if kind not in self._stores:
            known = ", ".join(sorted(self._stores)) or "none"
            raise Invalid(
                f"cannot archive: the object store type {quoted(kind)} is not known here, known: {known}"
            )
        return self._stores[kind]


def find_loadbalancers(
    targets: Sequence[ArchiveTarget], desired: Desired
) -> tuple[LoadBalancer, ...]:
    """The configured ones that a message means, in its order; raises `Conflict`.

    By id where one was configured with it, else by protocol, of which 1.0 knows one at most. In 2.0 an id says it all.
    """
    if desired.is_empty:
        raise Conflict("cannot archive: no load balancer is configured on this device")
    found = tuple(_find(target, desired) for target in targets)
    if len({loadbalancer.id for loadbalancer in found}) != len(found):
        raise Conflict("cannot archive: both names in the message mean the same load balancer")
    return found


def _find(target: ArchiveTarget, desired: Desired) -> LoadBalancer:
    means = _means_second if desired.version == SECOND_VERSION else _means
    found = [item for item in desired.loadbalancers if means(target, item)]
    wanted = f"load balancer {quoted(target.id)}" if target.id else "the load balancer"
    wanted = f"cannot archive {wanted} ({target.protocol.value})"
    if not found:
        raise Conflict(f"{wanted}: this device runs {_list(desired.loadbalancers)}")
    if target.id is None and len(found) > 1:
        raise Conflict(f"{wanted}: it has no id, and this device runs {_list(found)}")
    return found[0]


def _means(target: ArchiveTarget, loadbalancer: LoadBalancer) -> bool:
    protocols = {listener.protocol for listener in loadbalancer.listeners}
    by_id = target.id in (None, loadbalancer.id) or loadbalancer.id == default_id(target.protocol)
    return target.protocol in protocols and by_id


def _means_second(target: ArchiveTarget, loadbalancer: LoadBalancer) -> bool:
    """There are many of a protocol, and each may have several."""
    return target.id == loadbalancer.id if target.id else _means(target, loadbalancer)


def _list(loadbalancers: Sequence[LoadBalancer]) -> str:
    shown = " and ".join(map(_describe, loadbalancers[:MOST_LISTED]))
    rest = len(loadbalancers) - MOST_LISTED
    return f"{shown} and {rest} more" if rest > 0 else shown


def _describe(loadbalancer: LoadBalancer) -> str:
    protocols = dict.fromkeys(listener.protocol.value for listener in loadbalancer.listeners)
    return f"{quoted(loadbalancer.id)} ({', '.join(protocols)})"


def build_name(identity: str, moment: datetime) -> str:
    """<id>/haproxy-<UTC time>.log.gz: the time to the microsecond, so that names differ and sort.

    An id is one level of the name: its slashes are percent-encoded, and dots alone, which would lead upwards.
    """
    level = identity.replace("%", "%25").replace("/", "%2F")
    if level in (".", ".."):
        level = level.replace(".", "%2E")
    return f"{level}/haproxy-{moment:%Y%m%dT%H%M%S.%fZ}.log.gz"


def _store(
    store: ObjectStore, account: Account, container: str, name: str, blocks: Iterator[bytes]
) -> Archived:
    counted = _LineCounter(blocks)
    stored = store.put(account, container, name, compress_gzip(counted))
    return Archived(path=stored.path, size=stored.size, lines=counted.lines)


class _LineCounter:
    """Passes blocks on, and counts their lines."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = blocks
        self.lines = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self._blocks:
            self.lines += block.count(b"\n")
            yield block


class _Stamps:
    """Times that never come twice, so that two uploads at one moment do not take the same name."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = datetime.min.replace(tzinfo=UTC)
        self._lock = threading.Lock()

    def next(self) -> datetime:
        """Now, or just after the one before."""
        with self._lock:
            self._last = max(self._clock(), self._last + TICK)
            return self._last


def _explain(error: LibraError, identity: str, done: list[Archived]) -> LibraError:
    """The error of one load balancer; says, too, what of another one is stored already."""
    text = f"cannot archive load balancer {quoted(identity)}: {error}"
    text += "".join(f"; stored before that: {item.path}" for item in done)
    if isinstance(error, ObjectStoreError):
        return ObjectStoreError(text, error.status)
    return type(error)(text)


def _render(done: list[Archived]) -> JsonObject:
    fields: dict[str, list[object]] = {
        "hpcs_object_store_object": [item.path for item in done],
        "hpcs_object_store_bytes": [item.size for item in done],
        "hpcs_object_store_lines": [item.lines for item in done],
    }
    return {name: values if len(done) > 1 else values[0] for name, values in fields.items()}
