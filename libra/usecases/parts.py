"""The parts that a load balancer is created with: listeners with default pools, pools with members and monitors.

Listeners are mappings of a listener's fields, with `default_pool` (a pool, or {"name": NAME} of one in the request, or
of one that the load balancer has already) and `l7policies`; these are mappings of a policy's fields, with
`redirect_pool` (as `default_pool`) and `rules`. Pools are mappings of a pool's fields, with `members` and
`healthmonitor`; one that stands in a listener or a policy has a name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from libra.errors import Invalid
from libra.model.resources.listener import Listener
from libra.model.resources.loadbalancer import LoadBalancer
from libra.model.resources.pool import Pool
from libra.storage.query import Query
from libra.usecases.change import Change
from libra.usecases.fitting import ensure_listeners, ensure_pools
from libra.usecases.l7policies import add_policy
from libra.usecases.l7rules import add_rule
from libra.usecases.listeners import add_listener
from libra.usecases.members import add_member
from libra.usecases.monitors import add_monitor
from libra.usecases.pools import add_pool

Fields = Mapping[str, Any]


class PartsWriter:
    """Checks names first; `counts` are for quotas, `write` stores all of it.

    `owner` is given where the load balancer is there already: then names may be of pools that it has.
    """

    def __init__(
        self,
        change: Change,
        listeners: Sequence[Fields],
        pools: Sequence[Fields],
        owner: LoadBalancer | None = None,
    ) -> None:
        self._change = change
        self._listeners = listeners
        self._policies = [item for one in listeners for item in one.get("l7policies", ())]
        self._pools = [*pools, *self._pools_in_listeners()]
        self._stored: dict[str, Pool] = {}
        self._owner = owner
        self._ensure_names()
        self._ensure_whole()
        ensure_pools(len(self._pools))
        ensure_listeners(len(self._listeners))

    def ensure_fitting(self, owner: LoadBalancer) -> None:
        """Raises `QuotaExceeded` for more than a load balancer can have that has some already."""
        unit, where = self._change.unit, {"loadbalancer_id": owner.id}
        ensure_pools(unit.pools.count(where) + len(self._pools))
        ensure_listeners(unit.listeners.count(where) + len(self._listeners))

    def counts(self) -> dict[str, int]:
        """How many of each kind."""
        return {
            "listener": len(self._listeners),
            "pool": len(self._pools),
            "member": sum(len(pool.get("members", ())) for pool in self._pools),
            "health_monitor": sum(1 for pool in self._pools if pool.get("healthmonitor")),
            "l7policy": len(self._policies),
            "l7rule": sum(len(policy.get("rules", ())) for policy in self._policies),
        }

    def write(self, owner: LoadBalancer) -> list[Listener]:
        """Pools first, for listeners name them; gives the listeners."""
        self.write_pools(owner)
        return [self._write_listener(owner, fields) for fields in self._listeners]

    def write_pools(self, owner: LoadBalancer) -> list[Pool]:
        """Where there are no listeners with them."""
        for fields in self._pools:
            self._stored[_name(fields)] = self._write_pool(owner, fields)
        return list(self._stored.values())

    def _id_of(self, wanted: Fields) -> str:
        """Of the request's, and only then of one from before."""
        name = _name(wanted)
        found = [self._stored[name]] if name in self._stored else self._from_before(name)
        return found[0].id

    def _write_listener(self, owner: LoadBalancer, fields: Fields) -> Listener:
        given = _without(fields, "default_pool", "l7policies")
        wanted = fields.get("default_pool")
        if wanted is not None:
            given["default_pool_id"] = self._id_of(wanted)
        listener = add_listener(self._change, owner, given)
        for policy in fields.get("l7policies", ()):
            self._write_policy(listener, policy)
        return listener

    def _write_policy(self, listener: Listener, fields: Fields) -> None:
        given = _without(fields, "redirect_pool", "rules")
        wanted = fields.get("redirect_pool")
        if wanted is not None:
            given["redirect_pool_id"] = self._id_of(wanted)
        policy = add_policy(self._change, listener, given)
        for rule in fields.get("rules", ()):
            add_rule(self._change, policy, rule)

    def _write_pool(self, owner: LoadBalancer, fields: Fields) -> Pool:
        pool = add_pool(self._change, owner, _without(fields, "members", "healthmonitor"))
        monitor = fields.get("healthmonitor")
        for member in fields.get("members", ()):
            add_member(self._change, pool, member, monitored=bool(monitor))
        if monitor:
            add_monitor(self._change, pool, monitor)
        return pool

    def _named(self) -> Iterator[Fields]:
        """The pools that listeners and policies send to."""
        for listener in self._listeners:
            yield from _present(listener.get("default_pool"))
        for policy in self._policies:
            yield from _present(policy.get("redirect_pool"))

    def _pools_in_listeners(self) -> Iterator[Fields]:
        """Those that are more than a name."""
        return (pool for pool in self._named() if set(pool) - {"name"})

    def _ensure_names(self) -> None:
        """As in Octavia: no name is a name, too, that one pool may have to which nothing of the request sends."""
        if not all(_name(wanted) for wanted in self._named()):
            raise Invalid(
                "Validation failure: Pools must be named where listeners or policies hold them"
            )
        names = [_name(pool) for pool in self._pools]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            named = f"are '{twice[0]}'" if twice[0] else "have none"
            raise Invalid(f"Validation failure: Pool names must be unique: two {named}")

    def _ensure_whole(self) -> None:
        """What is named is there, and in full."""
        names = [_name(pool) for pool in self._pools]
        for wanted in self._named():
            if _name(wanted) not in names:
                self._ensure_there(_name(wanted))
        for pool in self._pools:
            if "protocol" not in pool:
                raise Invalid(
                    f"Validation failure: Pool '{_name(pool)}' needs protocol and lb_algorithm"
                )

    def _ensure_there(self, name: str) -> None:
        """Exactly one of that name, for which of two was meant nobody knows."""
        count = len(self._from_before(name))
        if count == 0:
            where = "" if self._owner is None else ", and the load balancer has none of that name"
            raise Invalid(f"Validation failure: Pool '{name}' is not in the request{where}")
        if count > 1:
            raise Invalid(
                f"Validation failure: Pool names must be unique: the load balancer has {count} that are "
                f"'{name}'; say which by its id"
            )

    def _from_before(self, name: str) -> list[Pool]:
        if self._owner is None:
            return []
        where = {"loadbalancer_id": self._owner.id, "name": name, "going": False}
        return self._change.unit.pools.find(Query(where=where))


def _name(pool: Fields) -> str:
    return str(pool.get("name", ""))


def _without(fields: Fields, *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def _present(pool: Fields | None) -> Iterator[Fields]:
    if pool is not None:
        yield pool
