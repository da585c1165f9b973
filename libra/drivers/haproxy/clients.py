"""Which server each client address is tied to, over a reload: what HAProxy's stick tables hold, as a map file.

The new process is taught the tables by the old one (a peers section), which takes it some milliseconds: a client that
comes earlier would be tied to another server for good. So the new process also reads what the old one knew from a file,
before it serves the first client, and looks there for clients that its table does not know yet. The old process is told
the same, for it empties its tables when it has taught the new one, and a thread of it may still have a client that it
accepted before. The format is that of HAProxy's maps: "ADDRESS@BACKEND SERVER|UNTIL" a line, where UNTIL is for libra
alone.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from libra.drivers.haproxy.backends import CLIENT_EXPIRY
from libra.drivers.haproxy.config import Configuration

MOST_NEWS = 4_000  # lines: who comes amid a reload has most likely come right before it
NEWS_BYTES = 12_000  # that one command of HAProxy's socket takes (tune.bufsize is 16,384)
MOST = 200_000  # lines: what is only remembered from the last file is left out beyond it
_ENTRY = re.compile(  # an entry that is just being made has no server, or its number without its name ("-")
    r"key=(\S+) .*?\bexp=(\d+) .*?\bserver_id=[1-9]\d* .*?\bserver_key=(?!-\s)(\S+)"
)
_MAPPED = "::ffff:"  # a table of IPv6 addresses holds IPv4 ones so

Addresses = dict[str, tuple[str, float]]  # address: server, until when


class Tie(NamedTuple):
    """A line; `until` is seconds on the monotonic clock."""

    address: str
    backend: str
    server: str
    until: float

    @property
    def key(self) -> str:
        """The line's first word."""
        return f"{self.address}@{self.backend}"

    @property
    def value(self) -> str:
        """Its second one."""
        return f"{self.server}|{self.until:.0f}"


def parse_table(text: str, now: float) -> Addresses:
    """The answer to `show table`."""
    return {
        address.removeprefix(_MAPPED): (server, now + int(expires) / 1000)
        for address, expires, server in _ENTRY.findall(text)
    }


def render_clients(
    tables: Mapping[str, Addresses], former: str, desired: Configuration, now: float
) -> str:
    """The file for a reload: what the tables hold, by backend, and what the former file still tells beside it.

    That may be a client that did not come again since the last reload. `desired` says which backends and servers
    there will be.
    """
    wanted = {
        backend.name: {server.name for server in backend.servers}
        for backend in desired.backends
        if backend.stick
    }
    mapped = any(":" in (frontend.bind_address or "") for frontend in desired.frontends)
    ties = [tie for tie in _known(tables) if tie.server in wanted.get(tie.backend, ())]
    room = MOST - len(ties)
    ties.extend(
        tie
        for tie, _ in zip(_remembered(former, tables, now), range(max(0, room)), strict=False)
        if tie.server in wanted.get(tie.backend, ())
    )
    return "".join(_line(tie, mapped=mapped) for tie in ties)


class News(NamedTuple):
    """Lines that a process does not know yet, in portions that it takes, and those where it knows another server."""

    unknown: tuple[str, ...]
    changed: tuple[Tie, ...]


def find_news(text: str, former: str) -> News:
    """What a process that began with the former file must be told to know this one: the latest, where that is much."""
    servers = {(tie.address, tie.backend): tie.server for tie in _parse_lines(former)}
    news = [
        tie for tie in _parse_lines(text) if servers.get((tie.address, tie.backend)) != tie.server
    ]
    latest = sorted(news, key=lambda tie: tie.until, reverse=True)[:MOST_NEWS]
    changed = [tie for tie in latest if (tie.address, tie.backend) in servers]
    unknown = [tie for tie in latest if (tie.address, tie.backend) not in servers]
    lines = [f"{tie.key} {tie.value}\n" for tie in unknown]
    return News(tuple(_portions(lines)), tuple(changed))


def _portions(lines: list[str]) -> Iterator[str]:
    portion: list[str] = []
    size = 0
    for line in lines:
        if size + len(line) > NEWS_BYTES:
            yield "".join(portion)
            portion, size = [], 0
        portion.append(line)
        size += len(line)
    if portion:
        yield "".join(portion)


def _known(tables: Mapping[str, Addresses]) -> Iterator[Tie]:
    for backend, addresses in tables.items():
        for address, (server, until) in addresses.items():
            yield Tie(address, backend, server, until)


def _remembered(former: str, tables: Mapping[str, Addresses], now: float) -> Iterator[Tie]:
    for tie in _parse_lines(former):
        known = tables.get(tie.backend, {})
        if tie.until > now and tie.address not in known and not tie.address.startswith(_MAPPED):
            # where the clock began anew with the machine, nothing may stay for ever
            yield tie._replace(until=min(tie.until, now + CLIENT_EXPIRY.total_seconds()))


def _parse_lines(text: str) -> Iterator[Tie]:
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        address, _, backend = key.partition("@")
        server, _, until = value.partition("|")
        if until.isdigit():
            yield Tie(address, backend, server, float(until))


def _line(tie: Tie, *, mapped: bool) -> str:
    """`mapped`: also as HAProxy writes IPv4 clients of an IPv6 listener."""
    text = f"{tie.key} {tie.value}\n"
    if mapped and ":" not in tie.address:
        text += _MAPPED + text
    return text
