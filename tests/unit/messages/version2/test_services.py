"""Web services of a 2.0 message: hostile until they are read, and what is at fault is told with its place."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.messages.requests import Update, parse_request
from libra.model.listener import Listener
from libra.model.webservice import (
    Json,
    Redirect,
    ReverseProxy,
    Static,
    WebService,
    normal_path,
)
from tests.support.second import KEY, PEM, listener, loadbalancer, node, pool, update

POOLS = [pool("p", node("n", 8080)), pool("q", node("n", 8081))]
NULL = {"type": "json", "value": None}


def parse(*services: object, **fields: object) -> Listener:
    message = update(
        loadbalancer("lb", [listener("li", 80, services=list(services), **fields)], POOLS)
    )
    request = parse_request(message)
    assert isinstance(request, Update)
    return request.loadbalancers[0].listeners[0]


def parsed(*services: object) -> tuple[WebService, ...]:
    found = parse(*services).services
    assert found is not None
    return found


def fault(*services: object, **fields: object) -> str:
    with pytest.raises(Invalid) as caught:
        parse(*services, **fields)
    return str(caught.value)


def proxy(path: str = "/", **fields: object) -> dict[str, Any]:
    return {"path": path, "type": "reverseproxy", "pool": "p", **fields}


@pytest.mark.parametrize(
    ("given", "read"),
    [("/", "/"), ("/a", "/a"), ("/a/", "/a"), ("/a/b//", "/a/b"), ("/%2F..b/~", "/%2F..b/~")],
)
def test_a_path_is_kept_without_a_slash_at_its_end(given: str, read: str) -> None:
    assert parsed({"path": given, **NULL})[0].path == read


@pytest.mark.parametrize(
    "path",
    [
        *("", "a", "//", "//a", "/a//b", "/.", "/..", "/a/../b", "/a/./b", "/a/.."),
        *("/a?b", "/a#b", "/a b", "/a\tb", "/a\nb", "/a\r\nX: y", "/a\0", "/é", "/a\u2028"),
        *("/a'b", '/a"b', "/a\\b", "/{a}", "/$HOME", "/a;b", "/a|b", "/[a]", "/a*", "/(a)"),
        *(7, None, ["/a"], "/" + "a" * 1024),
    ],
)
def test_a_path_that_could_be_read_as_another_is_refused(path: object) -> None:
    assert "services[0].path" in fault({"path": path, **NULL})


@given(st.text())
def test_a_path_that_is_read_needs_no_quotes(text: str) -> None:
    path = normal_path(text)
    if path is not None:
        assert path.isascii()
        assert path.startswith("/")
        assert not set(path) & set(" \t\r\n'\"\\#{}()[]$?;*|<>^`&!")
        assert normal_path(path) == path


@pytest.mark.parametrize(
    "url",
    [
        *("", "a", "//evil.example", "ftp://a.example", "javascript:alert(1)", "http://", "https:///"),
        *("http://a b", "http://a\r\nX: y", "http://a\n", "/a\tb", "http://é.example", " /a", "/a "),
        *("/" + "a" * 2048, None, 7),
    ],
)  # fmt: skip
def test_a_url_that_is_none_is_refused(url: object) -> None:
    assert "services[0].url" in fault({"path": "/", "type": "redirect", "url": url})


@pytest.mark.parametrize("url", ["https://a.example/%20'\"?b=%[src]&c=${HOME}#d\\", "/x", "/?a"])
def test_a_url_is_kept_as_it_stands(url: str) -> None:
    service = {"path": "/", "type": "Redirect", "url": url, "code": "301"}
    assert parsed(service) == (Redirect(path="/", url=url, code=301),)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"code": 200}, "code"),
        ({"code": 304}, "code"),
        ({"code": "x"}, "code"),
    ],
)
def test_a_status_that_sends_nobody_anywhere_is_refused(
    fields: dict[str, object], place: str
) -> None:
    service = {"path": "/", "type": "redirect", "url": "/a", **fields}
    assert f"services[0].{place}" in fault(service)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"pool": "none"}, "pool"),
        ({"pool": None}, "pool"),
        ({"base_path": "a"}, "base_path"),
        ({"base_path": "/a/../b"}, "base_path"),
        ({"base_path": "/\\1"}, "base_path"),
        ({"websocket": "maybe"}, "websocket"),
        ({"tunnel_timeout": 0}, "tunnel_timeout"),
        ({"tunnel_timeout": 10**12}, "tunnel_timeout"),
        ({"forwarded_port": 65536}, "forwarded_port"),
        ({"forwarded_proto": "https\r\nX: y"}, "forwarded_proto"),
        ({"forwarded_proto": "ftp"}, "forwarded_proto"),
    ],
)
def test_what_no_member_could_be_told_is_refused(fields: dict[str, object], place: str) -> None:
    assert f"services[0].{place}" in fault(proxy(**fields))


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"directory": "srv"}, "directory"),
        ({"directory": "/srv/../etc"}, "directory"),
        ({"directory": "/srv\n"}, "directory"),
        ({"directory": None}, "directory"),
        ({"options": {"default_file": "/etc/passwd"}}, "default_file"),
        ({"options": {"default_file": "../x"}}, "default_file"),
        ({"options": {"cache_timeout": -1}}, "cache_timeout"),
        ({"options": {"mime_types": ["a"]}}, "mime_types"),
        ({"options": {"mime_types": {"svg": "image/svg+xml"}}}, "mime_types"),
        ({"options": {"mime_types": {".svg": "image"}}}, "mime_types"),
        ({"options": {"mime_types": {".svg": "text/html\r\nX: y"}}}, "mime_types"),
        ({"options": {"mime_types": {".svg": None}}}, "mime_types"),
        ({"options": []}, "options"),
    ],
)
def test_files_that_nobody_may_serve_are_refused(fields: dict[str, object], place: str) -> None:
    told = fault({"path": "/", "type": "static", "directory": "/srv", **fields})
    assert "services[0]" in told
    assert place in told


def test_what_files_are_by_default() -> None:
    (found,) = parsed({"path": "/f", "type": "static", "directory": "/srv/www/"})
    assert found == Static(path="/f", directory="/srv/www", cache_seconds=43200)
    options = {"no_cache": True, "mime_types": {".b": "text/b", ".a": "text/a; charset=utf-8"}}
    (found,) = parsed({"path": "/f", "type": "static", "directory": "/srv", "options": options})
    assert isinstance(found, Static)
    assert found.cache_seconds is None
    assert found.mime_types == ((".a", "text/a; charset=utf-8"), (".b", "text/b"))


@pytest.mark.parametrize(
    "value", [None, 0, "", [], {"b": 1, "a": [True, None, "é\u2028"]}, {"nodes": [], "pools": {}}]
)
def test_a_value_is_read_as_it_is_or_as_a_text(value: object) -> None:
    (found,) = parsed({"path": "/", "type": "json", "value": value})
    assert isinstance(found, Json)
    assert parsed({"path": "/", "type": "json", "text": found.text}) == (found,)
    assert found.text.isascii()


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 100_000, 7, "x" * 2_000_000])
def test_a_text_that_is_no_json_is_refused(text: object) -> None:
    assert "services[0]" in fault({"path": "/", "type": "json", "text": text})


def test_a_value_that_is_too_long_is_refused_and_not_repeated() -> None:
    told = fault({"path": "/", "type": "json", "value": "secret" * 200_000})
    assert "services[0].value" in told
    assert "secret" not in told


@pytest.mark.parametrize("kind", ["wsgi", "", None, 7, "json\0"])
def test_a_type_that_is_none_is_refused(kind: object) -> None:
    assert "services[0].type" in fault({"path": "/", "type": kind})


def test_no_path_and_no_pool_is_there_twice() -> None:
    assert "services[1].path" in fault(proxy("/a"), {"path": "/a/", **NULL})
    assert "services[1].pool" in fault(proxy("/a"), proxy("/b"))
    parse(proxy("/a"), proxy("/b", pool="q"))


def test_a_pool_is_for_one_service_or_for_listeners() -> None:
    web, plain = listener("a", 80, services=[proxy()]), listener("b", 81, pool="p")
    for listeners in ([web, plain], [plain, web], [web, {**web, "id": "c", "port": 82}]):
        with pytest.raises(Invalid, match=r"listeners\[[01]\]"):
            parse_request(update(loadbalancer("lb", listeners, POOLS)))


@pytest.mark.parametrize("protocol", ["TCP", "HTTPS"])
def test_services_are_for_listeners_of_requests(protocol: str) -> None:
    assert "services" in fault({"path": "/", **NULL}, protocol=protocol)


def test_no_services_yet_are_something_else_than_no_paths() -> None:
    assert parse().services == ()
    assert "pool" in fault(pool="p")
    message = update(loadbalancer("lb", [listener("li", 80, pool="p")], POOLS))
    request = parse_request(message)
    assert isinstance(request, Update)
    assert request.loadbalancers[0].listeners[0].services is None


def test_services_stand_in_place_of_a_pool() -> None:
    assert "listeners[0].pool" in fault({"path": "/", **NULL}, pool="q")


def test_there_are_so_many_services_at_most() -> None:
    many = [{"path": f"/{number}", **NULL} for number in range(501)]
    assert len(parsed(*many[:500])) == 500
    assert "services" in fault(*many)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"ip_version": 5}, "ip_version"),
        ({"ip_version": 6}, "ip_version"),  # its load balancer's address is an IPv4 one
        ({"ip_version": 4, "bind_address": "::1"}, "ip_version"),
        ({"backlog": 0}, "backlog"),
        ({"backlog": 65536}, "backlog"),
        ({"threads": 0}, "threads"),
        ({"threads": 65}, "threads"),
        ({"access_log": "maybe"}, "access_log"),
        ({"shared": 7}, "shared"),
    ],
)
def test_how_nobody_can_listen_is_refused(fields: dict[str, object], place: str) -> None:
    assert place in fault({"path": "/", **NULL}, **fields)


@pytest.mark.parametrize(
    "pem", ["x", PEM, KEY, "-----BEGIN DH PARAMETERS-----\n'\n-----END DH PARAMETERS-----\n", 7]
)
def test_parameters_of_diffie_and_hellman_are_in_pem(pem: object) -> None:
    tls = {"certificates": [{"id": "a", "certificate": PEM, "key": KEY}], "dhparam": pem}
    told = fault({"path": "/", **NULL}, protocol="TERMINATED_HTTPS", tls=tls)
    assert "tls.dhparam" in told
    assert "BEGIN" not in told


def test_a_proxy_with_everything() -> None:
    given = {"base_path": "/b/", "websocket": "true", "tunnel_timeout": "1500"}
    (found,) = parsed(proxy("/a", **given, forwarded_port=8443, forwarded_proto="https"))
    assert isinstance(found, ReverseProxy)
    assert (found.base_path, found.websocket, found.forwarded_port) == ("/b", True, 8443)
    assert found.timeout_tunnel is not None
    assert found.timeout_tunnel.total_seconds() == 1.5
