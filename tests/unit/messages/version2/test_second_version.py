"""2.0 messages: what they say is what is read, and what is at fault is told with its place."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings

from libra.errors import Invalid
from libra.messages.decoder import Decoder
from libra.messages.digest import Digester, digest_of
from libra.messages.members import RememberedMembers
from libra.messages.requests import Update, parse_request
from libra.messages.updates import UpdateWriter
from libra.messages.version2.loadbalancers import KnownLoadBalancers
from libra.messages.version2.writer import build_update
from libra.model.listener import Protocol
from libra.model.loadbalancer import Desired
from libra.model.pool import Condition, MonitorType
from tests.support.messages import places
from tests.support.second import (
    CRL,
    KEY,
    PEM,
    listener,
    loadbalancer,
    node,
    pool,
    second_desireds,
    update,
)

TLS: dict[str, Any] = {"certificates": [{"id": "a", "certificate": PEM, "key": KEY}]}


def read(message: object) -> Update:
    request = parse_request(message)
    assert isinstance(request, Update)
    return request


def web(**fields: object) -> dict[str, Any]:
    """A message with one of everything, its listener changed."""
    pools = [pool("p", node("n", 8080))]
    return update(loadbalancer("lb", [{**listener("li", 80, pool="p"), **fields}], pools))


def test_a_message_with_one_of_everything() -> None:
    request = read({**web(), "hpcs_generation": "7"})
    assert (request.version, request.generation) == ("2.0", 7)
    (found,) = request.loadbalancers
    (only,) = found.listeners
    assert (found.id, found.address, only.protocol, only.port) == (
        "lb",
        "127.0.0.1",
        Protocol.HTTP,
        80,
    )
    assert only.pool is found.pools[0]
    assert [member.address for member in found.pools[0].members] == ["127.0.0.1"]


@given(second_desireds())
@settings(deadline=None)
def test_what_is_written_reads_back_as_the_same(desired: Desired) -> None:
    message = json.loads(json.dumps(build_update(desired.loadbalancers)))
    assert read(message).loadbalancers == desired.loadbalancers
    assert json.loads(UpdateWriter().write(desired.loadbalancers, "2.0")) == message


def fits(message: object) -> bool:
    """Whether nothing in it is there twice."""
    try:
        parse_request(message)
    except Invalid:
        return False
    return True


@given(second_desireds(), second_desireds())
@settings(deadline=None)
def test_what_is_remembered_changes_nothing(one: Desired, other: Desired) -> None:
    decoder, members, writer = Decoder(smallest=0, run=2), RememberedMembers(), UpdateWriter()
    digester, known = Digester(), KnownLoadBalancers()
    both = Desired(
        loadbalancers=tuple(
            {lb.id: lb for lb in (*other.loadbalancers, *one.loadbalancers)}.values()
        )
    )
    for desired in (one, other, one, both, other):
        data = json.dumps(build_update(desired.loadbalancers)).encode()
        message = decoder.decode(data)
        assert message == json.loads(data)
        if desired is both and not fits(message):
            continue
        request = parse_request(message, members, known)
        assert isinstance(request, Update)
        assert request.loadbalancers == desired.loadbalancers
        assert json.loads(writer.write(desired.loadbalancers, "2.0")) == message
        assert digester.digest(desired) == digest_of(desired)


@given(second_desireds(), second_desireds())
@settings(deadline=None)
def test_digests_differ_where_states_do(one: Desired, other: Desired) -> None:
    same = one.loadbalancers == other.loadbalancers
    assert (digest_of(one) == digest_of(other)) == same


def test_names_and_values_come_in_any_case() -> None:
    message = web(
        protocol="http", allowed_cidrs=["10.1.2.3/8"], insert_headers={"x-REAL-ip": "True"}
    )
    shouted = json.loads(
        json.dumps(message).replace('"pools"', '"POOLS"').replace('"nodes"', '"Nodes"')
    )
    assert read(shouted).loadbalancers == read(message).loadbalancers
    assert read(message).loadbalancers[0].listeners[0].allowed_cidrs == ("10.0.0.0/8",)


def test_two_listeners_share_a_pool() -> None:
    listeners = [listener("a", 80, pool="p"), listener("b", 81, pool="p")]
    (found,) = read(update(loadbalancer("lb", listeners, [pool("p", node("n", 1))]))).loadbalancers
    assert found.listeners[0].pool is found.listeners[1].pool
    assert len(found.pools) == 1


def test_a_node_may_be_checked_elsewhere_in_2_0_only() -> None:
    there = node("n", 1, monitor_address="10.0.0.9", monitor_port="99", condition="draining")
    (found,) = read(
        update(loadbalancer("lb", [listener("li", 80, pool="p")], [pool("p", there)]))
    ).loadbalancers
    (member,) = found.pools[0].members
    assert (member.monitor_address, member.monitor_port) == ("10.0.0.9", 99)
    assert member.condition is Condition.DRAINING
    first = {"hpcs_action": "UPDATE", "loadbalancers": [{"protocol": "HTTP", "nodes": [there]}]}
    (old,) = read(first).loadbalancers
    assert old.pools[0].members[0].monitor_port is None


def test_1_0_knows_only_its_own_monitors() -> None:
    nodes = [node("n", 1)]
    monitor = {"type": "TLS-HELLO", "delay": 1, "timeout": 1}
    message = {
        "hpcs_action": "UPDATE",
        "loadbalancers": [{"protocol": "HTTP", "nodes": nodes, "monitor": monitor}],
    }
    with pytest.raises(Invalid, match="must be one of CONNECT, HTTP, got 'TLS-HELLO'"):
        read(message)


def test_tcp_is_the_fields_word_for_a_connection() -> None:
    monitor = {"type": "tcp", "delay": 1, "timeout": 1, "attempts": 2}
    message = update(
        loadbalancer("lb", [listener("li", 80, pool="p")], [pool("p", monitor=monitor)])
    )
    checked = read(message).loadbalancers[0].pools[0].monitor
    assert checked is not None
    assert checked.type is MonitorType.CONNECT


def test_a_ping_goes_to_an_address() -> None:
    """The proxy resolves the names of members, but not where they are monitored."""
    monitor = {"type": "ping", "delay": 1, "timeout": 1, "attempts": 2}

    def message(**fields: object) -> dict[str, Any]:
        made = pool("p", {**node("n", 1), **fields}, monitor=monitor)
        return update(loadbalancer("lb", [listener("li", 80, pool="p")], [made]))

    for fields in ({}, {"address": "a.example"}, {"monitor_address": "fd00::1"}):
        checked = read(message(**fields)).loadbalancers[0].pools[0].monitor
        assert checked is not None
        assert checked.type is MonitorType.PING
    words = r"nodes\[0\].monitor_address: it must be an IP address where the monitor is PING, got"
    with pytest.raises(Invalid, match=words):
        read(message(monitor_address="a.example"))


def test_nothing_at_all_is_a_good_message() -> None:
    assert read(update()).loadbalancers == ()


def with_pool(**fields: object) -> dict[str, Any]:
    pools = [{**pool("p", node("n", 1)), **fields}]
    return update(loadbalancer("lb", [listener("li", 80, pool="p")], pools))


def mixed(one: str, other: str, **fields: object) -> dict[str, Any]:
    """Two listeners of these protocols with one pool."""
    listeners = [
        listener("a", 80, protocol=one, pool="p"),
        listener("b", 81, protocol=other, pool="p"),
    ]
    pools = [pool("p", node("n", 1), **{"protocol": "PROXY", **fields})]
    return update(loadbalancer("lb", listeners, pools))


FAULTS = [
    (update(hpcs_version="3.0"), "hpcs_version: it must be 1.0 or 2.0, got '3.0'"),
    (update(hpcs_generation=0), "hpcs_generation: it must be a whole number from 1"),
    (update({"listeners": []}), r"loadbalancers\[0\]\.id: it is required"),
    (update(loadbalancer("a", [], []), loadbalancer("a", [], [])), "two load balancers have the id 'a'"),
    (web(pool="q"), r"listeners\[0\]\.pool: it must be the id of a pool of the same"),
    (web(port=0), r"listeners\[0\]\.port: it must be a whole number from 1 to 65535"),
    (web(protocol="UDP"), r"listeners\[0\]\.protocol: it must be one of HTTP, TCP, HTTPS, TERM"),
    (web(protocol="TERMINATED_HTTPS"), r"listeners\[0\]\.tls: it is required"),
    (web(allowed_cidrs=["10.0.0.0/33"]), r"allowed_cidrs: '10.0.0.0/33' is no network"),
    (web(allowed_cidrs=["10.0.0.0/8\n"]), "is no network"),
    (web(insert_headers={"X-Evil\nHost": True}), "insert_headers: .* is none of X-Forwarded-For"),
    (web(hsts={"max_age": 1}), "hsts: it must be left out where no TLS is ended"),
    (web(bind_address="10.0.0.1 ssl"), r"bind_address: it must be an IPv4 or IPv6 address"),
    (with_pool(protocol="TCP"), "pool: it must be one of another protocol than TCP"),
    (with_pool(session_persistence={"type": "APP_COOKIE"}), "cookie_name: it is required"),
    (with_pool(session_persistence={"type": "APP_COOKIE", "cookie_name": "a b"}), "a cookie name"),
    (with_pool(monitor={"type": "HTTP", "delay": 1, "timeout": 1}), "attempts: it is required"),
    (with_pool(monitor={"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1, "domain_name": "a b"}), "a host name"),
    (with_pool(monitor={"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1, "path": "/a b"}), "path"),
    (with_pool(monitor={"type": "HTTP", "delay": 1, "timeout": 1, "attempts": 1, "method": "GET\r\nX"}), "method"),
    (with_pool(nodes=[node("n", 1), node("m", 1)]), "it is the same address and port as"),
    (mixed("HTTP", "TCP"), r"listeners\[1\]\.pool: 'p' serves a listener of HTTP already"),
    (mixed("HTTPS", "HTTP"), r"listeners\[1\]\.pool: 'p' serves a listener of TCP already"),
    (mixed("TCP", "TCP", session_persistence={"type": "HTTP_COOKIE"}), r"listeners\[0\]\.pool: it must be one without"),
]  # fmt: skip


@pytest.mark.parametrize(("message", "reason"), FAULTS, ids=range(len(FAULTS)))
def test_faults_are_told_with_their_place(message: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid, match=reason):
        read(message)


@pytest.mark.parametrize(
    ("one", "other"),
    [("10.0.0.1", "10.0.0.1"), (None, "10.0.0.1"), ("::", "10.0.0.1"), (None, None)],
)
def test_two_listeners_on_one_port(one: str | None, other: str | None) -> None:
    first = {"id": "a", "address": one, "listeners": [listener("x", 80)]}
    second = {"id": "b", "address": other, "listeners": [listener("y", 80)]}
    with pytest.raises(Invalid, match="two listeners want port 80 of"):
        read(update(first, second))
    read(update({**first, "address": "10.0.0.2"}, {**second, "address": "10.0.0.3"}))
    with pytest.raises(Invalid, match="two listeners want port 80 of"):
        read(update(second, first))


@pytest.mark.parametrize(
    ("one", "other"), [("10.0.0.1", "10.0.0.2"), (None, "::1"), ("::1", "10.0.0.1"), ("::1", None)]
)
def test_two_listeners_on_one_port_of_different_addresses(
    one: str | None, other: str | None
) -> None:
    first = {"id": "a", "address": one, "listeners": [listener("x", 80)]}
    second = {"id": "b", "listeners": [listener("y", 80, bind_address=other)]}
    assert len(read(update(first, second)).loadbalancers) == 2


def test_thousands_of_addresses_with_one_port_are_compared_at_once() -> None:
    """Each with each, these were 800 million pairs."""
    listeners = [
        [listener(f"{n}-{m}", 80, bind_address=f"10.{n}.{m >> 8}.{m & 255}") for m in range(500)]
        for n in range(80)
    ]
    items = [{"id": str(n), "listeners": some} for n, some in enumerate(listeners)]
    assert len(read(update(*items)).loadbalancers) == 80


TLS_FAULTS = [
    ({"certificates": []}, "certificates: it must be a list of 1 to 100"),
    ({"certificates": [{"id": "a", "certificate": KEY, "key": KEY}]}, "certificate: it must be one or"),
    ({"certificates": [{"id": "a", "certificate": PEM, "key": PEM}]}, "key: it must be one private"),
    ({"certificates": [{"id": "a", "certificate": PEM, "key": f"{KEY}x"}]}, "key: it must be one"),
    ({**TLS, "certificates": TLS["certificates"] * 2}, "every id is another"),
    ({**TLS, "client_authentication": "MANDATORY"}, "client_ca: it is required where clients"),
    ({**TLS, "client_crl": CRL}, "client_ca: it is required beside client_crl"),
    ({**TLS, "alpn": ["h2", "H2"]}, "alpn: it must be a list of"),
    ({**TLS, "versions": ["TLSv1.1", "TLSv1.3"]}, "without a gap"),
    ({**TLS, "versions": [10**5000]}, "versions: it must be a list of"),
    ({**TLS, "versions": ["SSLv3"]}, "versions: it must be a list of"),
    ({**TLS, "ciphers": "HIGH no-tlsv13"}, "ciphers: it must be names"),
    ({**TLS, "alpn": ["spdy"]}, "alpn: it must be a list of"),
]  # fmt: skip


@pytest.mark.parametrize(("tls", "reason"), TLS_FAULTS, ids=range(len(TLS_FAULTS)))
def test_faults_of_tls_never_quote_a_key(tls: dict[str, Any], reason: str) -> None:
    with pytest.raises(Invalid, match=reason) as caught:
        read(web(protocol="TERMINATED_HTTPS", tls=tls))
    assert "c2VjcmV0" not in str(caught.value)


def outcome(message: object) -> str:
    """What is shown of it, well or badly."""
    try:
        return repr(parse_request(message))
    except Invalid as error:
        return str(error)


@pytest.mark.parametrize("place", range(len(places(web(protocol="TERMINATED_HTTPS", tls=TLS)))))
def test_a_key_in_any_wrong_place_is_not_quoted(place: int) -> None:
    message = copy.deepcopy(web(protocol="TERMINATED_HTTPS", tls=TLS))
    container, key = places(message)[place]
    container[key] = KEY
    assert "c2VjcmV0" not in outcome(message)


def test_no_repr_holds_a_key() -> None:
    assert "c2VjcmV0" not in repr(read(web(protocol="TERMINATED_HTTPS", tls=TLS)))


def test_an_endless_space_is_refused() -> None:
    """At once: with an expression that tries every split of it, this would take hours."""
    certificate = PEM + " " * 200_000 + "x"
    with pytest.raises(Invalid):
        read(
            web(
                protocol="TERMINATED_HTTPS",
                tls={"certificates": [{"id": "a", "certificate": certificate, "key": KEY}]},
            )
        )
