"""What 2.0 messages hold, for tests: a message by hand, and hypothesis strategies for all of them."""

from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from libra.model.listener import Listener, Protocol, Timeouts, ToldHeader
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.policy import (
    COMPARISONS,
    REDIRECT_CODES,
    Comparison,
    Policy,
    PolicyAction,
    Rule,
    RuleType,
)
from libra.model.pool import (
    Algorithm,
    Condition,
    HealthMonitor,
    Member,
    MonitorType,
    PersistenceType,
    Pool,
    PoolProtocol,
    SessionPersistence,
)
from libra.model.tls import (
    Certificate,
    ClientAuthentication,
    MemberTls,
    StrictTransport,
    Tls,
    TlsVersion,
)
from libra.model.webservice import (
    Json,
    Metrics,
    NodeInfo,
    Redirect,
    ReverseProxy,
    Static,
    WebService,
    canonical,
)

PEM = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
CRL = "-----BEGIN X509 CRL-----\nTUlJQg==\n-----END X509 CRL-----\n"
DH = """-----BEGIN DH PARAMETERS-----
MIIBCAKCAQEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEoXJf//////////wIBAg==
-----END DH PARAMETERS-----
"""
KEY = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"


def node(name: str, port: int, **fields: object) -> dict[str, Any]:
    """A node on the loopback address."""
    return {"id": name, "address": "127.0.0.1", "port": port, **fields}


def pool(name: str, *nodes: dict[str, Any], **fields: object) -> dict[str, Any]:
    """A pool of HTTP nodes."""
    return {"id": name, "protocol": "HTTP", "nodes": list(nodes), **fields}


def listener(name: str, port: int, **fields: object) -> dict[str, Any]:
    """A listener for HTTP."""
    return {"id": name, "protocol": "HTTP", "port": port, **fields}


def update(*loadbalancers: dict[str, Any], **fields: object) -> dict[str, Any]:
    """A 2.0 UPDATE."""
    message = {"hpcs_action": "UPDATE", "hpcs_version": "2.0"}
    return {**message, "loadbalancers": list(loadbalancers), **fields}


def loadbalancer(
    name: str, listeners: list[dict[str, Any]], pools: list[dict[str, Any]], **fields: object
) -> dict[str, Any]:
    """One on the loopback address."""
    parts = {"listeners": listeners, "pools": pools}
    return {"id": name, "address": "127.0.0.1", **parts, **fields}


names = st.none() | st.text("ab c-é", min_size=1, max_size=8).filter(
    lambda text: text.strip() == text
)
seconds = st.integers(1, 3600).map(lambda value: timedelta(seconds=value))
milliseconds = st.none() | st.integers(1, 3_600_000).map(lambda ms: timedelta(milliseconds=ms))
members = st.builds(
    Member,
    id=st.uuids().map(str),
    address=st.ip_addresses(v=4, network="10.0.0.0/8").map(str),
    port=st.integers(1, 65535),
    weight=st.integers(0, 256),
    condition=st.sampled_from(Condition),
    backup=st.booleans(),
    monitor_address=st.none() | st.just("10.9.9.9"),
    monitor_port=st.none() | st.integers(1, 65535),
)


@st.composite
def monitors(draw: st.DrawFn) -> HealthMonitor:
    """Those without a request have the defaults of one."""
    kind = draw(st.sampled_from(MonitorType))
    times: dict[str, Any] = {"delay": draw(seconds), "timeout": draw(seconds)}
    times |= {"attempts": draw(st.integers(1, 100)), "attempts_down": draw(st.none() | st.just(3))}
    if kind not in (MonitorType.HTTP, MonitorType.HTTPS):
        return HealthMonitor(type=kind, **times)
    host = draw(st.sampled_from([None, "example.com", "a.b:8080"]))
    return HealthMonitor(
        type=kind,
        **times,
        path=draw(st.sampled_from(["/", "/health?x=%20", "/a;b"])),
        expected_codes=draw(st.sampled_from([((200, 200),), ((200, 204), (302, 302))])),
        method=draw(st.sampled_from(["GET", "HEAD", "OPTIONS"])),
        http_version=draw(st.sampled_from([None, "1.1"] if host else [None, "1.0", "1.1"])),
        host=host,
    )


@st.composite
def persistences(draw: st.DrawFn, blind: bool) -> SessionPersistence:
    """No cookies where there are no headers, which `blind` means."""
    kind = draw(st.sampled_from([PersistenceType.SOURCE_IP] if blind else PersistenceType))
    cookies = {
        PersistenceType.SOURCE_IP: st.none(),
        PersistenceType.HTTP_COOKIE: st.none() | st.just("sid"),
        PersistenceType.APP_COOKIE: st.just("JSESSIONID"),
    }
    timeout = draw(st.none() | st.integers(1, 60).map(lambda value: timedelta(minutes=value)))
    return SessionPersistence(type=kind, cookie_name=draw(cookies[kind]), timeout=timeout)


