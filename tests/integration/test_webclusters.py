"""Web clusters through the real API and the command line: the contract's procedures, objects, errors and events."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from libra.model.access import Role
from tests.support.certificates import Authority
from tests.support.cli import invoke_really, run
from tests.support.control import ControlLab, control_lab

BASE = "/v1/webclusters"
LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \[")
SEED = {
    *("changed", "description", "http_access_log", "http_client_timeout"),
    *("http_display_tracebacks", "http_hsts", "http_hsts_max_age", "label", "name", "oid"),
    *("owner_oid", "status", "tags", "tcp_backlog", "tcp_interface", "tcp_port", "tcp_shared"),
    *("tcp_version", "tls_ca_certificates", "tls_certificate", "tls_chain_certificates"),
    *("tls_ciphers", "tls_dhparam", "tls_key"),
}
GIVEN = {"changed", "name", "oid", "owner_oid", "status"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("webclusters")) as lab:
        for name in ("web2", "web1"):
            lab.worker(name)
        yield lab


@pytest.fixture
def name() -> str:
    """Of a cluster that no other test has."""
    return f"c{uuid4().hex}"


def create(lab: ControlLab, name: str, **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = lab.post(BASE, {"name": name, **fields})["webcluster"]
    return made


def refused(response: httpx.Response) -> tuple[int, str]:
    """Our usual body, and the contract's name beside it."""
    body = response.json()
    assert set(body) == {"faultcode", "faultstring", "debuginfo", "error"}
    assert body["faultstring"]
    return response.status_code, body["error"]


def events(lab: ControlLab, oid: str) -> list[str]:
    return [item["kind"] for item in lab.get("/v1/events", subject_id=oid, limit=100)["events"]]


def test_a_cluster_has_the_fields_of_the_contract(lab: ControlLab, name: str) -> None:
    made = create(lab, name)
    assert set(made) >= SEED
    assert {field for field in SEED if made[field] is not None} == GIVEN
    assert made["status"] == "STOPPED"
    assert made["changed"] > 10**18
    UUID(made["oid"])
    UUID(made["owner_oid"])
    assert (made["project_id"], made["revision"], made["good_revision"]) == ("default", 1, 0)
    assert (made["tls_key_set"], made["notes"]) == (False, {})
    for key in (made["oid"], name):
        assert lab.get(f"{BASE}/{key}")["webcluster"] == made
    assert made["oid"] in lab.get(BASE)["webclusters"]
    names = lab.get(BASE, return_names=True)["webclusters"]
    assert name in names
    assert names == sorted(names)
    assert made in lab.get(BASE, details=True)["webclusters"]
    changed = lab.client.patch(f"{BASE}/{name}", json={"tags": ["a"], "tcp_port": 8080}).json()
    assert changed["webcluster"] == {
        **made,
        "tags": ["a"],
        "tcp_port": 8080,
        "revision": 2,
        "changed": changed["webcluster"]["changed"],
    }
    assert changed["webcluster"]["changed"] > made["changed"]
    gone = lab.client.delete(f"{BASE}/{name}").json()["webcluster"]
    assert (gone["oid"], gone["status"]) == (made["oid"], "STOPPED")
    assert gone["changed"] > changed["webcluster"]["changed"]
    assert refused(lab.client.get(f"{BASE}/{name}")) == (404, "no_such_object")
    kinds = ["on_webcluster_created", "on_webcluster_changed", "on_webcluster_deleted"]
    assert events(lab, made["oid"]) == kinds


