"""Who may do what at the API, and what it does with what it should not be sent."""

import base64
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.api.server import open_listener
from libra.model.access import Role
from tests.support.control import LBAAS, ControlLab, control_lab, whole
from tests.support.storages import new_id

BALANCERS = f"{LBAAS}/loadbalancers"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("api")) as lab:
        lab.worker()
        yield lab


def status(client: httpx.Client, path: str, **headers: str) -> int:
    return client.get(path, headers=headers).status_code


def test_answers_do_not_wait_for_acknowledgements(lab: ControlLab) -> None:
    """asyncio turns Nagle's algorithm off where a connection says that it is TCP's, which it has of its listener."""
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        with (
            open_listener(host, 0, family) as listener,
            socket.create_connection(listener.getsockname()[:2]),
            listener.accept()[0] as accepted,
        ):
            assert accepted.proto == socket.IPPROTO_TCP


def test_credentials(lab: ControlLab) -> None:
    nobody = lab.client_with(None)
    refused = nobody.get(BALANCERS)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Basic")
    assert refused.json()["error"]["title"] == "Unauthorized"
    basic = base64.b64encode(f"admin:{lab.secret}".encode()).decode()
    other = base64.b64encode(f"other:{lab.secret}".encode()).decode()
    assert status(nobody, BALANCERS, **{"X-Auth-Token": lab.secret}) == 200
    assert status(nobody, BALANCERS, Authorization=f"Bearer {lab.secret}") == 200
    assert status(nobody, BALANCERS, Authorization=f"Basic {basic}") == 200
    assert status(nobody, BALANCERS, Authorization=f"Basic {other}") == 401
    for wrong in ("Basic !", "Bearer", "Digest x", f"Bearer {lab.secret}x", "Bearer " + "x" * 600):
        assert status(nobody, BALANCERS, Authorization=wrong) == 401


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/load-balancer/v2"])
def test_what_needs_no_token(lab: ControlLab, path: str) -> None:
    assert status(lab.client_with(None), path) == 200


def test_tokens_end_at_once(lab: ControlLab) -> None:
    made = lab.post("/v1/tokens", {"name": "ops", "role": "operator"})["token"]
    client = lab.client_with(made["secret"])
    assert status(client, "/v1/devices") == 200
    assert status(client, "/v1/tokens") == 403
    assert made["secret"] not in str(lab.get("/v1/tokens"))
    lab.delete(f"/v1/tokens/{made['id']}")
    assert status(client, "/v1/devices") == 401
    soon = (datetime.now(UTC) + timedelta(milliseconds=300)).isoformat()
    brief = lab.post("/v1/tokens", {"name": "brief", "role": "reader", "expires_at": soon})["token"]
    brief_client = lab.client_with(brief["secret"])
    lab.wait(lambda: status(brief_client, BALANCERS) == 401, "its end")
    assert lab.directory.joinpath("libra.db").read_bytes().count(made["secret"].encode()) == 0


def test_tokens_are_listed_as_everything_else(lab: ControlLab) -> None:
    """`libra token revoke NAME` looks for it so: an answer with all of them would name another."""
    for name in ("left", "right"):
        lab.post("/v1/tokens", {"name": name, "role": "reader"})

    def names(**query: object) -> list[str]:
        return [item["name"] for item in lab.get("/v1/tokens", **query)["tokens"]]

    assert names(name="left") == ["left"]
    assert names(name="nobody") == []
    assert set(names(role="admin")) == {"admin"}
    page = lab.get("/v1/tokens", sort="name", limit=1)
    assert len(page["tokens"]) == 1
    assert [link["rel"] for link in page["tokens_links"]] == ["next"]
    for nobodys in ({"digest": "x"}, {"sort": "digest"}, {"nothing": "x"}):
        assert lab.client.get("/v1/tokens", params=nobodys).status_code == 400, nobodys


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_times_that_are_none_in_utc(lab: ControlLab, time: str) -> None:
    assert lab.get(BALANCERS, created_at=time)["loadbalancers"] == []
    assert lab.client.get("/v1/jobs", params={"since": time}).status_code == 400
    body = {"name": "late", "role": "reader", "expires_at": time}
    assert lab.client.post("/v1/tokens", json=body).status_code == 400


