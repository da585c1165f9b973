"""The decision between runtime and reload, and that its steps lead where they should."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from libra.drivers.haproxy.actions import (
    AddServer,
    DisableFrontend,
    EnableFrontend,
    Reload,
    RemoveServer,
    SetAddress,
    SetMaint,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import (
    Backend,
    Configuration,
    Material,
    Options,
    Server,
    ServerState,
    ServerTls,
)
from libra.drivers.haproxy.diff import MOST_STEPS, Features, diff
from libra.drivers.haproxy.effects import (
    Running,
    after_reload,
    apply,
    effective_weight,
    in_maintenance,
    same,
)
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired, desireds, members

OPTIONS = Options(
    admin_socket="/run/a.sock",
    log_target="stdout",
    version=(2, 8),
    hard_stop_after=timedelta(hours=1),
)
EVERYTHING = Features(add_server_with_cookie=True)
features = st.builds(Features, st.booleans(), st.booleans(), st.booleans())


def configuration_of(desired: Desired) -> Configuration:
    return build(desired, OPTIONS)


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Configuration, Configuration]:
    """Two configurations as successive UPDATEs make them: the same, but for members and suspension."""
    desired = draw(desireds())
    other = Desired(
        loadbalancers=tuple(
            replace(
                lb,
                listeners=tuple(
                    replace(li, pool=replace(li.pool, members=draw(changed(li.pool.members))))
                    for li in lb.listeners
                ),
            )
            for lb in desired.loadbalancers
        ),
        suspended=draw(st.booleans()),
    )
    return configuration_of(desired), configuration_of(other)


def changed(old: tuple[object, ...]) -> st.SearchStrategy[tuple[object, ...]]:
    kept = st.lists(st.sampled_from(old), unique=True)
    altered = st.builds(lambda item, new: replace(new, id=item.id), st.sampled_from(old), members)
    return st.builds(
        lambda a, b, c: tuple({m.id: m for m in (*a, *b, *c)}.values()),
        kept,
        st.lists(altered, max_size=3),
        st.lists(members, max_size=3),
    ).filter(bool)


pairs = st.one_of(
    neighbours(), st.tuples(desireds(), desireds()).map(lambda p: tuple(map(configuration_of, p)))
)


@given(pairs, features)
def test_the_steps_lead_to_what_is_desired(
    pair: tuple[Configuration, Configuration], able: Features
) -> None:
    running, desired = after_reload(pair[0]), pair[1]
    assert same(apply(running, diff(running, desired, able), desired).configuration, desired)


@given(desireds(), features)
def test_nothing_is_done_where_nothing_differs(desired: Desired, able: Features) -> None:
    configuration = configuration_of(desired)
    assert diff(after_reload(configuration), configuration, able) == ()


@given(pairs, features, st.data())
def test_every_interrupted_prefix_still_ends_where_it_should(
    pair: tuple[Configuration, Configuration], able: Features, data: st.DataObject
) -> None:
    running, desired = after_reload(pair[0]), pair[1]
    steps = diff(running, desired, able)
    halfway = apply(running, steps[: data.draw(st.integers(0, len(steps)))], desired)
    again = apply(halfway, diff(halfway, desired, able), desired)
    assert same(again.configuration, desired)


@given(pairs, pairs, features)
def test_an_interrupted_change_may_be_overtaken_by_another(
    first: tuple[Configuration, Configuration],
    second: tuple[Configuration, Configuration],
    able: Features,
) -> None:
    running = after_reload(first[0])
    for desired in (first[1], second[0], second[1]):
        running = apply(running, diff(running, desired, able)[:2], desired)
    final = apply(running, diff(running, first[1], able), first[1])
    assert same(final.configuration, first[1])


@given(pairs, features)
def test_a_reload_stands_alone_and_says_why(
    pair: tuple[Configuration, Configuration], able: Features
) -> None:
    steps = diff(after_reload(pair[0]), pair[1], able)
    reloads = [step for step in steps if isinstance(step, Reload)]
    assert not reloads or (len(steps) == 1 and all(reloads[0].reasons))


BASE = configuration_of(build_desired(81, 82))


def with_servers(*servers: Server, **fields: object) -> Configuration:
    backend: Backend = replace(BASE.backends[0], servers=servers, **fields)
    return replace(BASE, backends=(backend,))


ONE, TWO = BASE.backends[0].servers
NAME = BASE.backends[0].name


@pytest.mark.parametrize(
    ("desired", "steps"),
    [
        (with_servers(ONE._replace(weight=9), TWO), [SetWeight(NAME, "m0", 9)]),
        (with_servers(ONE._replace(state=ServerState.DRAIN), TWO), [SetWeight(NAME, "m0", 0)]),
        (with_servers(ONE._replace(state=ServerState.MAINT), TWO), [SetMaint(NAME, "m0")]),
        (with_servers(ONE._replace(port=99), TWO), [SetAddress(NAME, "m0", "127.0.0.1", 99)]),
        (with_servers(TWO), [RemoveServer(NAME, "m0")]),
        (with_servers(TWO, ONE), []),
        (
            with_servers(ONE, TWO, ONE._replace(name="m2")),
            [AddServer(NAME, ONE._replace(name="m2"), None, with_cookie=False)],
        ),
        (
            with_servers(ONE._replace(name="m2"), TWO),
            [
                AddServer(NAME, ONE._replace(name="m2"), None, with_cookie=False),
                RemoveServer(NAME, "m0"),
            ],
        ),
        (configuration_of(build_desired(81, 82, suspended=True)), [DisableFrontend("fe-web")]),
    ],
)
def test_small_changes_go_at_runtime(desired: Configuration, steps: list[object]) -> None:
    assert list(diff(after_reload(BASE), desired, EVERYTHING)) == steps


CA = Material("pool-ca-p", "pem", "")
TLS = ServerTls(authorities=CA, ciphers="A:!B", alpn=("h2", "http/1.1"))


def over_tls(directory: str, *servers: Server) -> Configuration:
    one, *others = with_servers(*servers).backends
    options = replace(OPTIONS, material_dir=directory)
    return replace(BASE, options=options, backends=(replace(one, tls=TLS), *others))


def test_an_added_server_is_spoken_to_as_the_others() -> None:
    """There is no quoting on HAProxy's socket: it is reloaded where that would be needed."""
    before = after_reload(over_tls("/a", ONE))
    (step,) = diff(before, over_tls("/a", ONE, TWO), EVERYTHING)
    assert isinstance(step, AddServer)
    assert step.tls == (
        f"ssl sni ssl_fc_sni verify required ca-file /a/{CA.name} check-alpn http/1.1 ciphers A:!B alpn h2,http/1.1"
    )
    for place in ("/a b", "/a'b"):
        before = after_reload(over_tls(place, ONE))
        (step,) = diff(before, over_tls(place, ONE, TWO), EVERYTHING)
        assert isinstance(step, Reload)