def test_what_libra_gives_itself_is_not_taken_from_anybody(lab: ControlLab, name: str) -> None:
    given = {"oid": str(uuid4()), "status": "RUNNING", "owner_oid": "x", "changed": 7}
    made = create(lab, name, **given)
    assert all(made[field] != value for field, value in given.items())
    response = lab.client.patch(f"{BASE}/{name}", json={"status": "RUNNING"})
    assert refused(response) == (400, "invalid_configuration")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"name": "ab"},
        {"name": "a" * 65},
        {"name": "1ab"},
        {"name": "_ab"},
        {"name": "Abc"},
        {"name": "a-b"},
        {"name": None},
        {"name": "abc", "tcp_port": True},
        {"name": "abc", "tcp_port": "80"},
        {"name": "abc", "tcp_port": 0},
        {"name": "abc", "tcp_port": 65536},
        {"name": "abc", "tcp_version": 5},
        {"name": "abc", "tcp_version": True},
        {"name": "abc", "tcp_shared": 1},
        {"name": "abc", "tcp_backlog": 0},
        {"name": "abc", "tcp_interface": "eth0"},
        {"name": "abc", "tcp_interface": "::1", "tcp_version": 4},
        {"name": "abc", "http_client_timeout": 0},
        {"name": "abc", "http_client_timeout": 86401},
        {"name": "abc", "http_hsts_max_age": -1},
        {"name": "abc", "tags": "a"},
        {"name": "abc", "tags": [1]},
        {"name": "abc", "tls_ciphers": "NONSENSE"},
        {"name": "abc", "tls_chain_certificates": "x"},
        {"name": "abc", "tls_certificate": "x"},
        {"name": "abc", "nonsense": 1},
    ],
)
def test_what_is_no_configuration(lab: ControlLab, body: dict[str, Any]) -> None:
    assert refused(lab.client.post(BASE, json=body)) == (400, "invalid_configuration")


def test_names_at_their_ends(lab: ControlLab) -> None:
    for name in ("abc", "a" * 64, "z_9"):
        create(lab, name)
        assert refused(lab.client.post(BASE, json={"name": name})) == (409, "already_exists")


def test_keys_that_are_none(lab: ControlLab, name: str) -> None:
    for key, wanted in (
        (name, (404, "no_such_object")),
        (str(uuid4()), (404, "no_such_object")),
        ("no-uuid", (400, "invalid_argument")),
    ):
        for method, path in (
            ("GET", key),
            ("DELETE", key),
            ("POST", f"{key}/start"),
            ("GET", f"{key}/nodes"),
            ("GET", f"{key}/services/by-path"),
        ):
            assert refused(lab.client.request(method, f"{BASE}/{path}")) == wanted


def test_start_and_stop(lab: ControlLab, name: str) -> None:
    """What comes after is the monitor's."""
    made = create(lab, name)
    url = f"{BASE}/{name}"
    assert refused(lab.client.post(f"{url}/stop")) == (409, "cannot_stop")
    assert refused(lab.client.post(f"{url}/pause")) == (409, "cannot_stop")
    for order in ("resume", "restart"):
        assert refused(lab.client.post(f"{url}/{order}")) == (409, "cannot_start")
    assert refused(lab.client.post(f"{url}/explode")) == (400, "invalid_argument")
    started = lab.client.post(f"{url}/start").json()["webcluster"]
    assert set(started) == {"oid", "status", "changed", "who"}
    assert (started["oid"], started["status"]) == (made["oid"], "STARTING")
    assert (started["who"]["authid"], started["who"]["authrole"]) == ("admin", "admin")
    assert started["who"]["session"]
    shown = lab.get(url)["webcluster"]
    assert shown["tcp_port"] in range(20_000, 21_000)
    assert refused(lab.client.post(f"{url}/start")) == (409, "cannot_start")
    assert refused(lab.client.delete(url)) == (409, "not_stopped")
    stopping = lab.client.post(f"{url}/stop").json()["webcluster"]
    assert stopping["status"] == "STOPPING"
    told = events(lab, made["oid"])
    assert [kind for kind in told if kind.endswith("ing")] == [
        "on_webcluster_starting",
        "on_webcluster_stopping",
    ]


