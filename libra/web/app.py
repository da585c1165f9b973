"""The pages, beside the API: who may see them, signing in and out, and how they stay up to date."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.routing import Match, Route
from starlette.types import Scope

from libra import __version__
from libra.api.errors import status_of
from libra.errors import Forbidden, LibraError, NotFound
from libra.usecases.services import Services
from libra.web import orders
from libra.web.faults import refuse
from libra.web.files import answer_file
from libra.web.forms import Form, ensure_own, form_of
from libra.web.history import History
from libra.web.live import LivePage, Parts, Watchers
from libra.web.menu import PAGES
from libra.web.pages import Look, Page
from libra.web.render import answer, render
from libra.web.session import PATH, Visitor, forget, remember, sign_in, visitor_of

LOGIN = f"{PATH}/login"
MOST_WATCHERS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What the routes share."""

    services: Services
    history: History
    watchers: Watchers
    pages: tuple[Page, ...]


def add_pages(app: FastAPI, services: Services, history: History) -> None:
    """To an application of `libra.api.app`."""
    site = Site(services=services, history=history, watchers=Watchers(MOST_WATCHERS), pages=PAGES)
    app.state.endings.append(site.watchers.end)
    app.state.refusals[f"{PATH}/"] = refuse
    for page in site.pages:
        _add(app, "GET", page.path or "/", _shown(site, page))
        _add(app, "GET", f"/live{page.path or '/'}", _followed(site, page))
    _add(app, "GET", "", lambda _request: RedirectResponse(f"{PATH}/", 308))
    _add(app, "GET", "/static/{stamp}/{name}", _file)
    _add(app, "GET", "/login", lambda request: _ask_in(site, request))
    _add(app, "POST", "/login", _login(site))
    for path, order in orders.ORDERS:
        if order.ask is not None:
            _add(app, "GET", path, _confirmed(site, order, order.ask))
        _add(app, "POST", path, _ordered(site, order))
    _add(app, "POST", "/logout", _logout(site))


def _add(app: FastAPI, method: str, path: str, serve: Callable[[Request], Any]) -> None:
    app.router.routes.append(_Route(method, f"{PATH}{path}", serve))


