"""Every `openstack loadbalancer` command, unmodified, in each of the ways that people log in by."""

import importlib.metadata
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from libra.config.identity import IdentitySettings
from libra.model.access import Role
from tests.support.control import ControlLab, control_lab
from tests.support.openstackcli import OpenStack, run_really
from tests.support.openstackwalk import Walk

NOT_HERE = ("flavor", "flavorprofile", "availabilityzone", "availabilityzoneprofile")
WAYS = ("none", "admin_token", "http_basic", "password")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    """Two workers without a proxy: what is tried here is what is said."""
    identity = IdentitySettings(anonymous_role=Role.ADMIN)
    with control_lab(tmp_path_factory.mktemp("openstack"), identity=identity) as lab:
        lab.worker("web1", "127.0.0.1")
        lab.worker("web2", "127.0.0.2")
        yield lab


@pytest.fixture(scope="module")
def openstack() -> Iterator[OpenStack]:
    with OpenStack({}) as openstack:
        yield openstack


def environment(lab: ControlLab, way: str, tail: str = "") -> dict[str, str]:
    """What a person exports."""
    url = f"{lab.client.base_url}".rstrip("/") + tail
    if way == "password":
        return {
            "OS_AUTH_URL": f"{url}/identity",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": lab.secret,
            "OS_PROJECT_NAME": "shop",
            "OS_USER_DOMAIN_ID": "default",
            "OS_PROJECT_DOMAIN_ID": "default",
        }
    more = {
        "none": {},
        "admin_token": {"OS_TOKEN": lab.secret},
        "http_basic": {"OS_USERNAME": "admin", "OS_PASSWORD": lab.secret},
    }[way]
    return {"OS_AUTH_TYPE": way, "OS_ENDPOINT": url, **more}


def every_command() -> set[str]:
    """As the client's own package tells."""
    found = importlib.metadata.entry_points(group="openstack.load_balancer.v2")
    names = {" ".join(item.name.split("_")) for item in found}
    return {name for name in names if name.split()[1] not in NOT_HERE}


@pytest.mark.parametrize("way", WAYS)
def test_every_command(lab: ControlLab, openstack: OpenStack, way: str) -> None:
    openstack.environment = environment(lab, way)
    openstack.ran.clear()
    Walk(openstack, lab, f"{way}-shop").take()
    known = every_command()
    assert len(known) >= 60
    ran = {name for line in openstack.ran for name in known if starts_with(line, name)}
    assert known - ran == set()
    assert lab.get("/v2.0/lbaas/loadbalancers")["loadbalancers"] == []


def starts_with(line: list[str], command: str) -> bool:
    words = command.split()
    return line[: len(words)] == words


@pytest.mark.parametrize("tail", ["/load-balancer", "/load-balancer/", "/v2.0"])
@pytest.mark.parametrize("way", ["none", "admin_token"])
def test_other_places_of_the_api(
    lab: ControlLab, openstack: OpenStack, way: str, tail: str
) -> None:
    openstack.environment = environment(lab, way, tail)
    assert openstack.json("loadbalancer", "list") == []
    assert openstack.json("loadbalancer", "provider", "list")[0]["name"] == "libra"


def test_who_is_refused(lab: ControlLab, openstack: OpenStack) -> None:
    """In words, and with an id to look for in the log."""
    url = f"{lab.client.base_url}".rstrip("/")
    wrong: Mapping[str, str] = {"OS_AUTH_TYPE": "admin_token", "OS_ENDPOINT": url, "OS_TOKEN": "x"}
    told = openstack.run("loadbalancer", "list", status=1, **wrong)
    assert "401" in told
    password = {**environment(lab, "password"), "OS_PASSWORD": "wrong"}
    told = openstack.run("loadbalancer", "list", status=1, **password)
    assert re.search(r"cannot log in.*HTTP 401.*Request-ID: req-", told)


def test_an_error_is_shown_in_its_words(lab: ControlLab, openstack: OpenStack) -> None:
    openstack.environment = environment(lab, "password")
    told = openstack.run("loadbalancer", "show", "nothing", status=1)
    assert "Unable to locate nothing in loadbalancers" in told
    create = ("loadbalancer", "create", "--vip-subnet-id")
    assert "Unable to locate" in openstack.run(*create, "nowhere", status=1)
    for kind in NOT_HERE:
        told = openstack.run("loadbalancer", kind, "list", status=1)
        assert re.search(r"neither flavors nor availability zones here \(HTTP 501\)", told)
    told = openstack.run(*create, "default", "--vip-address", "10.9.9.9", status=1)
    assert re.search(r"10\.9\.9\.9.*\(HTTP 400\) \(Request-ID: req-", told)


@pytest.mark.parametrize("way", ["none", "password"])
def test_a_process_of_its_own(lab: ControlLab, way: str) -> None:
    """As it is installed; the others run in one process, for each start takes seconds."""
    done = run_really("loadbalancer", "list", "-f", "json", **environment(lab, way))
    assert (done.returncode, json.loads(done.stdout)) == (0, [])


def test_clouds_yaml(lab: ControlLab, openstack: OpenStack, tmp_path: Any) -> None:
    """The entries that the how-to shows."""
    url = f"{lab.client.base_url}".rstrip("/")
    person = {"username": "admin", "password": lab.secret, "project_name": "shop"}
    clouds = {
        "none": {"auth_type": "none", "auth": {"endpoint": url}},
        "override": {
            "auth_type": "none",
            "load_balancer_endpoint_override": url,
            "network_endpoint_override": f"{url}/v2.0",
        },
        "token": {"auth_type": "admin_token", "auth": {"endpoint": url, "token": lab.secret}},
        "password": {
            "auth": {
                "auth_url": f"{url}/identity/v3",
                **person,
                "user_domain_id": "default",
                "project_domain_id": "default",
            }
        },
    }
    path = tmp_path / "clouds.yaml"
    path.write_text(json.dumps({"clouds": clouds}))
    for name in clouds:
        chosen = {"OS_CLOUD": name, "OS_CLIENT_CONFIG_FILE": str(path)}
        create = ("loadbalancer", "create", "--vip-subnet-id", "default", "--name", name, "--wait")
        openstack.run(*create, **chosen)
        told = openstack.run("loadbalancer", "list", "-f", "json", **chosen)
        assert name in [item["name"] for item in json.loads(told)]
        openstack.run("loadbalancer", "delete", name, "--wait", **chosen)