def test_nodes(lab: ControlLab, name: str) -> None:
    oid, url = create(lab, name)["oid"], f"{BASE}/{name}/nodes"
    ids = {item["name"]: item["id"] for item in lab.get("/v1/devices")["devices"]}
    added = lab.post(url, {"node": "web1", "parallel": 2, "standby": False})["node"]
    assert {key: added[key] for key in ("cluster_oid", "node_oid", "parallel", "standby")} == {
        "cluster_oid": oid,
        "node_oid": ids["web1"],
        "parallel": 2,
        "standby": None,
    }
    assert (added["name"], added["status"], added["active"]) == ("web1", "online", True)
    lab.put(f"{url}/{ids['web2']}", {"standby": True})
    assert lab.get(url)["nodes"] == [ids["web1"], ids["web2"]]
    assert lab.get(url, return_names=True)["nodes"] == ["web1", "web2"]
    assert lab.get(url, filter_by_status="online", return_names=True)["nodes"] == ["web1", "web2"]
    assert lab.get(url, filter_by_status="offline")["nodes"] == []
    assert refused(lab.client.get(url, params={"filter_by_status": "odd"}))[1] == "invalid_argument"
    assert lab.get(url, details=True)["nodes"][1] == lab.get(f"{url}/web2")["node"]
    assert lab.get(f"{url}/web2")["node"]["standby"] is True
    for body in (
        {"parallel": True},
        {"parallel": -1},
        {"parallel": 65},
        {"standby": 1},
        {"odd": 1},
    ):
        assert refused(lab.client.put(f"{url}/web1", json=body)) == (400, "invalid_argument")
    assert refused(lab.client.post(url, json={"node": "web9"})) == (404, "no_such_object")
    removed = lab.client.delete(f"{url}/web1").json()["node"]
    assert (removed["node_oid"], removed["parallel"]) == (ids["web1"], 2)
    assert refused(lab.client.get(f"{url}/web1")) == (404, "no_such_object")
    assert lab.get(url, return_names=True)["nodes"] == ["web2"]
    assert events(lab, oid)[1:] == [
        *["on_webcluster_node_added"] * 2,
        "on_webcluster_node_removed",
    ]


def test_services(lab: ControlLab, name: str) -> None:
    oid, url = create(lab, name)["oid"], f"{BASE}/{name}/services"
    given = {"type": "json", "path": "settings", "value": [1, 2, 3]}
    made = lab.post(url, given)["service"]
    assert made == {
        "description": None,
        "label": None,
        "oid": made["oid"],
        "path": "/settings",
        "tags": None,
        "type": "json",
        "value": [1, 2, 3],
        "webcluster_oid": oid,
    }
    root = lab.post(url, {"type": "nodeinfo", "path": "/", "label": "who", "tags": ["t"]})[
        "service"
    ]
    deep = lab.post(url, {"type": "nodeinfo", "path": "settings/deep"})["service"]
    assert (root["label"], root["tags"]) == ("who", ["t"])
    assert lab.get(url)["services"] == {
        "/": root["oid"],
        "/settings": made["oid"],
        "/settings/deep": deep["oid"],
    }
    below = lab.get(url, prefix="settings")["services"]
    assert list(below) == ["/settings", "/settings/deep"]
    assert lab.get(url, prefix="/set")["services"] == {}
    assert lab.get(url, details=True)["services"] == [root, made, deep]
    assert lab.get(f"{url}/{made['oid']}")["service"] == made
    for path in ("settings", "/settings", "/settings/"):
        found = lab.client.get(f"{url}/by-path", params={"path": path})
        assert found.json() == {"service": made}
    changed = lab.client.patch(f"{url}/{made['oid']}", json={"value": None, "path": "/s"}).json()
    assert (changed["service"]["value"], changed["service"]["path"]) == (None, "/s")
    assert refused(lab.client.post(url, json={**given, "path": "s/"})) == (409, "already_exists")
    removed = lab.client.delete(f"{url}/{made['oid']}").json()["service"]
    assert removed == changed["service"]
    assert refused(lab.client.delete(f"{url}/{made['oid']}")) == (404, "no_such_object")
    assert refused(lab.client.get(f"{url}/odd")) == (400, "invalid_argument")
    assert events(lab, oid)[1:] == [
        *["on_webservice_added"] * 3,
        *("on_webservice_changed", "on_webservice_removed"),
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"path": "/a"}, "type"),
        ({"type": "nodeinfo"}, "path"),
        ({"path": "/a", "type": "caller", "realm": "r", "role": "x"}, "WAMP router"),
        ({"path": "/a", "type": "websocket", "url": "ws://x"}, "WAMP router"),
        ({"path": "/a", "type": "wsgi", "module": "m"}, "a program of its own"),
        ({"path": "/a", "type": "nonsense"}, "one of path, redirect"),
        ({"path": "/a", "type": "static", "directory": ".."}, "absolute path"),
        ({"path": "/a", "type": "nodeinfo", "odd": 1}, "'odd'"),
        ({"path": "/a/../b", "type": "nodeinfo"}, "without . or .."),
        ({"path": 7, "type": "nodeinfo"}, "path"),
        ({"path": "/a", "type": "nodeinfo", "tags": 7}, "tags"),
        ({"path": "/a", "type": "json", "value": 1, "webcluster_oid": "x"}, "given by libra"),
    ],
)
def test_what_is_no_service(lab: ControlLab, body: dict[str, Any], words: str) -> None:
    if "shared" not in lab.get(BASE, return_names=True)["webclusters"]:
        create(lab, "shared")
    response = lab.client.post(f"{BASE}/shared/services", json=body)
    assert refused(response) == (400, "invalid_argument")
    assert words in response.json()["faultstring"]
    assert lab.get(f"{BASE}/shared/services")["services"] == {}


