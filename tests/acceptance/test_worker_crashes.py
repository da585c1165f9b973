"""kill -9 of the worker at every step between taking a job and answering it, with a real HAProxy and a real gearmand.

The steps of a job are counted in a first run; then it is done again and again, killed at one of them each time: at a
few, spread over all, or at every one where LIBRA_CRASHES is "all" in the environment (several minutes).
"""

import os
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import Desired
from tests.support.certificates import Authority
from tests.support.crashing import CrashSite
from tests.support.gearmand import Gearmand
from tests.support.haproxy import BINARIES, find_haproxy, socket_directory
from tests.support.load import Load
from tests.support.ports import LOOPBACK, free_port, wait_until
from tests.support.saboteur import JOB, START
from tests.support.second import listener, loadbalancer, pool
from tests.support.second import update as second_update
from tests.support.web import WebServer, get

__all__ = ["socket_directory"]

ALL = os.environ.get("LIBRA_CRASHES") == "all"
KILLS = 2  # of each job, where not all are asked for
NOBODY = frozenset({"nobody"})
Message = Mapping[str, object]


@dataclass(frozen=True)
class State:
    """A job, what is desired after it, and who serves then."""

    action: str
    message: Message
    desired: Desired
    served_by: frozenset[str]
    reloads: bool = True


class Scene:
    """A site with five web servers."""

    def __init__(self, site: CrashSite, servers: dict[str, WebServer]) -> None:
        self.site = site
        self.servers = servers
        self.port = free_port()

    def ports(self) -> set[int]:
        return {server.port for server in self.servers.values()}

    def nodes(self, **weights: int) -> list[dict[str, object]]:
        """Nodes with the names of their servers."""
        return [self.node(name, name, weight=weight) for name, weight in weights.items()]

    def node(self, name: str, server: str, **fields: object) -> dict[str, object]:
        return {"id": name, "address": LOOPBACK, "port": self.servers[server].port, **fields}

    def update(
        self, nodes: list[dict[str, object]], by: str, *, reloads: bool = True, **fields: object
    ) -> State:
        message = {
            "loadbalancers": [
                {
                    "id": "15",
                    "protocol": "HTTP",
                    "bind_address": LOOPBACK,
                    "port": self.port,
                    "nodes": nodes,
                    **fields,
                }
            ]
        }
        request = parse_request({"hpcs_action": "UPDATE", **message})
        assert isinstance(request, Update)
        desired = Desired(loadbalancers=request.loadbalancers)
        return State("UPDATE", message, desired, frozenset(by), reloads)


UNLUCKY = 1313
SUPERSTITIOUS = f"""\
#!/bin/sh
case "$1" in
    -c) grep -q 'maxconn {UNLUCKY}$' "$3" && echo '[ALERT] (1) : config : bad luck' && exit 1 ;;
    -W) [ -e "$0.slow" ] && sleep 1 ;;
esac
exec %s "$@"
"""


both_binaries = pytest.mark.parametrize("kind", list(BINARIES) if ALL else ["system"])


@pytest.fixture
def kind() -> str:
    """Which HAProxy; Debian's is enough for most."""
    return "system"


@pytest.fixture
def scene(tmp_path: Path, socket_directory: Path, kind: str) -> Iterator[Scene]:
    """The worker runs, and nothing is configured yet."""
    with ExitStack() as stack:
        servers = {name: stack.enter_context(WebServer(name)) for name in "abcde"}
        gearmand = stack.enter_context(Gearmand())
        program = tmp_path / "haproxy"  # that may be slow to start
        program.write_text(SUPERSTITIOUS % find_haproxy(kind))
        program.chmod(0o700)
        site = CrashSite(tmp_path, socket_directory, gearmand, program)
        stack.callback(site.worker.__exit__, None, None, None)
        site.start()
        yield Scene(site, servers)


def serving(port: int) -> frozenset[str]:
    """Who answers six requests; "nobody" where connections are refused, or the listener goes before it takes them."""
    try:
        replies = [get(port) for _ in range(6)]
    except (ConnectionRefusedError, ConnectionResetError):
        return NOBODY
    assert {status for status, _ in replies} == {200}
    return frozenset(body for _, body in replies)


@dataclass(frozen=True)
class Outcome:
    """How often it was killed, who answered right after that, and how it ended: what is saved, and who serves."""

    killed: int
    seen: frozenset[str]
    saved: Desired
    served_by: frozenset[str]


