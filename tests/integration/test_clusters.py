"""Clusters over REST: every call of the seed, every fault, and what disabling one does to placement."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.model.access import Role
from tests.support.cli import run
from tests.support.control import LBAAS, ControlLab, control_lab

CINDER = Path(sys.executable).with_name("cinder")
LATEST = {"OpenStack-API-Version": "volume 3.71"}
BRIEF = {"name", "binary", "state", "status", "replication_status"}
Json = dict[str, Any]


@contextmanager
def two_clusters(directory: Path) -> Iterator[ControlLab]:
    with control_lab(directory, probe_seconds=0.2) as lab:
        lab.worker("web1")
        lab.post("/v1/device-pools", {"name": "empty"})
        yield lab


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[ControlLab]:
    with two_clusters(tmp_path) as lab:
        yield lab


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    """For those that change nothing."""
    with two_clusters(tmp_path_factory.mktemp("clusters")) as lab:
        yield lab


def call(lab: ControlLab, method: str, path: str, **options: Any) -> httpx.Response:
    return lab.client.request(method, path, headers=LATEST | options.pop("headers", {}), **options)


def test_what_is_listed_and_shown(lab: ControlLab) -> None:
    answer = call(lab, "GET", "/v3/clusters")
    assert answer.headers["OpenStack-API-Version"] == "volume 3.71"
    assert answer.headers["Vary"] == "OpenStack-API-Version"
    assert answer.headers["x-compute-request-id"].startswith("req-")
    shown = answer.json()["clusters"]
    assert [(item["name"], item["state"]) for item in shown] == [
        ("default", "up"),
        ("empty", "down"),
    ]
    assert set(shown[0]) == BRIEF
    detail = call(lab, "GET", "/v3/any/clusters/detail?name=default").json()["clusters"][0]
    assert (detail["num_hosts"], detail["num_down_hosts"]) == (1, 0)
    assert detail["last_heartbeat"].count(".") == 1
    one = call(lab, "GET", "/volume/v3/clusters/empty?binary=cinder-volume").json()["cluster"]
    expected: Json = {
        "name": "empty",
        "binary": "libra-worker",
        "state": "down",
        "status": "enabled",
    }
    expected |= {"num_hosts": 0, "num_down_hosts": 0, "last_heartbeat": "", "created_at": ""}
    expected |= {"updated_at": "", "disabled_reason": None, "replication_status": "not-capable"}
    assert one | {"created_at": ""} == expected | {"frozen": False, "active_backend_id": None}
    older = {"OpenStack-API-Version": "volume 3.7"}
    assert set(call(lab, "GET", "/v3/clusters/empty", headers=older).json()["cluster"]) == set(
        one
    ) - {"replication_status", "frozen", "active_backend_id"}


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "key"),
    [
        (
            "GET",
            "/v3/clusters",
            {"headers": {"OpenStack-API-Version": "volume 3.6"}},
            404,
            "itemNotFound",
        ),
        (
            "GET",
            "/v3/clusters",
            {"headers": {"OpenStack-API-Version": "volume x"}},
            400,
            "badRequest",
        ),
        (
            "GET",
            "/v3/clusters",
            {"headers": {"OpenStack-API-Version": "volume 9.0"}},
            406,
            "computeFault",
        ),
        ("GET", "/v3/clusters?limit=1", {}, 400, "badRequest"),
        ("GET", "/v3/clusters/west", {}, 404, "itemNotFound"),
        ("GET", "/v3/clusters/default?binary=nova", {}, 404, "itemNotFound"),
        ("PUT", "/v3/clusters/disable", {"content": b"{"}, 400, "badRequest"),
        ("PUT", "/v3/clusters/disable", {"content": b""}, 400, "badRequest"),
        ("PUT", "/v3/clusters/disable", {"content": b"[" * 5000}, 400, "badRequest"),
        ("PUT", "/v3/clusters/disable", {"json": {"name": "west"}}, 404, "itemNotFound"),
        (
            "PUT",
            "/v3/clusters/enable",
            {"json": {"name": "a", "disabled_reason": "x"}},
            400,
            "badRequest",
        ),
        ("PUT", "/v3/clusters/enable", {"json": {"name": "\ud800"}}, 404, "itemNotFound"),
        ("PUT", "/v3/clusters/enable", {"data": {"name": "a"}}, 415, "badMediaType"),
    ],
)
def test_faults(
    untouched: ControlLab, method: str, path: str, options: Json, status: int, key: str
) -> None:
    if "json" in options:
        options = {"content": json.dumps(options["json"]).encode()}  # which escapes what is no text
    answer = call(untouched, method, path, **options)
    assert answer.status_code == status
    ((name, fault),) = answer.json().items()
    assert (name, fault["code"]) == (key, status)
    assert fault["message"]
    assert "OpenStack-API-Version" in answer.headers


def test_who_may(lab: ControlLab) -> None:
    reader, member = lab.token(Role.READER), lab.token(Role.MEMBER, "p1")
    assert reader.get("/v3/clusters", headers=LATEST).status_code == 200
    body = {"name": "default"}
    assert reader.put("/v3/clusters/disable", json=body, headers=LATEST).status_code == 403
    assert member.get("/v3/p1/clusters", headers=LATEST).status_code == 403
    assert member.get("/v3/p2/clusters", headers=LATEST).status_code == 400
    nobody = lab.client_with(None)
    answer = nobody.get("/v3/clusters", headers=LATEST)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, 401)
    assert (
        lab.token(Role.OPERATOR)
        .put("/v3/clusters/disable", json=body, headers=LATEST)
        .json()["cluster"]["status"]
        == "disabled"
    )


def test_a_disabled_cluster_gets_nothing_new_and_goes_on(lab: ControlLab) -> None:
    made = lab.create()
    order = {"name": "default", "disabled_reason": "disk swap"}
    switched = call(lab, "PUT", "/v3/clusters/disable", json=order).json()["cluster"]
    assert (switched["status"], switched["disabled_reason"]) == ("disabled", "disk swap")
    given = {"loadbalancer": {"name": "late", "vip_subnet_id": "default"}}
    refused = lab.post(f"{LBAAS}/loadbalancers", given, 503)
    assert "of a disabled pool" in refused["faultstring"]
    lab.put(f"{LBAAS}/loadbalancers/{made['id']}", {"loadbalancer": {"name": "renamed"}})
    lab.wait_active(made["id"])
    pool = lab.get("/v1/device-pools/default")["device_pool"]
    assert (pool["disabled"], pool["disabled_reason"]) == (True, "disk swap")
    kinds = [event["kind"] for event in lab.get("/v1/events", limit=1000)["events"]]
    assert "devicepool.disabled" in kinds
    again = call(lab, "PUT", "/v3/clusters/disable", json={"name": "default"}).json()["cluster"]
    assert again["disabled_reason"] is None
    call(lab, "PUT", "/v3/clusters/enable", json={"name": "default", "binary": None})
    lab.create("late")


def test_what_a_device_of_a_disabled_cluster_loses_goes_to_another_one_of_it(
    lab: ControlLab,
) -> None:
    made = lab.create()
    lab.worker("web2")
    call(lab, "PUT", "/v3/clusters/disable", json={"name": "default"})
    lab.put(f"{LBAAS}/loadbalancers/{made['id']}/failover", {}, 202)
    lab.wait_active(made["id"])
    devices = {item["name"]: item["loadbalancers"] for item in lab.get("/v1/devices")["devices"]}
    assert devices == {"web1": 0, "web2": 1}


# The unmodified client.


def run_really(words: list[str], home: Path) -> tuple[int, str, str]:
    """In a process of its own, which takes half a second."""
    environ = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    done = subprocess.run(
        [CINDER, *words], capture_output=True, text=True, timeout=60, check=False, env=environ
    )
    return done.returncode, done.stdout, done.stderr


def run_here(words: list[str], home: Path) -> tuple[int, str, str]:
    """The same program, with what it prints."""
    from cinderclient.shell import main

    out, err, code = StringIO(), StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("HOME", str(home))
        patch.setattr(sys, "argv", ["cinder", *words])
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture
def cinder(lab: ControlLab, tmp_path: Path) -> Any:
    url = str(lab.client.base_url).rstrip("/")
    ways = [run_really]  # the first one is

    def run(*words: str, base: str = "", basic: bool = False, code: int = 0) -> str:
        token = ("--os-auth-type", "admin_token", "--os_token", lab.secret)
        user = (
            "--os-auth-type",
            "http_basic",
            "--os-username",
            "admin",
            "--os-password",
            lab.secret,
        )
        where = ("--os-project-id", "admin", "--os-endpoint", f"{url}{base}/v3")
        way = ways.pop() if ways else run_here
        status, out, err = way([*(user if basic else token), *where, *words], tmp_path)
        assert status == code, (out, err)
        assert "WARNING" not in err
        return out + err

    return run


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines][1:]


@pytest.mark.parametrize(("base", "basic"), [("", False), ("/volume", True)])
def test_the_cinder_client(cinder: Any, base: str, basic: bool) -> None:
    def run(*words: str, code: int = 0) -> str:
        return str(cinder(*words, base=base, basic=basic, code=code))

    default = ["default", "libra-worker", "up", "enabled"]
    empty = ["empty", "libra-worker", "down", "enabled"]
    assert rows(run("cluster-list")) == [default, empty]
    detailed = rows(run("cluster-list", "--detailed"))
    assert [row[:6] for row in detailed] == [[*default, "1", "0"], [*empty, "0", "0"]]
    shown = dict(rows(run("cluster-show", "default")))
    assert (shown["name"], shown["num_hosts"], shown["frozen"]) == ("default", "1", "False")
    disabled = dict(rows(run("cluster-disable", "default", "--reason", "disk swap")))
    assert (disabled["status"], disabled["disabled_reason"]) == ("disabled", "disk swap")
    assert rows(run("cluster-list", "--disabled", "True")) == [[*default[:3], "disabled"]]
    enabled = dict(rows(run("cluster-enable", "default")))
    assert (enabled["status"], enabled["disabled_reason"]) == ("enabled", "None")
    assert "HTTP 404" in run("cluster-show", "nowhere", code=1)


def test_every_filter_of_the_cinder_client(cinder: Any) -> None:
    def names(*words: str) -> list[str]:
        return [row[0] for row in rows(cinder("cluster-list", *words))]

    assert names("--name", "default") == ["default"]
    assert names("--binary", "cinder-volume") == ["default", "empty"]
    assert names("--binary", "cinder-backup") == []
    assert names("--is-up", "False") == ["empty"]
    assert names("--disabled", "true") == []
    assert names("--num-hosts", "1") == ["default"]
    assert names("--num-down-hosts", "0") == ["default", "empty"]
    assert names("--name", "empty", "--is-up", "True", "--num-hosts", "0") == []


def test_web_clusters_are_rows_too(tmp_path: Path) -> None:
    """Disabled, one takes no new node, and says why."""
    with two_clusters(tmp_path) as lab:
        lab.post("/v1/webclusters", {"name": "shop"})
        lab.post("/v1/webclusters/shop/nodes", {"node": "web1"})
        listed = lab.client.get("/v3/clusters/detail", headers=LATEST).json()["clusters"]
        assert [item["name"] for item in listed] == ["default", "empty", "web@shop"]
        assert (listed[2]["num_hosts"], listed[2]["state"], listed[2]["status"]) == (
            1,
            "up",
            "enabled",
        )
        asked = {"name": "web@shop", "disabled_reason": "moving"}
        answer = lab.client.put("/v3/clusters/disable", headers=LATEST, json=asked)
        assert answer.json()["cluster"]["disabled_reason"] == "moving"
        shown = lab.get("/v1/webclusters/shop")["webcluster"]
        assert (shown["disabled"], shown["disabled_reason"]) == (True, "moving")
        lab.worker("web2")
        refused = lab.client.post("/v1/webclusters/shop/nodes", json={"node": "web2"})
        assert refused.status_code == 409
        assert "it is disabled: moving" in refused.text
        lab.client.put("/v3/clusters/enable", headers=LATEST, json={"name": "web@shop"})
        lab.post("/v1/webclusters/shop/nodes", {"node": "web2"})
        names = lab.client.get("/v3/clusters", params={"name": "web"}, headers=LATEST).json()
        assert [item["name"] for item in names["clusters"]] == ["web@shop"]


# libra's own command.


def test_the_command(lab: ControlLab) -> None:
    environ = {"LIBRA_API_URL": str(lab.client.base_url), "LIBRA_API_TOKEN": lab.secret}

    def shown(*words: str, code: int = 0) -> str:
        done = run("cluster", *words, environ=environ)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    assert [row["name"] for row in json.loads(shown("list", "-o", "json"))] == ["default", "empty"]
    assert [row["name"] for row in json.loads(shown("list", "--down", "-o", "json"))] == ["empty"]
    assert "disk swap" in shown("disable", "default", "--reason", "disk swap")
    assert "disk swap" in shown("list", "--disabled")
    assert json.loads(shown("show", "default", "-o", "json"))["status"] == "disabled"
    assert "enabled" in shown("enable", "default")
    assert "could not be found" in shown("show", "nowhere at all?", code=1)
