"""HAProxy's configuration as text: equal configurations give equal bytes, and no timestamp is in it.

The first line marks the file as libra's. `description` in `global` carries two digests, so that a running process can
be asked (`show info`) what it was started from: that of everything else in the text, and that of its structure, which
is what cannot be changed without a reload (everything but servers and suspension).
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from libra.drivers.haproxy.backends import (
    PEERS,
    chosen_words,
    material_path,
    render_backend,
    written_time,
)
from libra.drivers.haproxy.branches import render_branches, render_choices
from libra.drivers.haproxy.config import (
    Backend,
    Configuration,
    Frontend,
    Mode,
    Options,
    Surroundings,
    TlsBind,
)
from libra.drivers.haproxy.diff import structure
from libra.drivers.haproxy.formats import IN_EXPRESSION, word
from libra.drivers.haproxy.ports import SHARED
from libra.drivers.haproxy.reporter import render_reporter
from libra.drivers.haproxy.routes import local_backend, render_routes, render_uses
from libra.drivers.haproxy.serverlines import host, render_server, shape_of
from libra.errors import Invalid

MARK = "# Managed by libra: changes made by hand are lost."
# The first releases wrote one digest only: of such a text nobody knows the structure.
_DESCRIPTION = re.compile(
    r"^    description (libra ([0-9a-f]{32})(?: [0-9a-f]{32})?)$", re.MULTILINE
)
_TIMEOUTS = (("connect", 5), ("client", 50), ("server", 50), ("http-request", 10))  # seconds
MOST_THREADS = 64  # of one group of HAProxy's, and so many it takes by itself
PEER = PEERS


RenderServers = Callable[[Backend], Iterable[str]]


def render_servers(backend: Backend) -> list[str]:
    """The lines of a backend's servers."""
    shape = shape_of(backend)
    return [render_server(shape, server) for server in backend.servers]


def render(configuration: Configuration, servers: RenderServers = render_servers) -> str:
    """The file's text; raises `Invalid` rather than write a control character."""
    return render_described(configuration, servers)[0]


def render_described(
    configuration: Configuration, servers: RenderServers = render_servers
) -> tuple[str, str]:
    """The file's text, and what a process answers as its description that was started from it.

    `servers` may be given by a caller who remembers what it rendered before.
    """
    sections = _all_sections(configuration, servers)
    return compose([sections], configuration.options, configuration.around)


def structure_of(configuration: Configuration) -> str:
    """The digest of what needs a reload to be changed."""
    sections = _all_sections(configuration, render_servers)
    around = _Around(configuration.options, configuration.around)
    return _structure([sections], around)


def _all_sections(configuration: Configuration, servers: RenderServers) -> "Sections":
    options = configuration.options
    return render_sections(configuration.frontends, configuration.backends, options, servers)


class Sections(NamedTuple):
    """Of some load balancers: as they stand in the file, and what of that needs a reload to be changed."""

    frontends: str
    backends: str
    bare_frontends: str
    bare_backends: str


def render_sections(
    frontends: Sequence[Frontend],
    backends: Sequence[Backend],
    options: Options,
    servers: RenderServers = render_servers,
) -> Sections:
    """`backends` are all that these frontends send to."""
    sticky = {backend.name for backend in backends if backend.stick}
    bare = [replace(backend, servers=()) for backend in backends]
    return Sections(
        _frontends(frontends, sticky, options),
        _backends(backends, options, servers),
        _frontends(map(structure, frontends), sticky, options),
        _backends(bare, options, render_servers),
    )


def compose(parts: Sequence[Sections], options: Options, needed: Surroundings) -> tuple[str, str]:
    """The file's text and its description, of the sections of all load balancers."""
    around = _Around(options, needed)
    head = f"{MARK}\n\nglobal\n"
    rest = around.join([item.frontends for item in parts], [item.backends for item in parts])
    rest += "\n"
    description = _description(_digest(head + rest), _structure(parts, around))
    return f"{head}    description {description}\n{rest}", description


def _structure(parts: Sequence[Sections], around: "_Around") -> str:
    frontends = [item.bare_frontends for item in parts]
    return _digest(around.join(frontends, [item.bare_backends for item in parts]))


def description_of(text: str) -> str | None:
    """What a process answers as its description that was started from this text.

    None where the text is not libra's, or was changed since.
    """
    match = _DESCRIPTION.search(text, 0, 1000)
    if match is None or not text.startswith(MARK):
        return None
    bare = text[: match.start()] + text[match.end() + 1 :]
    return match[1] if _digest(bare) == match[2] else None


