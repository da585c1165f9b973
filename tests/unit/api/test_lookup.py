"""A route is found as by asking all of them in their order."""

from typing import Any

from fastapi import APIRouter
from hypothesis import example, given
from hypothesis import strategies as st
from starlette.routing import BaseRoute, Match
from starlette.types import Scope

from libra.api.lookup import FOUND, Lookup, build_rooms

PATHS = {
    "/v1": ["", "/things", "/things/{thing}", "/things/all", "/{word}/all", "/{rest:path}"],
    "/v2": ["/things/{thing}", "/things/{thing}/parts/{part}"],
    "": ["/", "/{word}", "/v1/things/last", "/v2/{rest:path}"],
}
METHODS = ("GET", "POST", "DELETE")
PIECES = ("v1", "v2", "things", "all", "parts", "last", "a", "", "%2F", "ü", "a\n")


def serve() -> None:
    """Never called."""


def build_lookup() -> Lookup:
    """The first path of a router has all methods, the others one each."""
    rooms = []
    for prefix, paths in PATHS.items():
        router = APIRouter()
        for at, path in enumerate(paths):
            for method in METHODS if not at else [METHODS[at % 3]]:
                router.add_api_route(path, serve, methods=[method])

        def include(part: APIRouter, prefix: str = prefix) -> list[BaseRoute]:
            above = APIRouter()
            above.include_router(part, prefix=prefix)
            return above.routes

        rooms += build_rooms(router, prefix, include)
    return Lookup(rooms)


LOOKUP = build_lookup()


def build_scope(method: str, path: str, root: str) -> Scope:
    return {"type": "http", "method": method, "path": root + path, "root_path": root, "headers": []}


def ask_all(scope: Scope) -> tuple[Match, BaseRoute | None]:
    found: tuple[Match, BaseRoute | None] = (Match.NONE, None)
    for route in LOOKUP.routes:
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return match, route
        if match is Match.PARTIAL and found[0] is Match.NONE:
            found = match, route
    return found


def ask(scope: Scope) -> tuple[Match, Any]:
    match, child = LOOKUP.matches(scope)
    return match, child.get(FOUND)


@given(
    method=st.sampled_from((*METHODS, "PATCH")),
    path=st.lists(st.sampled_from(PIECES), max_size=5).map(lambda words: "/" + "/".join(words)),
    root=st.sampled_from(("", "/below")),
)
@example(method="GET", path="/v1/things/all", root="")
@example(method="POST", path="/v1/things/last", root="")
def test_as_by_asking_all(method: str, path: str, root: str) -> None:
    scope = build_scope(method, path, root)
    assert ask(scope) == ask_all(scope)


def test_a_later_route_with_the_method_is_before_an_earlier_one_without() -> None:
    """Of `/v1/things/{thing}` (DELETE), `/v1/things/all` (GET) and `/v1/{word}/all` (POST)."""
    found = {method: ask(build_scope(method, "/v1/things/all", "")) for method in METHODS}
    assert [match for match, _ in found.values()] == [Match.FULL] * 3
    assert len({id(route) for _, route in found.values()}) == 3


def test_only_requests_are_looked_up() -> None:
    assert LOOKUP.matches({"type": "lifespan"}) == (Match.NONE, {})


def test_no_path_is_left_out() -> None:
    assert len(LOOKUP.routes) == sum(map(len, PATHS.values()))
