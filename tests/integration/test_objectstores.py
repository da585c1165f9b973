"""Projects' accounts at a real Swift: tokens that end, jobs that wait, and secrets that are nowhere."""

import json
import re
import time
from collections.abc import Iterator

import pytest

from libra.config.settings import ObjectStoreSettings, SwiftSettings
from libra.model.access import Role
from tests.support.control import LBAAS, ControlLab, ThreadWorker, control_lab
from tests.support.ports import free_port
from tests.support.stores import LOCAL
from tests.support.swift import need_swift
from tests.support.swift_lab import SwiftLab

PROJECT = "shop/ü?#."
PATH = "/v1/objectstores/shop%2F%C3%BC%3F%23."
TOKEN_SECONDS = 3


@pytest.fixture(scope="module")
def shortlived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwiftLab]:
    """Its tokens end soon."""
    need_swift()
    with SwiftLab(tmp_path_factory.mktemp("swift"), token_life=TOKEN_SECONDS) as swift:
        yield swift


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    stores = ObjectStoreSettings(swift=SwiftSettings(allowed_endpoints=LOCAL, timeout_seconds=5))
    with control_lab(tmp_path_factory.mktemp("control"), object_stores=stores) as lab:
        yield lab


@pytest.fixture(scope="module")
def worker(lab: ControlLab) -> ThreadWorker:
    return lab.worker()


def given(swift: SwiftLab, **fields: str) -> dict[str, str]:
    url = f"http://127.0.0.1:{swift.port['proxy']}/auth/v1.0"
    return {"auth_url": url, "user": swift.user, "key": swift.key, **fields}


def refresh(lab: ControlLab, what: str, status: int = 200) -> str:
    answer = lab.client.post(f"/users/{PATH.rpartition('/')[2]}", params={"refresh": what})
    assert answer.status_code == status, answer.text
    return answer.text


def sealed_token(lab: ControlLab, job: str) -> str:
    with lab.controller.services.storage.reading() as unit:
        stored = unit.jobs.get(job)
        assert stored is not None
        return str(
            json.loads(lab.controller.services.sealer.unseal(stored.sealed))[
                "hpcs_object_store_token"
            ]
        )


def works(swift: SwiftLab, token: str) -> bool:
    status, _, _ = swift.request("GET", "/v1/AUTH_test", headers={"X-Auth-Token": token})
    assert status in (200, 204, 401)
    return status != 401


def test_a_refused_login_says_why_and_stores_nothing(lab: ControlLab, swift: SwiftLab) -> None:
    answer = lab.client.put(PATH, json=given(swift, key="wrong-secret"))
    assert answer.status_code == 502, answer.text
    assert "Swift answered 401 Unauthorized" in answer.text
    assert "wrong-secret" not in answer.text
    lab.get(PATH, 404)


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"auth_url": "https://elsewhere.example/auth/v1.0"}, 403, "allowed_endpoints"),
        ({"auth_url": "ftp://127.0.0.1/"}, 400, "cannot use auth_url"),
        ({"auth_url": "http://127.0.0.1/a b"}, 400, "auth_url"),
        ({"store": "tape"}, 400, "installed are"),
        ({"auth_version": "2"}, 400, "auth_version"),
        ({"auth_version": "3", "user": "alone"}, 400, "PROJECT:USER"),
        ({"user": "a:b\r\nX-Evil: 1"}, 400, "user"),
        ({"key": "secret\nkey"}, 400, "key"),
        ({"key": " secret"}, 400, "key"),
        ({"color": "red"}, 400, "color"),
        ({"auth_url": f"http://127.0.0.1:{free_port()}/auth/v1.0"}, 502, "Connection refused"),
    ],
)
def test_bad_accounts(
    lab: ControlLab, swift: SwiftLab, fields: dict[str, str], status: int, words: str
) -> None:
    answer = lab.client.put(PATH, json=given(swift, **fields))
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert "secret" not in answer.text
    lab.get(PATH, 404)


def test_an_account_is_shown_without_its_secrets(lab: ControlLab, swift: SwiftLab) -> None:
    made = lab.put(PATH, given(swift), 201)["objectstore"]
    assert made["endpoint"] == swift.storage_url
    assert made["project_id"] == PROJECT
    again = lab.put(PATH, given(swift), 200)["objectstore"]
    assert (again["id"], again["created_at"]) == (made["id"], made["created_at"])
    shown = [lab.get(PATH), lab.get("/v1/objectstores", project_id=PROJECT)]
    assert shown[1]["objectstores"] == [shown[0]["objectstore"]]
    for text in map(json.dumps, (made, again, *shown)):
        assert "sealed" not in text
        assert swift.key not in text
        assert "AUTH_tk" not in text
    assert lab.client.get("/v1/objectstores", params={"sealed_key": "x"}).status_code == 400
    other = lab.token(Role.MEMBER, "another")
    assert other.get(PATH).status_code == 403
    assert other.put(PATH, json=given(swift)).status_code == 403
    assert other.delete(PATH).status_code == 403
    assert other.get("/v1/objectstores").json()["objectstores"] == []
    lab.delete(PATH)
    lab.get(PATH, 404)


