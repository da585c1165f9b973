"""A web cluster on three real hosts: everything changes under load, and no client notices."""

import shutil
import ssl
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.netlab import require_namespaces
from tests.support.ports import wait_until
from tests.support.weblab import MEMBER, MEMBERS, SHARED, WEB, WebLab, WebLoad, websocket

pytestmark = pytest.mark.load
SHOP = "/v1/webclusters/shop"
TAKEOVER = 10.0  # it takes one to two where the machine has time


@pytest.fixture
def shared() -> bool:
    return False


@pytest.fixture
def lab(tmp_path: Path, shared: bool) -> Iterator[WebLab]:
    require_namespaces()
    sockets = Path(tempfile.mkdtemp(prefix="lb"))
    found = WebLab(tmp_path, sockets, shared=shared)
    try:
        found.start()
        yield found
    finally:
        found.tell()
        found.close()
        shutil.rmtree(sockets, ignore_errors=True)


def set_up(lab: WebLab, files: Path, **fields: object) -> None:
    """Web1 and web2 serve TLS, three members, a directory, JSON and a web socket."""
    (files / "a.txt").write_text("a file")
    issued = lab.authority.issue("shop")
    lab.call(
        "POST", "/v1/webclusters", {"name": "shop", "tcp_port": WEB, **lab.tls(issued), **fields}
    )
    lab.service("/", type="reverseproxy", members=lab.members())
    lab.service("/files", type="static", directory=str(files))
    lab.service("/json", type="json", value={"nodes": [1, None]})
    echo = {"address": lab.net.address("members"), "port": MEMBER + MEMBERS}
    lab.service("/ws", type="websocket-reverseproxy", members=[echo])
    for node in ("web1", "web2"):
        lab.call("POST", f"{SHOP}/nodes", {"node": node})
    lab.call("POST", f"{SHOP}/start")
    lab.wait(lab.settled, "a cluster that runs")


def trusted(lab: WebLab) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(lab.authority.ca))
    context.check_hostname = False
    return context


def test_nothing_fails_while_everything_changes(lab: WebLab, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    set_up(lab, files)
    assert websocket(lab, lab.net.address("web1"), trusted(lab)) == b"ping"
    targets = lab.active()
    assert targets == [lab.net.address("web1"), lab.net.address("web2")]
    with WebLoad(lab, lambda: targets, ["/", "/x", "/files/a.txt", "/json"]) as load:
        added = lab.service("/more", type="json", value=1)
        lab.wait(lab.settled, "a service more")
        lab.call("DELETE", f"{SHOP}/services/{added['oid']}")
        lab.wait(lab.settled, "a service less")
        lab.call("PATCH", SHOP, lab.tls(lab.authority.issue("shop")))
        lab.wait(lab.settled, "another certificate")
        lab.call("POST", f"{SHOP}/nodes", {"node": "web3", "standby": True})
        lab.wait(lab.settled, "a standby")
        assert lab.net.address("web3") not in lab.active()
        lab.call("POST", "/v1/devices/web1/evacuate")
        lab.wait(lambda: lab.net.address("web3") in lab.active(), "the standby in its place")
        targets = lab.active()
        lab.wait(lambda: lab.net.address("web1") not in lab.active(), "that web1 lets go")
        targets = lab.active()
        lab.wait(lab.settled, "a cluster that runs")
        time.sleep(1)  # some more requests to those that serve now
    assert load.failures == []
    assert load.total > 500
    assert set(load.counts) == {"/ 200", "/x 200", "/files/a.txt 200", "/json 200"}


@pytest.mark.parametrize("shared", [True])
def test_a_shared_address_is_answered_again_when_its_host_dies(lab: WebLab, tmp_path: Path) -> None:
    """By the other node at once, with no controller's help; and then a standby takes the dead one's place."""
    files = tmp_path / "files"
    files.mkdir()
    set_up(lab, files, tcp_interface=SHARED)
    lab.call("POST", f"{SHOP}/nodes", {"node": "web3", "standby": True})
    lab.wait(lab.settled, "a standby")
    lab.wait(lambda: lab.is_answered(SHARED), "the shared address")
    with WebLoad(lab, lambda: [SHARED], ["/", "/files/a.txt", "/json"]) as load:
        lab.service("/more", type="json", value=1)
        lab.wait(lab.settled, "a service more")
        lab.call("PATCH", SHOP, lab.tls(lab.authority.issue("shop")))
        lab.wait(lab.settled, "another certificate")
    assert load.failures == []
    assert load.total > 100
    assert lab.holder() in ("web1", "web2")
    dead = lab.holder()
    lab.stop(dead)
    killed = time.monotonic()
    wait_until(lambda: lab.is_answered(SHARED), timeout=TAKEOVER, what="the other node")
    print(f"answered again after {time.monotonic() - killed:.2f} s")  # noqa: T201 - a figure
    lab.wait(lambda: lab.net.address("web3") in lab.active(), "the standby in its place")
    lab.wait(lambda: lab.shop()["status"] == "RUNNING", "a cluster that runs")
    assert len(set(lab.active()) - {lab.net.address(dead)}) == 2
    events = lab.call("GET", "/v1/events")["events"]
    assert sum(item["kind"] == "on_webcluster_node_promoted" for item in events) == 1
    assert lab.is_answered(SHARED)