def test_a_field_that_does_not_act_says_so(lab: ControlLab, name: str) -> None:
    fields = {"http_display_tracebacks": True, "http_hsts": True, "http_hsts_max_age": 5}
    notes = create(lab, name, **fields)["notes"]
    assert set(notes) == {"http_display_tracebacks", "http_hsts"}
    shown = lab.client.patch(f"{BASE}/{name}", json={"http_hsts": None}).json()["webcluster"]
    assert set(shown["notes"]) == {"http_display_tracebacks", "http_hsts_max_age"}


def test_no_answer_holds_a_key(lab: ControlLab, name: str, tmp_path: Path) -> None:
    issued = Authority(tmp_path).issue("a.example")
    key = issued.key.read_text()
    pair = {"tls_certificate": issued.cert.read_text(), "tls_key": key}
    made = create(lab, name, **pair)
    assert (made["tls_key"], made["tls_key_set"]) == (None, True)
    assert made["tls_certificate"] == pair["tls_certificate"]
    answers = [
        lab.client.get(f"{BASE}/{name}"),
        lab.client.get(BASE, params={"details": "true"}),
        lab.client.patch(f"{BASE}/{name}", json={"tls_key": key[:-40], "tls_certificate": key}),
        lab.client.patch(f"{BASE}/{name}", json={"tls_key": 7, "tcp_port": key}),
        lab.client.post(
            f"{BASE}/{name}/services", json={"type": "redirect", "path": "/", "url": key}
        ),
        lab.client.post(f"{BASE}/{name}/services", json={"type": "json", "path": "/", key: key}),
        lab.client.delete(f"{BASE}/{name}"),
    ]
    inner = key.splitlines()[1]
    assert not any("PRIVATE KEY-" in item.text or inner in item.text for item in answers)
    stored = lab.post("/v1/certificates", {"certificate": pair["tls_certificate"], "key": key})
    oid = stored["certificate"]["id"]
    assert create(lab, name, tls_certificate=oid)["tls_certificate"] == oid


def test_other_projects(lab: ControlLab, name: str) -> None:
    mine, theirs = lab.token(Role.MEMBER, "p1"), lab.token(Role.MEMBER, "p2")
    made = mine.post(BASE, json={"name": name}).json()["webcluster"]
    assert made["project_id"] == "p1"
    assert mine.get(BASE).json() == {"webclusters": [made["oid"]]}
    assert theirs.get(BASE).json() == {"webclusters": []}
    assert refused(theirs.get(f"{BASE}/{name}")) == (404, "no_such_object")
    assert refused(theirs.get(f"{BASE}/{made['oid']}")) == (403, "not_authorized")
    for path in ("start", "stop", "nodes", "services"):
        bodies = {"nodes": {"node": "web1"}, "services": {"path": "/", "type": "nodeinfo"}}
        response = theirs.post(f"{BASE}/{made['oid']}/{path}", json=bodies.get(path))
        assert refused(response) == (403, "not_authorized")
    response = theirs.post(BASE, json={"name": name, "project_id": "p1"})
    assert refused(response) == (403, "not_authorized")
    theirs.post(BASE, json={"name": name}).raise_for_status()
    assert refused(lab.client.get(f"{BASE}/{name}")) == (400, "invalid_argument")


def test_a_disabled_pool_takes_no_new_node(lab: ControlLab, name: str) -> None:
    create(lab, name)
    order = {"disabled": True, "disabled_reason": "disk swap"}
    lab.put("/v1/device-pools/default", order)
    try:
        response = lab.client.post(f"{BASE}/{name}/nodes", json={"node": "web1"})
        assert response.status_code == 409
        assert "is disabled: disk swap" in response.json()["faultstring"]
    finally:
        lab.put("/v1/device-pools/default", {"disabled": False})
    lab.post(f"{BASE}/{name}/nodes", {"node": "web1"})


