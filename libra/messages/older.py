"""Load balancers for a worker that knows messages of 1.0 only: what can be said to it, and its statistics made wider.

Each listener is a load balancer of 1.0, under the listener's id. There may be one of HTTP and one of TCP in all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from libra.errors import Invalid
from libra.messages.codec import JsonObject
from libra.messages.requests import Update, parse_request
from libra.messages.updates import build_update
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import PoolProtocol

_OWN = {
    Protocol.HTTP: (PoolProtocol.HTTP,),
    Protocol.TCP: (PoolProtocol.TCP, PoolProtocol.HTTPS),  # which is passed through all the same
}


def build_older(loadbalancers: Sequence[LoadBalancer]) -> JsonObject:
    """UPDATE, or DELETE where nothing is to run. Raises `Invalid` for what 1.0 cannot say.

    What serves nobody is left out: it is switched off, or has no members.
    """
    said = tuple(_say(loadbalancers))
    if not said:
        return {"hpcs_action": "DELETE"}
    protocols = [item.listeners[0].protocol.value for item in said]
    if len(set(protocols)) != len(protocols):
        raise Invalid(_explain(f"it would have {protocols.count(protocols[0])} of {protocols[0]}"))
    message = build_update(said)
    _ensure_kept(message, said)
    return message


def _say(loadbalancers: Sequence[LoadBalancer]) -> Iterator[LoadBalancer]:
    for owner in loadbalancers:
        for listener in owner.listeners if owner.enabled else ():
            pool = listener.pool if listener.enabled else None
            for name in ("policies", "services"):
                if listener.enabled and getattr(listener, name):
                    raise Invalid(_explain(f"it cannot be told of the listener's {name}"))
            if pool is not None and pool.enabled and pool.members:
                yield _as_first(owner, listener)


def _as_first(owner: LoadBalancer, listener: Listener) -> LoadBalancer:
    """As a message of 1.0 reads it: the pool has no name and no id of its own."""
    assert listener.pool is not None
    protocol = listener.pool.protocol
    plain = None if protocol in _OWN[listener.protocol] else protocol
    monitor = listener.pool.monitor
    if monitor is not None and monitor.attempts_down == monitor.attempts:
        monitor = replace(monitor, attempts_down=None)
    if monitor is not None and monitor.http_version in (None, "1.0"):
        monitor = replace(monitor, http_version=None)
    pool = replace(listener.pool, id=listener.id, name=None, protocol=plain, monitor=monitor)
    bound = listener.bind_address or owner.address
    first = replace(listener, name=None, bind_address=bound, pool=pool)
    return LoadBalancer(id=listener.id, name=owner.name, listeners=(first,))


def _ensure_kept(message: JsonObject, said: tuple[LoadBalancer, ...]) -> None:
    """Whatever 1.0 has no words for would be lost in silence."""
    try:
        read = parse_request(message)
    except Invalid as error:
        raise Invalid(_explain(str(error))) from None
    assert isinstance(read, Update)
    for wanted, got in zip(said, read.loadbalancers, strict=True):
        if wanted != got:
            lost = ", ".join(_differences(wanted.listeners[0], got.listeners[0]))
            raise Invalid(_explain(f"it cannot be told of {lost or 'all of it'}"))


def _differences(wanted: Listener, got: Listener) -> Iterator[str]:
    for name in Listener.__slots__:
        one, other = getattr(wanted, name), getattr(got, name)
        if one != other and name != "pool":
            yield f"the listener's {name}"
    if wanted.pool is not None and got.pool is not None:
        for name in type(wanted.pool).__slots__:
            if getattr(wanted.pool, name) != getattr(got.pool, name):
                yield f"the pool's {name}"


def _explain(reason: str) -> str:
    return (
        "cannot run it on this device: its worker is of an older release, which takes one listener of HTTP and "
        f"one of TCP in all, with one pool each and nothing that came later; {reason}"
    )


def widen_statistics(
    reply: Mapping[str, Any], loadbalancers: Sequence[LoadBalancer]
) -> dict[str, JsonObject]:
    """Entries by load balancer, as a reply of 2.0 has them, of a reply of 1.0."""
    listed = reply.get("loadbalancers")
    entries = {
        str(item.get("id")): item
        for item in (listed if isinstance(listed, list) else [])
        if isinstance(item, dict)
    }
    return {owner.id: _widen(owner, entries) for owner in loadbalancers}


def _widen(owner: LoadBalancer, entries: Mapping[str, JsonObject]) -> JsonObject:
    found = [(item, entries[item.id]) for item in owner.listeners if item.id in entries]
    pools = {item.pool.id: entry for item, entry in found if item.pool}
    return {
        "listeners": [{**entry, "id": item.id, "status": "OPEN"} for item, entry in found],
        "pools": [{"id": key, "nodes": entry.get("nodes")} for key, entry in pools.items()],
    }


def runs_older(reply: Mapping[str, Any], loadbalancers: Sequence[LoadBalancer]) -> bool:
    """Whether a reply to STATS shows what it should; 1.0 knows no digest, so it is the nodes that tell."""
    wanted = {item.id: _nodes_of(item) for item in _say(loadbalancers)}
    listed = reply.get("loadbalancers")
    entries = [
        item for item in (listed if isinstance(listed, list) else []) if isinstance(item, dict)
    ]
    return {str(item.get("id")): _nodes_in(item) for item in entries} == wanted


def _nodes_of(loadbalancer: LoadBalancer) -> set[tuple[str, str, str]]:
    pool = loadbalancer.listeners[0].pool
    members = pool.members if pool else ()
    return {(member.id, member.address, str(member.port)) for member in members}


def _nodes_in(entry: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    nodes = entry.get("nodes")
    return {
        (str(node.get("id")), str(node.get("address")), str(node.get("port")))
        for node in (nodes if isinstance(nodes, list) else [])
        if isinstance(node, dict)
    }