member_tls = st.none() | st.builds(
    MemberTls,
    certificate=st.none() | st.just(Certificate(id="c", chain=PEM, key=KEY)),
    authorities=st.just(PEM),
    revocations=st.none() | st.just(CRL),
    versions=st.sampled_from([(), (TlsVersion.TLS_1_2, TlsVersion.TLS_1_3)]),
    ciphers=st.sampled_from([None, "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"]),
    alpn=st.sampled_from([(), ("h2", "http/1.1")]),
)


@st.composite
def pools(draw: st.DrawFn, identity: str, protocol: Protocol) -> Pool:
    """One that a listener of that protocol may send to."""
    every = list(PoolProtocol)
    fitting = every if protocol is Protocol.TCP else [every[0], every[3], every[4]]
    chosen = draw(st.sampled_from(fitting))
    return Pool(
        id=identity,
        name=draw(names),
        enabled=draw(st.booleans()),
        protocol=chosen,
        members=tuple(
            draw(st.lists(members, max_size=3, unique_by=(lambda m: m.id, lambda m: m.address)))
        ),
        algorithm=draw(st.sampled_from(Algorithm)),
        monitor=draw(st.none() | monitors()),
        persistence=draw(st.none() | persistences(protocol is Protocol.TCP)),
        tls=draw(member_tls),
    )


certificates = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3, unique=True)


@st.composite
def tls(draw: st.DrawFn) -> Tls:
    """With a neighbourhood of versions."""
    first, last = sorted((draw(st.integers(0, 3)), draw(st.integers(0, 3))))
    authentication = draw(st.sampled_from(ClientAuthentication))
    return Tls(
        certificates=tuple(Certificate(id=name, chain=PEM, key=KEY) for name in draw(certificates)),
        client_authentication=authentication,
        client_ca=PEM if authentication is not ClientAuthentication.NONE else None,
        versions=draw(st.just(()) | st.just(tuple(TlsVersion)[first : last + 1])),
        ciphers=draw(st.sampled_from([None, "ECDHE-RSA-AES128-GCM-SHA256:!aNULL"])),
        alpn=draw(st.sampled_from([(), ("h2", "http/1.1")])),
        dhparam=draw(st.sampled_from([None, DH])),
    )


paths = st.lists(
    st.sampled_from(["/", "/a", "/a/b", "/a.b", "/%20", "/x-y/z~"]), max_size=4, unique=True
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", '"nodes":[]', "é"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["nodes", "pools", "a"]), inner, max_size=2)
    ),
)


@st.composite
def services(draw: st.DrawFn, listener_id: str) -> tuple[WebService, ...]:
    """Every kind, each proxy with a pool of its own."""
    return tuple(
        draw(service(path, f"{listener_id}-{index}")) for index, path in enumerate(draw(paths))
    )


def service(path: str, pool_id: str) -> st.SearchStrategy[WebService]:
    """One on this path."""
    flags = st.booleans()
    return st.one_of(
        st.just(NodeInfo(path=path)),
        st.just(Metrics(path=path)),
        st.builds(
            Redirect,
            path=st.just(path),
            url=st.sampled_from(["https://a.example/%20'b'?c=%[src]", "/x"]),
            code=st.sampled_from([301, 302, 303, 307, 308]),
        ),
        st.builds(
            Json,
            path=st.just(path),
            text=json_values.map(canonical),
            prettify=flags,
            allow_cross_origin=flags,
            discourage_caching=flags,
        ),
        st.builds(
            Static,
            path=st.just(path),
            directory=st.sampled_from(["/", "/srv/www"]),
            default_file=st.none() | st.just("a/index.html"),
            listing=flags,
            cache_seconds=st.none() | st.integers(0, 10**6),
            mime_types=st.sampled_from([(), ((".a", "text/x-a"), (".svg", "image/svg+xml"))]),
        ),
        st.builds(
            ReverseProxy,
            path=st.just(path),
            pool=pools(pool_id, Protocol.HTTP),
            base_path=st.sampled_from(["/", "/base", "/b%20/c"]),
            websocket=flags,
            timeout_tunnel=milliseconds,
            forwarded_port=st.none() | st.integers(1, 65535),
            forwarded_proto=st.none() | st.sampled_from(["http", "https"]),
        ),
    )


urls = st.sampled_from(["https://a.example/%20'b'?c=%[src]&d=$HOME", "/x", "http://b:8/}"])
hostile = st.sampled_from(["/a", "}", "-i", "a b", "it's", '"$HOME"', "%[src]", "a,b", "#x", "or"])


