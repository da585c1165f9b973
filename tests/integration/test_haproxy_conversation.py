"""A conversation stays with its process over a reload, and says so when that ends."""

from datetime import timedelta

import pytest

from libra.drivers.haproxy.conversation import Conversation
from libra.drivers.haproxy.running import parse_process
from libra.errors import ProxyNotRunning
from tests.support.desired import build_desired
from tests.support.haproxy import DrivenHAProxy, haproxy, haproxy_binary, socket_directory
from tests.support.ports import free_port, wait_until

__all__ = ["haproxy", "haproxy_binary", "socket_directory"]

TIMEOUT = timedelta(seconds=5)


def test_it_stays_with_the_process_that_a_reload_replaces(haproxy: DrivenHAProxy) -> None:
    haproxy.driver.apply(build_desired(1, listen=free_port()))
    before = haproxy.pid()
    with Conversation(haproxy.admin.path, TIMEOUT) as talk:
        assert not parse_process(talk.ask("show info")).stopping
        haproxy.driver.apply(build_desired(1, listen=free_port()))
        old = parse_process(talk.ask("show info"))
        assert (old.pid, old.stopping) == (before, True)
    assert haproxy.pid() != before
    wait_until(lambda: not haproxy.master.show_processes().old_workers, what="its end")


def test_nobody_is_there_or_any_more(haproxy: DrivenHAProxy) -> None:
    with pytest.raises(ProxyNotRunning, match="there is no such socket"):
        Conversation(haproxy.admin.path, TIMEOUT)
    haproxy.driver.apply(build_desired(1, listen=free_port()))
    with Conversation(haproxy.admin.path, TIMEOUT) as talk:
        haproxy.driver.stop()
        with pytest.raises(ProxyNotRunning):
            talk.ask("show info")
