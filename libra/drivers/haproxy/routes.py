"""Lines of HAProxy's configuration for web services: which path goes where, and what members see of it.

Paths hold nothing but letters, digits and `._~%+@:,=-` between their slashes (`libra.model.webservice.normal_path`), so
they need no quotes; where HAProxy reads formats, a `%` is written twice. Which one a request is for is looked up in a
map, as a tree: a rule a path would cost a request some 2 us each.
"""

import re
from collections.abc import Iterator, Sequence

from libra.drivers.haproxy.config import Options, Rewrite, Route
from libra.drivers.haproxy.formats import written_format
from libra.errors import Invalid
from libra.model.webservice import ALIVE, ROOT

LOCAL = "libra-serving"  # no pool's: those begin with be-
KEY = "X-Libra-Service"
_VARIABLE = "var(txn.service)"
_MISSING = "content-type text/plain string 'there is nothing here'"
_REFUSED = (
    "content-type text/plain hdr Allow 'GET, HEAD' string 'only GET and HEAD are answered here'"
)


def render_routes(routes: Sequence[Route], paths: str | None) -> Iterator[str]:
    """Of a frontend; `paths` is the file of its map, which gives what stands beside the longest key that a path begins
    with. Where it gives nothing, what was set before stays.
    """
    yield f"    monitor-uri {ALIVE}"
    yield f"    http-request del-header {KEY}"
    yield "    http-request del-header X-Libra-Serving"
    for number, route in enumerate(routes):
        if route.path == ROOT:
            yield f"    http-request set-var(txn.service) int({number})"
    if paths is not None:
        yield f"    http-request set-var(txn.service) path,concat(/),map_beg_int({paths})"
    yield f"    http-request return status 404 {_MISSING} unless {{ {_VARIABLE} -m found }}"
    for number, route in enumerate(routes):
        chosen = f"{{ {_VARIABLE} -m int {number} }}"
        if route.redirection is not None:
            yield f"    http-request return status 405 {_REFUSED} if {chosen} !METH_GET"
            where = (
                f"code {route.redirection.code} location {written_format(route.redirection.url)}"
            )
            yield f"    http-request redirect {where} if {chosen}"
        elif route.service is not None:
            yield f"    http-request set-header {KEY} {written_format(route.service)} if {chosen}"


def render_uses(routes: Sequence[Route]) -> Iterator[str]:
    """Of a frontend, behind all its other rules: HAProxy warns of rules that stand behind these."""
    for number, route in enumerate(routes):
        backend = LOCAL if route.service is not None else route.backend
        if backend is not None:
            yield f"    use_backend {backend} if {{ {_VARIABLE} -m int {number} }}"


def render_rewrite(rewrite: Rewrite) -> Iterator[str]:
    """Of a backend."""
    yield "    http-request set-header X-Forwarded-Host %[req.hdr(Host)]"
    yield "    http-request set-header X-Forwarded-For %[src]"
    yield "    http-request set-header X-Real-IP %[src]"
    yield f"    http-request set-header X-Forwarded-Port {rewrite.port}"
    yield f"    http-request set-header X-Forwarded-Proto {rewrite.scheme}"
    if not rewrite.upgrades:
        yield "    http-request del-header Upgrade"
    if rewrite.path != rewrite.base:
        yield f"    http-request replace-path {_replacement(rewrite.path, rewrite.base)}"


def _replacement(path: str, base: str) -> str:
    """A pattern for the whole path and what stands in its place; never an empty path."""
    start = "" if path == "/" else re.escape(path)
    if base == "/":
        return f"'^{start}/?(.*)$' '/\\1'"
    doubled = base.replace("%", "%%")
    if path == "/":
        return f"'^/(.*)$' '{doubled}/\\1'"
    return f"'^{start}(/.*)?$' '{doubled}\\1'"


def local_backend(options: Options) -> Iterator[str]:
    """The server of web services.

    It outlives its worker. While one that was killed is started anew, most requests wait a second before each retry.
    With `retry-on` there would be no pause, and all of them used up in a moment.
    """
    if options.serving_socket is None:
        raise Invalid("cannot serve web services: there is no server for them on this host")
    yield ""
    yield f"backend {LOCAL}"
    yield "    mode http"
    yield "    retries 5"
    yield f"    server serving unix@{options.serving_socket}"