def structure_in(description: str | None) -> str | None:
    """The structure's digest in a description."""
    words = (description or "").split(" ")
    return words[2] if len(words) == 3 and words[0] == "libra" else None


def _description(digest: str, structure: str) -> str:
    return f"libra {digest} {structure}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


class _Around:
    """What stands before and between the sections of load balancers."""

    def __init__(self, options: Options, needed: Surroundings) -> None:
        own = min(options.processors, MOST_THREADS)
        threads = max(needed.threads, own) if needed.threads else 0
        self._before = "\n".join([*_global(options, threads), *_defaults(options)])
        between = [*(_peers(options) if needed.has_tables else ())]
        between += local_backend(options) if needed.has_local else ()
        self._between = "\n".join(between)

    def join(self, frontends: Iterable[str], backends: Iterable[str]) -> str:
        """The whole, but for the first lines."""
        blocks = (self._before, *frontends, self._between, *backends)
        return "\n".join(block for block in blocks if block)


def _frontends(frontends: Iterable[Frontend], sticky: Collection[str], options: Options) -> str:
    lines: list[str] = []
    for frontend in frontends:
        lines += _frontend(frontend, options)
        lines += _binding(frontend, sticky)
    return "\n".join(lines)


def _backends(backends: Iterable[Backend], options: Options, servers: RenderServers) -> str:
    lines: list[str] = []
    for backend in backends:
        lines += render_backend(backend, options)
        lines += servers(backend)
    return "\n".join(lines)


def _global(options: Options, threads: int) -> Iterator[str]:
    yield f"    stats socket {word(options.admin_socket)} mode 600 level admin expose-fd listeners"
    yield "    stats timeout 1m"
    log_format = " format raw" if options.log_target == "stdout" else ""
    yield f"    log {word(options.log_target)}{log_format} local0 info"
    yield f"    hard-stop-after {written_time(options.hard_stop_after)}"
    if threads:
        yield f"    nbthread {threads}"
    if options.server_state_file is not None:
        yield f"    server-state-file {word(options.server_state_file)}"
    if options.version >= (2, 6):
        yield "    httpclient.ssl.verify none"  # else every start and check loads the CA store
    if options.user:
        yield f"    user {word(options.user)}"
    if options.group:
        yield f"    group {word(options.group)}"
    yield from (f"    {line.strip()}" for line in options.extra_global)


def _defaults(options: Options) -> Iterator[str]:
    yield ""
    yield "defaults"
    yield "    mode http"
    yield "    log global"
    yield "    option dontlognull"
    yield "    option redispatch"
    yield "    retries 3"
    for name, seconds in _TIMEOUTS:
        yield f"    timeout {name} {seconds}s"
    if options.server_state_file is not None:
        yield "    load-server-state-from-file global"
    # a name that does not resolve (yet) must not keep the others from being served
    yield "    default-server init-addr last,libc,none"
    yield from (f"    {line.strip()}" for line in options.extra_defaults)


def _frontend(frontend: Frontend, options: Options) -> Iterator[str]:
    yield ""
    yield f"frontend {frontend.name}"
    yield f"    mode {frontend.mode.value}"
    yield f"    option {frontend.mode.value}log"
    yield "    option contstats"  # counts the bytes of long connections every 5 s, not only at their end
    yield f"    bind {_bind(frontend)}{_tls(frontend.tls, options)}{_accepting(frontend)}"
    if frontend.quiet:
        yield "    no log"
    if frontend.disabled:
        yield "    disabled"
    yield from _limits(frontend, options)
    yield from _request_rules(frontend, options)


def _limits(frontend: Frontend, options: Options) -> Iterator[str]:
    if frontend.max_connections is not None:
        yield f"    maxconn {frontend.max_connections}"
    if frontend.timeout_client is not None:
        yield f"    timeout client {written_time(frontend.timeout_client)}"
        if frontend.routes is not None:
            # Also for a whole head, and for the next request: HAProxy's versions differ in which they take it for.
            yield f"    timeout http-request {written_time(frontend.timeout_client)}"
            yield f"    timeout http-keep-alive {written_time(frontend.timeout_client)}"
    if frontend.mode is Mode.HTTP and _knows_idle_close(options.version):
        yield "    option idle-close-on-response"  # what makes a reload cost idle clients nothing
    if frontend.allowed is not None:
        networks = _expressible(
            material_path(frontend.allowed, options), "limit listeners to networks"
        )
        yield f"    tcp-request connection reject unless {{ src,map_ip({networks}) -m found }}"
    if frontend.inspect_delay is not None:
        yield f"    tcp-request inspect-delay {written_time(frontend.inspect_delay)}"


