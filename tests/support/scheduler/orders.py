"""What is ordered: first what leaves every device where it is, then what takes some away."""

import json
import logging

from libra.logs import VERBOSE
from libra.providers.local import create_provider
from tests.support.control import LBAAS
from tests.support.scheduler.walk import POOL, USER, Walk, asks

ACCOUNT = {"store": "memory", "auth_url": "http://127.0.0.1:1/v1", "user": "a:b", "key": "c"}


@asks("GET /cloud-aliases")
def aliases(walk: Walk, url: str) -> None:
    assert json.loads(walk.get(url)) == {}


@asks("POST /cloud-aliases")
def reload_aliases(walk: Walk, request: str) -> None:
    file = walk.directory / "aliases.json"
    file.write_text(json.dumps({"west": [POOL]}))
    assert walk.order(request) == {"west": [POOL]}
    file.write_text("{")
    assert "cannot" in walk.order(request, 400)["faultstring"]
    assert walk.lab.get("/cloud-aliases.json") == {"west": [POOL]}


@asks("GET /user-limits")
def limits(walk: Walk, url: str) -> None:
    assert json.loads(walk.get(url)) == {}


@asks("POST /user-limits")
def reload_limits(walk: Walk, request: str) -> None:
    file = walk.directory / "limits.json"
    file.write_text(json.dumps({"p9": 2}))
    assert walk.order(request) == {"p9": 2}
    file.write_text(json.dumps({"p9": "many"}))
    assert "cannot" in walk.order(request, 400)["faultstring"]
    assert walk.lab.get("/user-limits.json") == {"p9": 2}


@asks("POST /users/USER?refresh=job_proxy", "POST /users/USER?refresh=vm_proxy")
def refresh(walk: Walk, request: str) -> None:
    path = request.split()[1].partition("?")[0].removeprefix("/users/")
    walk.lab.client.put(f"/v1/objectstores/{path}", json=ACCOUNT)
    shown = walk.order(request)
    assert (shown["user"], shown["refresh"]) == (USER, request.rpartition("=")[2])


@asks("PUT /?log_level=LOG_LEVEL")
def log_level(walk: Walk, request: str) -> None:
    assert walk.order(request) == {"log_level": "VERBOSE"}
    assert logging.getLogger("libra").level == VERBOSE
    for query in ("", "?log_level=", "?log_level=loud", "?level=debug"):
        assert walk.lab.client.put(f"/{query}").status_code == 400
    assert logging.getLogger("libra").level == VERBOSE


@asks("POST /?action=reconfig")
def reconfig(walk: Walk, request: str) -> None:
    """With the file as it was, with another level of the log, and with a fault in it."""
    before = (walk.pool(), sorted(walk.devices()))
    assert walk.order(request) == {"changed": [], "needs_restart": []}
    walk.write_settings(level="debug")
    assert walk.order(request) == {"changed": ["logging.level"], "needs_restart": []}
    assert walk.json("/cloud/config")["logging"]["level"] == "debug"
    walk.write_settings(levle="info")
    assert "levle" in walk.order(request, 400)["faultstring"]
    assert walk.json("/cloud/config")["logging"]["level"] == "debug"
    assert (walk.pool(), sorted(walk.devices())) == before
    assert walk.lab.client.post("/?action=other").status_code == 400


@asks("PUT /clouds/CLOUD?action=disable")
def disable(walk: Walk, request: str) -> None:
    assert walk.order(request)["enabled"] is False
    assert walk.pool()["disabled"] is True
    assert "disabled" in walk.order_text(request)


@asks("PUT /clouds/CLOUD?action=enable")
def enable(walk: Walk, request: str) -> None:
    assert walk.order(request)["enabled"] is True
    assert walk.pool()["disabled"] is False


