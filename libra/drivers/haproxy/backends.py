"""Backends as text, but for their servers. Pure."""

from collections.abc import Callable, Iterator
from datetime import timedelta

from libra.drivers.haproxy.config import (
    BY_CONNECTION,
    CLIENT_PORT,
    SOURCE,
    Backend,
    Check,
    Material,
    Mode,
    Options,
    ServerTls,
    TlsChoice,
)
from libra.drivers.haproxy.formats import word
from libra.drivers.haproxy.routes import render_rewrite

CLIENT_EXPIRY = timedelta(minutes=30)  # how long a client that does not come stays tied
PEERS = "libra"
PINGED = "    #pinged: libra's worker pings its servers and sets their health"


def render_backend(backend: Backend, options: Options) -> Iterator[str]:
    """All of a section but its servers."""
    yield ""
    yield f"backend {backend.name}"
    yield f"    mode {backend.mode.value}"
    yield f"    balance {backend.balance}"
    if backend.balance == BY_CONNECTION:
        yield f"    tcp-request content set-var({CLIENT_PORT}) src_port"
    if backend.balance in (SOURCE, BY_CONNECTION):
        yield "    hash-type consistent"  # few clients move when servers come and go, also at runtime
    if backend.retries is not None:
        yield f"    retries {backend.retries}"
    if backend.timeout_connect is not None:
        yield f"    timeout connect {written_time(backend.timeout_connect)}"
    if backend.timeout_server is not None:
        yield f"    timeout server {written_time(backend.timeout_server)}"
    if backend.timeout_tunnel is not None:
        yield f"    timeout tunnel {written_time(backend.timeout_tunnel)}"
    if backend.rewrite is not None:
        yield from render_rewrite(backend.rewrite)
    yield from _persistence(backend, options)
    yield from _checking(backend)
    if backend.tls is not None:
        # Behind that of checks: whether certificates are checked is what the last one says.
        yield f"    default-server {tls_words(backend.tls, options, word)}"


def _persistence(backend: Backend, options: Options) -> Iterator[str]:
    if backend.cookie is not None and backend.mode is Mode.HTTP:
        idle = f" maxidle {_minutes(backend.stick_expiry)}" if backend.stick_expiry else ""
        yield f"    cookie {word(backend.cookie)} insert indirect nocache httponly{idle}"
    peers = f" peers {PEERS}" if options.peers_socket is not None else ""
    expiry = _minutes(backend.stick_expiry or CLIENT_EXPIRY)
    if backend.stick_cookie is not None:
        yield f"    stick-table type string len 64 size 100k expire {expiry}{peers}"
        yield f"    stick store-response res.cook({backend.stick_cookie})"
        yield f"    stick match req.cook({backend.stick_cookie})"
    if backend.stick:
        yield f"    stick-table type ipv6 size 100k expire {expiry}{peers}"
        if options.clients_file is not None:
            # for clients of the process before, of which this one was not taught yet
            former = f"src,concat(@{backend.name}),map({options.clients_file}),word(1,|)"
            known = f"src,table_server_id({backend.name}) gt 0"
            yield f"    use-server %[{former}] unless {{ {known} }}"
        yield "    stick on src"


Write = Callable[[str], str]
"""How one word is written: there is no quoting on HAProxy's socket."""


def tls_words(tls: ServerTls, options: Options, write: Write) -> str:
    """Members are asked for by the name that the client asked for, where it did; then it is theirs to prove."""
    words = ["ssl sni ssl_fc_sni"]
    if tls.certificate is not None:
        words.append(f"crt {write(material_path(tls.certificate, options))}")
    if tls.authorities is not None:
        words.append(f"verify required ca-file {write(material_path(tls.authorities, options))}")
    else:
        words.append("verify none")
    if tls.revocations is not None:
        words.append(f"crl-file {write(material_path(tls.revocations, options))}")
    if tls.alpn:
        words.append("check-alpn http/1.1")
    return " ".join([*words, *chosen_words(tls, write)])


def chosen_words(tls: TlsChoice, write: Write = word) -> Iterator[str]:
    """Versions, ciphers and protocols, the same for both ends."""
    given = {"ssl-min-ver": tls.least_version, "ssl-max-ver": tls.last_version}
    given |= {"ciphers": tls.ciphers, "ciphersuites": tls.ciphersuites}
    given |= {"alpn": ",".join(tls.alpn) or None}
    return (f"{name} {write(value)}" for name, value in given.items() if value is not None)


def material_path(material: Material, options: Options) -> str:
    """Where it is."""
    return f"{options.material_dir}/{material.name}"


def _checking(backend: Backend) -> Iterator[str]:
    if backend.pinged:
        yield PINGED
    if backend.check is not None:
        yield from _check(backend.check, over_tls=backend.tls is not None)


def _check(check: Check, *, over_tls: bool) -> Iterator[str]:
    if check.hello and not over_tls:  # there, a connection is one already
        yield "    option ssl-hello-chk"
    if check.uri is not None:
        yield "    option httpchk"
        yield f"    http-check send {_request(check)}"
        codes = ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in check.expected_codes)
        yield f"    http-check expect status {codes}"
    yield f"    timeout check {written_time(check.timeout)}"
    fall = check.attempts_down or check.attempts
    words = f"inter {written_time(check.interval)} fall {fall} rise {check.attempts}"
    yield f"    default-server {words}{' check-ssl verify none' if check.tls else ''}"


def _request(check: Check) -> str:
    """What a check asks for; HTTP/1.1 is what a name to ask for needs."""
    version = "1.1" if check.host is not None else check.http_version
    text = f"meth {check.method} uri {word(check.uri or '/')}"
    text += f" ver HTTP/{version}" if version is not None else ""
    return f"{text} hdr Host {word(check.host)}" if check.host is not None else text


def written_time(value: timedelta) -> str:
    """HAProxy's time: whole seconds where that is exact, else milliseconds."""
    exact = milliseconds(value)
    return f"{exact // 1000}s" if exact % 1000 == 0 else f"{exact}ms"


def _minutes(value: timedelta) -> str:
    return f"{value // timedelta(minutes=1)}m"


def milliseconds(value: timedelta) -> int:
    """HAProxy counts time in whole milliseconds."""
    return round(value.total_seconds() * 1000)
