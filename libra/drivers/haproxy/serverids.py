"""Numbers of servers that follow from their names, so that no other server's coming or going changes one.

Both consistent hashing and stick tables know a server by its number, and HAProxy numbers by position: without these,
a removed node would move the clients of all behind it.
"""

import hashlib
from collections.abc import Callable, Sequence

from libra.drivers.haproxy.config import Server

# Consistent hashing looks at the low 20 bits only: with those equal, one of three servers got no client at all.
HIGHEST = (1 << 20) - 1

PreferId = Callable[[str, int], int]


def prefer_id(name: str, attempt: int = 0) -> int:
    """The number of a server from 1 to HIGHEST; the next attempt gives another one, for where that is taken."""
    digest = hashlib.blake2b(f"{attempt} {name}".encode(), digest_size=8).digest()
    return 1 + int.from_bytes(digest) % HIGHEST


def with_distinct_ids(
    servers: Sequence[Server], prefer: PreferId = prefer_id
) -> tuple[Server, ...]:
    """These servers, whose ids are the preferred ones of their names, with no id twice.

    Of those that want the same, the first by name has it; the order of the servers does not matter.
    """
    if len({server.id for server in servers}) == len(servers):
        return tuple(servers)
    owners: dict[int | None, str] = {}
    for server in servers:
        owners[server.id] = min(server.name, owners.get(server.id, server.name))
    losers = sorted(server.name for server in servers if owners[server.id] != server.name)
    found = _find_others(losers, {number for number in owners if number is not None}, prefer)
    return tuple(
        server._replace(id=found[server.name]) if server.name in found else server
        for server in servers
    )


def _find_others(names: Sequence[str], taken: set[int], prefer: PreferId) -> dict[str, int]:
    found = {}
    for name in names:
        attempt = 1
        while (number := prefer(name, attempt)) in taken:
            attempt += 1
        taken.add(number)
        found[name] = number
    return found
