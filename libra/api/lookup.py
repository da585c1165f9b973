"""Which of several hundred routes a path is for. FastAPI asks one after the other, those of an included router twice,
and works out all of them at the first request: that takes longer than all the rest of most answers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import groupby
from re import Pattern

from fastapi import APIRouter
from starlette.routing import BaseRoute, Match, compile_path
from starlette.types import Receive, Scope, Send

FOUND = "libra.route"


@dataclass(frozen=True, slots=True)
class Room:
    """The routes of one path, which may have `{names}`."""

    path: str
    routes: tuple[BaseRoute, ...]
    pattern: Pattern[str]

    @property
    def key(self) -> tuple[int, str] | None:
        """None where the path can be of any length, or begin with anything."""
        first, *_ = words = self.path.split("/")[1:]
        return None if "{" in first or ":path}" in self.path else (len(words), first)


def build_rooms(
    router: APIRouter, prefix: str, include: Callable[[APIRouter], Sequence[BaseRoute]]
) -> Iterator[Room]:
    """One for each path of a router; `include` gives the routes that serve those of a part of it."""
    for path, routes in groupby(router.routes, key=_path_of):
        part = copy(router)
        part.routes = list(routes)
        whole = prefix + path
        yield Room(whole, tuple(include(part)), compile_path(whole)[0])


def _path_of(route: BaseRoute) -> str:
    return str(getattr(route, "path"))  # noqa: B009 - every route of a router has one


class Lookup(BaseRoute):
    """Answers as its routes would in their order, but asks those only whose path fits."""

    def __init__(self, rooms: Iterable[Room]) -> None:
        self._rooms = tuple(rooms)
        keys = {room.key for room in self._rooms}
        self._by_key: dict[tuple[int, str], list[Room]] = defaultdict(list)
        for room in self._rooms:
            for key in keys if room.key is None else [room.key]:
                if key is not None:
                    self._by_key[key].append(room)
        self._anywhere = [room for room in self._rooms if room.key is None]

    @property
    def routes(self) -> list[BaseRoute]:
        """All of them, for what describes them."""
        return [route for room in self._rooms for route in room.routes]

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """The first that fits with its method, or else the first with its path."""
        partial: tuple[Match, Scope] = (Match.NONE, {})
        if scope["type"] != "http":
            return partial
        for route in self._candidates(_path(scope)):
            match, child = route.matches(scope)
            if match is Match.FULL:
                return match, {**child, FOUND: route}
            if match is Match.PARTIAL and partial[0] is Match.NONE:
                partial = match, {**child, FOUND: route}
        return partial

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """By the route that was found."""
        route: BaseRoute = scope.pop(FOUND)
        await route.handle(scope, receive, send)

    def _candidates(self, path: str) -> Iterator[BaseRoute]:
        words = path.split("/")
        key = (len(words) - 1, words[1] if len(words) > 1 else "")
        for room in self._by_key.get(key, self._anywhere):
            if room.pattern.match(path):
                yield from room.routes


def _path(scope: Scope) -> str:
    """Below where the application stands."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path") or "")
