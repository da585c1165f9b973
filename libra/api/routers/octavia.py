"""What every list and every body of Octavia's API has in common."""

from collections.abc import Callable
from operator import attrgetter
from typing import Any, TypeVar

from fastapi import Request

from libra.api.listing import Page, build_links, choose_fields, parse_page
from libra.api.schemas import filters
from libra.api.schemas.shown import ALIKE
from libra.api.schemas.types import Body
from libra.errors import Invalid
from libra.model.access import Caller
from libra.storage.kinds import Rows

R = TypeVar("R")
Json = dict[str, Any]
ALIASES = {"load_balancer_id": "loadbalancer_id"}


def page_of(
    request: Request,
    kind: type[Any],
    caller: Caller,
    aliases: dict[str, str] | None = None,
    *,
    strict: bool = False,
) -> Page:
    """What the query string asks for; see `parse_page`."""
    most: int = request.app.state.max_page
    names = {**ALIASES, **filters.ALIASES.get(kind, {}), **(aliases or {})}
    alike = ALIKE.get(kind)
    return parse_page(request.query_params, kind, caller, most, names, alike, strict=strict)


def find(rows: Rows[R], page: Page) -> list[R]:
    """The rows of a page."""
    return [] if page.nothing else rows.find(page.query)


def answer(
    request: Request,
    plural: str,
    rows: list[Any],
    shown: list[Json],
    page: Page,
    mark: Callable[[Any], str] = attrgetter("id"),
) -> Json:
    """The list and its links; see `build_links`."""
    url = str(request.url.replace(query=""))
    links = build_links(url, request.query_params, rows, page, mark)
    return {
        plural: [choose_fields(item, page.shown) for item in shown],
        f"{plural}_links": links,
    }


def one(request: Request, singular: str, shown: Json) -> Json:
    """One resource, or the fields of it that are asked for."""
    return {singular: only_wanted(request, shown)}


def only_wanted(request: Request, shown: Json) -> Json:
    """The fields that are asked for."""
    wanted = [
        part for text in request.query_params.getlist("fields") for part in text.split(",") if part
    ]
    return choose_fields(shown, wanted)


def project_of(body: Body) -> str | None:
    """Either spelling of the owner; raises `Invalid` where they differ."""
    one, other = getattr(body, "project_id", None), getattr(body, "tenant_id", None)
    if one and other and one != other:
        raise Invalid("Validation failure: project_id and tenant_id differ")
    return one or other