def _request_rules(frontend: Frontend, options: Options) -> Iterator[str]:
    if frontend.forward_for:
        # With web services it is the client's only one, whatever that says of others before it.
        overwritten = "http-request set-header X-Forwarded-For %[src]"
        yield f"    {overwritten if frontend.routes is not None else 'option forwardfor'}"
    for name, value in frontend.told:
        yield f"    http-request set-header {name} {value}"
    if frontend.statuses is not None:
        statuses = material_path(frontend.statuses, options)
        yield from render_reporter(_expressible(statuses, "report nodes"))
    if frontend.routes is not None:
        paths = material_path(frontend.paths, options) if frontend.paths else None
        found = _expressible(paths, "serve paths") if paths else None
        yield from render_routes(frontend.routes, found)
    yield from render_branches(frontend, options)
    if frontend.hsts is not None:
        yield f"    http-after-response set-header Strict-Transport-Security {word(frontend.hsts)}"


def _accepting(frontend: Frontend) -> str:
    """What stands at the end of its line; the mark is for `parse_binds`."""
    text = f" backlog {frontend.backlog}" if frontend.backlog else ""
    text += f" thread 1-{frontend.threads}" if frontend.threads else ""
    return text + (SHARED if frontend.shared else "")


def _tls(tls: TlsBind | None, options: Options) -> str:
    """What stands behind the address: nothing where it is clear text."""
    if tls is None:
        return ""
    words = ["", "ssl", *(f"crt {word(material_path(item, options))}" for item in tls.certificates)]
    if tls.verify is not None and tls.client_ca is not None:
        words.append(f"verify {tls.verify} ca-file {word(material_path(tls.client_ca, options))}")
    if tls.client_crl is not None:
        words.append(f"crl-file {word(material_path(tls.client_crl, options))}")
    if tls.lenient:
        words.append("ca-ignore-err all crt-ignore-err all")
    return " ".join([*words, *chosen_words(tls)])


def _expressible(path: str, what: str) -> str:
    """There is no quoting in expressions, and a listener open to everybody would be worse than none."""
    if not IN_EXPRESSION.fullmatch(path):
        raise Invalid(f"cannot {what}: HAProxy cannot name {path} there")
    return path


def _binding(frontend: Frontend, sticky: Collection[str]) -> Iterator[str]:
    if frontend.backend in sticky:
        # An old process empties its stick tables, but for clients that are still connected and tracked.
        yield f"    tcp-request connection track-sc0 src table {frontend.backend}"
    if frontend.inspect_delay is not None and frontend.mode is Mode.TCP:
        # What there is to inspect is there with the first bytes; requests are waited for anyway.
        yield "    tcp-request content accept if { req.len gt 0 }"
    yield from render_choices(frontend)
    if frontend.backend is not None:
        yield f"    default_backend {frontend.backend}"
    yield from render_uses(frontend.routes or ())


def _knows_idle_close(version: tuple[int, ...]) -> bool:
    """It came with 2.6, and was given to 2.4 and 2.5 in early 2022; before, a check would refuse the file."""
    return version >= (2, 5, 4) or (2, 4, 14) <= version < (2, 5)


def _bind(frontend: Frontend) -> str:
    if frontend.only_ipv6 and frontend.bind_address in (None, "::"):
        return f"[::]:{frontend.port} v6only"
    if frontend.bind_address is None:
        return f"*:{frontend.port}"
    if frontend.bind_address == "::":
        return f"[::]:{frontend.port} v4v6"
    return f"{host(frontend.bind_address)}:{frontend.port}"


def _peers(options: Options) -> Iterator[str]:
    """By which a process teaches the one that replaces it what its stick tables hold; nobody else is asked."""
    if options.peers_socket is None:
        return
    user = f" user {word(options.user)}" if options.user else ""
    yield ""
    yield f"global\n    localpeer {PEER}"
    yield ""
    yield f"peers {PEERS}"
    yield f"    bind unix@{options.peers_socket} mode 600{user}"
    yield f"    server {PEER}"