class Crashes:
    """Back and forth between two states, with a crash on each way. The site is in the first state."""

    def __init__(self, site: CrashSite, port: int, one: State, other: State) -> None:
        self.site = site
        self.port = port
        self.ways = ((one, other), (other, one))
        self.killed = 0
        self.seen: frozenset[str] = frozenset()

    def run(self, kills: int = KILLS) -> Outcome:
        """Once at each step that is to be tried, on each way, so that it ends where it began.

        After each, what runs, is installed and is saved has to be the same, and one of the two: `check_state`.
        """
        steps = max(len(self.watch(after)) for _, after in self.ways)
        for step in chosen(steps, kills):
            for before, after in self.ways:
                self.crash(before, after, step)
        self.tell(steps)
        return Outcome(self.killed, self.seen, self.site.saved(), serving(self.port))

    def tell(self, steps: int) -> None:
        print(f"killed {self.killed} times at one of {steps} steps")  # noqa: T201 - for who asks

    def watch(self, after: State) -> list[str]:
        """The steps that the job takes when nobody kills it."""
        self.site.worker.plan_crash(JOB, 0)
        self.site.carry_out(after.action, after.message)
        assert self.site.worker.await_crash() is None
        check_state(self.site, self.port, after)
        return self.site.worker.steps

    def crash(self, before: State, after: State, step: int) -> None:
        sessions = self.site.sessions()
        self.site.worker.plan_crash(JOB, step)
        self.site.send(after.action, after.message)
        if self.site.worker.await_crash() is not None:
            self.killed += 1
            self.check_at_once(before, after)
            self.check_restored(before, after)
        wait_until(lambda: self.site.waiting() == 0, timeout=30, what="the answer")
        check_state(self.site, self.port, after)
        if after.desired.loadbalancers and before.desired.loadbalancers:
            assert self.site.sessions() >= sessions

    def check_at_once(self, before: State, after: State) -> None:
        """Old or new, and whole; HAProxy may still be loading the new one."""
        known = before.served_by, after.served_by
        if before.reloads:
            wait_until(lambda: self.look(*known), what="one of them")
        else:
            assert self.look(before.served_by | after.served_by)

    def look(self, *known: frozenset[str]) -> bool:
        """Whether one of these serves now."""
        now = serving(self.port)
        is_known = any(now <= by for by in known)
        if is_known:
            self.seen |= now
        return is_known

    def check_restored(self, before: State, after: State) -> None:
        """Before any job comes, a new worker goes back to the state on disk: the job server stands still."""
        saved = self.site.saved()
        state = next(state for state in (before, after) if state.desired == saved)
        self.site.gearmand.freeze()
        try:
            self.site.start()
            check_state(self.site, self.port, state)
        finally:
            self.site.gearmand.thaw()


def check_state(site: CrashSite, port: int, state: State) -> None:
    """It is what is saved, installed and running, and nothing else is left."""
    site.assert_settled(state.desired)
    assert serving(port) <= state.served_by
    assert site.litter() == set()


