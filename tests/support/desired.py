"""Desired states for tests: small ones by hand, and hypothesis strategies for all of them."""

from datetime import timedelta

from hypothesis import strategies as st

from libra.messages.pools import ALGORITHMS
from libra.model.listener import Listener, Protocol, Timeouts
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import (
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    SessionPersistence,
)


def build_desired(
    *ports: int, listen: int = 8080, address: str = "127.0.0.1", suspended: bool = False
) -> Desired:
    """One HTTP load balancer "web" on `listen` with a member "m0", "m1", ... a port."""
    members = tuple(
        Member(id=f"m{index}", address=address, port=port) for index, port in enumerate(ports)
    )
    listener = Listener(
        id="web",
        protocol=Protocol.HTTP,
        port=listen,
        bind_address="127.0.0.1",
        pool=Pool(id="web", members=members),
    )
    return Desired(
        loadbalancers=(LoadBalancer(id="web", listeners=(listener,)),), suspended=suspended
    )


ids = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=40)
addresses = st.one_of(
    st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str), st.just("web.example.com")
)
ports = st.integers(1, 65535)
durations = st.integers(1, 3_600_000).map(lambda ms: timedelta(milliseconds=ms))
members = st.builds(
    Member,
    id=ids,
    address=addresses,
    port=ports,
    weight=st.integers(0, 256),
    condition=st.sampled_from(Condition),
    backup=st.booleans(),
)
monitors = st.builds(
    HealthMonitor,
    type=st.sampled_from(MonitorType),
    delay=durations,
    timeout=durations,
    attempts=st.integers(1, 100),
    path=st.text("/abc#$%[]{}'?=&.~", max_size=20).map(lambda text: "/" + text),
    expected_codes=st.just(((200, 200), (301, 308))),
)
persistences = st.builds(
    SessionPersistence,
    type=st.sampled_from(PersistenceType),
    cookie_name=st.sampled_from([None, "sid", "a#b$c%d"]),
)
timeouts = st.builds(
    Timeouts,
    client=st.none() | durations,
    server=st.none() | durations,
    connect=st.none() | durations,
)


@st.composite
def listeners(draw: st.DrawFn, protocol: Protocol, identity: str) -> Listener:
    pool = Pool(
        id=identity,
        members=tuple(draw(st.lists(members, min_size=1, max_size=4, unique_by=lambda m: m.id))),
        algorithm=draw(st.sampled_from(ALGORITHMS)),
        monitor=draw(st.none() | monitors),
        persistence=draw(st.none() | persistences) if protocol is Protocol.HTTP else None,
    )
    return Listener(
        id=identity,
        protocol=protocol,
        port=draw(ports),
        pool=pool,
        bind_address=draw(st.none() | st.sampled_from(["127.0.0.1", "::1", "::"])),
        connection_limit=draw(st.none() | st.integers(1, 5000)),
        x_forwarded_for=protocol is Protocol.HTTP and draw(st.booleans()),
        timeouts=draw(timeouts),
        connect_retries=draw(st.none() | st.integers(0, 100)),
    )


@st.composite
def desireds(draw: st.DrawFn) -> Desired:
    """Any state that an UPDATE may ask for, and its suspension."""
    protocols = draw(st.lists(st.sampled_from(Protocol), max_size=2, unique=True))
    names = draw(st.lists(ids, min_size=len(protocols), max_size=len(protocols), unique=True))
    return Desired(
        loadbalancers=tuple(
            LoadBalancer(id=name, listeners=(draw(listeners(protocol, name)),))
            for name, protocol in zip(names, protocols, strict=True)
        ),
        suspended=draw(st.booleans()),
    )
