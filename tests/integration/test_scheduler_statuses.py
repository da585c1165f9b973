"""Questions at the root of the REST API: any name and any spelling of it, and what is refused."""

from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from libra.manager.settle import MANAGER
from libra.model.access import Role
from libra.usecases.devicepools import create_pool
from tests.support.control import ControlLab, control_lab

STRANGE = ("a/b", "what?", "#1", "x.json", "..", " space ", "größe", "100%", "a%2Fb", "{cluster}")
PLAIN = "text/plain; charset=utf-8"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("statuses")) as lab:
        for name in STRANGE:
            create_pool(lab.controller.services, MANAGER, {"name": name})
        yield lab


def ask(lab: ControlLab, path: str, method: str = "GET", accept: str = "*/*") -> httpx.Response:
    """The path as it stands: clients like to change it."""
    url = lab.client.base_url.copy_with(raw_path=path.encode())
    return lab.client.request(method, url, headers={"Accept": accept})


def encoded(name: str) -> str:
    """Every byte of it."""
    return "".join(f"%{byte:02X}" for byte in name.encode())


@pytest.mark.parametrize("name", STRANGE)
def test_every_name_is_reached(lab: ControlLab, name: str) -> None:
    for spelling in {encoded(name), quote(name, safe="").replace(".", "%2E")}:
        shown = ask(lab, f"/clusters/{spelling}", accept="application/json")
        assert (shown.status_code, shown.json()["name"]) == (200, name)
        assert ask(lab, f"/clusters/{spelling}.json").json()["name"] == name
        assert ask(lab, f"/clusters/{spelling}/vms?metric=total").text == "0\n"
        text = ask(lab, f"/clusters/{spelling}")
        assert text.text.startswith(f"Cluster Info: {name}\nCluster: {name.strip()}\n")
        assert ask(lab, f"/clusters/{spelling}/vms/none").status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/clusters/none", 404),
        ("/clusters/a/b", 404),
        ("/clusters//vms", 404),
        ("/clusters/%ff", 400),
        ("/clusters/%00", 400),
        ("/clouds/%00", 400),
        ("/clusters/default/vms/none", 404),
        ("/clusters/default/vms?metric=none", 400),
        ("/clusters/default?metric=all", 400),
        ("/clusters/%1B%5B31m%0A", 404),
        ("/clusters/" + "x" * 5000, 404),
        ("/jobs", 400),
        ("/jobs?state=none", 400),
        ("/jobs?state=new&state=held", 400),
        ("/jobs?state=new&limit=0", 400),
        ("/jobs?state=new&limit=-1", 400),
        ("/jobs?state=new&limit=1e9", 400),
        ("/jobs?state=new&marker=none", 404),
        ("/jobs?state=%FF", 400),
        ("/jobs/none", 404),
        ("/jobs/'%20OR%201=1", 404),
        ("/vms?metric=", 400),
        ("/vms?metrik=all", 400),
        ("/vms/none", 404),
        ("/failures", 400),
        ("/failures?type=none", 400),
        ("/failures/none", 404),
        ("/cloud?x=1", 400),
        ("/cloud/none", 404),
        ("/ips?x", 400),
        ("/job-pool?limit=many", 400),
    ],
)
def test_what_is_refused_says_why(lab: ControlLab, path: str, status: int) -> None:
    text, shown = ask(lab, path), ask(lab, path, accept="application/json")
    assert (text.status_code, shown.status_code) == (status, status), text.text
    assert shown.json()["faultstring"] + "\n" == text.text
    assert text.headers["content-type"] == PLAIN
    head = ask(lab, path, "HEAD")
    assert (head.status_code, head.content) == (status, b"")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/", "GET, POST, PUT, HEAD"),
        ("/cloud", "GET, HEAD"),
        ("/clusters/default/vms", "GET, HEAD"),
        ("/clouds/default", "GET, PUT, HEAD"),
        ("/clouds/default/vms", "DELETE, GET, POST, PUT, HEAD"),
        ("/users/p1", "POST"),
        ("/user-limits", "GET, POST, HEAD"),
    ],
)
def test_other_verbs(lab: ControlLab, path: str, allowed: str) -> None:
    answer = ask(lab, path, "PATCH")
    assert (answer.status_code, answer.text) == (405, "PATCH is not allowed here\n")
    assert set(answer.headers["allow"].split(", ")) == set(allowed.split(", "))


def test_who_may_not_ask(lab: ControlLab) -> None:
    nobody = lab.client_with(None).get("/cloud")
    assert (nobody.status_code, nobody.headers["content-type"]) == (401, PLAIN)
    assert "a token is required" in nobody.text
    reader = lab.token(Role.READER, "p1").get("/cloud")
    assert (reader.status_code, reader.headers["content-type"]) == (403, PLAIN)
    assert lab.client_with(None).get("/").status_code == 200


def test_the_root_for_clients_of_openstack(lab: ControlLab) -> None:
    assert ask(lab, "/").text.startswith("libra version: ")
    assert ask(lab, "/", accept="text/html,*/*").headers["content-type"] == PLAIN
    assert ask(lab, "/", accept="application/json").json()["versions"]
    assert ask(lab, "/", "HEAD").headers["content-type"] == PLAIN