@pytest.mark.parametrize("name", ["tags", "tags-any", "not-tags", "not-tags-any"])
def test_filters_of_many_tags(lab: ControlLab, name: str) -> None:
    """SQLite gives up at a thousand conditions, PostgreSQL at some depth of its stack."""
    assert lab.client.get(BALANCERS, params={name: "a," * 3000}).status_code == 200
    many = ",".join(f"t{number}" for number in range(3000))
    refused = lab.client.get(BALANCERS, params={name: many})
    assert (refused.status_code, "50 are the most" in refused.text) == (400, True)


def test_projects_are_apart(lab: ControlLab) -> None:
    one, two = lab.token(Role.MEMBER, "one"), lab.token(Role.MEMBER, "two")
    reader = lab.token(Role.READER, "one")
    given = {"loadbalancer": {"name": "mine", "vip_subnet_id": "default", **whole(81)}}
    made = one.post(BALANCERS, json=given).json()["loadbalancer"]
    assert made["project_id"] == made["tenant_id"] == "one"
    path = f"{BALANCERS}/{made['id']}"
    assert [status(client, path) for client in (one, reader, two)] == [200, 200, 403]
    assert [item["id"] for item in one.get(BALANCERS).json()["loadbalancers"]] == [made["id"]]
    assert two.get(BALANCERS).json()["loadbalancers"] == []
    assert two.get(BALANCERS, params={"project_id": "one"}).json()["loadbalancers"] == []
    lab.wait_active(made["id"])
    change = {"loadbalancer": {"name": "other"}}
    assert [client.put(path, json=change).status_code for client in (two, reader)] == [403, 403]
    assert two.delete(f"{path}?cascade=true").status_code == 403
    pool = made["pools"][0]["id"]
    member = {"member": {"address": "10.0.0.5", "protocol_port": 1}}
    assert two.post(f"{LBAAS}/pools/{pool}/members", json=member).status_code == 403
    other = {"loadbalancer": {**given["loadbalancer"], "project_id": "one"}}
    assert two.post(BALANCERS, json=other).status_code == 403
    assert status(one, "/v1/devices") == 403
    events = one.get("/v1/events").json()["events"]
    assert {event["project_id"] for event in events} == {"one"}
    assert two.get("/v1/events", params={"project_id": "one"}).json()["events"] == []
    assert [job["project_id"] for job in one.get("/v1/jobs").json()["jobs"]] == ["one"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (BALANCERS, "GET, POST"),
        (f"{BALANCERS}/some", "DELETE, GET, PUT"),
        ("/v1/tokens", "GET, POST"),
        ("/healthz", "GET"),
    ],
)
def test_a_method_that_is_not_allowed_tells_all_that_are(
    lab: ControlLab, path: str, methods: str
) -> None:
    refused = lab.client.request("OPTIONS", path)
    assert (refused.status_code, refused.headers["allow"]) == (405, methods)


def test_events_are_narrowed_by_whose_and_whence_they_are(lab: ControlLab) -> None:
    other = lab.token(Role.MEMBER, "narrow")
    given = {"loadbalancer": {"name": "mine", "vip_subnet_id": "default"}}
    made = other.post(BALANCERS, json=given)
    key = made.json()["loadbalancer"]["id"]
    lab.wait_active(key)
    (first, *_) = lab.get("/v1/events", subject_id=key)["events"]
    assert first["request_id"] == made.headers["x-openstack-request-id"]
    for name in ("project_id", "request_id", "actor"):
        found = lab.get("/v1/events", **{name: first[name]})["events"]
        assert first in found
        assert {event[name] for event in found} == {first[name]}
    assert lab.get("/v1/events", actor="nobody")["events"] == []
    assert "reason" in lab.get("/v1/events", 400, reason="any")["faultstring"]


