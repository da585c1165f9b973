"""Servers that come back from draining: at runtime and over a reload, and the map of nodes that HAProxy reports."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.actions import SetMap, SetWeight
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Backend, Check, Configuration, Mode, Options, Server
from libra.drivers.haproxy.config import ServerState as State
from libra.drivers.haproxy.diff import Features, diff
from libra.drivers.haproxy.effects import Running, after_reload, apply, serves
from libra.drivers.haproxy.preview import describe
from libra.drivers.haproxy.serverstate import render_server_state
from libra.model.loadbalancer import Desired
from libra.model.nodestatus import NodeStatus, ReportedNode

OPTIONS = Options(
    admin_socket="/a",
    log_target="stdout",
    version=(2, 8),
    hard_stop_after=timedelta(hours=1),
    health_reporter=("0.0.0.0", 8113),
)
CHECK = Check(interval=timedelta(seconds=5), timeout=timedelta(seconds=5), attempts=3)
SERVERS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(State)), min_size=1, max_size=4
).map(
    lambda given: tuple(
        Server(name=f"s{n}", address="10.0.0.1", port=80 + n, weight=weight, state=state)
        for n, (weight, state) in enumerate(given)
    )
)
NODES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(NodeStatus)).map(
    lambda given: tuple(ReportedNode("web", name, given[name]) for name in sorted(given))
)


def backend_of(servers: tuple[Server, ...], check: Check | None) -> Configuration:
    backend = Backend(name="be", mode=Mode.HTTP, balance="roundrobin", servers=servers, check=check)
    return Configuration(options=OPTIONS, backends=(backend,))


def is_weightless(server: Server) -> bool:
    return server.state is State.DRAIN or (server.state is State.READY and not server.weight)


@given(SERVERS, SERVERS, st.sampled_from([None, CHECK]))
def test_only_who_was_drained_waits_and_only_where_others_serve(
    now: tuple[Server, ...], wanted: tuple[Server, ...], check: Check | None
) -> None:
    count = min(len(now), len(wanted))
    now, wanted = now[:count], wanted[:count]
    steps = diff(Running(backend_of(now, check)), backend_of(wanted, check), Features())
    waiting = {step.server for step in steps if isinstance(step, SetWeight) and step.recheck}
    pairs = list(zip(now, wanted, strict=True))
    others = any(serves(one) and serves(other) for one, other in pairs)
    returning = {other.name for one, other in pairs if is_weightless(one) and serves(other)}
    assert waiting == (returning if check is not None and others else set())


HEAD = (
    "be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_check_health srv_fqdn srv_port"
)


def state_of(*weights: int, op: str = "2") -> str:
    lines = [
        f"3 be {n} s{n} 10.0.0.1 {op} 0 {weight} {weight} 5 - {80 + n}"
        for n, weight in enumerate(weights)
    ]
    return "\n".join(["1", f"# {HEAD}", *lines, ""])


def states_after(text: str) -> list[str]:
    servers = tuple(
        Server(name=f"s{n}", address="10.0.0.1", port=80 + n, weight=1) for n in range(2)
    )
    rendered = render_server_state(text, backend_of(servers, CHECK))
    return [line.split(" ")[5] for line in rendered.splitlines()[2:]]


def test_a_pinged_one_does_not_wait() -> None:
    """There is no check of HAProxy's that would end it; and pings went on while it was drained."""
    wanted = backend_of((Server(name="s0", address="10.0.0.1", port=80),), None).backends[0]
    other = Server(name="s1", address="10.0.0.1", port=81)
    servers = (*wanted.servers, other)
    pinged = Configuration(
        options=OPTIONS, backends=(replace(wanted, servers=servers, pinged=True),)
    )
    rows = render_server_state(state_of(0, 1), pinged).splitlines()[2:]
    assert [row.split(" ")[5] for row in rows] == ["2", "2"]
    rows = render_server_state(state_of(1, 1, op="0"), pinged).splitlines()[2:]
    assert [row.split(" ")[5] for row in rows] == ["0", "0"]


def test_over_a_reload() -> None:
    assert states_after(state_of(0, 1)) == ["3", "2"]
    assert states_after(state_of(0, 0)) == ["2", "2"]  # nobody else serves
    assert states_after(state_of(1, 1)) == ["2", "2"]
    assert states_after(state_of(0, 1, op="0")) == ["0", "0"]  # down stays down


@given(NODES, NODES)
def test_statuses_go_at_runtime_and_lead_to_what_is_desired(
    now: tuple[ReportedNode, ...], wanted: tuple[ReportedNode, ...]
) -> None:
    before, after = (build(Desired(nodes=nodes), OPTIONS) for nodes in (now, wanted))
    steps = diff(after_reload(before), after, Features())
    assert apply(after_reload(before), steps, after).configuration == after
    if now == wanted:
        assert steps == ()
        return
    (step,) = steps
    assert isinstance(step, SetMap)
    if [node.name for node in now] == [node.name for node in wanted]:
        changed = [node for old, node in zip(now, wanted, strict=True) if old != node]
        names = [name for node in changed for name in (node.name, f"web/{node.name}")]
        assert [key for key, _ in step.changes] == names
        assert describe(step) == f"report the status of {len(names)} names"
    else:
        assert step.changes == ()
    assert replace(step, changes=()) == SetMap(after.frontends[0].maps[0])