def test_a_project_without_an_account_has_to_say_where(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    made = lab.create("without", project_id="poor")
    path = f"/v1/loadbalancers/{made['id']}/logs"
    told = lab.post(path, {"object_store_basepath": "logs"}, 400)["faultstring"]
    assert "the project 'poor' has no object-store account" in told
    half = {"object_store_basepath": "logs", "auth_token": "t"}
    assert "or neither" in lab.post(path, half, 400)["faultstring"]
    assert worker.messages


def test_an_expired_token_is_renewed_before_it_is_used(
    lab: ControlLab, worker: ThreadWorker, shortlived: SwiftLab
) -> None:
    lab.put(PATH, given(shortlived), 201)
    made = lab.create("renewed", project_id=PROJECT, listeners=[listener(8002)])
    before = lab.get(PATH)["objectstore"]["refreshed_at"]
    time.sleep(0.01)
    count = len(archives(worker))
    archive(lab, made["id"])
    lab.wait(lambda: len(archives(worker)) > count, "the job")
    assert works(shortlived, str(archives(worker)[-1]["hpcs_object_store_token"]))
    assert lab.get(PATH)["objectstore"]["refreshed_at"] > before
    lab.delete(PATH)


def test_refreshing_what_cannot_be(lab: ControlLab, swift: SwiftLab) -> None:
    assert "cannot find an object-store account" in refresh(lab, "vm_proxy", 404)
    lab.put(PATH, given(swift), 201)
    before = lab.get(PATH)
    swift.fault(match="GET /auth/.*", status=503, reason="Busy", body="come back later")
    told = refresh(lab, "job_proxy", 502)
    assert "Swift answered 503 Busy" in told
    assert "come back later" in told
    swift.fault()
    assert lab.get(PATH) == before
    assert refresh(lab, "everything", 400)
    lab.delete(PATH)


def test_nothing_secret_is_in_events_logs_or_the_database(
    lab: ControlLab,
    swift: SwiftLab,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level("DEBUG")
    lab.put(PATH, given(swift), 201)
    refresh(lab, "vm_proxy")
    events = lab.get("/v1/events", kind="objectstore", limit=1000)["events"]
    written = json.dumps(events) + caplog.text + "".join(capfd.readouterr())
    database = b"".join(path.read_bytes() for path in lab.directory.glob("libra.db*"))
    for text in (written, database.decode("latin-1")):
        assert f'{swift.key}"' not in text
        assert not re.search(r"AUTH_tk[0-9a-f]{8}", text)
    kinds = [event["kind"] for event in events[-2:]]
    assert kinds == ["objectstore.created", "objectstore.refreshed"]
    assert all(event["actor"] == "admin" for event in events)
    lab.delete(PATH)


def test_swift_that_drips_is_given_up(lab: ControlLab, swift: SwiftLab) -> None:
    swift.fault(match="GET /auth/.*", status=200, delay=30)
    started = time.monotonic()
    answer = lab.client.put(PATH, json=given(swift))
    assert answer.status_code == 502, answer.text
    assert "it gave no whole answer within 5 s" in answer.text
    assert time.monotonic() - started < 15


def listener(port: int) -> dict[str, object]:
    return {"protocol": "HTTP", "protocol_port": port}


def archive(lab: ControlLab, key: str) -> str:
    body = {"object_store_basepath": "logs"}
    job = lab.post(f"/v1/loadbalancers/{key}/logs", body, 202)["job"]
    assert "AUTH_tk" not in json.dumps(job)
    return str(job["id"])


def archives(worker: ThreadWorker) -> list[dict[str, object]]:
    return [item for item in worker.messages if item["hpcs_action"] == "ARCHIVE"]


def test_a_load_balancer_still_archives_where_it_is_told(
    lab: ControlLab, worker: ThreadWorker
) -> None:
    found = lab.get(f"{LBAAS}/loadbalancers")["loadbalancers"]
    made = found[0] if found else lab.create()
    place = {"object_store_endpoint": "http://127.0.0.1:1/v1", "auth_token": "given"}
    count = len(archives(worker))
    lab.post(
        f"/v1/loadbalancers/{made['id']}/logs", {"object_store_basepath": "logs", **place}, 202
    )
    lab.wait(lambda: len(archives(worker)) > count, "the job")
    assert archives(worker)[-1]["hpcs_object_store_token"] == "given"


def test_a_job_that_waits_is_sent_with_the_fresh_token(
    lab: ControlLab, worker: ThreadWorker, shortlived: SwiftLab
) -> None:
    """The last one: its device is without a worker for a while."""
    lab.put(PATH, given(shortlived), 201)
    made = lab.create("waits", project_id=PROJECT, listeners=[listener(8001)])
    worker.close()
    job = archive(lab, made["id"])
    lab.wait(lambda: lab.get(f"/v1/jobs/{job}")["job"]["state"] == "idle", "the job that waits")
    first = sealed_token(lab, job)
    lab.wait(lambda: not works(shortlived, first), "the token's end")
    refresh(lab, "vm_proxy")
    assert sealed_token(lab, job) == first
    refresh(lab, "job_proxy")
    second = sealed_token(lab, job)
    assert second != first
    assert works(shortlived, second)
    again = ThreadWorker("web1", lab.server.port)
    try:
        lab.wait(lambda: archives(again), "the job")
    finally:
        again.close()
    (sent,) = archives(again)
    assert sent["hpcs_object_store_token"] == second
    assert sent["hpcs_object_store_endpoint"] == shortlived.storage_url
    lab.delete(PATH)