def test_jobs_are_not_looked_for_in_states_that_there_are_not(lab: ControlLab) -> None:
    for name, value, known in (
        ("state", "stuck", "superseded"),
        ("action", "REBOOT", "ARCHIVE"),
        ("priority", "", "low"),
    ):
        told = lab.get("/v1/jobs", 400, **{name: value})["faultstring"]
        assert f"the {name} '{value}'" in told
        assert known in told
    lab.get("/v1/jobs", state="Complete", action="update", priority="HIGH")
    assert "one of ANNOUNCED" in lab.get("/v1/devices", 400, state="GONE")["faultstring"]
    assert "one of admin" in lab.get("/v1/tokens", 400, role="root")["faultstring"]
    assert "a whole number" in lab.get("/v1/jobs", 400, attempts="few")["faultstring"]
    both = {"since": "2020-01-01T00:00:00Z", "created_at": "2020-01-01T00:00:00Z"}
    assert "beside created_at" in lab.get("/v1/jobs", 400, **both)["faultstring"]


def test_quotas_are_met_and_given_back(lab: ControlLab) -> None:
    client = lab.token(Role.MEMBER, "small")
    lab.put(f"{LBAAS}/quotas/small", {"quota": {"load_balancer": 1, "member": "1"}}, 202)
    given = {"loadbalancer": {"name": "x", "vip_subnet_id": "default", **whole(82)}}
    made = client.post(BALANCERS, json=given).json()["loadbalancer"]
    refused = client.post(BALANCERS, json=given)
    assert refused.status_code == 403
    assert refused.json()["faultstring"].startswith("Quota has been met for resources: Load Bal")
    lab.wait_active(made["id"])
    lab.delete(f"{BALANCERS}/{made['id']}?cascade=true")
    lab.wait(lambda: status(lab.client, f"{BALANCERS}/{made['id']}") == 404, "its end")
    assert client.post(BALANCERS, json=given).status_code == 201
    assert lab.get(f"{LBAAS}/quotas/small")["quota"]["loadbalancer"] == 1
    assert client.put(f"{LBAAS}/quotas/small", json={"quota": {}}).status_code == 403


def test_quotas_are_listed_as_everything_else(lab: ControlLab) -> None:
    path = f"{LBAAS}/quotas"
    for name, number in (("qa", 3), ("qb", 1), ("qc", 2), ("qd", 2)):
        lab.put(f"{path}/{name}", {"quota": {"listener": number, "l7policy": 7}}, 202)

    def listed(**params: Any) -> list[str]:
        found = lab.get(path, l7policy="7", **params)["quotas"]
        return [item["project_id"] for item in found]

    assert listed() == ["qa", "qb", "qc", "qd"]
    assert listed(sort="listener:desc,project_id:desc") == ["qa", "qd", "qc", "qb"]
    assert listed(sort="listener", limit=2) == ["qb", "qc"]
    assert listed(sort="listener", marker="qc") == ["qd", "qa"]
    assert listed(sort="listener", marker="qd", page_reverse="true", limit=1) == ["qc"]
    assert listed(sort="listener", page_reverse="true", limit=2) == ["qd", "qa"]
    assert listed(listener="2", loadbalancer="-1") == ["qc", "qd"]
    assert listed(healthmonitor="5") == listed(project_id="none") == []
    assert lab.get(path, project_id="qa", fields="l7rule")["quotas"] == [{"l7rule": -1}]
    (link,) = lab.get(path, l7policy="7", limit=3)["quotas_links"]
    assert [item["project_id"] for item in lab.get(link["href"])["quotas"]] == ["qd"]
    for wrong in ({"sort": "name"}, {"marker": "nobody"}, {"tenant_id": "qa"}):
        lab.get(path, 400, **wrong)
    member = lab.token(Role.MEMBER, "qb")
    assert [item["project_id"] for item in member.get(path).json()["quotas"]] == ["qb"]


