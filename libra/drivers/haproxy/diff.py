"""From what runs to what should run: a pure decision.

Whatever HAProxy cannot change at runtime becomes one `Reload` in place of all the other steps.
"""

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from libra.drivers.haproxy.actions import (
    Action,
    AddServer,
    DisableFrontend,
    EnableFrontend,
    Reload,
    RemoveServer,
    SetAddress,
    SetCertificate,
    SetMaint,
    SetMap,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.backends import tls_words
from libra.drivers.haproxy.config import Backend, Configuration, Frontend, Material, Server
from libra.drivers.haproxy.effects import Running, effective_weight, in_maintenance, serves
from libra.drivers.haproxy.formats import IN_EXPRESSION
from libra.model.remembered import unequal_middle

Changes = Sequence[tuple[Server | None, Server | None]]
"""Servers that differ: as they are and as they shall be."""
MOST_VALUES = 200  # beyond it the whole map is given
MOST_STEPS = 400  # beyond it one reload is quicker than its steps


@dataclass(frozen=True, slots=True)
class Features:
    """What the HAProxy in use can do at runtime, found out once."""

    add_server: bool = True
    add_server_with_cookie: bool = False
    remove_server: bool = True


def diff(running: Running, desired: Configuration, features: Features) -> tuple[Action, ...]:
    """The steps from `running` to `desired`; empty where nothing differs."""
    changes = _all_changes(running.configuration, desired)
    reasons = tuple(_reload_reasons(running, desired, features, changes))
    if reasons:
        return (Reload(reasons),)
    steps = [*_suspensions(running, desired), *_renewals(running.configuration, desired)]
    for wanted, pairs in zip(desired.backends, changes, strict=True):
        tls = tls_words(wanted.tls, desired.options, str) if wanted.tls is not None else ""
        steps.extend(_server_steps(wanted, pairs, tls))
    steps.extend(_resumptions(running, desired))
    if len(steps) > MOST_STEPS:
        return (Reload((f"{len(steps)} changes at once",)),)
    return tuple(steps)


# What needs a reload.


def _reload_reasons(
    running: Running, desired: Configuration, features: Features, changes: Sequence[Changes]
) -> Iterator[str]:
    now = running.configuration
    if now.options != desired.options:
        yield "the settings of this host changed"
    if [f.name for f in now.frontends] != [f.name for f in desired.frontends]:
        yield "listeners were added or removed"
    elif [b.name for b in now.backends] != [b.name for b in desired.backends]:
        yield "pools were added or removed"
    else:
        yield from _frontend_reasons(running, desired)
        can_name = IN_EXPRESSION.fullmatch(desired.options.material_dir) is not None
        for one, other, pairs in zip(now.backends, desired.backends, changes, strict=True):
            yield from _backend_reasons(one, other, features, pairs, can_name=can_name)


def _frontend_reasons(running: Running, desired: Configuration) -> Iterator[str]:
    for one, other in zip(running.configuration.frontends, desired.frontends, strict=True):
        if one is not other and structure(one) != structure(other):
            yield f"the listener {one.name} changed"
        elif one.name in running.shut and not other.disabled:
            yield f"the listener {one.name} was started suspended"


def structure(frontend: Frontend) -> Frontend:
    """What of it needs a reload to be changed: not the content of its certificates, nor of its map."""
    if not frontend.disabled and not frontend.maps and frontend.tls is None:
        return frontend  # most are so, and a copy of hundreds takes its time
    bare = replace(frontend, disabled=False)
    if bare.allowed is not None:
        bare = replace(bare, allowed=bare.allowed.blank)
    if bare.statuses is not None:
        bare = replace(bare, statuses=bare.statuses.blank)
    if bare.tls is not None:
        blank = tuple(item.blank for item in bare.tls.certificates)
        bare = replace(bare, tls=replace(bare.tls, certificates=blank))
    return bare


def _backend_reasons(
    now: Backend, wanted: Backend, features: Features, changes: Changes, *, can_name: bool
) -> Iterator[str]:
    """`can_name`: whether HAProxy's socket takes the places of files."""
    if now is wanted:
        return
    if replace(now, servers=()) != replace(wanted, servers=()):
        yield f"the pool {now.name} changed"
        return
    if any(one is None for one, _ in changes):
        yield from _tls_reasons(now, can_name=can_name)
    for one, other in changes:
        reason = _server_reason(one, other, wanted, features)
        if reason:
            yield f"{reason} in {now.name}"
            return  # one is enough to tell


def _tls_reasons(now: Backend, *, can_name: bool) -> Iterator[str]:
    """HAProxy loads the certificate that servers are shown with the first of them, the other files in any case."""
    if now.materials and not can_name:
        yield f"the files of {now.name} are where this HAProxy cannot find them at runtime"
    elif now.tls is not None and now.tls.certificate is not None and not now.servers:
        yield f"the certificate of {now.name} is loaded at a start only"


def _server_reason(
    now: Server | None, wanted: Server | None, backend: Backend, features: Features
) -> str | None:
    if now is None and wanted is not None:
        return _addition_reason(wanted, backend, features)
    if now is not None and wanted is None and not features.remove_server:
        return f"this HAProxy cannot remove {now.name} at runtime"
    if now is not None and wanted is not None:
        return _change_reason(now, wanted)
    return None


def _addition_reason(server: Server, backend: Backend, features: Features) -> str | None:
    if not features.add_server:
        return f"this HAProxy cannot add {server.name} at runtime"
    if backend.cookie is not None and not features.add_server_with_cookie:
        return f"this HAProxy cannot add {server.name} with a cookie at runtime"
    if not is_ip_address(server.address):
        return f"the host name of {server.name} is resolved at a start only"
    return None


def _change_reason(now: Server, wanted: Server) -> str | None:
    if now.backup != wanted.backup:
        return f"{now.name} changed between backup and active"
    if (now.check_address, now.check_port) != (wanted.check_address, wanted.check_port):
        return f"{now.name} is checked elsewhere"
    if now.id != wanted.id:
        return f"the number of {now.name} changed"
    moved = (now.address, now.port) != (wanted.address, wanted.port)
    if moved and not (is_ip_address(now.address) and is_ip_address(wanted.address)):
        return f"the host name of {now.name} is resolved at a start only"
    return None


def is_ip_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address, False for a host name."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# What goes at runtime.


def _suspensions(running: Running, desired: Configuration) -> Iterator[Action]:
    for one, other in zip(running.configuration.frontends, desired.frontends, strict=True):
        if other.disabled and not one.disabled:
            yield DisableFrontend(one.name)


def _renewals(now: Configuration, wanted: Configuration) -> Iterator[Action]:
    """Before a listener opens, its map and its certificates are the wanted ones."""
    for one, other in zip(now.frontends, wanted.frontends, strict=True):
        if one is other:
            continue
        if other.allowed is not None and other.allowed != one.allowed:
            yield SetMap(other.allowed)
        if other.statuses is not None and other.statuses != one.statuses:
            yield SetMap(other.statuses, _changed_values(one.statuses, other.statuses))
        if one.tls is not None and other.tls is not None:
            pairs = zip(one.tls.certificates, other.tls.certificates, strict=True)
            yield from (SetCertificate(new) for old, new in pairs if old != new)


def _changed_values(now: Material | None, wanted: Material) -> tuple[tuple[str, str], ...]:
    """Few values, where the keys are the same; else nothing, and the whole map is given."""
    old = now.entries if now is not None else ()
    if [key for key, _ in old] != [key for key, _ in wanted.entries]:
        return ()
    changed = tuple(new for before, new in zip(old, wanted.entries, strict=True) if before != new)
    return changed if len(changed) <= MOST_VALUES else ()


def _resumptions(running: Running, desired: Configuration) -> Iterator[Action]:
    for one, other in zip(running.configuration.frontends, desired.frontends, strict=True):
        if one.disabled and not other.disabled:
            yield EnableFrontend(one.name)


def _server_steps(wanted: Backend, pairs: Changes, tls: str) -> Iterator[Action]:
    """Whatever takes a server away from new clients comes last, so that there is never less to serve with than before
    or after, wherever this ends.
    """
    losses: list[Action] = []
    changes: list[Action] = []
    recheck = wanted.check is not None and bool(pairs) and _has_another(wanted, pairs)
    for one, other in pairs:
        if one is None and other is not None:
            with_cookie = wanted.cookie is not None
            send_proxy = wanted.send_proxy
            yield AddServer(wanted.name, other, wanted.check, with_cookie, send_proxy, tls)
        elif one is not None and other is None:
            losses.append(RemoveServer(wanted.name, one.name))
        elif one is not None and other is not None:
            steps = losses if in_maintenance(other) or not effective_weight(other) else changes
            checked = wanted.check is not None
            steps.extend(_change_steps(wanted.name, one, other, checked=checked, recheck=recheck))
    yield from changes
    yield from losses


def _has_another(wanted: Backend, pairs: Changes) -> bool:
    """Whether a server serves all the while: only then may one that comes back be kept waiting."""
    changed = {other.name: one for one, other in pairs if other is not None}
    return any(
        serves(server)
        and ((before := changed.get(server.name, server)) is not None)
        and serves(before)
        for server in wanted.servers
    )


def _change_steps(
    backend: str, now: Server, wanted: Server, *, checked: bool, recheck: bool
) -> Iterator[Action]:
    """One that was drained may be another program by now, of which HAProxy's last check knows nothing."""
    if in_maintenance(wanted) and not in_maintenance(now):
        yield SetMaint(backend, now.name)
    if (now.address, now.port) != (wanted.address, wanted.port):
        yield SetAddress(backend, now.name, wanted.address, wanted.port)
    if effective_weight(now) != effective_weight(wanted):
        returns = not effective_weight(now) and not in_maintenance(now) and serves(wanted)
        yield SetWeight(backend, now.name, effective_weight(wanted), recheck and returns)
    if in_maintenance(now) and not in_maintenance(wanted):
        yield SetReady(backend, now.name, checked)


def _all_changes(now: Configuration, wanted: Configuration) -> list[Changes]:
    """One a backend, where they are the same ones."""
    if [item.name for item in now.backends] != [item.name for item in wanted.backends]:
        return []
    return [
        () if one is other else _changes(one.servers, other.servers)
        for one, other in zip(now.backends, wanted.backends, strict=True)
    ]


def _changes(now: Sequence[Server], wanted: Sequence[Server]) -> Changes:
    """By name. What both begin and end with is passed over quickly: it is nearly all."""
    start, end = unequal_middle(now, wanted)
    old = {server.name: server for server in now[start : len(now) - end]}
    pairs: list[tuple[Server | None, Server | None]] = []
    for server in wanted[start : len(wanted) - end]:
        before = old.pop(server.name, None)
        if before is not server and before != server:
            pairs.append((before, server))
    pairs.extend((server, None) for server in old.values())
    return pairs
