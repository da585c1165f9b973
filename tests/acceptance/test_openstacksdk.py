"""openstacksdk, which was made for Octavia, against `libra up`: as its users call it, and with traffic."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openstack
import pytest
from openstack import exceptions

from tests.support.ports import free_port, wait_until
from tests.support.up import Fleet, fleet_in, is_served
from tests.support.web import WebServer, get

# the SDK warns of what its own next releases will not have
pytestmark = [
    pytest.mark.filterwarnings(f"ignore::{kind}:openstack")
    for kind in ("DeprecationWarning", "PendingDeprecationWarning")
]
WAIT = 60.0
HTTP = {"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN"}
LBAAS = "/lbaas/loadbalancers"


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    directory = Path(tempfile.mkdtemp(prefix="lb"))
    with fleet_in(directory) as fleet:
        fleet.start()
        yield fleet
        fleet.stop()
    shutil.rmtree(directory, ignore_errors=True)


def connect(fleet: Fleet, kind: str = "admin_token", tail: str = "") -> Any:
    """The SDK's load balancer service, given the API's address with this at the end."""
    url = f"http://127.0.0.1:{fleet.api_port}{tail}"
    secret = (fleet.directory / "admin-token").read_text().strip()
    auth = {"endpoint": url}
    if kind == "admin_token":
        auth["token"] = secret
    elif kind == "http_basic":
        auth |= {"username": "admin", "password": secret}
    return openstack.connection.Connection(auth_type=kind, auth=auth).load_balancer


@pytest.fixture(scope="module")
def service(fleet: Fleet) -> Any:
    return connect(fleet)


def settle(service: Any, balancer: Any) -> Any:
    return service.wait_for_load_balancer(balancer.id, interval=0.1, wait=WAIT)


def delete(service: Any, balancer: Any) -> None:
    service.delete_load_balancer(balancer, cascade=True)
    gone = lambda: service.find_load_balancer(balancer.id) is None  # noqa: E731
    wait_until(gone, timeout=WAIT, what="it to be gone")


@pytest.mark.parametrize("kind", ["admin_token", "http_basic"])
@pytest.mark.parametrize("tail", ["", "/load-balancer", "/load-balancer/"])
def test_ways_in(fleet: Fleet, kind: str, tail: str) -> None:
    assert connect(fleet, kind, tail).find_load_balancer("nowhere") is None


def test_without_a_token(fleet: Fleet) -> None:
    with pytest.raises(exceptions.HttpException) as refused:
        list(connect(fleet, "none").load_balancers())
    assert refused.value.status_code == 401


def test_part_by_part_to_traffic(service: Any) -> None:
    port = free_port()
    with WebServer("one") as one, WebServer("two") as two:
        balancer = service.create_load_balancer(name="shop", vip_subnet_id="default")
        assert balancer.provisioning_status == "PENDING_CREATE"
        address = settle(service, balancer).vip_address
        listener = service.create_listener(
            name="web", load_balancer_id=balancer.id, protocol="HTTP", protocol_port=port
        )
        settle(service, balancer)
        pool = service.create_pool(name="p", listener_id=listener.id, **HTTP)
        settle(service, balancer)
        monitor = service.create_health_monitor(
            pool_id=pool.id, type="HTTP", delay=1, timeout=1, max_retries=1, url_path="/"
        )
        settle(service, balancer)
        member = service.create_member(
            pool, name="m", address="127.0.0.1", protocol_port=one.port, weight=5
        )
        settle(service, balancer)
        wait_until(lambda: is_served(address, port), timeout=WAIT, what="traffic")
        assert get(port, host=address) == (200, "one")
        service.put(  # of the whole pool at once; the SDK has no call of its own for it
            f"/lbaas/pools/{pool.id}/members",
            json={"members": [{"address": "127.0.0.1", "protocol_port": two.port}]},
        )
        settle(service, balancer)
        assert [item.protocol_port for item in service.members(pool)] == [two.port]
        wait_until(lambda: get(port, host=address) == (200, "two"), timeout=WAIT, what="the other")
        assert service.find_member("m", pool) is None
        assert service.find_health_monitor(monitor.id).pools == [{"id": pool.id}]
        assert service.get_listener(listener.id).default_pool_id == pool.id
        assert service.get_pool(pool.id).health_monitor_id == monitor.id
        with pytest.raises(exceptions.NotFoundException):
            service.get_member(member, pool)
        with pytest.raises(exceptions.BadRequestException, match="cascade"):
            service.delete_load_balancer(balancer)
        delete(service, balancer)
        assert not is_served(address, port)


def test_changes_statistics_and_statuses(service: Any) -> None:
    port = free_port()
    with WebServer("one") as server:
        pool = {**HTTP, "name": "p"}
        pool["members"] = [{"address": "127.0.0.1", "protocol_port": server.port}]  # type: ignore[assignment]
        listener = {"protocol": "HTTP", "protocol_port": port, "default_pool": pool}
        balancer = service.create_load_balancer(
            name="whole", vip_subnet_id="default", tags=["a"], listeners=[listener]
        )
        key = balancer.listeners[0]["id"]
        assert balancer.listeners[0]["default_pool_id"] == balancer.pools[0]["id"]
        shown = settle(service, balancer)
        assert shown.listeners == [{"id": key}]
        assert get(port, host=shown.vip_address) == (200, "one")
        for counted in (
            service.get_load_balancer_statistics(balancer.id),
            service.get_listener_statistics(key),
        ):  # which are of the manager's last look, so there need be none yet
            assert counted.total_connections >= 0 <= counted.bytes_out
        service.update_load_balancer(balancer, name="other", description="d", tags=["b"])
        settle(service, balancer)
        service.update_listener(key, name="l", connection_limit=7)
        settle(service, balancer)
        (member,) = service.members(balancer.pools[0]["id"])
        service.update_member(member, balancer.pools[0]["id"], weight=0)
        settle(service, balancer)
        service.failover_load_balancer(balancer.id)
        changed = settle(service, balancer)
        assert (changed.name, changed.description, changed.tags) == ("other", "d", ["b"])
        assert service.get_listener(key).connection_limit == 7
        tree = service.get(f"{LBAAS}/{balancer.id}/status").json()["statuses"]["loadbalancer"]
        assert tree["listeners"][0]["pools"][0]["members"][0]["address"] == "127.0.0.1"
        delete(service, balancer)


def test_lists(service: Any) -> None:
    made = [
        service.create_load_balancer(
            name=f"n{number}", vip_subnet_id="default", tags=["all", f"t{number % 2}"]
        )
        for number in range(4)
    ]
    keys = [settle(service, item).id for item in made]
    for given, wanted in (
        ({}, keys),
        ({"limit": 1}, keys),  # four pages, and the empty one that says that there are no more
        ({"name": "n2"}, keys[2:3]),
        ({"tags": "all,t1"}, keys[1::2]),
        ({"not_tags": "t1"}, keys[::2]),
        ({"is_admin_state_up": True}, keys),
        ({"provisioning_status": "ERROR"}, []),
        ({"vip_address": made[1].vip_address}, keys[1:2]),
    ):
        assert [item.id for item in service.load_balancers(**given)] == wanted, given
    params = {"sort": "name:desc", "fields": ["id", "name"], "limit": 3}
    page = service.get(LBAAS, params=params).json()
    assert [item["name"] for item in page["loadbalancers"]] == ["n3", "n2", "n1"]
    assert {name for item in page["loadbalancers"] for name in item} == {"id", "name"}
    assert [link["rel"] for link in page["loadbalancers_links"]] == ["next"]
    assert service.find_load_balancer("nowhere") is None
    with pytest.raises(exceptions.ConflictException, match="address"):
        service.create_load_balancer(vip_subnet_id="default", vip_address=made[0].vip_address)
    assert service.get_quota("any").load_balancers == -1
    assert "libra" in [provider.name for provider in service.providers()]
    for item in made:
        delete(service, item)
