"""Whatever the API takes, a device takes as well, and understands it in the same way."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from libra.api.schemas.fields import loadbalancer_fields, nested_listener, nested_pool
from libra.api.schemas.octavia import LoadBalancerBody
from libra.errors import LibraError
from libra.messages.requests import Update, parse_request
from libra.messages.version2.writer import build_update
from libra.model.access import Caller, Role
from libra.model.device import DeviceState
from libra.model.policy import Comparison, PolicyAction, RuleType
from libra.model.resources.listener import ListenerProtocol
from libra.model.resources.monitor import HealthMonitorType
from libra.model.resources.pool import PersistenceKind, PoolAlgorithm, PoolProtocol
from libra.model.resources.tree import LoadBalancerTree
from libra.model.translate import translate
from libra.usecases import loadbalancers
from libra.usecases.loadbalancers import Vip
from libra.usecases.services import AddressPool, Services
from tests.support.storages import build_device, sqlite_storage

Json = dict[str, Any]
ADMIN = Caller(name="admin", role=Role.ADMIN, project_id=None, request_id="req-1")
texts = st.text(max_size=255) | st.sampled_from(["", " ", "a b", "é", "\u2028", "x" * 255])
flags = st.booleans() | st.none()


def numbers(least: int, most: int) -> st.SearchStrategy[object]:
    """Mostly what is allowed, at its edges; now and then just beyond."""
    allowed = [least, least + 1, most - 1, most, str(least), str(most)]
    return st.sampled_from([*allowed, *allowed, *allowed, least - 1, most + 1])


def words(kind: Any) -> st.SearchStrategy[str]:
    return st.sampled_from([item.value for item in kind])


named = {"name": texts, "admin_state_up": flags, "tags": st.lists(texts, max_size=2) | st.none()}
hosts = st.sampled_from(["10.0.0.1", "fd00::1", "FD00:0:0::1", "::ffff:10.0.0.1", "127.0.0.1"])
members = st.fixed_dictionaries(
    {"address": hosts, "protocol_port": numbers(1, 65535)},
    optional={
        **named,
        "weight": numbers(0, 256),
        "backup": flags,
        "monitor_address": hosts | st.none(),
        "monitor_port": numbers(1, 65535),
    },
)
monitors = st.fixed_dictionaries(
    {
        "type": words(HealthMonitorType),
        "delay": numbers(1, 3600),
        "timeout": numbers(1, 3600),
        "max_retries": numbers(1, 10),
    },
    optional={
        **named,
        "max_retries_down": numbers(1, 10),
        "http_method": st.sampled_from(["GET", "CONNECT", None]),
        "url_path": st.from_regex(r"/[!-~]{0,9}", fullmatch=True) | st.just("/" + "x" * 999),
        "expected_codes": st.sampled_from(
            ["200", "200,204", "200 , 204", "200-204", "204-200", "599"]
        )
        | st.integers(98, 102).map(lambda count: ",".join(["200"] * count)),
        "http_version": st.sampled_from([1.0, 1.1, "1.0", "1.1", None]),
        "domain_name": st.sampled_from(["a.example", "a" * 253, "a" * 254, "A-1", "a:80", None]),
    },
)
persistences = st.fixed_dictionaries(
    {"type": words(PersistenceKind)},
    optional={
        "cookie_name": st.sampled_from(["JSESSIONID", "a.b_c-d", "x" * 64, "x" * 65, None]),
        "persistence_timeout": numbers(1, 10080),
    },
)
unique = st.builds(lambda text, number: f"{text[:240]}{number}", texts, st.integers(0, 10_000))
pools = st.fixed_dictionaries(
    {"name": unique, "protocol": words(PoolProtocol), "lb_algorithm": words(PoolAlgorithm)},
    optional={
        "admin_state_up": flags,
        "description": texts,
        "session_persistence": persistences | st.none(),
        "members": st.lists(members, max_size=3),
        "healthmonitor": monitors | st.none(),
    },
)
rules = st.fixed_dictionaries(
    {
        "type": words(RuleType),
        "compare_type": words(Comparison),
        "value": texts | st.sampled_from(["true", "0", "^/a$", "(", "}"]),
    },
    optional={"key": st.sampled_from(["CN", "X-A", "", None, "a b"]), "invert": flags},
)
policies = st.fixed_dictionaries(
    {"action": words(PolicyAction)},
    optional={
        **named,
        "redirect_url": st.sampled_from(["http://a.example/?b='c'", "ftp://a", "", None]),
        "redirect_prefix": st.sampled_from(["https://a:8", "/a", None]),
        "redirect_http_code": numbers(301, 303) | st.none(),
        "redirect_pool": pools | st.none(),
        "position": numbers(1, 3) | st.none(),
        "rules": st.lists(rules, max_size=2),
    },
)
HEADERS = ["X-Forwarded-For", "X-Forwarded-Port", "X-Client-IP", "X-Forwarded-IP", "X-Real-IP"]
timeouts = numbers(0, 24 * 24 * 3600 * 1000)
listeners = st.fixed_dictionaries(
    {"protocol": words(ListenerProtocol), "protocol_port": numbers(1, 65535)},
    optional={
        **named,
        "connection_limit": numbers(-1, 10_000_000) | st.sampled_from([0, 1]),
        "default_pool": pools | st.none(),
        "l7policies": st.lists(policies, max_size=2),
        "insert_headers": st.dictionaries(
            st.sampled_from(HEADERS), st.sampled_from(["true", "False", True])
        ),
        "timeout_client_data": timeouts,
        "timeout_member_connect": timeouts,
        "timeout_member_data": timeouts,
        "timeout_tcp_inspect": timeouts,
        "allowed_cidrs": st.lists(st.sampled_from(["10.0.0.1/8", "::/0", "10.0.0.1"]), max_size=2),
    },
)
bodies = st.fixed_dictionaries(
    {"vip_subnet_id": st.just("default")},
    optional={
        **named,
        "listeners": st.lists(listeners, max_size=2),
        "pools": st.lists(pools, max_size=2),
    },
)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    with sqlite_storage(tmp_path_factory.mktemp("agree")) as storage:
        with storage.writing() as unit:
            for number in range(20):
                ready = {"state": DeviceState.SPARE, "protocol": "2.0"}
                unit.devices.add(build_device(f"web{number}", **ready))
        pool = AddressPool(id="s1", name="default", ranges=("10.8.0.0/16", "fd00::/120"))
        yield Services(storage=storage, sealer=_NoSealer(), address_pools=(pool,))


class _NoSealer:
    def seal(self, secret: str) -> str:
        raise AssertionError

    def unseal(self, sealed: str) -> str:
        raise AssertionError


def create(services: Services, body: Json) -> LoadBalancerTree:
    """As the router does."""
    given = LoadBalancerBody.model_validate(json.loads(json.dumps(body)))
    return loadbalancers.create(
        services,
        ADMIN,
        None,
        Vip(pool=given.vip_subnet_id),
        loadbalancer_fields(given),
        [nested_listener(item) for item in given.listeners or ()],
        [nested_pool(item) for item in given.pools or ()],
    )


RULE = {"type": "COOKIE", "compare_type": "EQUAL_TO", "key": "a", "value": " b "}
LISTENER = {"protocol": "HTTP", "protocol_port": 80}
TIED = {"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}
TIED["session_persistence"] = {"type": "HTTP_COOKIE"}  # type: ignore[assignment]


@given(body=bodies)
@example(body={"name": " a ", "vip_subnet_id": "default"})
@example(
    body={
        "vip_subnet_id": "default",
        "listeners": [{**LISTENER, "allowed_cidrs": ["10.0.0.1/8", "10.0.0.2/8"]}],
    }
)
@example(
    body={
        "vip_subnet_id": "default",
        "listeners": [{**LISTENER, "timeout_client_data": 24 * 24 * 3600 * 1000}],
    }
)
@example(
    body={
        "vip_subnet_id": "default",
        "listeners": [{**LISTENER, "l7policies": [{"action": "REJECT", "rules": [RULE] * 2}] * 2}],
    }
)
@example(body={"vip_subnet_id": "default", "pools": [TIED]})
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
def test_what_the_api_takes_devices_take(services: Services, body: Json) -> None:
    try:
        tree = create(services, body)
    except (ValidationError, LibraError) as error:
        event(f"refused: {type(error).__name__}")
        return
    event("taken")
    told = translate(tree)
    message = json.loads(json.dumps(build_update((told,))))
    request = parse_request(message)
    assert isinstance(request, Update)
    assert request.loadbalancers == (told,)
