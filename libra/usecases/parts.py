"""The parts that a load balancer is created with: listeners with default pools, pools with members and monitors.

Listeners are mappings of a listener's fields, with `default_pool` (a pool, or {"name": NAME} of one in the request);
pools are mappings of a pool's fields, with `members` and `healthmonitor`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from libra.errors import Invalid
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.pool import Pool
from libra.usecases.change import Change
from libra.usecases.fitting import ensure_pools
from libra.usecases.listeners import add_listener
from libra.usecases.members import add_member
from libra.usecases.monitors import add_monitor
from libra.usecases.pools import add_pool

Fields = Mapping[str, Any]


class PartsWriter:
    """Checks names first; `counts` are for quotas, `write` stores all of it."""

    def __init__(
        self, change: Change, listeners: Sequence[Fields], pools: Sequence[Fields]
    ) -> None:
        self._change = change
        self._listeners = listeners
        self._pools = [*pools, *self._default_pools()]
        self._ensure_names()
        ensure_pools(len(self._pools))

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {
            "listener": len(self._listeners),
            "pool": len(self._pools),
            "member": sum(len(pool.get("members", ())) for pool in self._pools),
            "health_monitor": sum(1 for pool in self._pools if pool.get("healthmonitor")),
        }

    def write(self, owner: LoadBalancer) -> None:
        """Pools first, for listeners name them."""
        stored: dict[str, Pool] = {}
        for fields in self._pools:
            stored[str(fields["name"])] = self._write_pool(owner, fields)
        for fields in self._listeners:
            given = {name: value for name, value in fields.items() if name != "default_pool"}
            wanted = fields.get("default_pool")
            if wanted is not None:
                given["default_pool_id"] = stored[str(wanted["name"])].id
            add_listener(self._change, owner, given)

    def _write_pool(self, owner: LoadBalancer, fields: Fields) -> Pool:
        given = {
            name: value
            for name, value in fields.items()
            if name not in ("members", "healthmonitor")
        }
        pool = add_pool(self._change, owner, given)
        monitor = fields.get("healthmonitor")
        for member in fields.get("members", ()):
            add_member(self._change, pool, member, monitored=bool(monitor))
        if monitor:
            add_monitor(self._change, pool, monitor)
        return pool

    def _default_pools(self) -> Iterator[Fields]:
        """Those that are more than a name."""
        for listener in self._listeners:
            pool = listener.get("default_pool")
            if pool is not None and set(pool) - {"name"}:
                yield pool

    def _ensure_names(self) -> None:
        names = [pool.get("name") for pool in self._pools]
        if not all(names):
            raise Invalid("Pools must have a name where a load balancer is created with them")
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise Invalid(f"Pool names must be unique: two are '{twice[0]}'")
        for listener in self._listeners:
            wanted = listener.get("default_pool")
            if wanted is not None and wanted.get("name") not in names:
                raise Invalid(f"Pool '{wanted.get('name')}' is not in the request")
