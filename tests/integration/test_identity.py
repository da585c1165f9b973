"""Ways in: names and secrets for a token that ends, and no token at all where that is allowed."""

import socket
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from keystoneauth1 import session as keystone_session
from keystoneauth1.exceptions import http as keystone_errors
from keystoneauth1.identity import v3

from libra.config.identity import IdentitySettings
from libra.manager.settle import MANAGER
from libra.model.access import Role, Token
from libra.storage.query import Query
from libra.usecases.tokens import create_token, revoke_token
from tests.support.control import LBAAS, ControlLab, control_lab

LOGIN = "/identity/v3/auth/tokens"
DEFAULT = {"id": "default"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    identity = IdentitySettings(anonymous_role=Role.MEMBER, anonymous_project="guests")
    with control_lab(tmp_path_factory.mktemp("identity"), identity=identity) as lab:
        lab.worker()
        yield lab


@pytest.fixture
def nobody(lab: ControlLab) -> httpx.Client:
    return lab.client_with(None)


def token_of(lab: ControlLab, name: str, role: Role, project: str | None = None) -> Any:
    return create_token(lab.controller.services, MANAGER, name, role, project)


def body_of(name: Any, secret: Any, project: str | None = None, /, **user: object) -> Any:
    identity = {
        "methods": ["password"],
        "password": {"user": {"name": name, "domain": DEFAULT, "password": secret, **user}},
    }
    scope = {"scope": {"project": {"name": project, "domain": DEFAULT}}} if project else {}
    return {"auth": {"identity": identity, **scope}}


def log_in(client: httpx.Client, *given: Any) -> httpx.Response:
    return client.post(LOGIN, json=body_of(*given))


def create_in(client: httpx.Client, secret: str) -> str:
    """Whose a load balancer is that is made with it."""
    body = {"loadbalancer": {"vip_subnet_id": "default"}}
    headers = {"X-Auth-Token": secret}
    made = client.post(f"{LBAAS}/loadbalancers", json=body, headers=headers)
    assert made.status_code == 201, made.text
    return str(made.json()["loadbalancer"]["project_id"])


def test_versions_need_no_token(nobody: httpx.Client) -> None:
    for path in ("/identity", "/identity/"):
        answer = nobody.get(path)
        assert answer.status_code == 300
        (version,) = answer.json()["versions"]["values"]
        assert version["links"][0]["href"] == f"{nobody.base_url}".rstrip("/") + "/identity/v3/"
    for path in ("/identity/v3", "/identity/v3/"):
        assert nobody.get(path).json()["version"]["id"] == "v3.14"


def test_a_login(lab: ControlLab, nobody: httpx.Client) -> None:
    token, secret = token_of(lab, "ann", Role.MEMBER, "shop")
    answer = log_in(nobody, "ann", secret, "shop")
    assert answer.status_code == 201
    issued, shown = answer.headers["X-Subject-Token"], answer.json()["token"]
    assert issued != secret
    assert (shown["user"]["id"], shown["user"]["name"]) == (token.id, "ann")
    assert shown["project"]["id"] == "shop"
    assert [role["name"] for role in shown["roles"]] == ["member"]
    ends = datetime.fromisoformat(shown["expires_at"])
    assert timedelta(minutes=59) < ends - datetime.now(UTC) <= timedelta(hours=1)
    urls = {item["type"]: item["endpoints"][0]["url"] for item in shown["catalog"]}
    assert urls["load-balancer"] == str(nobody.base_url).rstrip("/") + "/load-balancer"
    assert create_in(nobody, issued) == "shop"
    assert secret not in answer.text
    with sqlite3.connect(lab.directory / "libra.db") as database:
        text = "\n".join(database.iterdump())
    assert token.digest in text
    assert secret not in text
    assert issued not in text


def test_the_project_that_is_asked_for(lab: ControlLab, nobody: httpx.Client) -> None:
    _, secret = token_of(lab, "root", Role.ADMIN)
    for project in ("one", "two"):
        issued = log_in(nobody, "root", secret, project).headers["X-Subject-Token"]
        assert create_in(nobody, issued) == project
    everywhere = log_in(nobody, "root", secret)
    assert "project" not in everywhere.json()["token"]
    issued = everywhere.headers["X-Subject-Token"]
    listed = nobody.get(f"{LBAAS}/loadbalancers", headers={"X-Auth-Token": issued}).json()
    assert {"one", "two"} <= {item["project_id"] for item in listed["loadbalancers"]}


def test_a_reader_of_everything_reads_the_project_that_it_asks_for(
    lab: ControlLab, nobody: httpx.Client
) -> None:
    _, root = token_of(lab, "root2", Role.ADMIN)
    for project in ("three", "four"):
        create_in(nobody, log_in(nobody, "root2", root, project).headers["X-Subject-Token"])
    _, secret = token_of(lab, "watch", Role.READER)
    issued = log_in(nobody, "watch", secret, "three").headers["X-Subject-Token"]
    listed = nobody.get(f"{LBAAS}/loadbalancers", headers={"X-Auth-Token": issued}).json()
    assert {item["project_id"] for item in listed["loadbalancers"]} == {"three"}


def test_logins_that_are_refused(lab: ControlLab, nobody: httpx.Client) -> None:
    token, secret = token_of(lab, "bob", Role.MEMBER, "shop")
    for given in (
        ("bob", "wrong"),
        ("bob", ""),
        ("bob", "x" * 100_000),
        ("bob\0", secret),
        ("ann", secret),
        ("bob", secret, "another"),
    ):
        answer = log_in(nobody, *given)
        assert answer.status_code == 401, given
        assert answer.json()["error"]["code"] == 401
    other = body_of("bob", secret, domain={"name": "Other"})
    assert nobody.post(LOGIN, json=other).status_code == 401
    unnamed = body_of("bob", secret, name=None)
    assert nobody.post(LOGIN, json=unnamed).status_code == 401
    by_id = body_of("bob", secret, name=None, id=token.id)
    assert nobody.post(LOGIN, json=by_id).status_code == 201
    for wrong in ({}, {"auth": 1}, {"auth": {"identity": {"methods": ["token"]}}}):
        answer = nobody.post(LOGIN, json=wrong)
        assert answer.status_code == 400
        assert "faultstring" in answer.json()
    held = body_of("bob", ["secret-in-a-list"])
    assert "secret-in-a-list" not in nobody.post(LOGIN, json=held).text


def test_it_ends(lab: ControlLab, nobody: httpx.Client) -> None:
    """By the time, by its own revocation, and with the token that it stands for."""
    token, secret = token_of(lab, "eve", Role.MEMBER, "shop")

    def status(issued: str) -> int:
        headers = {"X-Auth-Token": issued}
        return nobody.get(f"{LBAAS}/loadbalancers", headers=headers).status_code

    first, second, third = (
        log_in(nobody, "eve", secret).headers["X-Subject-Token"] for _ in range(3)
    )
    assert [status(item) for item in (first, second, third)] == [200] * 3
    subject = {"X-Auth-Token": second, "X-Subject-Token": first}
    assert nobody.get(LOGIN, headers=subject).json()["token"]["user"]["name"] == "eve"
    assert nobody.delete(LOGIN, headers=subject).status_code == 204
    assert nobody.get(LOGIN, headers=subject).status_code == 404
    assert [status(item) for item in (first, second, third)] == [401, 200, 200]
    _age(lab, token)
    assert [status(item) for item in (second, third)] == [401] * 2
    assert status(fourth := log_in(nobody, "eve", secret).headers["X-Subject-Token"]) == 200
    with lab.controller.services.storage.reading() as unit:
        assert unit.issued_tokens.count({"token_id": token.id}) == 1  # the others are swept out
    revoke_token(lab.controller.services, MANAGER, token.id)
    assert status(fourth) == 401
    assert log_in(nobody, "eve", secret).status_code == 401


def _age(lab: ControlLab, token: Token) -> None:
    services = lab.controller.services
    past = datetime.now(UTC) - timedelta(seconds=1)

    with services.storage.writing() as unit:
        for issued in unit.issued_tokens.find(Query(where={"token_id": token.id})):
            unit.issued_tokens.replace(replace(issued, expires_at=past))
    services.known_tokens.forget()


def test_anothers_token(lab: ControlLab, nobody: httpx.Client) -> None:
    (_, one), (_, two) = (token_of(lab, name, Role.MEMBER, "shop") for name in ("u1", "u2"))
    mine, others = (
        log_in(nobody, name, secret).headers["X-Subject-Token"]
        for name, secret in (("u1", one), ("u2", two))
    )
    headers = {"X-Auth-Token": mine, "X-Subject-Token": others}
    assert nobody.get(LOGIN, headers=headers).status_code == 403
    assert nobody.delete(LOGIN, headers=headers).status_code == 403
    assert lab.client.get(LOGIN, headers={"X-Subject-Token": others}).status_code == 200
    # a token's own secret is not one that was handed out
    assert lab.client.get(LOGIN, headers={"X-Subject-Token": one}).status_code == 404


def test_projects(lab: ControlLab, nobody: httpx.Client) -> None:
    _, secret = token_of(lab, "pat", Role.MEMBER, "shop")
    headers = {"X-Auth-Token": log_in(nobody, "pat", secret).headers["X-Subject-Token"]}
    get = lambda path: nobody.get(f"/identity/v3{path}", headers=headers)  # noqa: E731
    assert get("/projects/shop").json()["project"]["name"] == "shop"
    assert get("/projects/other").status_code == 403
    assert [item["id"] for item in get("/projects?name=shop").json()["projects"]] == ["shop"]
    assert get("/projects?name=other").json()["projects"] == []
    assert [item["id"] for item in get("/auth/projects").json()["projects"]] == ["shop"]
    assert get("/auth/catalog").json()["catalog"][0]["type"] == "load-balancer"


def test_keystones_own_client(lab: ControlLab) -> None:
    _, secret = token_of(lab, "ksa", Role.MEMBER, "shop")
    base = str(lab.client.base_url).rstrip("/")

    def session(secret: str, tail: str) -> Any:
        auth = v3.Password(
            auth_url=f"{base}{tail}",
            username="ksa",
            password=secret,
            user_domain_name="Default",
            project_name="shop",
            project_domain_id="default",
        )
        return keystone_session.Session(auth)

    for tail in ("/identity", "/identity/v3", "/identity/v3/"):
        seen = session(secret, tail)
        assert seen.get_project_id() == "shop"
        assert seen.get_endpoint(service_type="load-balancer") == f"{base}/load-balancer"
        assert seen.get_endpoint(service_type="volumev3") == f"{base}/volume/v3"
    with pytest.raises(keystone_errors.Unauthorized, match="cannot log in"):
        session("wrong", "/identity").get_token()


def test_callers_of_this_host_need_no_token(lab: ControlLab, nobody: httpx.Client) -> None:
    nobody.headers["X-Auth-Token"] = "notused"
    assert nobody.get("/v1/tokens").status_code == 403
    made = nobody.post(
        f"{LBAAS}/loadbalancers", json={"loadbalancer": {"vip_subnet_id": "default"}}
    )
    assert made.json()["loadbalancer"]["project_id"] == "guests"
    assert lab.client_with("NotUsed").get("/v1/jobs").status_code == 401
    assert lab.client_with(None).get("/v1/jobs").status_code == 401


@pytest.mark.parametrize(
    "header",
    [
        {"Host": "libra.example"},
        {"Host": "127.0.0.1.libra.example"},
        {"Host": ""},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"Via": "1.1 proxy"},
    ],
)
def test_callers_that_may_not_be_of_this_host(nobody: httpx.Client, header: dict[str, str]) -> None:
    """A page that a browser shows here by another name, and what a proxy passes on."""
    headers = {"X-Auth-Token": "notused", **header}
    assert nobody.get("/v1/jobs", headers=headers).status_code == 401


def test_loopback_names(nobody: httpx.Client) -> None:
    for host in ("localhost:1", "127.0.0.1", "[::1]:80", "127.9.9.9"):
        headers = {"X-Auth-Token": "notused", "Host": host}
        assert nobody.get("/v1/jobs", headers=headers).status_code == 200, host


def test_a_host_that_is_none(lab: ControlLab) -> None:
    """httpx would not send it."""
    with socket.create_connection(("127.0.0.1", lab.controller.api.port), timeout=10) as client:
        client.sendall(
            b"GET /v1/jobs HTTP/1.1\r\nHost: [::1\r\nX-Auth-Token: notused\r\nConnection: close\r\n\r\n"
        )
        assert client.recv(100).split()[1] in (b"400", b"401")
