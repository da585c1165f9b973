"""HAProxy's configuration as text: equal configurations give equal bytes, and no timestamp is in it.

The first line marks the file as libra's; `description` in `global` carries the digest of everything else, so
that a running process can be asked (`show info`) which text it runs.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import timedelta

from libra.drivers.haproxy.config import (
    Backend,
    Check,
    Configuration,
    Frontend,
    Mode,
    Options,
    Server,
    ServerState,
)
from libra.errors import Invalid
from libra.messages.fields import has_control_characters

MARK = "# Managed by libra: changes made by hand are lost."
_DESCRIPTION = re.compile(r"^    description libra ([0-9a-f]{32})$", re.MULTILINE)
_PLAIN = re.compile(r"[A-Za-z0-9_./:*\[\],+=@%?&~-]+")
_TIMEOUTS = (("connect", 5), ("client", 50), ("server", 50), ("http-request", 10))  # seconds


def render(configuration: Configuration) -> str:
    """The file's text; raises `Invalid` rather than write a control character."""
    head = [MARK, "", "global"]
    rest = "".join(f"{line}\n" for line in _lines(configuration))
    text = "".join(f"{line}\n" for line in head)
    return f"{text}    description libra {_digest(text + rest)}\n{rest}"


def digest_of(text: str) -> str | None:
    """The digest that a text carries, where it is libra's and was not changed since; else None."""
    match = _DESCRIPTION.search(text)
    if match is None or not text.startswith(MARK):
        return None
    bare = text[: match.start()] + text[match.end() + 1 :]
    return match[1] if _digest(bare) == match[1] else None


def description_of(digest: str) -> str:
    """What `show info` answers as description in a process that runs the text with this digest."""
    return f"libra {digest}"


def word(text: str) -> str:
    """One word of the file, quoted where HAProxy would read more into it."""
    if has_control_characters(text):
        raise Invalid("cannot write a control character into the configuration")
    if _PLAIN.fullmatch(text):
        return text
    return "'" + text.replace("'", "'\\''") + "'"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _lines(configuration: Configuration) -> Iterator[str]:
    yield from _global(configuration.options)
    yield from _defaults(configuration.options)
    for frontend in configuration.frontends:
        yield from _frontend(frontend)
    for backend in configuration.backends:
        yield from _backend(backend)


def _global(options: Options) -> Iterator[str]:
    yield f"    stats socket {word(options.admin_socket)} mode 600 level admin expose-fd listeners"
    yield "    stats timeout 1m"
    log_format = " format raw" if options.log_target == "stdout" else ""
    yield f"    log {word(options.log_target)}{log_format} local0 info"
    yield f"    hard-stop-after {_time(options.hard_stop_after)}"
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
    # a name that does not resolve (yet) must not keep the others from being served
    yield "    default-server init-addr last,libc,none"
    yield from (f"    {line.strip()}" for line in options.extra_defaults)


def _frontend(frontend: Frontend) -> Iterator[str]:
    yield ""
    yield f"frontend {frontend.name}"
    yield f"    mode {frontend.mode.value}"
    yield f"    option {frontend.mode.value}log"
    yield f"    bind {_bind(frontend)}"
    if frontend.disabled:
        yield "    disabled"
    if frontend.max_connections is not None:
        yield f"    maxconn {frontend.max_connections}"
    if frontend.timeout_client is not None:
        yield f"    timeout client {_time(frontend.timeout_client)}"
    if frontend.mode is Mode.HTTP:
        yield "    option idle-close-on-response"  # what makes a reload cost idle clients nothing
    if frontend.forward_for:
        yield "    option forwardfor"
    yield f"    default_backend {frontend.backend}"


def _bind(frontend: Frontend) -> str:
    if frontend.bind_address is None:
        return f"*:{frontend.port}"
    if frontend.bind_address == "::":
        return f"[::]:{frontend.port} v4v6"
    return f"{host(frontend.bind_address)}:{frontend.port}"


def _backend(backend: Backend) -> Iterator[str]:
    yield ""
    yield f"backend {backend.name}"
    yield f"    mode {backend.mode.value}"
    yield f"    balance {backend.balance}"
    if backend.balance == "source":
        yield "    hash-type consistent"  # few clients move when servers come and go, also at runtime
    if backend.retries is not None:
        yield f"    retries {backend.retries}"
    if backend.timeout_connect is not None:
        yield f"    timeout connect {_time(backend.timeout_connect)}"
    if backend.timeout_server is not None:
        yield f"    timeout server {_time(backend.timeout_server)}"
    yield from _persistence(backend)
    if backend.check is not None:
        yield from _check(backend.check)
    suffix = " check" if backend.check else ""
    with_cookie = backend.cookie is not None
    for server in backend.servers:
        yield f"    server {server_words(server, with_cookie=with_cookie)}{suffix}"


def _persistence(backend: Backend) -> Iterator[str]:
    if backend.cookie is not None and backend.mode is Mode.HTTP:
        yield f"    cookie {word(backend.cookie)} insert indirect nocache httponly"
    if backend.stick:
        yield "    stick-table type ipv6 size 100k expire 30m"
        yield "    stick on src"


def _check(check: Check) -> Iterator[str]:
    if check.uri is not None:
        yield "    option httpchk"
        yield f"    http-check send meth GET uri {word(check.uri)}"
        codes = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in check.expected_codes)
        yield f"    http-check expect status {codes}"
    yield f"    timeout check {_time(check.timeout)}"
    yield (
        f"    default-server inter {_time(check.interval)} fall {check.attempts} rise {check.attempts}"
    )


def server_words(server: Server, *, with_cookie: bool) -> str:
    """Name, address and parameters of a server line."""
    weight = 0 if server.state is ServerState.DRAIN else server.weight
    text = f"{server.name} {host(server.address)}:{server.port} weight {weight}"
    if with_cookie:
        text += f" cookie {server.name}"
    if server.backup:
        text += " backup"
    if server.state is ServerState.MAINT:
        text += " disabled"
    return text


def host(address: str) -> str:
    """An address as it stands before a port."""
    return f"[{address}]" if ":" in address else address


def _time(value: timedelta) -> str:
    """HAProxy's time: whole seconds where that is exact, else milliseconds."""
    exact = milliseconds(value)
    return f"{exact // 1000}s" if exact % 1000 == 0 else f"{exact}ms"


def milliseconds(value: timedelta) -> int:
    """HAProxy counts time in whole milliseconds."""
    return round(value.total_seconds() * 1000)
