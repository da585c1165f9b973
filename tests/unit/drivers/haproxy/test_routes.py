"""Web services as lines of HAProxy's configuration: which path is whose, and what is there only where it is needed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Frontend, Options
from libra.drivers.haproxy.render import render
from libra.model.listener import Listener, Protocol
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.pool import Pool
from libra.model.webservice import NodeInfo, Redirect, ReverseProxy, WebService
from tests.unit.drivers.haproxy.test_build import OPTIONS as WITHOUT_SERVING

OPTIONS = replace(WITHOUT_SERVING, serving_socket="/run/s.sock", processors=2)
segments = st.lists(st.sampled_from(["a", "b", "ab", "a.b", "%61", "A"]), max_size=3)
paths = segments.map(lambda given: f"/{'/'.join(given)}")


def desired(*services: WebService, **fields: object) -> Desired:
    listener = Listener(id="li", protocol=Protocol.HTTP, port=80, pool=None, services=services)
    return Desired(
        loadbalancers=(LoadBalancer(id="lb", listeners=(replace(listener, **fields),)),)  # type: ignore[arg-type]
    )


def text_of(*services: WebService, options: Options = OPTIONS, **fields: object) -> str:
    return render(build(desired(*services, **fields), options))


def found_by(frontend: Frontend, path: str) -> str | None:
    """As HAProxy looks it up: what stands beside the longest key that the path, and a slash, begins with."""
    lines = frontend.paths.content.splitlines() if frontend.paths else []
    places = dict(line.split(" ") for line in lines)
    fitting = [key for key in places if f"{path}/".startswith(key)]
    if fitting:
        return frontend.routes[int(places[max(fitting, key=len)])].path
    return next((route.path for route in frontend.routes if route.path == "/"), None)


def longest(services: set[str], path: str) -> str | None:
    """As it is meant: segment by segment."""
    own = path.split("/")
    fitting = [
        item for item in services if item == "/" or own[: item.count("/") + 1] == item.split("/")
    ]
    return max(fitting, key=len, default=None)


@given(
    st.sets(paths, min_size=1, max_size=8),
    paths | st.text("/ab.%6A1;", max_size=8).map("/".__add__),
)
def test_the_longest_path_of_whole_segments_decides(services: set[str], asked: str) -> None:
    (frontend,) = build(desired(*(NodeInfo(path=item) for item in services)), OPTIONS).frontends
    assert found_by(frontend, asked) == longest(services, asked)


@given(st.permutations([NodeInfo(path=path) for path in ("/", "/b", "/a/c", "/a")]))
def test_the_order_of_a_message_does_not_matter(services: list[WebService]) -> None:
    assert text_of(*services) == text_of(*reversed(services))


def test_a_rule_a_service_only_where_it_has_one_of_its_own() -> None:
    """Their number is not what a request costs."""
    few, many = (
        text_of(*(NodeInfo(path=f"/{number}") for number in range(count))) for count in (1, 50)
    )
    assert few.count("set-var") == many.count("set-var") == 1


def test_who_has_no_services_is_asked_nothing() -> None:
    text = text_of(x_forwarded_for=True, services=None)
    for word in ("monitor-uri", "X-Libra", "txn.service", "libra-serving", "nbthread", "http-keep"):
        assert word not in text
    assert "option forwardfor" in text


def test_upgrades_are_for_those_that_want_them() -> None:
    pool = Pool(id="p", members=())
    assert "del-header Upgrade" in text_of(ReverseProxy(path="/", pool=pool))
    assert "del-header Upgrade" not in text_of(ReverseProxy(path="/", pool=pool, websocket=True))


def test_threads_are_as_many_as_the_host_has_or_more() -> None:
    redirect = Redirect(path="/", url="/a")
    many = replace(OPTIONS, processors=128)
    assert "nbthread 2\n" in text_of(redirect, threads=1)
    assert "nbthread 5\n" in text_of(redirect, threads=5)
    assert "nbthread 64\n" in text_of(redirect, threads=5, options=many)  # HAProxy takes no more
    assert "nbthread" not in text_of(redirect, options=many)


def test_nobody_is_needed_for_what_the_proxy_answers_itself() -> None:
    assert "libra-serving" not in text_of(Redirect(path="/", url="/a"))
    assert "unix@/run/s.sock" in text_of(NodeInfo(path="/"))
