"""A real Keystone that knows the API's callers."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.config.identity import IdentitySettings, KeystoneSettings
from tests.support.control import LBAAS, ControlLab, control_lab
from tests.support.openstacks import PASSWORD, WAIT, Keystone, keystone_in
from tests.support.web import NOBODY

# webob, on which the middleware stands, imports it
pytestmark = pytest.mark.filterwarnings("ignore:'cgi' is deprecated:DeprecationWarning")
DEFAULT = {"id": "default"}


@dataclass(frozen=True, slots=True)
class Cloud:
    """Keystone with a service user, the projects shop and blog, and ann, who is a member of shop; libra beside it."""

    keystone: Keystone
    lab: ControlLab
    admin: httpx.Client

    def token(self, user: str, password: str, project: str | None) -> str:
        return log_in(self.keystone, user, password, project)

    def ask(self, token: str, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {"X-Auth-Token": token}
        return self.lab.client_with(None).request(method, path, headers=headers, **more)


def log_in(keystone: Keystone, user: str, password: str, project: str | None) -> str:
    login = {"name": user, "domain": DEFAULT, "password": password}
    auth: Any = {"identity": {"methods": ["password"], "password": {"user": login}}}
    if project is not None:
        auth["scope"] = {"project": {"name": project, "domain": DEFAULT}}
    answer = httpx.post(
        f"{keystone.url}/auth/tokens", json={"auth": auth}, verify=NOBODY, timeout=WAIT
    )
    assert answer.status_code == 201, answer.text
    return str(answer.headers["X-Subject-Token"])


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("keystone")
    with keystone_in(directory) as keystone:
        headers = {"X-Auth-Token": log_in(keystone, "admin", PASSWORD, "admin")}
        with httpx.Client(
            base_url=keystone.url, headers=headers, verify=NOBODY, timeout=WAIT
        ) as admin:
            people(admin)
            with control_lab(directory, identity=settings(directory, keystone)) as lab:
                lab.worker()
                yield Cloud(keystone, lab, admin)


def settings(directory: Path, keystone: Keystone) -> IdentitySettings:
    secret = directory / "password"
    secret.write_text("service-secret\n")
    given = KeystoneSettings(
        auth_url=keystone.url, password_file=secret, cache_seconds=0, timeout_seconds=60
    )
    return IdentitySettings(keystone=given)


def people(admin: httpx.Client) -> None:
    roles = {item["name"]: item["id"] for item in admin.get("/roles").json()["roles"]}
    projects = {name: make(admin, "project", name) for name in ("service", "shop", "blog")}
    for name, role, project in (
        ("libra", "admin", "service"),
        ("ann", "member", "shop"),
        ("rob", "reader", "shop"),
    ):
        password = "service-secret" if name == "libra" else f"{name}-secret"
        user = make(admin, "user", name, password=password)
        path = f"/projects/{projects[project]}/users/{user}/roles/{roles[role]}"
        assert admin.put(path).status_code == 204


def make(admin: httpx.Client, kind: str, name: str, **fields: str) -> str:
    answer = admin.post(f"/{kind}s", json={kind: {"name": name, "domain_id": "default", **fields}})
    assert answer.status_code == 201, answer.text
    return str(answer.json()[kind]["id"])


def test_a_member(cloud: Cloud) -> None:
    token = cloud.token("ann", "ann-secret", "shop")
    assert len(token) > 150  # longer than ours
    body = {"loadbalancer": {"name": "a", "vip_subnet_id": "default"}}
    made = cloud.ask(token, "POST", f"{LBAAS}/loadbalancers", json=body)
    assert made.status_code == 201, made.text
    (shop,) = cloud.admin.get("/projects", params={"name": "shop"}).json()["projects"]
    assert made.json()["loadbalancer"]["project_id"] == shop["id"]
    assert cloud.ask(token, "GET", "/v1/devices").status_code == 403
    blog = {"loadbalancer": {**body["loadbalancer"], "project_id": "blog"}}
    assert cloud.ask(token, "POST", f"{LBAAS}/loadbalancers", json=blog).status_code == 403


def test_others(cloud: Cloud) -> None:
    reader = cloud.token("rob", "rob-secret", "shop")
    body = {"loadbalancer": {"vip_subnet_id": "default"}}
    assert cloud.ask(reader, "GET", f"{LBAAS}/loadbalancers").status_code == 200
    assert cloud.ask(reader, "POST", f"{LBAAS}/loadbalancers", json=body).status_code == 403
    assert (
        cloud.ask(cloud.token("admin", PASSWORD, "admin"), "GET", "/v1/devices").status_code == 200
    )
    # of no project, and so without a role
    assert cloud.ask(cloud.token("ann", "ann-secret", None), "GET", "/v1/jobs").status_code == 401
    assert cloud.ask("gAAAA-not-one", "GET", "/v1/jobs").status_code == 401
    assert cloud.lab.client.get("/v1/jobs").status_code == 200  # libra's own are as good as before


def test_what_is_revoked_is_over(cloud: Cloud) -> None:
    token = cloud.token("ann", "ann-secret", "shop")
    assert cloud.ask(token, "GET", "/v1/jobs").status_code == 200
    headers = {"X-Subject-Token": token}
    assert cloud.admin.delete("/auth/tokens", headers=headers).status_code == 204
    assert cloud.ask(token, "GET", "/v1/jobs").status_code == 401


def test_what_a_client_says_of_itself_does_not_count(cloud: Cloud) -> None:
    token = cloud.token("ann", "ann-secret", "shop")
    headers = {"X-Auth-Token": token, "X-Roles": "admin", "X-Identity-Status": "Confirmed"}
    client = cloud.lab.client_with(None)
    assert client.get("/v1/tokens", headers=headers).status_code == 403
    headers["X-Auth-Token"] = "none"
    assert client.get("/v1/tokens", headers=headers).status_code == 401


def test_without_keystone(cloud: Cloud) -> None:
    """Last: it does not come back."""
    token = cloud.token("ann", "ann-secret", "shop")
    cloud.keystone.process.kill()
    cloud.keystone.process.wait(WAIT)
    answer = cloud.ask(token, "GET", "/v1/jobs")
    assert answer.status_code == 503
    assert "Keystone" in answer.json()["faultstring"]
    assert cloud.lab.client.get("/v1/jobs").status_code == 200