@st.composite
def rules(draw: st.DrawFn) -> Rule:
    """One of any type, with a value that HAProxy could read more into where it may have one."""
    kind = draw(st.sampled_from(RuleType))
    comparison = draw(st.sampled_from(COMPARISONS.get(kind, tuple(Comparison))))
    values = (
        hostile if comparison is not Comparison.REGEX else st.sampled_from(["^/[a-z]+$", "a|}"])
    )
    if kind is RuleType.SSL_CONN_HAS_CERT:
        values = st.just("true")
    elif kind is RuleType.SSL_VERIFY_RESULT:
        values = st.sampled_from(["0", "10"])
    return Rule(
        type=kind,
        comparison=comparison,
        value=draw(values),
        key=draw(st.sampled_from(["CN", "X-Y"])) if kind.has_key else None,
        invert=draw(st.booleans()),
    )


@st.composite
def policies(draw: st.DrawFn, given: list[Pool]) -> tuple[Policy, ...]:
    """`given` are the pools that they may send to."""
    actions = [item for item in PolicyAction if given or item is not PolicyAction.REDIRECT_TO_POOL]
    found: list[Policy] = []
    for number in range(draw(st.integers(0, 3))):
        action = draw(st.sampled_from(actions))
        to_pool = action is PolicyAction.REDIRECT_TO_POOL
        found.append(
            Policy(
                id=f"policy-{number}",
                action=action,
                rules=tuple(draw(st.lists(rules(), min_size=1, max_size=3))),
                pool=draw(st.sampled_from(given)) if to_pool else None,
                url=draw(urls) if action.is_elsewhere else None,
                code=draw(st.sampled_from(REDIRECT_CODES)) if action.is_elsewhere else None,
            )
        )
    return tuple(found)


@st.composite
def listeners(draw: st.DrawFn, identity: str, port: int, given: list[Pool]) -> Listener:
    """`given` are the pools of its protocol."""
    ends_tls = draw(st.booleans())
    protocol = Protocol.HTTP if ends_tls else draw(st.sampled_from(Protocol))
    fitting = [item for item in given if item.id.startswith(protocol.value)]
    is_http = protocol is Protocol.HTTP
    told = [item for item in ToldHeader if ends_tls or not item.of_certificate]
    headers = st.sets(st.sampled_from(told))
    address = draw(st.sampled_from([None, "127.0.0.1", "::1"]))
    kinds = [None, 6 if ":" in address else 4] if address else [None]
    web = draw(st.none() | st.just(()) | services(identity)) if is_http else None
    return Listener(
        id=identity,
        name=draw(names),
        enabled=draw(st.booleans()),
        protocol=protocol,
        port=port,
        pool=draw(st.none() | st.sampled_from(fitting)) if fitting and web is None else None,
        services=web,
        policies=draw(policies(fitting)) if is_http and web is None else (),
        backlog=draw(st.none() | st.integers(1, 65535)),
        threads=draw(st.none() | st.integers(1, 4)),
        access_log=draw(st.booleans()),
        shared=draw(st.booleans()),
        bind_address=address,
        ip_version=draw(st.sampled_from(kinds)),
        connection_limit=draw(st.none() | st.integers(1, 5000)),
        x_forwarded_for=is_http and draw(st.booleans()),
        headers=tuple(h for h in ToldHeader if h in draw(headers)) if is_http else (),
        timeouts=Timeouts(
            client=draw(milliseconds),
            server=draw(milliseconds),
            connect=draw(milliseconds),
            inspect=draw(milliseconds),
        ),
        connect_retries=draw(st.none() | st.integers(0, 100)),
        allowed_cidrs=draw(st.sampled_from([(), ("10.0.0.0/8", "fd00::/8")])),
        hsts=draw(st.none() | st.builds(StrictTransport, max_age=st.integers(0, 10**6)))
        if ends_tls or web
        else None,
        tls=draw(tls()) if ends_tls else None,
    )


@st.composite
def second_desireds(draw: st.DrawFn) -> Desired:
    """Any state that a 2.0 UPDATE may ask for; its ports differ."""
    found: list[LoadBalancer] = []
    for number in range(draw(st.integers(0, 3))):
        given = [draw(pools(f"{protocol.value}-{number}", protocol)) for protocol in list(Protocol)]
        found.append(
            LoadBalancer(
                id=f"lb-{number}",
                name=draw(names),
                enabled=draw(st.booleans()),
                address=draw(st.sampled_from([None, "127.0.0.1", "::1"])),
                listeners=tuple(
                    draw(listeners(f"li-{number}-{index}", 100 * number + index + 1, given))
                    for index in range(draw(st.integers(0, 3)))
                ),
            )
        )
    generation = draw(st.integers(1, 10**6))
    return Desired(loadbalancers=tuple(found), generation=generation, version="2.0")
