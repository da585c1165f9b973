"""What the probe says of a HAProxy is what that HAProxy then does."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from libra.drivers.haproxy.actions import AddServer
from libra.drivers.haproxy.commands import deletion, is_deleted, render_commands
from libra.drivers.haproxy.config import Check, Server
from libra.drivers.haproxy.diff import Features
from libra.drivers.haproxy.features import FeatureProbe, parse_minor
from tests.support.haproxy import StartedHAProxy, haproxy_binary, socket_directory
from tests.support.ports import free_port

__all__ = ["haproxy_binary", "socket_directory"]

CHECK = Check(interval=timedelta(seconds=1), timeout=timedelta(seconds=1), attempts=2)
BACKENDS = ("roundrobin", "leastconn", "source")
TEXT = """
global
    hard-stop-after 5s
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend fe
    bind 127.0.0.1:{port}
    default_backend be-roundrobin
"""
BACKEND = """
backend be-{name}
    balance {name}
    {hashing}
    cookie sid insert indirect nocache httponly
    option httpchk
    server old 127.0.0.1:1 cookie old
"""


@pytest.fixture
def haproxy(haproxy_binary: Path, socket_directory: Path) -> Iterator[StartedHAProxy]:
    text = TEXT.format(port=free_port())
    for name in BACKENDS:
        hashing = "hash-type consistent" if name == "source" else "retries 3"
        text += BACKEND.format(name=name, hashing=hashing)
    started = StartedHAProxy(haproxy_binary, socket_directory)
    with started.running(text):
        yield started


def probe(haproxy: StartedHAProxy) -> Features:
    return FeatureProbe(haproxy.admin).features(version(haproxy))


def version(haproxy: StartedHAProxy) -> str:
    lines = haproxy.admin.ask("show info").splitlines()
    return next(line for line in lines if line.startswith("Version: ")).split()[1]


def servers(haproxy: StartedHAProxy) -> str:
    return haproxy.admin.ask("show servers state")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("check", [None, CHECK], ids=["unchecked", "checked"])
@pytest.mark.parametrize("with_cookie", [False, True], ids=["", "cookie"])
def test_servers_can_be_added_as_the_probe_says(
    haproxy: StartedHAProxy, backend: str, check: Check | None, with_cookie: bool
) -> None:
    features = probe(haproxy)
    before = timeless(servers(haproxy))
    can = features.add_server_with_cookie if with_cookie else features.add_server
    new = Server("new", "127.0.0.1", 2, weight=3, backup=True)
    addition = AddServer(f"be-{backend}", new, check, with_cookie=with_cookie)
    answers = haproxy.admin.ask_all(render_commands(addition))
    assert answers[0].refused is not can
    assert (" new 127.0.0.1 " in servers(haproxy)) is can
    if not can:
        assert timeless(servers(haproxy)) == before


def test_servers_can_be_removed_as_the_probe_says(haproxy: StartedHAProxy) -> None:
    haproxy.admin.ask("set server be-roundrobin/old state maint")
    (answer,) = haproxy.admin.ask_all([deletion("be-roundrobin", "old")])
    assert is_deleted(answer.text) is probe(haproxy).remove_server


def timeless(table: str) -> list[list[str]]:
    """Without how many seconds ago a server changed."""
    heading, *rows = [line.split(" ") for line in table.splitlines()[1:]]
    column = heading.index("srv_time_since_last_change") - 1  # a heading begins with "# "
    return [row[:column] + row[column + 1 :] for row in rows]


def test_asking_changes_nothing(haproxy: StartedHAProxy) -> None:
    before = timeless(servers(haproxy)), haproxy.admin.ask("show stat -1 7 -1").count("\n")
    assert probe(haproxy) == probe(haproxy)
    found = timeless(servers(haproxy)), haproxy.admin.ask("show stat -1 7 -1").count("\n")
    assert found == before


def test_what_these_versions_can(haproxy: StartedHAProxy) -> None:
    minor = parse_minor(version(haproxy))
    assert minor >= (2, 6)
    assert probe(haproxy) == Features(
        add_server=True, add_server_with_cookie=minor >= (2, 8), remove_server=True
    )
