"""The pool of a load balancer: nodes, algorithm, monitor, session persistence."""

from datetime import timedelta
from typing import Any

import pytest

from libra.messages.members import MAX_NODES
from libra.messages.pools import ALGORITHMS
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    SessionPersistence,
)
from tests.support.messages import fault_of, http, many_nodes, parse_update, tcp, update

NODE = {"address": "10.0.0.1", "port": 80}
NODES = "cannot read loadbalancers[0].nodes"


def parse_pool(**fields: Any) -> Pool:
    (loadbalancer,) = parse_update(update(http(**fields)))
    return loadbalancer.listeners[0].pool


def parse_node(**fields: Any) -> Member:
    return parse_pool(nodes=[{**NODE, **fields}]).members[0]


def fault_in(**fields: Any) -> str:
    return fault_of(update(http(**fields)))


def fault_in_node(**fields: Any) -> str:
    return fault_in(nodes=[{**NODE, **fields}])


def parse_monitor(**fields: Any) -> HealthMonitor:
    monitor = parse_pool(monitor=fields).monitor
    assert monitor is not None
    return monitor


# nodes


def test_the_least_that_is_needed() -> None:
    pool = parse_pool()
    assert pool == Pool(id="http", members=(Member(id="10.0.0.1:80", address="10.0.0.1", port=80),))
    assert (pool.algorithm, pool.monitor, pool.persistence) == (Algorithm.ROUND_ROBIN, None, None)
    member = pool.members[0]
    assert (member.weight, member.condition, member.backup) == (1, Condition.ENABLED, False)


@pytest.mark.parametrize("field", ["address", "port"])
@pytest.mark.parametrize("missing", [{}, None])
def test_required_fields(field: str, missing: object) -> None:
    node = {name: value for name, value in NODE.items() if name != field}
    if missing is None:
        node[field] = None  # type: ignore[assignment]
    assert fault_in(nodes=[NODE, node]) == f"{NODES}[1].{field}: it is required"


@pytest.mark.parametrize(
    ("address", "kept", "default_id"),
    [
        ("10.0.0.1", "10.0.0.1", "10.0.0.1:80"),
        ("[2001:DB8::1]", "2001:db8::1", "[2001:db8::1]:80"),
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1:80"),
        ("WEB.Example.com.", "web.example.com", "web.example.com:80"),
    ],
)
def test_addresses(address: str, kept: str, default_id: str) -> None:
    member = parse_node(address=address)
    assert (member.address, member.id) == (kept, default_id)


@pytest.mark.parametrize(
    "address",
    [
        *("", " ", "10.0.0.1 ", "10.0.0.1\n", "10.0.0.1\n    server evil 1.2.3.4:80", "10.0.0.256"),
        *("127.1", "0x7f.1", "fe80::1%eth0", "a b", "10.0.0.1:80", "http://x", "0.0.0.0", "224.0.0.1"),
        *(1, 1.5, True, [], {}, "x" * 10_000_000),
    ],
    ids=range(20),
)  # fmt: skip
def test_no_other_address(address: object) -> None:
    text = fault_in_node(address=address)
    assert text.startswith(f"{NODES}[0].address: it must be ")
    assert text.isprintable()
    assert len(text) < 400


@pytest.mark.parametrize("port", [0, 70000, "80 ", True, "\uff18\uff10", "", "http", 80.5, -80])
def test_no_other_port(port: object) -> None:
    assert fault_in_node(port=port).startswith(f"{NODES}[0].port: it must be a whole number from 1")


@pytest.mark.parametrize(("weight", "kept"), [(0, 0), ("256", 256), (1.0, 1)])
def test_weights(weight: object, kept: int) -> None:
    assert parse_node(weight=weight).weight == kept


@pytest.mark.parametrize("weight", [-1, 257, "257", "heavy", True, 1.5])
def test_no_other_weight(weight: object) -> None:
    assert fault_in_node(weight=weight).startswith(
        f"{NODES}[0].weight: it must be a whole number from 0 to 256, got "
    )


@pytest.mark.parametrize("condition", list(Condition))
def test_conditions(condition: Condition) -> None:
    assert parse_node(condition=condition.value.title()).condition is condition


def test_no_other_condition() -> None:
    assert fault_in_node(condition="OFFLINE") == (
        f"{NODES}[0].condition: it must be one of ENABLED, DISABLED, DRAINING, got 'OFFLINE'"
    )


