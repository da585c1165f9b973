"""The load balancers of an UPDATE: how many, which together, and each field with its bounds."""

from datetime import timedelta
from typing import Any

import pytest

from libra.model.listener import Protocol, Timeouts
from libra.model.loadbalancer import LoadBalancer
from tests.support.messages import fault_of, http, parse_update, tcp, update

WRONG_SET = (
    "cannot read loadbalancers: it must be one load balancer, or two where one is HTTP and the "
    "other TCP, got "
)


def parse_one(**fields: Any) -> LoadBalancer:
    (loadbalancer,) = parse_update(update(http(**fields)))
    return loadbalancer


def fault_in_one(**fields: Any) -> str:
    return fault_of(update(http(**fields)))


# which together


@pytest.mark.parametrize("items", [[http()], [tcp()], [http(), tcp()], [tcp(), http()]])
def test_one_or_one_of_each(items: list[dict[str, Any]]) -> None:
    parsed = parse_update(update(*items))
    assert [lb.listeners[0].protocol.value for lb in parsed] == [lb["protocol"] for lb in items]


@pytest.mark.parametrize(
    ("items", "got"),
    [
        ([], "0"),
        ([http(), http(port=81)], "two with the protocol HTTP"),
        ([tcp(), tcp(port=26)], "two with the protocol TCP"),
        ([http(protocol="http"), http(protocol="Http", port=81)], "two with the protocol HTTP"),
        ([http(), tcp(), tcp(port=26)], "3"),
        ([{}] * 100_000, "100000"),
    ],
    ids=range(6),
)
def test_no_other_set(items: list[dict[str, Any]], got: str) -> None:
    assert fault_of(update(*items)) == WRONG_SET + got


@pytest.mark.parametrize("value", [None, {}, http(), "x", 1, True])
def test_load_balancers_come_as_a_list(value: object) -> None:
    text = fault_of({"hpcs_action": "UPDATE", "loadbalancers": value})
    assert text.startswith("cannot read loadbalancers: it ")


@pytest.mark.parametrize("item", [None, "http", 1, [], [http()]])
def test_each_is_an_object(item: Any) -> None:
    assert fault_of(update(item)).startswith(
        "cannot read loadbalancers[0]: it must be a JSON object, got "
    )


def test_both_spellings_of_the_list_are_one_too_many() -> None:
    message = {**update(http()), "loadBalancers": [http()]}
    assert fault_of(message) == (
        "cannot read loadbalancers: it is given twice, in different spellings"
    )


@pytest.mark.parametrize("spelling", ["loadBalancers", "LOADBALANCERS", "LoadBalancers"])
def test_any_spelling_of_the_list(spelling: str) -> None:
    assert len(parse_update({"HPCS_ACTION": "update", spelling: [http()]})) == 1


# one beside the other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, None),
        (None, "10.0.0.9"),
        (None, "::"),
        ("0.0.0.0", "10.0.0.9"),
        ("0.0.0.0", None),
        ("0.0.0.0", "0.0.0.0"),
        ("::", "10.0.0.9"),
        ("::", "::1"),
        ("::", "0.0.0.0"),
        ("::1", "0:0:0:0:0:0:0:1"),
        ("10.0.0.9", "::ffff:10.0.0.9"),
        ("[::1]", "::1"),
    ],
)
def test_two_on_one_port_are_refused(one: str | None, other: str | None) -> None:
    for first, second in ((one, other), (other, one)):
        message = update(http(bind_address=first), tcp(port="80", bind_address=second))
        assert fault_of(message) == "cannot read loadbalancers: two of them listen on port 80"


@pytest.mark.parametrize(
    ("one", "other"),
    [("10.0.0.9", "10.0.0.8"), ("::1", "::2"), ("0.0.0.0", "::1"), (None, "::1")],
)
def test_two_on_one_port_of_different_addresses_are_fine(one: str | None, other: str) -> None:
    for first, second in ((one, other), (other, one)):
        found = parse_update(update(http(bind_address=first), tcp(port=80, bind_address=second)))
        assert [item.listeners[0].bind_address for item in found] == [first, second]


def test_ids_are_unique_and_numbers_are_texts() -> None:
    assert fault_of(update(http(id=1), tcp(id="1"))) == (
        "cannot read loadbalancers: two of them have the id '1'"
    )


def test_without_an_id_the_protocol_is_the_id() -> None:
    ids = [lb.id for lb in parse_update(update(http(), tcp(id="")))]
    assert ids == ["http", "tcp"]
    assert "two of them have the id 'tcp'" in fault_of(update(http(id="tcp"), tcp()))


# fields


def test_the_least_that_is_needed() -> None:
    loadbalancer = parse_one()
    listener = loadbalancer.listeners[0]
    assert (loadbalancer.id, loadbalancer.name) == ("http", None)
    assert (listener.id, listener.pool.id) == ("http", "http")
    assert (listener.protocol, listener.port, listener.bind_address) == (Protocol.HTTP, 80, None)
    assert (listener.connection_limit, listener.x_forwarded_for) == (None, False)
    assert (listener.timeouts, listener.connect_retries) == (Timeouts(), None)


