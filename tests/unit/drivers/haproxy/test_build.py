"""Building: each word of the model finds its place in HAProxy's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libra.drivers.haproxy.build import DEFAULT_COOKIE, build
from libra.drivers.haproxy.config import Backend, Check, Options, ServerState
from libra.drivers.haproxy.render import render
from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired

OPTIONS = Options(
    admin_socket="/run/a.sock",
    log_target="/dev/log",
    version=(2, 8),
    hard_stop_after=timedelta(seconds=90),
    serving_socket="/run/serving.sock",
)


def lines_of(**fields: object) -> list[str]:
    """The rendered lines of one HTTP load balancer with these message fields."""
    node = {"address": "10.0.0.1", "port": 80}
    loadbalancer = {"id": "15", "protocol": "HTTP", "nodes": [node], **fields}
    request = parse_request({"hpcs_action": "UPDATE", "loadbalancers": [loadbalancer]})
    assert isinstance(request, Update)
    desired = Desired(loadbalancers=request.loadbalancers)
    return [line.strip() for line in render(build(desired, OPTIONS)).splitlines()]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ["bind *:80", "balance roundrobin", "server 10.0.0.1:80 10.0.0.1:80 weight 1"]),
        ({"port": 8080, "bind_address": "::1"}, ["bind [::1]:8080"]),
        ({"bind_address": "::"}, ["bind [::]:80 v4v6"]),
        ({"algorithm": "least_connections"}, ["balance leastconn"]),
        ({"algorithm": "source_ip"}, ["balance source", "hash-type consistent"]),
        ({"connection_limit": "9"}, ["maxconn 9"]),
        ({"x_forwarded_for": True}, ["option forwardfor"]),
        (
            {"options": {"client_timeout": 1500, "server_timeout": 2000, "connect_timeout": 1}},
            ["timeout client 1500ms", "timeout server 2s", "timeout connect 1ms"],
        ),
        ({"options": {"connect_retries": 7}}, ["retries 7"]),
        (
            {"session_persistence": {"type": "HTTP_COOKIE"}},
            [
                f"cookie {DEFAULT_COOKIE} insert indirect nocache httponly",
                "server 10.0.0.1:80 10.0.0.1:80 weight 1 cookie 10.0.0.1:80",
            ],
        ),
        (
            {"session_persistence": {"type": "SOURCE_IP"}},
            ["stick-table type ipv6 size 100k expire 30m", "stick on src"],
        ),
        (
            {"algorithm": "SOURCE_IP"},
            ["server 10.0.0.1:80 10.0.0.1:80 weight 1 id 703252"],
        ),
        (
            {"monitor": {"type": "CONNECT", "delay": 5, "timeout": 3, "attempts": 4}},
            [
                "timeout check 3s",
                "default-server inter 5s fall 4 rise 4",
                "server 10.0.0.1:80 10.0.0.1:80 weight 1 check",
            ],
        ),
        (
            {"monitor": {"type": "HTTP", "path": "/ok?a=1$b", "expected_codes": "200-204,302"}},
            [
                "option httpchk",
                "http-check send meth GET uri '/ok?a=1$b'",
                "http-check expect status 200-204,302",
            ],
        ),
    ],
)
def test_each_field_of_a_message_is_rendered(
    fields: dict[str, object], expected: list[str]
) -> None:
    lines = lines_of(**fields)
    assert [line for line in expected if line not in lines] == []


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ({"weight": "0"}, "weight 0"),
        ({"weight": 256}, "weight 256"),
        ({"condition": "DRAINING", "weight": 5}, "weight 0"),
        ({"condition": "DISABLED", "weight": 5}, "weight 5 disabled"),
        ({"backup": True}, "weight 1 backup"),
    ],
)
def test_each_field_of_a_node_is_rendered(node: dict[str, object], expected: str) -> None:
    lines = lines_of(nodes=[{"address": "fd00::1", "port": 81, "id": "n", **node}])
    assert f"server n [fd00::1]:81 {expected}" in lines


def test_the_order_of_the_message_is_the_order_of_the_file() -> None:
    nodes = [{"address": f"10.0.0.{n}", "port": 80} for n in (9, 1, 5)]
    servers = [line.split()[1] for line in lines_of(nodes=nodes) if line.startswith("server ")]
    assert servers == ["10.0.0.9:80", "10.0.0.1:80", "10.0.0.5:80"]


def test_older_versions_get_no_line_they_do_not_know() -> None:
    configuration = build(Desired(), replace(OPTIONS, version=(2, 4, 30)))
    assert "httpclient" not in render(configuration)
    assert "httpclient" in render(replace(configuration, options=OPTIONS))


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ((2, 4, 0), False),
        ((2, 4, 13), False),
        ((2, 4, 14), True),
        ((2, 4, 35), True),
        ((2, 5, 0), False),
        ((2, 5, 3), False),
        ((2, 5, 4), True),
        ((2, 6, 0), True),
        ((2, 8, 25), True),
        ((3, 0, 0), True),
    ],
)
def test_idle_connections_are_closed_politely_where_haproxy_can(
    version: tuple[int, ...], known: bool
) -> None:
    text = render(build(build_desired(1), replace(OPTIONS, version=version)))
    assert ("    option idle-close-on-response\n" in text) is known


def test_a_connect_monitor_asks_for_no_page() -> None:
    assert not any(
        line.startswith("option httpchk") for line in lines_of(monitor={"type": "CONNECT"})
    )


def test_draining_keeps_the_weight_for_later() -> None:
    request = parse_request(
        {
            "hpcs_action": "UPDATE",
            "loadbalancers": [
                {
                    "protocol": "HTTP",
                    "nodes": [{"address": "a", "port": 1, "weight": 7, "condition": "DRAINING"}],
                }
            ],
        }
    )
    assert isinstance(request, Update)
    backend: Backend = build(Desired(loadbalancers=request.loadbalancers), OPTIONS).backends[0]
    assert (backend.servers[0].weight, backend.servers[0].state) == (7, ServerState.DRAIN)
    assert backend.check is None or isinstance(backend.check, Check)