def chosen(steps: int, kills: int = KILLS) -> list[int]:
    """All, or a few from the first to the last."""
    if ALL:
        return list(range(1, steps + 1))
    return sorted({1 + number * (steps - 1) // (kills - 1) for number in range(kills)})


@contextmanager
def served(scene: Scene) -> Iterator[None]:
    """No request fails meanwhile."""
    with Load(scene.port, keep_alive=1, idle=2, short=1) as load:
        yield
    assert load.failures == []


@both_binaries
def test_an_update_by_a_reload(scene: Scene) -> None:
    one = scene.update(scene.nodes(a=1, b=1), "ab")
    other = scene.update(scene.nodes(c=1, d=1), "cd", algorithm="LEAST_CONNECTIONS")
    scene.site.carry_out(one.action, one.message)
    with served(scene):
        outcome = Crashes(scene.site, scene.port, one, other).run()
    assert outcome.killed > 0
    assert outcome.seen <= one.served_by | other.served_by
    assert outcome.saved == one.desired
    assert outcome.served_by <= one.served_by


@both_binaries
def test_an_update_at_runtime(scene: Scene) -> None:
    """One node moves, one has another weight, one goes and one comes."""
    one = scene.update(scene.nodes(a=1, b=5, c=1), "abc", reloads=False)
    nodes = [scene.node("a", "d"), *scene.nodes(b=7, e=1)]
    other = scene.update(nodes, "bde", reloads=False)
    scene.site.carry_out(one.action, one.message)
    with served(scene):
        outcome = Crashes(scene.site, scene.port, one, other).run()
    assert outcome.killed > 0
    assert outcome.seen <= one.served_by | other.served_by
    assert outcome.saved == one.desired
    assert outcome.served_by <= one.served_by


def test_a_renewed_certificate_and_other_networks(scene: Scene, tmp_path: Path) -> None:
    """2.0: each is the old one or the new one at any moment, and no key is left behind."""
    authority, port = Authority(tmp_path), free_port()

    def renew(name: str, networks: str, by: str) -> State:
        issued = authority.issue(name)
        tls = {"id": "shop", "certificate": issued.cert.read_text(), "key": issued.key.read_text()}
        listeners = [
            listener("plain", scene.port, pool="p", allowed_cidrs=["127.0.0.1/32", networks]),
            listener(
                "tls", port, pool="p", protocol="TERMINATED_HTTPS", tls={"certificates": [tls]}
            ),
        ]
        pools = [pool("p", *scene.nodes(**dict.fromkeys(by, 1)))]
        message = second_update(loadbalancer("15", listeners, pools))
        request = parse_request(message)
        assert isinstance(request, Update)
        desired = Desired(loadbalancers=request.loadbalancers, version="2.0")
        return State("UPDATE", message, desired, frozenset(by), reloads=False)

    one, other = renew("one", "127.1.0.0/16", "ab"), renew("other", "127.2.0.0/16", "bc")
    scene.site.carry_out(one.action, one.message)
    reloads = scene.site.master.show_processes().master.reloads
    with served(scene):
        outcome = Crashes(scene.site, scene.port, one, other).run()
    assert outcome.killed > 0
    assert outcome.seen <= one.served_by | other.served_by
    assert outcome.saved == one.desired
    assert outcome.served_by <= one.served_by
    assert scene.site.master.show_processes().master.reloads == reloads


def test_suspend_and_enable(scene: Scene) -> None:
    update = scene.update(scene.nodes(a=1, b=1), "ab")
    scene.site.carry_out(update.action, update.message)
    enabled = State("ENABLE", {}, update.desired, update.served_by, reloads=False)
    suspended = State("SUSPEND", {}, replace(update.desired, suspended=True), NOBODY, reloads=False)
    outcome = Crashes(scene.site, scene.port, enabled, suspended).run()
    assert outcome.killed > 0
    assert outcome.seen <= enabled.served_by | suspended.served_by
    assert outcome.saved == enabled.desired
    assert outcome.served_by <= enabled.served_by


def test_delete_and_the_first_update(scene: Scene) -> None:
    update = scene.update(scene.nodes(a=1, b=1), "ab")
    deleted = State("DELETE", {}, Desired(), NOBODY)
    outcome = Crashes(scene.site, scene.port, deleted, update).run()
    assert outcome.killed > 0
    assert outcome.seen <= deleted.served_by | update.served_by
    assert outcome.saved == deleted.desired
    assert outcome.served_by <= deleted.served_by


def test_an_update_that_haproxy_cannot_load(scene: Scene) -> None:
    """The port is bound elsewhere, but nobody listens there, so only HAProxy finds out that it cannot have it on all.

    It tries for two seconds, in which the old process does not listen.
    """
    good = scene.update(scene.nodes(a=1, b=1), "ab")
    bad = scene.update(scene.nodes(c=1), "c", bind_address=None)
    refused = replace(bad, desired=good.desired, served_by=good.served_by)
    scene.site.carry_out(good.action, good.message)
    with socket.socket() as other:
        other.bind(("127.0.0.2", scene.port))
        reply = scene.site.ask(refused.action, refused.message)
        assert "cannot bind socket" in reply["hpcs_error"]
        outcome = Crashes(scene.site, scene.port, good, refused).run(kills=3)
    assert outcome.killed > 0
    assert outcome.seen <= good.served_by | refused.served_by
    assert outcome.saved == good.desired
    assert outcome.served_by <= good.served_by


def test_an_update_that_haproxys_check_refuses(scene: Scene) -> None:
    good = scene.update(scene.nodes(a=1, b=1), "ab")
    bad = scene.update(scene.nodes(c=1), "c", connection_limit=UNLUCKY)
    refused = replace(bad, desired=good.desired, served_by=good.served_by)
    scene.site.carry_out(good.action, good.message)
    with served(scene):
        reply = scene.site.ask(refused.action, refused.message)
        assert reply["hpcs_error"].endswith("bad luck")
        outcome = Crashes(scene.site, scene.port, good, refused).run()
    assert outcome.killed > 0
    assert outcome.seen <= good.served_by | refused.served_by
    assert outcome.saved == good.desired
    assert outcome.served_by <= good.served_by


def crash_starts(site: CrashSite, prepare: Callable[[], None], check: Callable[[], None]) -> int:
    """Kill the worker at steps of its first restore, each time after `prepare`; `check` what the next one restored.

    Returns how often it was killed.
    """
    assert not crash_start(site, 0, prepare)
    steps = len(site.worker.steps)
    check()
    killed = 0
    for step in chosen(steps):
        killed += crash_start(site, step, prepare)
        check()
    return killed


def crash_start(site: CrashSite, step: int, prepare: Callable[[], None]) -> bool:
    """Whether it was killed: the last steps may not come again."""
    prepare()
    site.worker.plan_crash(START, step)
    site.worker.start()
    killed = site.worker.await_crash() is not None
    if killed:
        site.start()
    return killed


@both_binaries
def test_a_start_after_a_power_cut(scene: Scene) -> None:
    """HAProxy takes a second to start, so the next worker comes while it does."""
    state = scene.update(scene.nodes(a=1, b=1), "ab")
    scene.site.carry_out(state.action, state.message)

    def check() -> None:
        check_state(scene.site, scene.port, state)
        assert len(scene.site.masters()) == 1

    Path(f"{scene.site.haproxy['binary']}.slow").touch()

    assert crash_starts(scene.site, scene.site.kill_everything, check) > 0
    assert scene.site.saved() == state.desired
    assert serving(scene.port) <= state.served_by


def test_a_restore_after_a_reload_that_nobody_answered(scene: Scene) -> None:
    """HAProxy runs what was not saved, so the next worker goes back by a reload, and is killed in that, too."""
    site = scene.site
    one = scene.update(scene.nodes(a=1, b=1), "ab")
    other = scene.update(scene.nodes(c=1, d=1), "cd", algorithm="LEAST_CONNECTIONS")
    site.carry_out(one.action, one.message)
    told = Crashes(site, scene.port, one, other).watch(other).index("after say b'reload\\n'") + 1
    site.carry_out(one.action, one.message)

    def crash_job() -> None:
        site.worker.plan_crash(JOB, told)
        site.send(other.action, other.message)
        assert site.worker.await_crash() is not None
        site.gearmand.freeze()

    def check() -> None:
        check_state(site, scene.port, one)
        site.gearmand.thaw()
        wait_until(lambda: site.waiting() == 0, timeout=30, what="the answer")
        check_state(site, scene.port, other)
        site.carry_out(one.action, one.message)

    with served(scene):
        assert crash_starts(site, crash_job, check) > 0
    assert site.saved() == one.desired
    assert serving(scene.port) <= one.served_by


@pytest.mark.skipif(not ALL, reason="takes long; LIBRA_CRASHES=all runs it")
def test_a_reload_that_outlasts_the_next_workers_start(scene: Scene) -> None:
    """HAProxy reads ten thousand nodes for two seconds, and goes live with them after the next worker looked at it."""
    site = scene.site
    one = scene.update(scene.nodes(a=1, b=1), "ab")
    filling = [{"address": LOOPBACK, "port": 20_000 + n, "weight": 0} for n in range(10_000)]
    filling = [node for node in filling if node["port"] not in scene.ports()]
    other = scene.update([*scene.nodes(c=1, d=1), *filling], "cd", algorithm="LEAST_CONNECTIONS")
    site.carry_out(one.action, one.message)
    crashes = Crashes(site, scene.port, one, other)
    told = crashes.watch(other).index("after say b'reload\\n'") + 1
    site.carry_out(one.action, one.message)
    with served(scene):
        crashes.crash(one, other, told)
    assert crashes.killed == 1
    assert site.saved() == other.desired
    assert serving(scene.port) <= other.served_by
