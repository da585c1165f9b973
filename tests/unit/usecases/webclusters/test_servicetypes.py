"""What web services may be given, and what nodes are told of it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.requests import Update, parse_request
from libra.messages.version2.writer import build_update
from libra.model.listener import Protocol
from libra.model.loadbalancer import LoadBalancer
from libra.model.pool import Algorithm, MonitorType
from libra.model.tls import ClientAuthentication
from libra.model.webcompile import compile_node
from libra.model.webdefinition import (
    WebDefinition,
    WebTls,
    define,
    read_definition,
    write_definition,
)
from libra.model.webpaths import is_below, join, normalise
from libra.model.webservice import Json, NodeInfo, Redirect, ReverseProxy, Static
from libra.model.webservices import REFUSED
from libra.usecases.webclusters.servicetypes import parse_service
from tests.support.storages import build_webcluster, build_webservice

Given = dict[str, Any]
OWNER = build_webcluster(tcp_port=8080)
GOOD: list[tuple[str, Given]] = [
    ("redirect", {"url": "https://a.example/x?y=1"}),
    ("redirect", {"url": "/elsewhere", "code": 308, "id": "mine"}),
    ("json", {"value": None}),
    (
        "json",
        {"value": [1, {"a": "ü"}], "options": {"prettify": True, "discourage_caching": False}},
    ),
    ("nodeinfo", {}),
    ("static", {"directory": "/srv/www"}),
    (
        "static",
        {"directory": "/srv/www", "options": {"cache_timeout": None, "default_file": "i.html"}},
    ),
    ("static", {"directory": "/srv/a b", "options": {"mime_types": {".svg": "image/svg+xml"}}}),
    ("reverseproxy", {"host": "app.example", "port": 8000}),
    ("reverseproxy", {"host": "10.0.0.1", "port": 8000, "base_path": "api", "forwarded_port": 443}),
    (
        "reverseproxy",
        {
            "members": [
                {"address": "10.0.0.1", "port": 80, "weight": 0},
                {"address": "10.0.0.1", "port": 81, "backup": True},
            ],
            "lb_algorithm": "LEAST_CONNECTIONS",
            "monitor": {"type": "HTTP", "delay": 2, "expected_codes": "200-204", "url_path": "/up"},
        },
    ),
    ("websocket-reverseproxy", {"host": "10.0.0.1", "port": 9000, "tunnel_timeout": 60}),
    (
        "websocket-reverseproxy",
        {
            "backend": {
                "endpoint": {"type": "tcp", "host": "10.0.0.1", "port": 9000},
                "url": "ws://10.0.0.1:9000/ws",
            },
            "url": "ws://a.example/ws",
        },
    ),
    (
        "path",
        {
            "paths": {
                "/": {"type": "nodeinfo"},
                "old": {"type": "redirect", "url": "/"},
                "deep": {"type": "path", "paths": {"x": {"type": "json", "value": 1}}},
                "app": {"type": "reverseproxy", "host": "a", "port": 1, "path": "base"},
            }
        },
    ),
]
BAD: list[tuple[Any, Given, str]] = [
    (None, {}, "needs a type"),
    ("nonsense", {}, "one of path, redirect"),
    (7, {}, "one of path, redirect"),
    ("redirect", {}, "needs url"),
    ("redirect", {"url": ""}, "not empty"),
    ("redirect", {"url": 7}, "a text"),
    ("redirect", {"url": "javascript:alert(1)"}, "http or https"),
    ("redirect", {"url": "http://a/\r\nX: y"}, "one line"),
    ("redirect", {"url": "http://a/ b"}, "without spaces"),
    ("redirect", {"url": "/", "code": True}, "one of 301"),
    ("redirect", {"url": "/", "code": 200}, "one of 301"),
    ("redirect", {"url": "/", "odd": 1}, "'odd' is no attribute"),
    ("json", {}, "needs value"),
    ("json", {"value": float("nan")}, "no JSON"),
    ("json", {"value": "x" * 70_000}, "at most 65536"),
    ("json", {"value": 1, "options": {"prettify": 1}}, "true or false"),
    ("json", {"value": 1, "options": {"sort_keys": True}}, "no attribute"),
    ("json", {"value": 1, "options": []}, "a JSON object"),
    ("nodeinfo", {"value": 1}, "may have: id"),
    ("static", {}, "needs directory"),
    ("static", {"directory": ".."}, "an absolute path"),
    ("static", {"directory": "/"}, "an absolute path"),
    ("static", {"directory": "/srv/../etc"}, "an absolute path"),
    ("static", {"package": "a", "resource": "b"}, "give a directory"),
    ("static", {"directory": "/srv", "options": {"default_file": "../x"}}, "the name of a file"),
    ("static", {"directory": "/srv", "options": {"cache_timeout": -1}}, "whole number from 0"),
    ("static", {"directory": "/srv", "options": {"cache_timeout": True}}, "whole number from 0"),
    ("static", {"directory": "/srv", "options": {"mime_types": {"svg": "a/b"}}}, "like"),
    ("reverseproxy", {}, "host and port, or members"),
    ("reverseproxy", {"host": "a"}, "needs port"),
    ("reverseproxy", {"host": "a", "port": True}, "1 to 65535"),
    ("reverseproxy", {"host": "a", "port": "80"}, "1 to 65535"),
    ("reverseproxy", {"host": "a", "port": 0}, "1 to 65535"),
    ("reverseproxy", {"host": "a b", "port": 1}, "one host"),
    ("reverseproxy", {"host": "0.0.0.0", "port": 1}, "one host"),
    ("reverseproxy", {"host": "169.254.169.254", "port": 1}, "secrets"),
    (
        "reverseproxy",
        {"host": "a", "port": 1, "members": [{"address": "b", "port": 1}]},
        "not both",
    ),
    ("reverseproxy", {"members": []}, "1 to 100"),
    ("reverseproxy", {"members": [{"address": "a", "port": 1}] * 2}, "each once"),
    ("reverseproxy", {"members": [{"address": "a", "port": 1, "weight": 257}]}, "0 to 256"),
    ("reverseproxy", {"host": "a", "port": 1, "base_path": "/a/../b"}, "without query"),
    ("reverseproxy", {"host": "a", "port": 1, "forwarded_proto": "ftp"}, "one of http"),
    ("reverseproxy", {"host": "a", "port": 1, "monitor": {"type": "PING"}}, "one of HTTP"),
    (
        "reverseproxy",
        {"host": "a", "port": 1, "monitor": {"type": "TCP", "url_path": "/"}},
        "no attr",
    ),
    ("websocket-reverseproxy", {"backend": {}}, "needs endpoint"),
    (
        "websocket-reverseproxy",
        {"backend": {"endpoint": {"type": "unix", "path": "/x"}}},
        "one of tcp",
    ),
    (
        "websocket-reverseproxy",
        {"backend": {"endpoint": {"host": "a", "port": 1}, "url": "wss://a/"}},
        "TLS to servers",
    ),
    (
        "websocket-reverseproxy",
        {"host": "a", "port": 1, "options": {"max_frame_size": 9}},
        "as they come",
    ),
    ("path", {}, "needs paths"),
    ("path", {"paths": {}}, "1 to 100"),
    ("path", {"paths": {"a/b": {"type": "nodeinfo"}}}, "one segment"),
    ("path", {"paths": {"..": {"type": "nodeinfo"}}}, "one segment"),
    ("path", {"paths": {"a": {"type": "caller"}}}, "WAMP"),
    ("path", {"paths": {"a": 1}}, "a JSON object"),
]


def compiled(kind: str, config: Given, path: str = "/a") -> LoadBalancer:
    service = build_webservice(OWNER, path, type=kind, config=json.dumps(config))
    return compile_node(define(OWNER, None, (service,)), parallel=2, active=True)


@pytest.mark.parametrize(("kind", "config"), GOOD)
def test_what_is_good_is_kept_as_it_was_given_and_compiled(kind: str, config: Given) -> None:
    assert parse_service(kind, config, "/a") == config
    services = compiled(kind, config).listeners[0].services
    assert services
    assert all(is_below(item.path, "/a") for item in services)


@pytest.mark.parametrize(("kind", "config", "words"), BAD)
def test_what_is_refused_and_why(kind: Any, config: Given, words: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_service(kind, config, "/a")
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("kind", sorted(REFUSED))
def test_types_of_others_are_refused_with_a_reason(kind: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_service(kind, {"realm": "r"}, "/a")
    assert REFUSED[kind] in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ("url", "code", "value", "options", "directory", "host", "port", "members", "paths", "monitor")
)


@given(st.sampled_from([kind for kind, _ in GOOD]) | JSON, st.dictionaries(NAMES, JSON, max_size=4))
def test_whatever_is_given_is_refused_in_a_sentence_or_can_be_compiled(
    kind: Any, config: Given
) -> None:
    try:
        parsed = parse_service(kind, config, "/a")
    except Invalid:
        return
    compiled(kind, parsed)


# Paths.


def test_paths_have_one_spelling() -> None:
    for text in ("info", "/info", "info/", "/info/"):
        assert normalise(text) == "/info"
    assert normalise("") == normalise("/") == "/"
    assert normalise("a/b") == "/a/b"
    assert (join("/a", "/"), join("/a", "b"), join("/", "b")) == ("/a", "/a/b", "/b")
    assert is_below("/a/b", "/a")
    assert is_below("/a", "/")
    assert not is_below("/ab", "/a")


@pytest.mark.parametrize(
    "text", ["//", "a//b", "../a", "a/./b", "a b", "a?b", "a%2e", "ü", "a\n", "x" * 1001]
)
def test_paths_that_can_be_read_in_two_ways_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        normalise(text)


@given(st.text(max_size=20))
def test_a_normalised_path_stays_as_it_is(text: str) -> None:
    try:
        path = normalise(text)
    except Invalid:
        return
    assert normalise(path) == path
    assert path == "/" or (path.startswith("/") and not path.endswith("/"))
    assert not {"", ".", ".."} & set(path.split("/")[1:]) or path == "/"


# What a node is told.


def test_a_whole_cluster() -> None:
    owner = replace(
        OWNER,
        tcp_version=4,
        tcp_interface="127.0.0.1",
        tcp_backlog=50,
        tcp_shared=True,
        http_client_timeout=30,
        http_hsts=True,
        http_access_log=True,
    )
    tls = WebTls(chain="chain", sealed="sealed", client_ca="ca", dhparam="dh", ciphers="ECDHE")
    services = (
        build_webservice(owner, "/z", type="nodeinfo"),
        build_webservice(owner, "/", type="redirect", config='{"url":"/z"}'),
    )
    definition = define(owner, tls, services)
    assert read_definition(write_definition(definition)) == definition
    balancer = compile_node(definition, parallel=3, active=True, key="key")
    (listener,) = balancer.listeners
    assert balancer.id == listener.id == owner.oid
    assert [item.path for item in listener.services] == ["/", "/z"]
    assert (listener.port, listener.bind_address, listener.ip_version) == (8080, "127.0.0.1", 4)
    assert (listener.backlog, listener.threads, listener.shared, listener.access_log) == (
        50,
        3,
        True,
        True,
    )
    assert listener.timeouts.client == timedelta(seconds=30)
    assert listener.hsts is not None
    assert listener.hsts.max_age == 31_536_000
    assert listener.tls is not None
    assert [(item.chain, item.key) for item in listener.tls.certificates] == [("chain", "key")]
    assert listener.tls.client_authentication is ClientAuthentication.MANDATORY
    assert (listener.tls.dhparam, listener.tls.ciphers) == ("dh", "ECDHE")
    standby = compile_node(definition, parallel=3, active=False, key="key")
    assert standby == replace(balancer, listeners=(replace(listener, enabled=False),))


def test_nothing_given_means_the_defaults() -> None:
    (listener,) = compile_node(define(OWNER, None, ()), parallel=None, active=True).listeners
    assert listener.protocol is Protocol.HTTP
    assert (listener.bind_address, listener.ip_version, listener.backlog, listener.threads) == (
        None,
    ) * 4
    assert (listener.shared, listener.access_log, listener.hsts, listener.tls) == (
        False,
        False,
        None,
        None,
    )


def test_without_a_port_nothing_runs() -> None:
    unset = WebDefinition(cluster_oid="c", name="blue")
    with pytest.raises(Exception, match="has no port yet"):
        compile_node(unset, parallel=None, active=True)


def services_of(number: int) -> Any:
    kind, config = GOOD[number]
    services = compiled(kind, config).listeners[0].services
    return services[0] if len(services) == 1 else services


def test_every_type_is_told_as_it_was_given() -> None:
    assert services_of(0) == Redirect(path="/a", url="https://a.example/x?y=1")
    assert services_of(1).code == 308
    assert services_of(3) == Json(path="/a", text='[1,{"a":"\\u00fc"}]', prettify=True)
    assert services_of(4) == NodeInfo(path="/a")
    assert services_of(5) == Static(path="/a", directory="/srv/www")
    assert (services_of(6).cache_seconds, services_of(6).default_file) == (None, "i.html")
    assert services_of(7).mime_types == ((".svg", "image/svg+xml"),)
    proxied = services_of(9)
    assert (proxied.base_path, proxied.forwarded_port) == ("/api", 443)
    pool = services_of(10).pool
    assert pool.algorithm is Algorithm.LEAST_CONNECTIONS
    assert [(item.address, item.port, item.weight, item.backup) for item in pool.members] == [
        ("10.0.0.1", 80, 0, False),
        ("10.0.0.1", 81, 1, True),
    ]
    assert pool.monitor.type is MonitorType.HTTP
    assert (pool.monitor.path, pool.monitor.expected_codes) == ("/up", ((200, 204),))
    web = services_of(11)
    assert (web.websocket, web.timeout_tunnel, web.base_path) == (True, timedelta(seconds=60), "/")
    assert services_of(12).base_path == "/ws"
    nested = services_of(13)
    assert [item.path for item in nested] == ["/a", "/a/app", "/a/deep/x", "/a/old"]
    assert isinstance(nested[1], ReverseProxy)
    assert nested[1].base_path == "/base"


def test_ids_stay_as_long_as_service_and_path_do() -> None:
    service = build_webservice(OWNER, "/a", type="reverseproxy", config='{"host":"a","port":1}')
    more = replace(
        service, config='{"members":[{"address":"b","port":1},{"address":"a","port":1}]}'
    )

    def pool_of(item: Any) -> Any:
        told = compile_node(define(OWNER, None, (item,)), parallel=None, active=True)
        return told.pools[0]

    assert pool_of(service).id == pool_of(more).id
    assert pool_of(service).members[0].id == pool_of(more).members[1].id
    assert pool_of(replace(service, oid="another")).id != pool_of(service).id


# On its way to the node.


def read_back(balancer: LoadBalancer) -> LoadBalancer:
    message = json.loads(json.dumps(build_update((balancer,))))
    request = parse_request(message)
    assert isinstance(request, Update)
    return request.loadbalancers[0]


@pytest.mark.parametrize(("kind", "config"), GOOD)
def test_a_node_reads_what_it_is_told(kind: str, config: Given) -> None:
    told = compiled(kind, config)
    assert read_back(told) == told


@given(st.sampled_from(GOOD), st.sampled_from(("/", "a", "a/b", "A~b=c,d@e")))
def test_a_node_reads_every_path(good: tuple[str, Given], path: str) -> None:
    kind, config = good
    where = normalise(path)
    told = compiled(kind, parse_service(kind, config, where), where)
    assert read_back(told) == told


def test_a_node_reads_a_standby_with_everything() -> None:
    owner = replace(OWNER, tcp_version=6, tcp_shared=True, http_hsts=True, http_hsts_max_age=0)
    service = build_webservice(owner, "/", type="static", config='{"directory":"/srv/www/"}')
    told = compile_node(define(owner, None, (service,)), parallel=64, active=False)
    assert read_back(told) == told
