"""openstacksdk's calls for load balancers, in each of the ways that people log in by."""

from collections.abc import Iterator
from typing import Any

import openstack
import pytest

from libra.config.identity import IdentitySettings
from libra.model.access import Role
from tests.support.control import WAIT, ControlLab, control_lab

# the SDK warns of what its own next releases will not have
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}:openstack")
    for kind in ("DeprecationWarning", "PendingDeprecationWarning")
]
WAYS = ("none", "none by override", "admin_token", "http_basic", "password")
DEFAULT = {"user_domain_id": "default", "project_domain_id": "default"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    identity = IdentitySettings(anonymous_role=Role.ADMIN)
    with control_lab(tmp_path_factory.mktemp("sdk"), identity=identity) as lab:
        lab.worker("web1", "127.0.0.1")
        lab.worker("web2", "127.0.0.2")
        yield lab


def connect(lab: ControlLab, way: str) -> Any:
    """The SDK's connection, whose `load_balancer` is what is tried."""
    url = f"{lab.client.base_url}".rstrip("/")
    person = {"username": "admin", "password": lab.secret}
    given: dict[str, Any] = {
        "none": {"auth_type": "none", "auth": {"endpoint": url}},
        "none by override": {"auth_type": "none", "load_balancer_endpoint_override": f"{url}/v2"},
        "admin_token": {
            "auth_type": "admin_token",
            "auth": {"endpoint": url, "token": lab.secret},
        },
        "http_basic": {"auth_type": "http_basic", "auth": {"endpoint": url, **person}},
        "password": {
            "auth": {"auth_url": f"{url}/identity", "project_name": "shop", **person, **DEFAULT}
        },
    }[way]
    return openstack.connection.Connection(**given)


@pytest.mark.parametrize("way", WAYS)
def test_every_call(lab: ControlLab, way: str) -> None:
    Calls(lab, connect(lab, way).load_balancer).make()
    assert lab.get("/v2.0/lbaas/loadbalancers")["loadbalancers"] == []


class Calls:
    """One life of a load balancer."""

    def __init__(self, lab: ControlLab, service: Any) -> None:
        self._lab = lab
        self._service = service

    def make(self) -> None:
        service = self._service
        self.balancer = service.create_load_balancer(name="sdk", vip_subnet_id="default")
        self._settle()
        self._listener_and_pool()
        self._member_and_monitor()
        self._policies()
        self._around()
        self._amphorae()
        self._unmake()

    def _settle(self) -> Any:
        found = self._service.wait_for_load_balancer(self.balancer.id, interval=0.05, wait=WAIT)
        assert found.provisioning_status == "ACTIVE"
        return found

    def _listener_and_pool(self) -> None:
        service = self._service
        self.listener = service.create_listener(
            name="l", load_balancer_id=self.balancer.id, protocol="HTTP", protocol_port=80
        )
        self._settle()
        service.update_listener(self.listener, connection_limit=5)
        self._settle()
        assert service.find_listener("l").connection_limit == 5
        owned = service.listeners(load_balancer_id=self.balancer.id)
        assert [item.id for item in owned] == [self.listener.id]
        self.pool = service.create_pool(
            name="p", listener_id=self.listener.id, protocol="HTTP", lb_algorithm="ROUND_ROBIN"
        )
        self._settle()
        service.update_pool(self.pool, lb_algorithm="SOURCE_IP")
        self._settle()
        assert service.find_pool("p").lb_algorithm == "SOURCE_IP"
        assert [item.id for item in service.pools()] == [self.pool.id]

    def _member_and_monitor(self) -> None:
        service = self._service
        where = {"address": "10.0.0.8", "protocol_port": 80}
        member = service.create_member(self.pool, name="m", **where)
        self._settle()
        service.update_member(member, self.pool, weight=0)
        self._settle()
        assert service.find_member("m", self.pool).weight == 0
        assert [item.id for item in service.members(self.pool)] == [member.id]
        monitor = service.create_health_monitor(
            name="h", pool_id=self.pool.id, type="TCP", delay=5, timeout=3, max_retries=2
        )
        self._settle()
        service.update_health_monitor(monitor, delay=7)
        self._settle()
        assert service.find_health_monitor("h").delay == 7
        assert [item.id for item in service.health_monitors()] == [monitor.id]
        service.delete_health_monitor(monitor)
        self._settle()
        service.delete_member(member, self.pool)
        self._settle()

    def _policies(self) -> None:
        service = self._service
        policy = service.create_l7_policy(
            name="y",
            listener_id=self.listener.id,
            action="REDIRECT_TO_URL",
            redirect_url="http://a",
        )
        self._settle()
        service.update_l7_policy(policy, redirect_url="http://b")
        self._settle()
        assert service.find_l7_policy("y").redirect_url == "http://b"
        kind = {"type": "PATH", "compare_type": "STARTS_WITH"}
        rule = service.create_l7_rule(policy, rule_value="/a", **kind)
        self._settle()
        service.update_l7_rule(rule, policy, rule_value="/b")
        self._settle()
        assert service.find_l7_rule(rule.id, policy).rule_value == "/b"
        assert [item.id for item in service.l7_rules(policy)] == [rule.id]
        service.delete_l7_rule(rule, policy)
        self._settle()
        service.delete_l7_policy(policy)
        self._settle()

    def _around(self) -> None:
        service = self._service
        assert service.get_load_balancer_statistics(self.balancer.id).total_connections == 0
        assert service.get_listener_statistics(self.listener.id).bytes_in == 0
        names = [item.name for item in service.providers()]
        assert {"libra", "noop"} <= set(names)
        assert list(service.provider_flavor_capabilities("libra")) == []
        assert service.get_quota_default().pools == -1
        service.update_quota("shop", pools=5)
        assert service.get_quota("shop").pools == 5
        assert [item.pools for item in service.quotas()] == [5]
        service.delete_quota("shop")
        assert service.get_quota("shop").pools == -1

    def _amphorae(self) -> None:
        service = self._service
        (found,) = service.amphorae(loadbalancer_id=self.balancer.id)
        assert service.get_amphora(found.id).status == "ALLOCATED"
        assert service.find_amphora(found.id).role == "STANDALONE"
        service.configure_amphora(found.id)
        service.failover_amphora(found.id)
        self._settle()
        (after,) = service.amphorae(loadbalancer_id=self.balancer.id)
        assert after.id != found.id
        service.failover_load_balancer(self.balancer.id)
        self._settle()

    def _unmake(self) -> None:
        service = self._service
        service.delete_pool(self.pool)
        self._settle()
        service.delete_listener(self.listener)
        self._settle()
        service.delete_load_balancer(self.balancer, cascade=True)
        gone = lambda: service.find_load_balancer(self.balancer.id) is None  # noqa: E731
        self._lab.wait(gone, "it is gone")
