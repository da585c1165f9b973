"""SwiftStore against a real Swift: what it stores, and every way in which that fails."""

import gc
import json
import os
import random
import re
import time
from datetime import timedelta
from pathlib import Path

import pytest

from libra.errors import ObjectStoreError
from libra.objectstores.base import Account
from libra.objectstores.retries import RetryPolicy
from tests.support.disks import small_disk
from tests.support.stores import (
    LARGE,
    SMALL,
    SMALL_SEGMENT,
    build_account,
    build_swift_store,
    fail,
    put,
)
from tests.support.swift import need_swift
from tests.support.swift_lab import SwiftLab

HASTY = RetryPolicy(
    attempts=2,
    first_delay=timedelta(milliseconds=20),
    network_timeout=timedelta(milliseconds=500),
)


def everything(swift: SwiftLab, container: str) -> list[str]:
    return swift.names(container) + swift.names(f"{container}_segments")


def has(swift: SwiftLab, path: str) -> bool:
    headers = {"X-Auth-Token": swift.token()}
    return swift.request("HEAD", f"/v1/AUTH_test/{path}", headers=headers)[0] == 200


def test_a_large_object_is_read_as_one(swift: SwiftLab, container: str) -> None:
    path = put(build_account(swift), container, LARGE)
    assert swift.download(path) == LARGE
    assert swift.names(container) == ["x"]
    assert swift.names(f"{container}_segments") == [f"x/{number:08d}" for number in range(6)]
    rows = json.loads(swift.download(path, "?multipart-manifest=get"))
    assert [row["bytes"] for row in rows] == [SMALL_SEGMENT] * 5 + [17]