def test_a_quota_is_reset_once(lab: ControlLab) -> None:
    path = f"{LBAAS}/quotas/reset"
    given = {"quota": {"l7policy": 5, "l7rule": "6", "pool": 1}}
    assert lab.put(path, given, 202)["quota"]["l7rule"] == 6
    lab.put(path, {"quota": {"l7rule": None}}, 202)
    kept = lab.get(path)["quota"]
    assert (kept["l7policy"], kept["l7rule"], kept["pool"]) == (5, -1, 1)
    lab.delete(path, 202)
    assert lab.get(path)["quota"]["l7policy"] == -1
    assert lab.client.delete(path).json()["faultstring"] == "Quota reset not found."
    lab.delete(path, 404)


BAD_BODIES = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[]",
    b"null",
    b'{"loadbalancer": []}',
    b'{"loadbalancer": {"name": "a\\u0000b", "vip_subnet_id": "default"}}',
    b'{"loadbalancer": {"name": "a\\nbind :1", "vip_subnet_id": "default"}}',
    b'{"loadbalancer": {"name": "' + b"x" * 256 + b'", "vip_subnet_id": "default"}}',
    b'{"loadbalancer": {"nme": "x", "vip_subnet_id": "default"}}',
    b'{"loadbalancer": {"vip_subnet_id": "default", "vip_address": "10.0.0.1 ssl"}}',
    b'{"loadbalancer": {"vip_subnet_id": "default", "vip_address": "10.9.9.9"}}',
    b'{"loadbalancer": {"vip_subnet_id": "nowhere"}}',
    b'{"loadbalancer": {"vip_subnet_id": "default", "tags": "x"}}',
    b'{"loadbalancer": ' + b"[" * 100_000 + b"}",
]