def test_what_was_suspended_at_runtime_is_enabled_at_runtime() -> None:
    suspended = configuration_of(build_desired(81, 82, suspended=True))
    assert diff(Running(suspended), BASE, EVERYTHING) == (EnableFrontend("fe-web"),)


def test_out_of_maintenance_comes_last() -> None:
    running = Running(with_servers(ONE._replace(state=ServerState.MAINT), TWO))
    desired = with_servers(ONE._replace(port=99, weight=3), TWO)
    assert diff(running, desired, EVERYTHING) == (
        SetAddress(NAME, "m0", "127.0.0.1", 99),
        SetWeight(NAME, "m0", 3),
        SetReady(NAME, "m0"),
    )


@pytest.mark.parametrize(
    ("running", "desired", "able", "reason"),
    [
        (BASE, configuration_of(Desired()), EVERYTHING, "listeners were added or removed"),
        (
            BASE,
            configuration_of(build_desired(81, 82, listen=1)),
            EVERYTHING,
            "listener fe-web changed",
        ),
        (BASE, with_servers(ONE, TWO, retries=9), EVERYTHING, "pool be-web changed"),
        (BASE, with_servers(ONE._replace(backup=True), TWO), EVERYTHING, "backup and active"),
        (BASE, with_servers(ONE._replace(id=5), TWO), EVERYTHING, "the number of m0 changed"),
        (BASE, with_servers(ONE._replace(address="a.example"), TWO), EVERYTHING, "host name"),
        (
            BASE,
            with_servers(ONE, TWO, ONE._replace(name="x", address="h")),
            EVERYTHING,
            "host name",
        ),
        (
            BASE,
            with_servers(ONE, TWO, ONE._replace(name="x")),
            Features(add_server=False),
            "cannot add",
        ),
        (BASE, with_servers(ONE), Features(remove_server=False), "cannot remove"),
        (
            with_servers(ONE, cookie="c"),
            with_servers(ONE, TWO, cookie="c"),
            Features(),
            "with a cookie",
        ),
        (BASE, replace(BASE, options=replace(OPTIONS, user="x")), EVERYTHING, "settings"),
        (
            configuration_of(build_desired(81, suspended=True)),
            configuration_of(build_desired(81)),
            EVERYTHING,
            "started suspended",
        ),
        (
            with_servers(*(ONE._replace(name=f"s{n}") for n in range(MOST_STEPS + 1))),
            with_servers(*(ONE._replace(name=f"s{n}", weight=2) for n in range(MOST_STEPS + 1))),
            EVERYTHING,
            "changes at once",
        ),
    ],
)
def test_everything_else_is_one_reload(
    running: Configuration, desired: Configuration, able: Features, reason: str
) -> None:
    (step,) = diff(after_reload(running), desired, able)
    assert isinstance(step, Reload)
    assert reason in " ".join(step.reasons)


AWAY = TWO._replace(state=ServerState.MAINT)


@example((with_servers(ONE, AWAY), with_servers(ONE._replace(state=ServerState.MAINT), TWO)))
@example((with_servers(ONE, TWO._replace(weight=0)), with_servers(ONE._replace(weight=0), TWO)))
@given(neighbours())
def test_no_interrupted_prefix_leaves_less_to_serve_with_than_before_and_after(
    pair: tuple[Configuration, Configuration],
) -> None:
    before, after = pair
    least = set(able_backends(before)) & set(able_backends(after))
    steps = diff(Running(before), after, EVERYTHING)
    for length in range(len(steps)):
        halfway = apply(Running(before), steps[:length], after).configuration
        assert least <= set(able_backends(halfway))


def able_backends(configuration: Configuration) -> list[str]:
    """Those that have somebody to send a new client to."""
    return [
        backend.name
        for backend in configuration.backends
        if any(
            effective_weight(server) and not in_maintenance(server) for server in backend.servers
        )
    ]