def test_segments_may_overtake_each_other(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(match="PUT /v1/.*/x/00000000", delay=0.3)
    path = put(account, container, LARGE, manifest_width=2)
    sent = [line[-1] for line in swift.requests() if "PUT" in line and "/x/0" in line]
    assert sent[:2] in (["0", "1"], ["1", "0"]), "two at once"
    assert swift.download(path) == LARGE


def test_a_very_large_object_is_a_tree_of_manifests(swift: SwiftLab, container: str) -> None:
    data = random.Random(2).randbytes(10 * 1000 + 7)
    path = put(build_account(swift), container, data, segment_bytes=1000, manifest_width=2)
    assert swift.download(path) == data
    assert len(swift.names(f"{container}_segments")) > 11 + 5
    status, _, body = swift.request(
        "DELETE",
        f"/v1/AUTH_test/{path}?multipart-manifest=delete",
        headers={"X-Auth-Token": swift.token(), "Accept": "application/json"},
    )
    assert (status, json.loads(body)["Errors"]) == (200, [])
    assert everything(swift, container) == []


def test_what_it_says_of_itself(swift: SwiftLab, container: str) -> None:
    """No Content-Encoding: a client would unpack it on the way."""
    for data in (SMALL, LARGE):
        path = put(build_account(swift), container, data)
        _, headers, _ = swift.request(
            "HEAD", f"/v1/AUTH_test/{path}", headers={"X-Auth-Token": swift.token()}
        )
        assert headers["content-type"] == "application/gzip"
        assert "content-encoding" not in headers


def test_a_container_is_made_only_where_it_is_missing(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault()
    put(account, container)
    put(account, container)
    path = f"/v1/AUTH_test/{container}"
    assert [line for line in swift.requests() if line.startswith("PUT")] == [
        f"PUT {path}/x",
        f"PUT {path}",
        f"PUT {path}/x",
        f"PUT {path}/x",
    ]


def test_who_may_only_write_objects_need_not_make_containers(
    swift: SwiftLab, container: str
) -> None:
    headers = {"X-Auth-Token": swift.token(), "X-Container-Write": "test:reader"}
    swift.request("PUT", f"/v1/AUTH_test/{container}", headers=headers)
    token = swift.token("test:reader", "reading")
    put(Account(endpoint=swift.storage_url, token=token), container)
    assert swift.names(container) == ["x"]


def test_401_is_told_at_once(swift: SwiftLab, container: str) -> None:
    account = Account(endpoint=swift.storage_url, token="AUTH_tk0123456789abcdef")
    for data in (SMALL, LARGE):
        swift.fault()
        error = fail(account, container, data)
        assert error.status == 401
        where = container if data == SMALL else f"{container}_segments"
        assert str(error).startswith(
            f"cannot store: Swift answered 401 Unauthorized to PUT {where}/x"
        )
        assert "This server could not verify that you are authorized" in str(error)
        puts = [line for line in swift.requests() if line.startswith("PUT")]
        assert len(puts) == len(set(puts)), "401 does not get better by trying again"


def test_401_in_the_middle_of_a_long_body(swift: SwiftLab, container: str) -> None:
    """Swift answers before it has read all, and hangs up."""
    account = Account(endpoint=swift.storage_url, token="AUTH_tk0123456789abcdef")
    data = bytes(8 * 1024 * 1024)
    assert fail(account, container, data, segment_bytes=len(data)).status == 401


@pytest.mark.parametrize("name", ["ü b", "a?b#c", "%2F", "a&b=c"])
def test_a_containers_name_is_kept_to_the_letter(
    swift: SwiftLab, container: str, name: str
) -> None:
    put(build_account(swift), container + name, LARGE)
    _, _, listing = swift.request(
        "GET", "/v1/AUTH_test", headers={"X-Auth-Token": swift.token(), "Accept": "text/plain"}
    )
    assert {container + name, f"{container}{name}_segments"} <= set(listing.decode().split("\n"))


def test_403_is_told_at_once(swift: SwiftLab, container: str) -> None:
    token = swift.token("test:reader", "reading")
    error = fail(Account(endpoint=swift.storage_url, token=token), container)
    assert error.status == 403
    assert f"Swift answered 403 Forbidden to PUT {container}/x: " in str(error)


@pytest.mark.parametrize("path", ["/v1/AUTH_other", "/v1", "/no/such/thing", ""])
def test_a_wrong_path(swift: SwiftLab, container: str, path: str) -> None:
    url = swift.storage_url.replace("/v1/AUTH_test", path)
    error = fail(build_account(swift, url), container)
    assert error.status in (400, 403, 404, 412)
    assert f"Swift answered {error.status} " in str(error)


def test_413_over_quota(swift: SwiftLab, container: str) -> None:
    headers = {"X-Auth-Token": swift.token(), "X-Container-Meta-Quota-Bytes": "10"}
    swift.request("PUT", f"/v1/AUTH_test/{container}", headers=headers)
    error = fail(build_account(swift), container)
    assert error.status == 413
    assert "Upload exceeds quota" in str(error)


def test_all_disks_gone(swift: SwiftLab, container: str) -> None:
    put(build_account(swift), container)
    swift.disk("object", 1, mounted=False)
    try:
        error = fail(build_account(swift), container)
    finally:
        swift.disk("object", 1, mounted=True)
    assert error.status == 503
    assert "Swift answered 503 Service Unavailable" in str(error)
    assert "(tried 3 times)" in str(error)
    # Swift leaves a node alone for a moment after a 507.
    patient = RetryPolicy(attempts=10, first_delay=timedelta(milliseconds=100))
    assert swift.download(put(build_account(swift), container, retries=patient)) == SMALL


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk(tmp_path: Path, container: str) -> None:
    """What Swift makes of ENOSPC; what cannot be taken back is told, and once there is room it is stored."""
    need_swift()
    with SwiftLab(tmp_path) as swift, small_disk(swift.device("object", 1), megabytes=4) as disk:
        swift.disk("object", 1, mounted=True)
        account = build_account(swift)
        (disk / "filler").write_bytes(bytes(4 * 1024 * 1024 - len(LARGE) // 2))
        error = fail(account, container, LARGE)
        assert error.status in (503, 507)
        assert f"Swift answered {error.status} " in str(error)
        assert "(tried 3 times)" in str(error)
        # Of the object server, not of the listing, which may lag behind on a busy machine.
        segments = swift.names(f"{container}_segments")
        there = [name for name in segments if has(swift, f"{container}_segments/{name}")]
        assert there == [] or "parts of it are left" in str(error)
        (disk / "filler").unlink()
        assert swift.download(put(account, container, LARGE)) == LARGE


@pytest.mark.parametrize("status", [408, 422, 429, 498, 500, 502, 503, 507])
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_one_bad_answer_is_overcome(
    swift: SwiftLab, container: str, status: int, data: bytes
) -> None:
    account = build_account(swift)
    swift.fault(match=r"PUT /v1/.*x", status=status, count=1, skip=min(1, len(data) // 1000))
    assert swift.download(put(account, container, data)) == data


def test_507_again_and_again(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(
        match="PUT /v1/.*x", status=507, reason="Insufficient Storage", body="<h1>full</h1>"
    )
    error = fail(account, container)
    assert error.status == 507
    assert str(error) == (
        f"cannot store: Swift answered 507 Insufficient Storage to PUT {container}/x: full (tried 3 times)"
    )


def test_what_the_server_asks_to_wait_is_waited(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(match="PUT /v1/.*x", status=429, count=1, headers={"Retry-After": "1"})
    start = time.monotonic()
    put(account, container)
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("number", [0, 1, 4, 5])
def test_a_segment_that_fails_takes_the_others_with_it(
    swift: SwiftLab, container: str, number: int
) -> None:
    account = build_account(swift)
    swift.fault(match=f"PUT /v1/.*/x/{number:08d}", status=403)
    assert fail(account, container, LARGE).status == 403
    assert everything(swift, container) == []


@pytest.mark.parametrize("status", [400, 503])
def test_a_manifest_that_fails_takes_the_segments_with_it(
    swift: SwiftLab, container: str, status: int
) -> None:
    account = build_account(swift)
    swift.fault(match=f"PUT /v1/AUTH_test/{container}/x$", status=status)
    assert fail(account, container, LARGE).status == status
    assert everything(swift, container) == []


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_an_object_stored_in_spite_of_a_bad_answer_is_taken_back(
    swift: SwiftLab, container: str, data: bytes
) -> None:
    """FAIL must mean that nothing is there, also where only the answer went wrong."""
    account = build_account(swift)
    swift.fault(match=f"PUT /v1/AUTH_test/{container}/x$", status=502, late=True)
    assert fail(account, container, data).status == 502
    # Not as the last one in the proxy's log, where an answer that comes late may stand behind it.
    assert any(
        request.startswith(f"DELETE /v1/AUTH_test/{container}/x") for request in swift.requests()
    )
    assert everything(swift, container) == []


def test_what_cannot_be_taken_back_is_told(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    swift.fault(match="(DELETE /v1/.*|PUT /v1/.*/x/00000003)", status=401)
    error = fail(account, container, LARGE)
    assert error.status == 401
    assert re.search(
        rf"; up to [4-6] parts of it are left, such as {container}_segments/x/0000000[0-9]$",
        str(error),
    )


def test_a_swift_without_large_objects_is_told(tmp_path: Path, container: str) -> None:
    need_swift()
    with SwiftLab(tmp_path, slo=False) as swift:
        error = fail(build_account(swift), container, LARGE)
        assert error.status == 422
        assert str(error).endswith("; has this Swift static large objects (SLO)?")
        assert everything(swift, container) == []


def test_memory_and_descriptors_are_given_back(swift: SwiftLab, container: str) -> None:
    account = build_account(swift)
    store = build_swift_store()
    store.put(account, container, "x", iter([LARGE]))
    gc.collect()
    before = len(list(Path("/proc/self/fd").iterdir()))
    gc.disable()  # connections are closed, not left to the collector
    try:
        for _ in range(3):
            store.put(account, container, "x", iter([LARGE]))
            with pytest.raises(ObjectStoreError):
                store.put(
                    Account(endpoint=account.endpoint, token="no"), container, "x", iter([b""])
                )
        assert len(list(Path("/proc/self/fd").iterdir())) <= before
    finally:
        gc.enable()
