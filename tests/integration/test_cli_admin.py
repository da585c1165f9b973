"""Every command of `libra admin` and `libra objectstore` before one live controller with worker processes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from libra.cli.admin import asking
from libra.config.settings import ObjectStoreSettings, SwiftSettings
from tests.support.operating import POOL, Operator, operating
from tests.support.ports import free_port
from tests.support.stores import LOCAL
from tests.support.swift_lab import SwiftLab

HOSTILE = ["..", ".", "a/b", "a?b#c", "x.json", "%2e", "ü ß", "\x1b[2J", "edge/vms", "a\nb"]
COMMENT = "because of 'ü' & <b>"


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    stores = ObjectStoreSettings(swift=SwiftSettings(allowed_endpoints=LOCAL))
    with operating(stores) as operator:
        operator.grow(3)
        operator.lab.put(f"/v1/device-pools/{POOL}", {"min_spare": 0})
        yield operator


@pytest.fixture
def three(operator: Operator) -> list[str]:
    """Names of devices that can be used, the oldest first."""
    operator.grow(3)
    operator.lab.put(f"/v1/device-pools/{POOL}", {"min_spare": 0})
    return [item["name"] for item in operator.vms() if item["state"] == "SPARE"]


def ensure_event(operator: Operator, kind: str, comment: str = COMMENT) -> None:
    """Who, from where, and why."""
    event = operator.last_event(kind)
    assert (event["actor"], event["remote"], event["comment"]) == ("admin", "127.0.0.1", comment)


def test_a_pool_is_switched(operator: Operator) -> None:
    assert "false" in operator.run("admin", "disable", POOL, "-C", COMMENT)
    ensure_event(operator, "devicepool.disabled")
    assert "false" in operator.run("status", "clouds")
    assert operator.json("admin", "enable", POOL, "--comment", COMMENT)["enabled"] is True
    ensure_event(operator, "devicepool.enabled")


def test_allocations(operator: Operator, three: list[str]) -> None:
    assert "cannot allocate" in operator.run("admin", "allocations", POOL, "x1", status=2)
    assert operator.json("admin", "allocations", POOL, "40", "-C", COMMENT)["drained"] == []
    ensure_event(operator, "devicepool.allocated")
    told = operator.run("admin", "allocations", POOL, "2", status=2)
    assert "drain and retire" in told
    assert "--yes says so" in told
    assert operator.lab.get(f"/clusters/{POOL}.json")["max_slots"] == 40
    before = operator.lab.get("/v1/events", limit=1000)["events"]
    (going,) = operator.json("admin", "allocations", POOL, "2", "--dry-run")["drained"]
    assert going["name"] == three[0]
    assert operator.lab.get("/v1/events", limit=1000)["events"] == before
    told = operator.run("admin", "allocations", POOL, "2", "--yes")
    assert three[0] in told
    operator.lab.wait(lambda: len(operator.vms()) == 2, "the shrinking")
    assert "null" in json.dumps(operator.json("admin", "allocations", POOL, "none"))


def test_which_devices_must_be_said(operator: Operator) -> None:
    for choice in ([], ["--all", "--count", "1"], ["one", "--all"], ["one", "-b", "1"]):
        told = operator.run("admin", "vms", "shutdown", POOL, *choice, "--yes", status=2)
        assert "cannot tell which devices" in told
    operator.run("admin", "vms", "shutdown", POOL, "--count", "0", status=2)
    operator.run("admin", "vms", "remove", POOL, "--all", "--wait", "--yes", status=2)


@pytest.mark.parametrize("verb", ["shutdown", "force-retire", "remove", "reset-override-state"])
def test_a_dry_run_only_shows(operator: Operator, three: list[str], verb: str) -> None:
    table = operator.run("admin", "vms", verb, POOL, "--count", "2", "--dry-run")
    assert all(name in table for name in three[:2])
    assert three[2] not in table
    (one,) = operator.json("admin", "vms", verb, POOL, three[2], "--dry-run")
    assert one["name"] == three[2]
    found = operator.json("admin", "vms", verb, POOL, "--all", "--dry-run")
    assert {item["name"] for item in found} >= set(three)
    assert operator.states().count("SPARE") >= 3


@pytest.mark.parametrize("verb", ["shutdown", "force-retire", "remove"])
def test_what_destroys_is_asked_about(
    operator: Operator, three: list[str], verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = operator.run("admin", "vms", verb, POOL, "--all", status=2)
    assert "there is no terminal" in told
    assert three[0] in told
    monkeypatch.setattr(asking, "is_terminal", lambda: True)
    told = operator.run("admin", "vms", verb, POOL, three[0], stdin=b"n\n", status=2)
    assert "nothing was done" in told
    assert operator.states().count("SPARE") >= 3


def test_one_is_shut_down_after_a_yes(
    operator: Operator, three: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "is_terminal", lambda: True)
    wait = ("--wait", "-C", COMMENT)
    table = operator.run("admin", "vms", "shutdown", POOL, three[0], *wait, stdin=b"y\n")
    assert "its host is destroyed now" in table
    assert three[0] not in {item["name"] for item in operator.vms()}
    ensure_event(operator, "device.shutting_down")


def test_some_are_retired(operator: Operator, three: list[str]) -> None:
    wait = ("--wait", "--yes", "-C", COMMENT)
    told = operator.json("admin", "vms", "force-retire", POOL, "--count", "2", *wait)
    assert [item["name"] for item in told] == three[:2]
    assert not {item["name"] for item in operator.vms()} & set(three[:2])
    ensure_event(operator, "device.retiring")


def test_what_cannot_go_is_told_when_the_time_is_over(operator: Operator) -> None:
    worker = operator.lab.worker("alone")
    operator.lab.create("stays", project_id="p2", availability_zone="default")
    wait = ("--wait", "--timeout", "0.5", "--yes")
    told = operator.run("admin", "vms", "force-retire", "default", "--all", *wait, status=1)
    assert "1 of 1 left" in told
    assert "1 of 1 are still there: alone" in told
    worker.close()


def test_partly_done(operator: Operator, three: list[str]) -> None:
    names = (three[0], three[1])
    operator.run("admin", "vms", "shutdown", POOL, *names, "nobody", "--yes", status=1)
    told = operator.run("admin", "vms", "reset-override-state", POOL, three[2], "nobody", status=1)
    assert told == "libra: cannot find 'nobody' in the pool edge\n" or "HTTP 404" in told


def test_one_is_removed_and_runs_on(operator: Operator, three: list[str]) -> None:
    before = len(operator.processes())
    told = operator.run("admin", "vms", "remove", POOL, three[0], "--yes", "-C", COMMENT)
    assert "is forgotten" in told
    ensure_event(operator, "device.removed")
    assert len(operator.processes()) == before


def test_what_was_imposed_is_taken_back(operator: Operator, three: list[str]) -> None:
    operator.lab.post(f"/v1/devices/{three[0]}/evacuate", {}, 202)
    told = operator.run("admin", "vms", "reset-override-state", POOL, three[0], "-C", COMMENT)
    assert "nothing is imposed on it" in told
    ensure_event(operator, "device.approved")


def test_maps(operator: Operator) -> None:
    assert operator.run("admin", "aliases", "list") == "none\n"
    assert "cannot" in operator.run("admin", "aliases", "reload", status=1)
    (operator.directory / "aliases.json").write_text('{"west": ["edge", "default"]}')
    assert "edge, default" in operator.run("admin", "aliases", "reload", "-C", COMMENT)
    ensure_event(operator, "aliases.loaded")
    assert operator.json("admin", "aliases", "list") == {"west": ["edge", "default"]}
    (operator.directory / "limits.json").write_text('{"shop": 4, "vip": -1}')
    table = operator.run("admin", "limits", "reload", "-C", COMMENT)
    assert "no limit" in table
    ensure_event(operator, "limits.loaded")
    (operator.directory / "limits.json").write_text("[")
    assert "limits.json" in operator.run("admin", "limits", "reload", status=1)
    assert operator.json("admin", "limits", "list") == {"shop": 4, "vip": -1}


def test_accounts_at_an_object_store(
    operator: Operator, swift: SwiftLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, file = "shop/1 ü", operator.directory / "key"
    url = f"http://127.0.0.1:{swift.port['proxy']}/auth/v1.0"
    given = ("objectstore", "set", project, "--auth-url", url, "--user", swift.user)
    assert "LIBRA_OBJECT_STORE_KEY" in operator.run(*given, status=2)
    assert "cannot read" in operator.run(*given, "--key-file", str(file), status=2)
    file.write_text("wrong\n")
    assert "401" in operator.run(*given, "--key-file", str(file), status=1)
    monkeypatch.setenv("LIBRA_OBJECT_STORE_KEY", swift.key)
    outputs = [operator.run(*given)]
    outputs += [operator.run("objectstore", verb, project) for verb in ("show", "refresh")]
    outputs += [operator.run("objectstore", "list")]
    outputs += [operator.run("admin", "refresh", project, "-p", "job", "-C", COMMENT)]
    ensure_event(operator, "objectstore.refreshed")
    assert not any(swift.key in text or "AUTH_tk" in text for text in outputs)
    made = operator.lab.create("archived", project_id=project, availability_zone=POOL)
    job = operator.json("lb", "archive", made["name"], "--container", "logs")
    assert job["action"] == "ARCHIVE"
    assert "--yes" in operator.run("objectstore", "delete", project, status=2)
    operator.run("objectstore", "delete", project, "--yes")
    assert "HTTP 404" in operator.run("objectstore", "show", project, status=1)
    assert "HTTP 404" in operator.run("admin", "refresh", project, status=1)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_names_of_nothing(operator: Operator, name: str) -> None:
    before = world(operator)
    for command in (
        ("enable", name),
        ("allocations", name, "1", "--yes"),
        ("vms", "shutdown", name, "--all", "--yes"),
        ("vms", "remove", POOL, name, "--yes"),
        ("vms", "reset-override-state", POOL, name),
        ("refresh", name),
    ):
        told = operator.run("admin", *command, status=1)
        assert "\x1b" not in told
    operator.run("admin", "enable", "", status=2)
    assert world(operator) == before


def test_bad_comments(operator: Operator) -> None:
    for comment in ("x" * 501, "a\nb", "\x1b[2J"):
        told = operator.run("admin", "disable", POOL, "-C", comment, status=1)
        assert "cannot take the comment" in told
    assert operator.lab.get(f"/clusters/{POOL}.json")["enabled"] is True


def test_nobody_there(operator: Operator) -> None:
    url = ("--api-url", f"http://127.0.0.1:{free_port()}")
    for command in (
        ("enable", POOL),
        ("vms", "shutdown", POOL, "--all", "--yes"),
        ("limits", "list"),
        ("reconfig",),
        ("quick-shutdown", "--yes"),
    ):
        assert "cannot reach the API" in operator.run("admin", *command, *url, status=3)


def world(operator: Operator) -> Any:
    """What could have been changed. A worker that was forgotten announces itself again when it likes."""
    pools = operator.lab.get("/v1/device-pools")["device_pools"]
    known = [item["id"] for item in operator.vms() if item["state"] != "ANNOUNCED"]
    return [(p["name"], p["disabled"], p["max_devices"]) for p in pools], known