@pytest.mark.parametrize("body", BAD_BODIES, ids=range(len(BAD_BODIES)))
def test_bad_bodies_are_told_and_store_nothing(lab: ControlLab, body: bytes) -> None:
    before = len(lab.get(BALANCERS)["loadbalancers"])
    answer = lab.client.post(BALANCERS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["faultstring"]
    assert len(lab.get(BALANCERS)["loadbalancers"]) == before


HOSTILE = ["a b", "a\nserver x 1.1.1.1:1", "a'b", 'a"b', "a;b", "a#b", "\u2028", "\ud800"]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_what_could_reach_the_proxys_file_is_refused(lab: ControlLab, text: str) -> None:
    import json

    def pool(**fields: object) -> object:
        given = {"name": "p", "protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", **fields}
        return {"vip_subnet_id": "default", "pools": [given]}

    monitor = {"type": "HTTP", "delay": 1, "timeout": 1, "max_retries": 1}
    for given in (
        pool(healthmonitor={**monitor, "url_path": f"/{text}"}),
        pool(healthmonitor={**monitor, "http_version": "1.1", "domain_name": text}),
        pool(healthmonitor={**monitor, "expected_codes": text}),
        pool(healthmonitor={**monitor, "http_method": text}),
        pool(session_persistence={"type": "APP_COOKIE", "cookie_name": text}),
        pool(members=[{"address": text, "protocol_port": 80}]),
        {"vip_subnet_id": "default", "listeners": [{**LISTENER, "allowed_cidrs": [text]}]},
        {"vip_subnet_id": "default", "listeners": [{**LISTENER, "insert_headers": {text: "true"}}]},
    ):
        content = json.dumps({"loadbalancer": given})
        answer = lab.client.post(BALANCERS, content=content.encode())
        assert answer.status_code == 400, (given, answer.text)


LISTENER = {"protocol": "HTTP", "protocol_port": 83}


def test_a_body_that_is_too_large(lab: ControlLab) -> None:
    body = b'{"loadbalancer": {"name": "' + b"x" * 3_000_000 + b'"}}'
    assert lab.client.post(BALANCERS, content=body).status_code == 413
    chunks = (b"x" * 100_000 for _ in range(30))
    assert lab.client.post(BALANCERS, content=chunks).status_code == 413


def test_every_answer_has_an_id_of_ours(lab: ControlLab) -> None:
    answer = lab.client.get(BALANCERS, headers={"X-Request-Id": "evil"})
    assert answer.headers["x-openstack-request-id"].startswith("req-")
    assert "evil" not in str(answer.headers)
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_unknown_paths_and_methods(lab: ControlLab) -> None:
    for method, path, wanted in (("GET", "/nowhere", 404), ("PATCH", BALANCERS, 405)):
        answer = lab.client.request(method, path)
        assert answer.status_code == wanted
        assert answer.json()["faultcode"] == "Client"
    assert lab.client.get(f"{BALANCERS}/%00").status_code == 400
    assert lab.client.get(f"{BALANCERS}/some-name").status_code == 404


def test_bytes_that_are_no_http(lab: ControlLab) -> None:
    with socket.create_connection(("127.0.0.1", lab.controller.api.port), timeout=10) as raw:
        raw.sendall(b"\x16\x03\x01\x00\x01\x00nonsense\r\n\r\n")
        assert raw.recv(1000).startswith(b"HTTP/1.1 400")
    assert status(lab.client, "/healthz") == 200


def test_filters_pages_and_fields(lab: ControlLab) -> None:
    names = [f"page-{n}" for n in range(5)]
    for name in names:
        lab.create(name, listeners=[], pools=[], tags=["paged", name])
    found = lab.get(BALANCERS, tags="paged", limit=2, sort="name:desc", fields="name")
    assert found["loadbalancers"] == [{"name": "page-4"}, {"name": "page-3"}]
    seen, url = list(found["loadbalancers"]), found["loadbalancers_links"][0]["href"]
    while url:
        page = lab.client.get(url).json()
        seen += page["loadbalancers"]
        links = {link["rel"]: link["href"] for link in page["loadbalancers_links"]}
        url = links.get("next")
    assert [item["name"] for item in seen] == names[::-1]
    assert len(lab.get(BALANCERS, name="page-1")["loadbalancers"]) == 1
    assert lab.get(BALANCERS, admin_state_up="junk")["loadbalancers"] == []
    assert len(lab.get(BALANCERS, tags="paged", admin_state_up="True")["loadbalancers"]) == 5
    for params in ({"nme": "x"}, {"sort": "nme"}, {"marker": new_id()}, {"limit": "x"}):
        lab.get(BALANCERS, 400, **params)
    lab.get(f"{BALANCERS}?name=a&name=b", 400)


def test_a_second_change_has_to_wait(lab: ControlLab, tmp_path: Path) -> None:
    made = lab.create("busy", listeners=[], pools=[])
    (device,) = lab.get("/v1/devices")["devices"]
    from dataclasses import replace

    from libra.model.status import ProvisioningStatus

    with lab.controller.services.storage.writing() as unit:
        owner = unit.loadbalancers.get(made["id"])
        assert owner is not None
        ahead = replace(
            owner,
            provisioning_status=ProvisioningStatus.PENDING_UPDATE,
            generation=device["generation"] + 1000,
        )
        unit.loadbalancers.replace(ahead)
        answers = []
    for attempt in ("put", "delete"):
        body = {"json": {"loadbalancer": {"name": "x"}}} if attempt == "put" else {}
        answers.append(lab.client.request(attempt, f"{BALANCERS}/{made['id']}", **body))
    assert {answer.status_code for answer in answers} <= {409, 200, 204}
    assert answers[0].status_code == 409
    assert "immutable" in answers[0].json()["faultstring"]


def page_that_ends_in_a_probe(lab: ControlLab) -> dict[str, Any]:
    """Tried again where the next probe came in between."""
    while True:
        actions = [job["action"] for job in lab.get("/v1/jobs", limit=1000)["jobs"]]
        page: dict[str, Any] = lab.get("/v1/jobs", limit=actions.index("STATS") + 1)
        if page["jobs"][-1]["action"] == "STATS":
            return page


def test_a_page_of_jobs_behind_the_record_of_a_probe(lab: ControlLab) -> None:
    """The record goes to the end with the next probe; what was between is not left out."""
    lab.wait(lambda: lab.get("/v1/jobs", action="STATS")["jobs"], "a probe")
    page = page_that_ends_in_a_probe(lab)
    last, (link,) = page["jobs"][-1], page["jobs_links"]
    asked = lab.post("/v1/devices/web1/discover", {}, 202)["job"]["id"]

    def has_moved() -> bool:
        now: str = lab.get(f"/v1/jobs/{last['id']}")["job"]["created_at"]
        return now > last["created_at"]

    lab.wait(has_moved, "the next probe")
    found = read_on(lab, link, asked)
    assert asked in found
    assert not set(found) & {job["id"] for job in page["jobs"][:-1]}


def read_on(lab: ControlLab, link: dict[str, str], until: str) -> list[str]:
    """The ids of jobs on the pages from there on, up to one of them or to the end."""
    found: list[str] = []
    while until not in found:
        page = lab.get(link["href"])
        found += [job["id"] for job in page["jobs"]]
        following = [item for item in page["jobs_links"] if item["rel"] == "next"]
        if not following:
            break
        link = following[0]
    return found


@pytest.mark.parametrize("marker", ["[", "[]", "[1,2]", '["x","y"]', "[null,null]", "[" * 9999])
def test_a_marker_that_is_none(lab: ControlLab, marker: str) -> None:
    assert "marker" in lab.get("/v1/jobs", 400, marker=marker)["faultstring"]


@pytest.mark.parametrize("sort", ["not_before:desc", "priority,generation", "id", "error:asc"])
def test_pages_of_jobs_backwards_and_forwards(lab: ControlLab, sort: str) -> None:
    wanted = {"requested_by": "admin", "sort": sort}
    for _ in range(2):
        lab.post("/v1/devices/web1/discover", {}, 202)
    whole = [job["id"] for job in lab.get("/v1/jobs", **wanted)["jobs"]]
    first = lab.get("/v1/jobs", limit=1, **wanted)
    second = lab.get(first["jobs_links"][0]["href"])
    assert [page["jobs"][0]["id"] for page in (first, second)] == whole[:2]
    (back,) = [item for item in second["jobs_links"] if item["rel"] == "previous"]
    assert [job["id"] for job in lab.get(back["href"])["jobs"]] == whole[:1]


def test_jobs_since_a_time(lab: ControlLab) -> None:
    lab.client.post("/v1/devices/web1/discover")
    jobs = lab.get("/v1/jobs", sort="created_at:desc", requested_by="admin")["jobs"]
    newest = jobs[0]["created_at"]
    # Sent as it is shown, with a zone, and with one whose + was not encoded.
    for since in (newest, f"{newest}Z", f"{newest}+00:00", f"{newest} 00:00"):
        found = lab.get("/v1/jobs", since=since, requested_by="admin")["jobs"]
        assert [job["id"] for job in found] == [jobs[0]["id"]], since
    old = {"since": "2020-01-01T00:00:00Z", "requested_by": "admin"}
    assert len(lab.get("/v1/jobs", **old)["jobs"]) == len(jobs)
    assert lab.get("/v1/jobs", since="2999-01-01T00:00:00Z")["jobs"] == []
    refused = lab.client.get("/v1/jobs", params={"since": "yesterday"})
    assert refused.status_code == 400
    assert "since" in refused.text