def test_threads_of_a_node_that_serves(lab: ControlLab, name: str) -> None:
    create(lab, name)
    lab_worker = lab.worker("worker7")
    lab.post(f"{BASE}/{name}/nodes", {"node": "worker7", "parallel": 2})
    lab.client.post(f"{BASE}/{name}/start").raise_for_status()

    def threads() -> list[int | None]:
        desired = lab_worker.driver.desired
        return [item.threads for owner in desired.loadbalancers for item in owner.listeners]

    lab.wait(lambda: threads() == [2], "the node has it")
    lab.put(f"{BASE}/{name}/nodes/worker7", {"parallel": 3})
    lab.wait(lambda: threads() == [3], "the node has more threads")
    lab.client.delete(f"{BASE}/{name}/nodes/worker7").raise_for_status()
    lab.wait(lambda: threads() == [], "the node has let go")


# The command line.


def test_the_command(lab: ControlLab, name: str, tmp_path: Path) -> None:
    environ = {"LIBRA_API_URL": str(lab.client.base_url), "LIBRA_API_TOKEN": lab.secret}

    def told(*words: str, code: int = 0) -> str:
        done = invoke_really("webcluster", *words, **environ)
        assert done.exit_code == code, done.output
        # The controller is in the same process, and says there what it does.
        lines = (done.stdout + done.stderr).splitlines()
        return "\n".join(line for line in lines if not LOGGED.match(line))

    def read(*words: str) -> Any:
        return json.loads(told(*words, "-o", "json"))

    issued = Authority(tmp_path).issue("a.example")
    files = ("--certificate", str(issued.cert), "--key", str(issued.key))
    made = read("create", name, "tcp_port=8443", 'tags=["a"]', *files)
    assert (made["name"], made["tcp_port"], made["tls_key_set"]) == (name, 8443, True)
    assert name in {row["name"] for row in read("list")}
    assert name in told("list")
    assert read("show", name)["oid"] == made["oid"]
    assert read("set", name, "http_hsts=true", "tags=null")["http_hsts"] is True
    assert read("node", "add", name, "web1", "--parallel", "2")["parallel"] == 2
    assert read("node", "add", name, "web2", "--standby")["standby"] is True
    assert [row["name"] for row in read("node", "list", name)] == ["web1", "web2"]
    assert read("node", "list", name, "--status", "offline") == []
    assert read("node", "show", name, "web2")["standby"] is True
    assert "web1" in told("node", "list", name)
    added = read("service", "add", name, "/settings", "json", "value=[1,2]")
    assert (added["path"], added["value"]) == ("/settings", [1, 2])
    config = tmp_path / "service.json"
    config.write_text(json.dumps({"type": "redirect", "url": "/settings"}))
    read("service", "add", name, "/", "--config", str(config))
    assert [row["path"] for row in read("service", "list", name)] == ["/", "/settings"]
    assert [row["path"] for row in read("service", "list", name, "--prefix", "settings")] == [
        "/settings"
    ]
    assert read("service", "show", name, "settings")["oid"] == added["oid"]
    assert read("service", "set", name, "settings", "value=3")["value"] == 3
    assert "redirect" in told("service", "list", name)
    assert "WAMP router" in told("service", "add", name, "/x", "caller", code=1)
    told("service", "remove", name, "/settings")
    told("node", "remove", name, "web2")
    assert [row["name"] for row in read("node", "list", name)] == ["web1"]
    assert "while it is STOPPED" in told("stop", name, code=1)
    told("delete", name)
    assert "not found" in told("show", name, code=1)


def test_what_the_command_starts(lab: ControlLab, name: str) -> None:
    environ = {"LIBRA_API_URL": str(lab.client.base_url), "LIBRA_API_TOKEN": lab.secret}
    create(lab, name)
    done = run("webcluster", "start", name, "-o", "json", environ=environ)
    assert json.loads(done.stdout)["status"] == "STARTING"
    done = run("webcluster", "--help", environ=environ)
    for verb in ("create", "list", "show", "set", "delete", "start", "stop", "node", "service"):
        assert f" {verb} " in done.stdout