@asks("PUT /clouds/CLOUD/vms/VMID?action=reset_override_state")
def reset(walk: Walk, request: str) -> None:
    lab = walk.lab
    lab.delete(f"{LBAAS}/loadbalancers/{walk.made}?cascade=true")
    lab.wait(lambda: "ASSIGNED" not in str(walk.devices()), "an empty pool")
    lab.post("/v1/devices/edge-1/evacuate", {}, 202)
    assert walk.devices()["edge-1"]["state"] == "DRAINING"
    assert walk.json("/vms?metric=all")["Retiring"] == 1
    walk.order(request)
    walk.wait_names(3)


# What takes devices away: first those whose hosts go on, and are met again.


@asks("DELETE /clouds/CLOUD/vms", "PUT /clouds/CLOUD/vms?action=remove&count=all")
def remove_all(walk: Walk, request: str) -> None:
    walk.keep(0)
    assert walk.order(request)["accepted"] == 3
    assert walk.devices() == {}, walk.devices()
    assert walk.directories() == ["edge-1", "edge-2", "edge-3"]
    missing = walk.json("/vms?metric=missing")["missing"]
    assert [item["name"] for item in missing] == walk.directories()
    walk.adopt(*walk.directories())


@asks("DELETE /clouds/CLOUD/vms/VMID", "PUT /clouds/CLOUD/vms/VMID?action=remove")
def remove_one(walk: Walk, request: str) -> None:
    walk.keep(0)
    walk.order(request)
    assert sorted(walk.devices()) == ["edge-2", "edge-3"]
    assert walk.directories() == ["edge-1", "edge-2", "edge-3"]
    walk.order(request, 404)
    walk.adopt("edge-1")


@asks("POST /clouds/CLOUD/vms/VMID?action=force_retire")
def retire_one(walk: Walk, request: str) -> None:
    walk.keep(0)
    walk.order(request)
    walk.wait_gone("edge-2", "edge-3")


@asks("PUT /clouds/CLOUD?allocations=NUMBER")
def allocate(walk: Walk, request: str) -> None:
    shown = walk.order(request)
    assert (shown["allocations"], shown["before"], len(shown["drained"])) == (1, None, 1)
    walk.lab.wait(lambda: len(walk.devices()) == 1, "one device")
    assert walk.pool()["max_devices"] == 1
    assert len(walk.directories()) == 1
    walk.lab.client.put(f"/clouds/{POOL}?allocations=none").raise_for_status()


@asks(
    "PUT /clouds/CLOUD/vms?action=shutdown&count=NUMBER",
    "POST /clouds/CLOUD/vms?action=force_retire&count=NUMBER",
    "PUT /clouds/CLOUD/vms?action=force_retire&count=NUMBER",
    "PUT /clouds/CLOUD/vms?action=shutdown",
    "POST /clouds/CLOUD/vms?action=force_retire",
    "PUT /clouds/CLOUD/vms?action=shutdown&count=all",
    "POST /clouds/CLOUD/vms?action=force_retire&count=all",
)
def end_some(walk: Walk, request: str) -> None:
    """There is one, so that one and all are the same; the first of them finds the one that is left."""
    if not walk.devices():
        walk.keep(1)
    walk.keep(0)
    assert walk.order(request)["accepted"] == 1
    walk.wait_gone()
    assert walk.order(request)["vms"] == []


@asks(
    "PUT /clouds/CLOUD/vms/VMID?action=shutdown", "PUT /clouds/CLOUD/vms/VMID?action=force_retire"
)
def end_one(walk: Walk, request: str) -> None:
    walk.keep(1)
    walk.keep(0)
    walk.order(request)
    walk.wait_gone()


@asks("POST /?action=quick_shutdown")
def quick_shutdown(walk: Walk, request: str) -> None:
    """The last: its device runs on, and is known at the next start."""
    walk.keep(1)
    device = walk.devices()["edge-1"]["id"]
    walk.order(request)
    assert walk.lab.ended.is_set()  # which a daemon waits for
    walk.lab.stop_controller()
    provider = create_provider(walk.lab.settings, POOL)
    assert [host.name for host in provider.list()] == ["edge-1"]
    walk.lab.start_controller()
    walk.lab.client = walk.lab.client_with(walk.lab.secret)
    walk.wait_names(1)
    assert walk.devices()["edge-1"]["id"] == device