def test_backup() -> None:
    assert parse_node(backup="TRUE").backup
    assert "backup: it must be true or false, got 'maybe'" in fault_in_node(backup="maybe")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("::1", "0:0:0:0:0:0:0:1"),
        ("::1", "[::1]"),
        ("localhost", "LOCALHOST."),
        ("10.0.0.1", "::ffff:10.0.0.1"),
        ("10.0.0.1", "10.0.0.1"),
    ],
)
def test_the_same_target_twice_is_refused(one: str, other: str) -> None:
    nodes = [
        {"id": "a", "address": one, "port": 80},
        {"id": "b", "address": "10.9.9.9", "port": 80},
        {"id": "c", "address": other, "port": "80"},
    ]
    assert fault_in(nodes=nodes).startswith(
        f"{NODES}[2]: it is the same address and port as loadbalancers[0].nodes[0], '"
    )


def test_one_address_on_two_ports_is_fine() -> None:
    nodes = [NODE, {**NODE, "port": 81}]
    assert [member.id for member in parse_pool(nodes=nodes).members] == [
        "10.0.0.1:80",
        "10.0.0.1:81",
    ]


@pytest.mark.parametrize(("one", "other"), [("1", 1), ("a", " a "), (None, "10.0.0.1:80")])
def test_the_same_id_twice_is_refused(one: object, other: object) -> None:
    nodes = [{**NODE, "id": one}, {**NODE, "port": 81, "id": other}]
    assert fault_in(nodes=nodes).startswith(
        f"{NODES}[1].id: loadbalancers[0].nodes[0] has the same id '"
    )


def test_two_load_balancers_may_share_nodes() -> None:
    assert len(parse_update(update(http(), tcp()))) == 2


@pytest.mark.parametrize("value", [{}, "10.0.0.1", 1, True])
def test_nodes_come_as_a_list(value: object) -> None:
    assert fault_in(nodes=value).startswith(f"{NODES}: it must be a list, got ")


@pytest.mark.parametrize("node", [None, "10.0.0.1:80", 1, ["10.0.0.1", 80]])
def test_each_node_is_an_object(node: object) -> None:
    assert fault_in(nodes=[NODE, node]).startswith(f"{NODES}[1]: it must be a JSON object, got ")


def test_5000_nodes_are_a_good_message() -> None:
    members = parse_pool(nodes=many_nodes(5000)).members
    assert len({member.address for member in members}) == 5000
    assert [member.id for member in members] == [str(number) for number in range(1, 5001)]


def test_as_many_nodes_as_are_taken() -> None:
    assert len(parse_pool(nodes=many_nodes(MAX_NODES)).members) == MAX_NODES


@pytest.mark.parametrize(("count", "nodes"), [(0, []), (20_001, [None] * 20_001)])
def test_none_and_too_many_nodes_are_refused_before_they_are_read(
    count: int, nodes: list[object]
) -> None:
    assert fault_in(nodes=nodes) == f"{NODES}: it must hold 1 to 20000 nodes, got {count}"


# algorithm and monitor


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_algorithms(algorithm: Algorithm) -> None:
    assert parse_pool(algorithm=algorithm.value.lower()).algorithm is algorithm


def test_no_other_algorithm() -> None:
    assert "one of ROUND_ROBIN, LEAST_CONNECTIONS, SOURCE_IP, got 'RANDOM'" in fault_in(
        algorithm="RANDOM"
    )


def test_a_monitor_of_connections() -> None:
    assert parse_monitor(type="connect") == HealthMonitor(
        type=MonitorType.CONNECT,
        delay=timedelta(seconds=30),
        timeout=timedelta(seconds=10),
        attempts=2,
    )


def test_a_monitor_with_every_field() -> None:
    fields = {
        "TYPE": "http",
        "delay": "5",
        "timeout": 3,
        "attempts": 4,
        "Path": "/health?full=1",
        "expected_codes": "200",
    }
    assert parse_monitor(**fields) == HealthMonitor(
        type=MonitorType.HTTP,
        delay=timedelta(seconds=5),
        timeout=timedelta(seconds=3),
        attempts=4,
        path="/health?full=1",
        expected_codes=((200, 200),),
    )


def test_the_timeout_is_no_longer_than_a_short_delay() -> None:
    assert parse_monitor(type="HTTP", delay=3).timeout == timedelta(seconds=3)


def test_http_fields_are_extraneous_where_only_the_connection_is_checked() -> None:
    monitor = parse_monitor(type="CONNECT", path="no path", expected_codes="no codes")
    assert monitor == parse_monitor(type="CONNECT")


@pytest.mark.parametrize(
    "monitor",
    [
        *({}, {"type": "PING"}, {"type": None}, "HTTP", []),
        *({"type": "HTTP", "delay": 0}, {"type": "HTTP", "delay": 3601}),
        *({"type": "HTTP", "timeout": 0}, {"type": "HTTP", "timeout": "5s"}),
        *({"type": "HTTP", "attempts": 0}, {"type": "HTTP", "attempts": 101}),
    ],
)
def test_no_other_monitor(monitor: object) -> None:
    assert fault_in(monitor=monitor).startswith("cannot read loadbalancers[0].monitor")