class _Route(Route):
    """Not FastAPI's, which would look for what a page has not: 2 ms for each."""

    def __init__(self, method: str, path: str, serve: Callable[[Request], Any]) -> None:
        super().__init__(path, serve, methods=[method], include_in_schema=False)
        self.methods = {method}  # no HEAD, to which a page that stays up to date would not end

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Says which it was, for the log and the metrics."""
        match, child = super().matches(scope)
        return match, {**child, "route": self}


def _file(request: Request) -> Response:
    return answer_file(request, request.path_params["name"])


# Pages.


def _shown(site: Site, page: Page) -> Callable[[Request], Response]:
    def show(request: Request) -> Response:
        visitor = visitor_of(site.services, request)
        if visitor is None:
            return _to_login(request)
        return _guarded(site, visitor, lambda: _page(site, request, visitor, page))

    return show


def _page(site: Site, request: Request, visitor: Visitor, page: Page) -> Response:
    first = next((item for item in site.pages if item.allows(visitor.caller)), page)
    if not page.path and not page.allows(visitor.caller):
        return RedirectResponse(f"{PATH}{first.path}", 303)
    context = _context(site, request, visitor, page)
    return answer(page.template, context)


def _context(site: Site, request: Request, visitor: Visitor, page: Page) -> dict[str, Any]:
    if not page.allows(visitor.caller):
        raise Forbidden(f"cannot show that: '{visitor.caller.name}' may not see it")
    look = Look(
        services=site.services,
        history=site.history,
        caller=visitor.caller,
        key=request.path_params.get("key", ""),
        asked=request.query_params,
    )
    query = f"?{request.url.query}" if request.url.query else ""
    path = quote(request.url.path.removeprefix(f"{PATH}/live").removeprefix(PATH))
    return {
        **_frame(site, visitor),
        **page.view(look),
        "page": page,
        "title": page.title,
        "live": f"{PATH}/live{path}{query}",
        "here": f"{PATH}{path}{query}",
    }


def _frame(site: Site, visitor: Visitor) -> dict[str, Any]:
    caller = visitor.caller
    return {
        "caller": caller,
        "csrf": visitor.csrf,
        "release": __version__,
        "menu": [page for page in site.pages if page.menu and page.allows(caller)],
        "may_order": orders.may_order(caller),
        "may_deploy": orders.may_order(caller, orders.DEPLOYERS),
    }


def _followed(site: Site, page: Page) -> Callable[[Request], Response]:
    def follow(request: Request) -> Response:
        def look() -> Parts | None:
            visitor = visitor_of(site.services, request)
            if visitor is None:
                return None
            context = _context(site, request, visitor, page)
            return {part: render(f"parts/{part}.html", context) for part in page.parts}

        return LivePage(site.watchers, look)

    return follow


def _guarded(site: Site, visitor: Visitor, act: Callable[[], Response]) -> Response:
    """Faults are pages, too."""
    try:
        return act()
    except LibraError as error:
        status = status_of(error)
        context = {
            **_frame(site, visitor),
            "page": None,
            "title": "Not found" if isinstance(error, NotFound) else "That did not work",
            "words": str(error),
            "back": f"{PATH}/",
        }
        return answer("fault.html", context, status)


# Signing in and out.


def _to_login(request: Request) -> Response:
    query = f"?{request.url.query}" if request.url.query else ""
    target = request.url.path + query
    back = "" if target in (f"{PATH}/", PATH) else f"?next={quote(target, safe='')}"
    return RedirectResponse(f"{LOGIN}{back}", 303)


def _ask_in(
    site: Site, request: Request, words: str = "", status: int = 200, then: str | None = None
) -> Response:
    if not words and visitor_of(site.services, request) is not None:
        return RedirectResponse(f"{PATH}/", 303)
    target = request.query_params.get("next", "") if then is None else then
    context = {"words": words, "then": target, "release": __version__, "title": "Sign in"}
    return answer("login.html", context, status)


def safe_target(target: str) -> str:
    """Where to go after signing in: a page of ours, whatever a link said."""
    plain = target.startswith(f"{PATH}/") and not any(
        character in target for character in "\\\r\n\t"
    )
    return target if plain and "//" not in target.partition("?")[0] else f"{PATH}/"


def _login(site: Site) -> Callable[..., Any]:
    async def login(request: Request) -> Response:
        form = await form_of(request)
        return await run_in_threadpool(_sign_in, site, request, form)

    return login


def _sign_in(site: Site, request: Request, form: Form) -> Response:
    secret, then = form.text("token").strip(), form.text("next")
    found = sign_in(site.services, secret, request.state.request_id)
    if found is None:
        words = "That token is not known here, or it was revoked, or it is over."
        return _ask_in(site, request, words, 401, then)
    response = RedirectResponse(safe_target(then), 303)
    remember(response, found[1], secure=request.url.scheme == "https")
    return response


def _logout(site: Site) -> Callable[..., Any]:
    async def logout(request: Request) -> Response:
        form = await form_of(request)
        visitor = await run_in_threadpool(visitor_of, site.services, request)
        if visitor is not None:
            ensure_own(request, visitor, form)
        response = RedirectResponse(LOGIN, 303)
        forget(response)
        return response

    return logout


# Orders: first a page that says what would happen, then a form that has it done.


def _confirmed(
    site: Site, order: orders.PageOrder, ask: Callable[[Services, str], orders.Question]
) -> Callable[[Request], Response]:
    def confirm(request: Request) -> Response:
        visitor = visitor_of(site.services, request)
        if visitor is None:
            return _to_login(request)

        def act() -> Response:
            orders.ensure_may(visitor.caller, order.roles)
            question = ask(site.services, request.path_params.get("key", ""))
            context = {
                **_frame(site, visitor),
                "page": None,
                "title": question.title,
                "question": question,
                "action": request.url.path,
                "back": _came_from(request),
            }
            return answer("confirm.html", context)

        return _guarded(site, visitor, act)

    return confirm


def _came_from(request: Request) -> str:
    """The page with the link, as far as the browser tells."""
    came = urlsplit(request.headers.get("referer", ""))
    query = f"?{came.query}" if came.query else ""
    return safe_target(came.path + query)


def _ordered(site: Site, order: orders.PageOrder) -> Callable[..., Any]:
    async def run(request: Request) -> Response:
        form = await form_of(request)
        return await run_in_threadpool(_carry_out, site, request, order, form)

    return run


def _carry_out(site: Site, request: Request, order: orders.PageOrder, form: Form) -> Response:
    visitor = visitor_of(site.services, request)
    if visitor is None:
        return _to_login(request)

    def act() -> Response:
        ensure_own(request, visitor, form)
        orders.ensure_may(visitor.caller, order.roles)
        target = order.act(site.services, visitor.caller, request.path_params.get("key", ""), form)
        return RedirectResponse(f"{PATH}{target}", 303)

    return _guarded(site, visitor, act)
