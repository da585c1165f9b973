"""The pages for people, as a browser without scripts gets them, and as somebody hostile asks for them."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from libra.manager.settle import MANAGER
from libra.model.access import Role
from libra.usecases.services import now
from libra.usecases.tokens import create_token, list_tokens, revoke_token
from libra.web.render import POLICY
from libra.web.session import COOKIE
from tests.support.control import LBAAS, WAIT, ControlLab, control_lab
from tests.support.rollouts import later
from tests.support.web import NOBODY

HOSTILE = "<script>alert('x')</script>"
PAGES = (
    *("/ui/", "/ui/devices", "/ui/loadbalancers", "/ui/webclusters", "/ui/nodes", "/ui/rollouts"),
    *("/ui/jobs", "/ui/events"),
)
CSRF = re.compile(r'name="csrf" value="([^"]+)"')


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("pages")) as made:
        made.worker()
        made.create(HOSTILE)
        made.post("/v1/nodes", {"name": "web1", "group": "web"})
        made.post("/v1/nodes", {"name": "web2", "group": "web"})
        made.post("/v1/nodes", {"name": "web3", "group": "web"})
        yield made


@contextmanager
def browsing(lab: ControlLab, secret: str | None = None) -> Iterator[httpx.Client]:
    """Signed in, unless there is no secret."""
    url = f"http://127.0.0.1:{lab.controller.api.port}"
    with httpx.Client(base_url=url, verify=NOBODY, timeout=WAIT) as client:
        if secret is not None:
            answer = client.post("/ui/login", data={"token": secret})
            assert (answer.status_code, answer.headers["location"]) == (303, "/ui/")
        yield client


def secret_of(lab: ControlLab, role: Role, project: str | None = None) -> str:
    return create_token(lab.controller.services, MANAGER, f"a {role.value}", role, project)[1]


@pytest.fixture
def visitor(lab: ControlLab) -> Iterator[httpx.Client]:
    with browsing(lab, lab.secret) as client:
        yield client


def csrf_of(client: httpx.Client) -> str:
    found = CSRF.search(client.get("/ui/").text)
    assert found is not None
    return found[1]


def order(client: httpx.Client, path: str, **fields: object) -> httpx.Response:
    return client.post(path, data={"csrf": csrf_of(client), **fields})


# Signing in.


@pytest.mark.parametrize("path", [*PAGES, "/ui/devices/web1", "/ui/devices/web1/retire"])
def test_a_stranger_is_asked_for_a_token_first(lab: ControlLab, path: str) -> None:
    with browsing(lab) as client:
        answer = client.get(path)
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/ui/login")


def test_one_comes_to_the_page_that_was_asked_for(lab: ControlLab) -> None:
    with browsing(lab) as client:
        asked = client.get("/ui/devices?state=ERROR", follow_redirects=True)
        target = re.search(r'name="next" value="([^"]*)"', asked.text)
        assert target is not None
        answer = client.post("/ui/login", data={"token": lab.secret, "next": target[1]})
        assert answer.headers["location"] == "/ui/devices?state=ERROR"


@pytest.mark.parametrize("token", ["", "wrong", "x" * 10_000, "\udc80", "'; DROP TABLE tokens"])
def test_a_wrong_token_is_none(lab: ControlLab, token: str) -> None:
    with browsing(lab) as client:
        body = httpx.QueryParams({"token": token.encode("utf-8", "replace").decode()})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = client.post("/ui/login", content=str(body), headers=headers)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert token not in answer.text or not token


def test_the_cookie_is_for_the_server_alone(lab: ControlLab) -> None:
    with browsing(lab) as client:
        answer = client.post("/ui/login", data={"token": lab.secret})
        cookie = answer.headers["set-cookie"]
        assert lab.secret not in cookie
        for word in ("HttpOnly", "SameSite=lax", "Path=/ui", "Max-Age=43200"):
            assert word in cookie
        assert "Secure" not in cookie  # which the browser would not bring back over plain HTTP


@pytest.mark.parametrize("value", ["", "x", "gAAAAA" * 20, "x" * 5000])
def test_a_cookie_that_nobody_made_is_none(lab: ControlLab, value: str) -> None:
    with browsing(lab) as client:
        assert client.get("/ui/", headers={"Cookie": f"{COOKIE}={value}"}).status_code == 303


def test_a_token_that_is_revoked_sees_nothing_more(lab: ControlLab) -> None:
    services = lab.controller.services
    token, secret = create_token(services, MANAGER, "leaves soon", Role.ADMIN)
    with browsing(lab, secret) as client:
        assert client.get("/ui/").status_code == 200
        revoke_token(services, MANAGER, token.id)
        assert client.get("/ui/").status_code == 303


def test_signed_out_is_out(lab: ControlLab) -> None:
    with browsing(lab, lab.secret) as client:
        assert order(client, "/ui/logout").status_code == 303
        assert client.get("/ui/").status_code == 303


# What is shown.


@pytest.mark.parametrize("path", PAGES)
def test_pages_keep_to_themselves(visitor: httpx.Client, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code == 200
    assert answer.headers.get_list("content-security-policy") == [POLICY]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["cache-control"] == "no-store"
    addresses = re.findall(r'(?:href|src|action|data-live)="([^"]*)"', answer.text)
    assert addresses
    assert all(address.startswith(("/ui", "#")) for address in addresses)
    assert not re.search(r"<script(?![^>]*src=)|\son[a-z]+=|style=", answer.text)


def test_names_are_text(lab: ControlLab, visitor: httpx.Client) -> None:
    for path in ("/ui/loadbalancers", "/ui/events"):
        assert HOSTILE not in visitor.get(path).text
    assert "&lt;script&gt;" in visitor.get("/ui/loadbalancers").text


def test_what_is_not_there(visitor: httpx.Client) -> None:
    for path in (
        "/ui/devices/nobody",
        "/ui/loadbalancers/nothing",
        "/ui/rollouts/none",
        f"/ui/devices/{HOSTILE}",
    ):
        answer = visitor.get(path)
        assert answer.status_code == 404
        assert "<script>alert" not in answer.text
    assert visitor.get("/ui/devices?state=BROKEN").status_code == 400
    assert visitor.get("/ui/static/x/../../app.py").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ui/nope", 404),
        ("GET", "/ui/nodes/web/marks", 405),
        ("GET", "/ui/%00", 400),
        ("POST", "/ui/login", 400),  # without a form
        ("POST", "/ui/nodes/web/marks", 400),
        ("GET", "/ui/static/x/%2e%2e/app.py", 404),
    ],
)
def test_what_goes_wrong_is_a_page(
    lab: ControlLab, visitor: httpx.Client, method: str, path: str, status: int
) -> None:
    with browsing(lab) as stranger:
        for client in (visitor, stranger):
            answer = client.request(method, path)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert "script-src 'self'" in answer.headers["content-security-policy"]
            assert 'role="alert"' in answer.text
    assert ("allow" in answer.headers) == (status == 405)


def test_files_are_kept_by_browsers(visitor: httpx.Client) -> None:
    found = re.search(r'href="(/ui/static/[^"]+\.css)"', visitor.get("/ui/").text)
    assert found is not None
    answer = visitor.get(found[1])
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert "immutable" in answer.headers["cache-control"]
    assert visitor.get("/ui/static/old/ui.css").headers["cache-control"] == "no-cache"


def test_a_project_sees_its_own(lab: ControlLab) -> None:
    with browsing(lab, secret_of(lab, Role.READER, "others")) as client:
        assert "No load balancer" in client.get("/ui/loadbalancers").text
        assert client.get("/ui/devices").status_code == 403
        owner = lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"][0]["id"]
        assert client.get(f"/ui/loadbalancers/{owner}").status_code == 403
        assert "loadbalancer.created" not in client.get("/ui/events").text
        assert "/ui/nodes" not in client.get("/ui/").text


def test_a_deployer_sees_nodes_and_rollouts(lab: ControlLab) -> None:
    with browsing(lab, secret_of(lab, Role.DEPLOYER)) as client:
        assert client.get("/ui/").headers["location"] == "/ui/nodes"
        assert client.get("/ui/nodes").status_code == 200
        for path in ("/ui/devices", "/ui/loadbalancers", "/ui/events", "/ui/jobs"):
            assert client.get(path).status_code == 403


def test_who_reads_the_figures_is_watched(lab: ControlLab) -> None:
    assert "history" in {beat.name for beat in lab.controller.beats.states(now())}


# What is ordered.


def test_a_form_of_another_site_is_refused(lab: ControlLab, visitor: httpx.Client) -> None:
    for fields in ({"x": "y"}, {"csrf": "guessed"}, {"csrf": ""}):
        assert visitor.post("/ui/devices/web1/evacuate", data=fields).status_code == 403
    own = {"csrf": csrf_of(visitor)}
    away = {"Sec-Fetch-Site": "cross-site"}
    assert visitor.post("/ui/devices/web1/evacuate", data=own, headers=away).status_code == 403
    assert lab.get("/v1/devices/web1")["device"]["state"] == "ASSIGNED"


def test_a_form_of_another_session_is_refused(lab: ControlLab, visitor: httpx.Client) -> None:
    with browsing(lab, lab.secret) as other:
        stolen = csrf_of(other)
    assert visitor.post("/ui/devices/web1/retire", data={"csrf": stolen}).status_code == 403


def test_what_is_no_form_is_refused(visitor: httpx.Client) -> None:
    path = "/ui/nodes/web/marks"
    assert visitor.post(path, json={"csrf": csrf_of(visitor)}).status_code == 400
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    for body in (b"\xff\xfe", b"a=%ff", b"x=" + b"y" * 1_600_000):
        assert visitor.post(path, content=body, headers=kind).status_code == 400


def test_a_reader_orders_nothing(lab: ControlLab) -> None:
    with browsing(lab, secret_of(lab, Role.READER)) as client:
        assert "Retire" not in client.get("/ui/devices/web1").text
        assert client.get("/ui/devices/web1/retire").status_code == 403
        assert order(client, "/ui/devices/web1/retire").status_code == 403
        assert order(client, "/ui/nodes/web/marks", offline="web1").status_code == 403
    assert lab.get("/v1/nodes/web1")["node"]["status"] == "online"


def test_an_order_says_first_what_would_happen(lab: ControlLab, visitor: httpx.Client) -> None:
    asked = visitor.get("/ui/devices/web1/evacuate")
    assert "Evacuate web1?" in asked.text
    assert lab.get("/v1/devices/web1")["device"]["state"] == "ASSIGNED"
    assert order(visitor, "/ui/devices/web1/evacuate").status_code == 303
    assert lab.get("/v1/devices/web1")["device"]["state"] == "DRAINING"
    assert order(visitor, "/ui/devices/web1/approve").status_code == 303
    assert lab.get("/v1/devices/web1")["device"]["state"] == "ASSIGNED"


def test_ticked_nodes_are_offline(lab: ControlLab, visitor: httpx.Client) -> None:
    saved = order(visitor, "/ui/nodes/web/marks", offline="web2", reason="kernel")
    assert saved.headers["location"] == "/ui/nodes"
    node = lab.get("/v1/nodes/web2")["node"]
    assert (node["status"], node["reason"], node["author"]) == ("offline", "kernel", "admin")
    assert 'value="web2" aria-label="web2 offline" checked' in visitor.get("/ui/nodes").text
    # Somebody else takes web3 away meanwhile; who looks at the older page does not bring it back.
    lab.put("/v1/nodes/web3/status", {"status": "offline"})
    assert order(visitor, "/ui/nodes/web/marks", was="web2").status_code == 303
    assert lab.get("/v1/nodes/web2")["node"]["status"] == "online"
    assert lab.get("/v1/nodes/web3")["node"]["status"] == "offline"
    lab.put("/v1/nodes/web3/status", {"status": "online"})


def test_the_last_one_stays_unless_one_insists(lab: ControlLab, visitor: httpx.Client) -> None:
    everyone = ["web1", "web2", "web3"]
    refused = order(visitor, "/ui/nodes/web/marks", offline=everyone)
    assert refused.status_code == 409
    assert "cannot take that many nodes" in refused.text
    forced = order(visitor, "/ui/nodes/web/marks", offline=everyone, force="yes")
    assert forced.status_code == 303
    assert order(visitor, "/ui/nodes/web/marks", was=everyone).status_code == 303
    assert lab.get("/v1/nodes/web1")["node"]["status"] == "online"


def test_a_list_says_which_nodes_there_are(lab: ControlLab, visitor: httpx.Client) -> None:
    assert (
        order(visitor, "/ui/nodes", group="api", nodes="api1=10.0.0.1\r\napi2").status_code == 303
    )
    assert lab.get("/v1/nodes/api1")["node"]["address"] == "10.0.0.1"
    assert order(visitor, "/ui/nodes/api/list", nodes="api2 api3").status_code == 303
    lab.get("/v1/nodes/api1", 404)
    lab.get("/v1/nodes/api3")
    bad = order(visitor, "/ui/nodes/api/list", nodes="api2 a/../b")
    assert bad.status_code == 400
    lab.get("/v1/nodes/api3")


def test_a_list_is_saved_whole_or_not_at_all(lab: ControlLab, visitor: httpx.Client) -> None:
    """Here another group has one of the nodes."""
    assert order(visitor, "/ui/nodes", group="db", nodes="db1=10.0.0.1 db2").status_code == 303
    assert order(visitor, "/ui/nodes/db/list", nodes="db0 db2 web1").status_code == 409
    assert [node["name"] for node in lab.get("/v1/nodes", group="db")["nodes"]] == ["db1", "db2"]
    assert order(visitor, "/ui/nodes", group="more", nodes="more1 web1").status_code == 409
    lab.get("/v1/nodegroups/more", 404)
    # Another address is a move, and none is no wish.
    assert order(visitor, "/ui/nodes/db/list", nodes="db1 db2=10.0.0.7").status_code == 303
    shown = {node["name"]: node["address"] for node in lab.get("/v1/nodes", group="db")["nodes"]}
    assert shown == {"db1": "10.0.0.1", "db2": "10.0.0.7"}


@pytest.mark.parametrize("reason", ["x" * 256, "a\nb"])
def test_a_reason_has_one_limit(lab: ControlLab, visitor: httpx.Client, reason: str) -> None:
    path = "/ui/nodes/web/marks"
    saved = order(visitor, path, offline="web1", reason=reason)
    assert saved.status_code == 400
    body = {"status": "offline", "reason": reason}
    assert lab.client.put("/v1/nodes/web1/status", json=body).status_code == 400
    assert lab.get("/v1/nodes/web1")["node"]["status"] == "online"


def test_a_form_of_ten_thousand_nodes_is_read(visitor: httpx.Client) -> None:
    """Here with a node that cannot be, so that none is stored."""
    names = "\r\n".join(f"node-{n:05}.example.com=10.0.{n % 250}.1" for n in range(9_999))
    answer = order(visitor, "/ui/nodes", group="all", nodes=f"{names} <x>")
    assert answer.status_code == 400
    assert "&#39;&lt;x&gt;&#39;" in answer.text


def test_an_order_is_in_the_events(lab: ControlLab, visitor: httpx.Client) -> None:
    order(visitor, "/ui/nodes/web/marks", offline="web1")
    order(visitor, "/ui/nodes/web/marks", was="web1")
    newest = lab.get("/v1/events", kind="node.")["events"][-1]
    assert (newest["kind"], newest["actor"]) == ("node.online", "admin")
    assert newest["remote"] == "127.0.0.1"
    why = {"action": "enable", "comment": "the <new> kernel"}
    assert lab.client.put("/clouds/default", data=why).is_success
    assert "<q>the &lt;new&gt; kernel</q>" in visitor.get("/ui/events").text


# Live.


def read_parts(client: httpx.Client, path: str, count: int) -> dict[str, str]:
    """The first parts that come, by id."""
    found: dict[str, str] = {}
    with client.stream("GET", path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: {") and len(line) > 10:
                part = json.loads(line.removeprefix("data: "))
                found[part["id"]] = part["html"]
            if len(found) >= count:
                return found
    return found


def test_parts_come_by_themselves(visitor: httpx.Client) -> None:
    parts = read_parts(visitor, "/ui/live/devices", 2)
    assert set(parts) == {"device_pools", "devices"}
    assert "web1" in parts["devices"]


def test_a_stranger_follows_nothing(lab: ControlLab) -> None:
    with browsing(lab) as client, client.stream("GET", "/ui/live/devices") as answer:
        assert "event: gone" in "".join(answer.iter_text())


def test_who_may_not_see_it_follows_nothing(lab: ControlLab) -> None:
    with (
        browsing(lab, secret_of(lab, Role.READER, "others")) as client,
        client.stream("GET", "/ui/live/devices") as answer,
    ):
        text = "".join(answer.iter_text())
    assert "event: gone" in text
    assert "web1" not in text


def test_a_stop_does_not_wait_for_who_looks_on(tmp_path: Path) -> None:
    with (
        control_lab(tmp_path) as lab,
        browsing(lab, lab.secret) as client,
        client.stream("GET", "/ui/live/") as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        lab.stop_controller()
        for _ in lines:
            pass
        lab.start_controller()


def test_tokens_are_never_shown(lab: ControlLab, visitor: httpx.Client) -> None:
    digests = [token.digest for token in list_tokens(lab.controller.services)]
    for path in PAGES:
        text = visitor.get(path).text
        assert lab.secret not in text
        assert not any(digest in text for digest in digests)


# Rollouts.


def test_a_wish_shows_also_where_nobody_fulfils_it(lab: ControlLab, visitor: httpx.Client) -> None:
    key = begin(lab)
    assert order(visitor, f"/ui/rollouts/{key}/stop").status_code == 303
    assert "a stop is wanted" in visitor.get(f"/ui/rollouts/{key}").text
    assert "stop wanted" in visitor.get("/ui/rollouts").text
    with later(lab, 60):
        shown = lab.client.get(f"/v1/rollouts/{key}").json()["rollout"]
        assert (shown["wish"], shown["led"]) == ("stop", False)
    lab.post(f"/v1/rollouts/{key}/end", {"lease": 1, "state": "aborted"}, 200)


@pytest.mark.parametrize("box", ["yes", ""])
def test_an_abort_asks_about_what_it_left_offline(
    lab: ControlLab, visitor: httpx.Client, box: str
) -> None:
    key = begin(lab)
    lab.post(f"/v1/rollouts/{key}/steps", {"lease": 1, "node": "web1", "phase": "draining"}, 200)
    lab.post(f"/v1/rollouts/{key}/nodes/web1/mark", {"lease": 1}, 200)
    lab.post(f"/v1/rollouts/{key}/end", {"lease": 1, "state": "stopped"}, 200)
    assert 'name="box"' in visitor.get(f"/ui/rollouts/{key}/abort").text
    assert order(visitor, f"/ui/rollouts/{key}/abort", boxed="yes", box=box).status_code == 303
    assert lab.get(f"/v1/rollouts/{key}")["rollout"]["state"] == "aborted"
    status = lab.get("/v1/nodes/web1")["node"]["status"]
    assert status == ("online" if box else "offline")
    lab.put("/v1/nodes/web1/status", {"status": "online"})


def begin(lab: ControlLab) -> str:
    key: str = lab.post("/v1/rollouts", {"group": "web", "holder": "somebody"})["rollout"]["id"]
    return key