@pytest.mark.parametrize(
    "path", ["/", "/a/b.html", "/a?b=c&d=%20e", "/~u;p=1,2", "/a//b/../c", "/" + "a" * 1023]
)
def test_paths(path: str) -> None:
    assert parse_monitor(type="HTTP", path=path).path == path


@pytest.mark.parametrize(
    "path",
    [
        *("", " ", "health", "http://x/", " /", "/ ", "/a b", "/a\nb", "/a\r\nHost: x", "/a'b", '/a"b'),
        *("/a\\b", "/a#b", "/ü", "/{a}", "/a|b", "/a\x00", "/" + "a" * 1024, 1, True, ["/"]),
    ],
)  # fmt: skip
def test_no_other_path(path: object) -> None:
    assert fault_in(monitor={"type": "HTTP", "path": path}).startswith(
        "cannot read loadbalancers[0].monitor.path: it must be "
    )


@pytest.mark.parametrize(
    ("codes", "ranges"),
    [
        (200, ((200, 200),)),
        (200.0, ((200, 200),)),
        ("200", ((200, 200),)),
        ("200,302", ((200, 200), (302, 302))),
        ("302, 200", ((200, 200), (302, 302))),
        ("200-204", ((200, 204),)),
        ("200-204,201,203-210", ((200, 210),)),
        ("200,201", ((200, 201),)),
        (["200", 302, "400-499,500"], ((200, 200), (302, 302), (400, 500))),
        ("100-599", ((100, 599),)),
        (None, ((200, 299),)),
    ],
)
def test_expected_codes(codes: object, ranges: tuple[tuple[int, int], ...]) -> None:
    assert parse_monitor(type="HTTP", expected_codes=codes).expected_codes == ranges


@pytest.mark.parametrize(
    "codes",
    [
        *("", " ", "2xx", "200,", ",200", "200;302", "99", "600", "2000", "204-200", "200-", "-200"),
        *("'200'", '"200"', "200\n", "\uff12\uff10\uff10", "+200", 200.5, 20, 10**5000, True, {}, []),
        *([None], [[200]], ["200", ""], [True], ["200"] * 101, ",".join(["200"] * 101), "200 - 204"),
        *(["200"] * 100 + ["x"], b"200"),
    ],
    ids=range(32),
)  # fmt: skip
def test_no_other_codes(codes: object) -> None:
    text = fault_in(monitor={"type": "HTTP", "expected_codes": codes})
    assert text.startswith("cannot read loadbalancers[0].monitor.expected_codes: it must be ")


# session persistence


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("source_ip", SessionPersistence(type=PersistenceType.SOURCE_IP)),
        ({"type": "SOURCE_IP"}, SessionPersistence(type=PersistenceType.SOURCE_IP)),
        ({"type": "SOURCE_IP", "cookie_name": "; ;"}, SessionPersistence(type=PersistenceType.SOURCE_IP)),
        ("HTTP_COOKIE", SessionPersistence(type=PersistenceType.HTTP_COOKIE)),
        (
            {"Type": "Http_Cookie", "Cookie_Name": "SID"},
            SessionPersistence(type=PersistenceType.HTTP_COOKIE, cookie_name="SID"),
        ),
    ],
)  # fmt: skip
def test_session_persistence(given: object, kept: SessionPersistence) -> None:
    assert parse_pool(session_persistence=given).persistence == kept


@pytest.mark.parametrize(
    "given",
    [
        *("", "COOKIE", 1, True, [], {}, {"type": "APP_COOKIE"}),
        *({"type": "HTTP_COOKIE", "cookie_name": name} for name in ("", "a b", "a;b", "a=b", "ü")),
        *({"type": "HTTP_COOKIE", "cookie_name": name} for name in ("a" * 65, 'a"b', "a\n", "a#b", 1.5)),
    ],
)  # fmt: skip
def test_no_other_session_persistence(given: object) -> None:
    assert fault_in(session_persistence=given).startswith(
        "cannot read loadbalancers[0].session_persistence"
    )


def test_tcp_has_no_cookies() -> None:
    assert fault_of(update(tcp(session_persistence="HTTP_COOKIE"))) == (
        "cannot read loadbalancers[0].session_persistence.type: it must be SOURCE_IP, for TCP has no cookies, "
        "got 'HTTP_COOKIE'"
    )
    parse_update(update(tcp(session_persistence="SOURCE_IP")))
