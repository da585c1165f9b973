"""The web service json."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.model.webservice import Json, canonical
from libra.serving.application import Application
from libra.serving.jsonvalue import prettify
from tests.support.serving import Answer, build_book, call

VALUE = {"b": [1, 2.5, None], "a": "ü"}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(st.text(), below, max_size=4),
)  # fmt: skip


def ask(method: str = "GET", path: str = "/x", service: str = "/x", **options: Any) -> Answer:
    headers = options.pop("headers", None)
    json_service = Json(path=service, text=canonical(VALUE), **options)
    return call(Application(build_book(json_service)), path, service, method, headers)


def test_the_value() -> None:
    answer = ask()
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.body) == VALUE
    assert b" " not in answer.body
    assert "cache-control" not in answer.headers
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_only_its_own_path() -> None:
    assert ask(path="/x?y=1").status == 200
    assert [ask(path=path).status for path in ("/x/", "/x/y", "/y", "/")] == [404] * 4
    assert ask(path="/", service="/").status == 200
    assert ask(path="/y", service="/").status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
def test_other_methods(method: str) -> None:
    answer = ask(method)
    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD"


def test_caching_is_discouraged() -> None:
    answer = ask(discourage_caching=True)
    assert answer.headers["cache-control"] == "no-store, no-cache, must-revalidate, max-age=0"


@given(values)
def test_pretty_is_the_same_value(value: object) -> None:
    text = canonical(value)
    pretty = prettify(text)
    assert json.loads(pretty) == json.loads(text)
    assert pretty == json.dumps(json.loads(text), indent=2) + "\n"


def test_pretty_however_deep() -> None:
    deep = "[" * 20_000 + "]" * 20_000
    assert prettify(deep[19_000:21_000]).count("\n") == 1999
    assert len(prettify("[" * 3000 + "1e400" + "]" * 3000)) > 6000


# other origins

ORIGIN = {"Origin": "https://app.example.com:8443"}


def test_pages_of_other_origins_may_read_it() -> None:
    answer = ask(allow_cross_origin=True, headers=ORIGIN)
    assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"] == "Origin"


@pytest.mark.parametrize("origin", [{}, {"Origin": "null"}, {"Origin": "https://a b"}])
def test_without_a_name_anybody_may_and_nobody_is_trusted(origin: dict[str, str]) -> None:
    answer = ask(allow_cross_origin=True, headers=origin)
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight() -> None:
    asked = {
        **ORIGIN,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "x-token, content-type",
    }
    answer = ask("OPTIONS", allow_cross_origin=True, headers=asked)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN["Origin"]
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
    assert answer.headers["access-control-allow-headers"] == "x-token, content-type"
    assert answer.headers["vary"] == "Access-Control-Request-Headers, Origin"


def test_no_preflight_of_nonsense() -> None:
    asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "a;b"}
    answer = ask("OPTIONS", allow_cross_origin=True, headers=asked)
    assert "access-control-allow-headers" not in answer.headers
    plain = ask("OPTIONS", allow_cross_origin=True)
    assert (plain.status, plain.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert ask("POST", allow_cross_origin=True).headers["allow"] == "GET, HEAD, OPTIONS"