@pytest.mark.parametrize("field", ["protocol", "nodes"])
def test_required_fields(field: str) -> None:
    assert fault_in_one(**{field: None}) == (
        f"cannot read loadbalancers[0].{field}: it is required"
    )


def test_tcp_has_no_default_port() -> None:
    assert fault_of(update(tcp(port=None))) == (
        "cannot read loadbalancers[0].port: it is required for TCP"
    )
    assert parse_update(update(tcp()))[0].listeners[0].port == 25


@pytest.mark.parametrize("protocol", ["https", "UDP", "", "HTTP ", 1, ["HTTP"], True])
def test_no_other_protocol(protocol: object) -> None:
    assert fault_in_one(protocol=protocol).startswith(
        "cannot read loadbalancers[0].protocol: it must be one of HTTP, TCP, got "
    )


@pytest.mark.parametrize("port", [1, "1", 80, 65535, "65535", 8080.0])
def test_ports(port: object) -> None:
    assert parse_one(port=port).listeners[0].port == int(float(str(port)))


@pytest.mark.parametrize(
    "port", [0, "0", -1, 65536, 70000, "70000", "80 ", "http", True, "\uff18\uff10", [80], 80.5, ""]
)
def test_no_other_port(port: object) -> None:
    assert fault_in_one(port=port).startswith(
        "cannot read loadbalancers[0].port: it must be a whole number from 1 to 65535, got "
    )


@pytest.mark.parametrize(
    ("given", "kept"), [("192.0.2.1", "192.0.2.1"), ("[::1]", "::1"), ("0.0.0.0", "0.0.0.0")]
)
def test_bind_address(given: str, kept: str) -> None:
    assert parse_one(bind_address=given).listeners[0].bind_address == kept


@pytest.mark.parametrize("address", ["localhost", "*", "10.0.0.1\n", "224.0.0.1", "", 1])
def test_no_other_bind_address(address: object) -> None:
    assert fault_in_one(bind_address=address).startswith(
        "cannot read loadbalancers[0].bind_address: it must be "
    )


@pytest.mark.parametrize("name", ["lb #1", "ünïcode ☃", "a" * 255, 15, '"; rm -rf /', "%[src]"])
def test_a_name_is_any_line(name: object) -> None:
    assert parse_one(name=name).name == str(name)


@pytest.mark.parametrize("name", ["a\nb", "a" * 256, "x" * 10_000_000, ["a"], True, "\x1b[2J"])
def test_a_name_is_one_short_line(name: object) -> None:
    text = fault_in_one(name=name)
    assert text.startswith("cannot read loadbalancers[0].name: it must be ")
    assert len(text) < 300
    assert text.isprintable()


@pytest.mark.parametrize("limit", [1, "2000", 10_000_000])
def test_connection_limit(limit: object) -> None:
    assert parse_one(connection_limit=limit).listeners[0].connection_limit == int(str(limit))


@pytest.mark.parametrize("limit", [0, -1, 10_000_001, "many"])
def test_no_other_connection_limit(limit: object) -> None:
    assert "connection_limit: it must be a whole number from 1 to" in fault_in_one(
        connection_limit=limit
    )


def test_options() -> None:
    options = {
        "Client_Timeout": 30_000,
        "server_timeout": "1",
        "CONNECT_TIMEOUT": 86_400_000,
        "connect_retries": 0,
    }
    listener = parse_one(options=options).listeners[0]
    assert listener.connect_retries == 0
    assert listener.timeouts == Timeouts(
        client=timedelta(seconds=30),
        server=timedelta(milliseconds=1),
        connect=timedelta(days=1),
    )


@pytest.mark.parametrize(
    "options",
    [
        {"client_timeout": 0},
        {"server_timeout": 86_400_001},
        {"connect_timeout": "4s"},
        {"connect_timeout": 0.5},
        {"connect_retries": -1},
        {"connect_retries": 101},
        "fast",
        [],
    ],
)
def test_no_other_options(options: object) -> None:
    assert fault_in_one(options=options).startswith("cannot read loadbalancers[0].options")


def test_empty_options_are_the_defaults() -> None:
    assert parse_one(options={}) == parse_one(options=None) == parse_one()


def test_x_forwarded_for_needs_headers() -> None:
    assert parse_one(x_forwarded_for="true").listeners[0].x_forwarded_for
    assert not parse_update(update(tcp(x_forwarded_for=False)))[0].listeners[0].x_forwarded_for
    assert fault_of(update(tcp(x_forwarded_for=True))) == (
        "cannot read loadbalancers[0].x_forwarded_for: it must be left out, for TCP has no headers, got true"
    )
