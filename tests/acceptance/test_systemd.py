"""The units under a really booted systemd: started on a fresh host, killed, hung, reloaded, stopped, rebooted."""

import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import hangingprovider
from tests.support.load import Load
from tests.support.programs import find_program
from tests.support.sddevice import (
    CONTROLLER,
    HAPROXY,
    KEEPALIVED,
    PORT,
    STATE,
    WORKER,
    Api,
    Device,
)
from tests.support.sdlab import require_systemd
from tests.support.second import listener, loadbalancer, node, pool
from tests.support.second import update as second_update
from tests.support.web import WebServer, get

pytestmark = pytest.mark.systemd

ROOT = Path(__file__).parents[2]
ETC = ROOT / "etc"
NEEDED = {
    "gearmand": "gearman-job-server",
    "gearman": "gearman-tools",
    "haproxy": "haproxy",
    "keepalived": "keepalived",
    "logrotate": "logrotate",
    "rsyslogd": "rsyslog",
    f"python3.{sys.version_info.minor}": "python3",
}


def update(*servers: WebServer) -> dict[str, object]:
    nodes = [{"address": "127.0.0.1", "port": server.port} for server in servers]
    return {"loadbalancers": [{"id": "15", "protocol": "HTTP", "port": PORT, "nodes": nodes}]}


@pytest.fixture(scope="module")
def device() -> Iterator[Device]:
    """Fresh: nothing has ever run on it."""
    require_systemd()
    for name, package in NEEDED.items():
        find_program(name, package=package)
    packages = Path(sysconfig.get_path("purelib"))
    binds = {ROOT: "/srv/checkout", packages: "/srv/packages"}
    with Device("libra", binds=binds, wanted=["rsyslog.service"]) as host, host.network():
        host.install()
        host.start_gearmand()
        yield host


@pytest.fixture(scope="module")
def served(device: Device) -> Iterator[list[WebServer]]:
    """Both units enabled and started, and an UPDATE that came over the job server."""
    with WebServer("one") as one, WebServer("two") as two:
        device.run(f"systemctl enable --now {WORKER} {HAPROXY}")
        assert device.ask("UPDATE", **update(one, two))["hpcs_response"] == "PASS"
        yield [one, two]


def test_a_fresh_host(device: Device, served: list[WebServer]) -> None:
    assert device.show(WORKER, "ActiveState") == "active"
    device.wait_state(HAPROXY, "active")  # it may be amid the reload of its UPDATE
    assert device.show(WORKER, "StatusText") == (
        "registered at 1 of 1 job servers; the proxy is as saved"
    )
    assert {get(PORT)[1] for _ in range(4)} == {"one", "two"}
    assert device.ask("STATS")["loadbalancers"][0]["id"] == "15"
    assert device.show(WORKER, "NRestarts") == device.show(HAPROXY, "NRestarts") == "0"
    assert "libra" in device.run(f"ps -o user= -p {device.pid(WORKER)}")


def test_a_killed_worker_comes_back_and_no_client_notices(
    device: Device, served: list[WebServer]
) -> None:
    before, proxy = device.pid(WORKER), device.pid(HAPROXY)
    with Load(PORT) as load:
        device.run(f"kill -9 {before}")
        device.wait(lambda: device.pid(WORKER) not in (0, before), "a new worker")
        device.wait_state(WORKER, "active")
        assert device.ask("STATS")["hpcs_response"] == "PASS"
    assert load.failures == []
    assert load.total > 0
    assert device.pid(HAPROXY) == proxy


def test_a_hung_worker_is_replaced_and_no_client_notices(
    device: Device, served: list[WebServer]
) -> None:
    before = device.pid(WORKER)
    with Load(PORT) as load:
        device.run(f"kill -STOP {before}")
        device.wait(lambda: device.pid(WORKER) not in (0, before), "a new worker")
        device.wait_state(WORKER, "active")
        assert device.ask("DISCOVER")["hpcs_response"] == "PASS"
    assert load.failures == []
    assert "Watchdog timeout" in device.run(f"journalctl --no-pager -u {WORKER}")


@pytest.mark.parametrize("process", ["master", "worker"])
def test_a_killed_haproxy_comes_back(device: Device, served: list[WebServer], process: str) -> None:
    worker, before = device.pid(WORKER), device.pid(HAPROXY)
    victim = before if process == "master" else f"$(pgrep -P {before})"
    device.run(f"kill -9 {victim}")
    device.wait(lambda: device.pid(HAPROXY) not in (0, before), "a new HAProxy")
    device.wait(device.is_served, "traffic")
    assert device.ask("STATS")["hpcs_response"] == "PASS"
    assert device.ask("UPDATE", **update(*served))["hpcs_response"] == "PASS"
    assert device.pid(WORKER) == worker


def test_a_reload_of_the_settings(device: Device, served: list[WebServer]) -> None:
    worker, proxy = device.pid(WORKER), device.pid(HAPROXY)
    device.configure(haproxy={"extra_global": ["tune.bufsize 32768"]})
    with Load(PORT) as load:
        device.run(f"systemctl reload {WORKER}")
        device.wait(lambda: "tune.bufsize 32768" in device.haproxy_cfg(), "the new settings")
    assert load.failures == []
    assert (device.pid(WORKER), device.pid(HAPROXY)) == (worker, proxy)
    device.configure(haproxy={"extra_global": ["tune.bufsise 1"]})
    device.run(f"systemctl reload {WORKER}")
    device.wait(
        lambda: "the new settings are refused" in device.show(WORKER, "StatusText"), "a refusal"
    )
    assert "tune.bufsise" in device.run(f"journalctl --no-pager -n 20 -u {WORKER}")
    assert device.ask("UPDATE", **update(*served))["hpcs_response"] == "PASS"
    device.configure()
    device.run(f"systemctl reload {WORKER}")
    device.wait(lambda: "tune.buf" not in device.haproxy_cfg(), "the first settings")


def test_a_reload_of_haproxy(device: Device, served: list[WebServer]) -> None:
    with Load(PORT) as load:
        device.run(f"systemctl reload {HAPROXY}")
        assert device.ask("STATS")["hpcs_response"] == "PASS"
    assert load.failures == []
    device.wait_state(HAPROXY, "active")


def test_the_access_log_is_written_rotated_and_archived_from(
    device: Device, served: list[WebServer]
) -> None:
    log = "/var/log/libra/haproxy.log"
    device.run("systemctl restart rsyslog")  # it was there before its file
    get(PORT, "/before-rotation")
    device.wait(lambda: "/before-rotation" in device.run(f"cat {log}", check=False), "the line")
    assert device.run(f"stat -c '%U:%G %a' {log}") == "libra:libra 640\n"
    device.run("logrotate --force /etc/logrotate.d/libra")
    get(PORT, "/after-rotation")
    device.wait(lambda: "/after-rotation" in device.run(f"cat {log}", check=False), "the line")
    assert "/before-rotation" in device.run(f"cat {log}.1")
    assert "/before-rotation" not in device.run(f"cat {log}")
    assert "-rotation" not in device.run("cat /var/log/syslog /var/log/haproxy.log", check=False)
    archived = device.ask(
        "ARCHIVE",
        hpcs_object_store_type="memory",
        hpcs_object_store_basepath="logs",
        hpcs_object_store_endpoint="https://example.com/v1/100",
        hpcs_object_store_token="token",
        loadbalancers=[{"id": "15", "protocol": "HTTP"}],
    )
    assert archived["hpcs_response"] == "PASS", archived["hpcs_error"]
    assert archived["hpcs_object_store_lines"] >= 2


def test_a_stopped_worker_leaves_traffic_alone(device: Device, served: list[WebServer]) -> None:
    with Load(PORT) as load:
        device.run(f"systemctl stop {WORKER}")
        assert device.show(WORKER, "ActiveState") == "inactive"
        assert device.show(WORKER, "Result") == "success"
        device.run(f"systemctl start {WORKER}")
        assert device.ask("DISCOVER")["hpcs_response"] == "PASS"
    assert load.failures == []


def test_a_stopped_haproxy_is_told_of_and_comes_back_as_it_was(
    device: Device, served: list[WebServer]
) -> None:
    device.run(f"systemctl stop {HAPROXY}")
    assert "systemctl start libra-haproxy" in device.ask("SUSPEND")["hpcs_error"]
    assert device.ask("STATS")["hpcs_response"] == "FAIL"
    assert device.ask("DISCOVER")["hpcs_response"] == "PASS"
    device.run(f"systemctl start {HAPROXY}")
    device.wait(device.is_served, "traffic")
    device.wait(
        lambda: device.show(WORKER, "StatusText").endswith("the proxy is as saved"), "all well"
    )


def test_settings_at_fault_are_not_tried_again_and_again(
    device: Device, served: list[WebServer]
) -> None:
    device.configure(worker={"nam": "web1"})
    device.run(f"systemctl restart {WORKER}", check=False)
    device.wait_state(WORKER, "failed")
    assert "worker.nam" in device.run(f"journalctl --no-pager -n 20 -u {WORKER}")
    assert device.is_served()
    device.configure()
    device.run(f"systemctl start {WORKER}")
    assert device.ask("STATS")["hpcs_response"] == "PASS"


def test_the_drop_in_lets_the_worker_put_on_addresses(
    device: Device, served: list[WebServer]
) -> None:
    device.run(
        "ip link add eth7 type veth peer name eth8; ip link set eth7 up; ip link set eth8 up"
    )
    device.run("ip addr add 10.78.0.1/24 dev eth7")
    device.configure(vip={"adapter": "interface", "networks": ["10.78.0.64/26"]})
    device.run(
        f"cp /srv/checkout/etc/systemd/libra-worker-addresses.conf /etc/systemd/system/{WORKER}.d"
        f" && systemctl daemon-reload && systemctl restart {WORKER}"
    )
    message = update(*served)
    balancer = {**message["loadbalancers"][0], "bind_address": "10.78.0.70"}  # type: ignore[index]
    reply = device.ask("UPDATE", loadbalancers=[balancer])
    assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]
    assert "10.78.0.70/32" in device.run("ip addr show dev eth7")
    assert "not told" not in device.run(f"journalctl --no-pager -u {WORKER}")
    assert device.ask("UPDATE", **message)["hpcs_response"] == "PASS"
    assert "10.78.0.70" not in device.run("ip addr show dev eth7")
    device.configure()
    device.run(f"rm /etc/systemd/system/{WORKER}.d/libra-worker-addresses.conf")
    device.run(f"systemctl daemon-reload && systemctl restart {WORKER}")
    assert device.ask("STATS")["hpcs_response"] == "PASS"


def test_a_ping_takes_a_setting_of_the_host(device: Device, served: list[WebServer]) -> None:
    """And no more: the worker has no capability. Who is down stays so when it is killed."""
    device.run("sysctl -q -w net.ipv4.ping_group_range='1 0'")
    monitor = {"type": "PING", "delay": 1, "timeout": 1, "attempts": 1}
    one, two = served
    nodes = (
        node("one", one.port),
        node("two", two.port, monitor_address="192.0.2.1"),  # there is no way to it
    )
    parts = [listener("li", PORT, pool="p")], [pool("p", *nodes, monitor=monitor)]
    message = second_update(loadbalancer("15", *parts))
    fields = {name: value for name, value in message.items() if name != "hpcs_action"}
    refused = device.ask("UPDATE", **fields)["hpcs_error"]
    assert "sysctl -w net.ipv4.ping_group_range" in refused
    assert get(PORT)[0] == 200
    device.run("cp /srv/checkout/etc/sysctl.d/60-libra-ping.conf /etc/sysctl.d")
    device.run("sysctl -q -p /etc/sysctl.d/60-libra-ping.conf")
    reply = device.ask("UPDATE", **fields)
    assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]

    def checks() -> list[tuple[str, str | None]]:
        nodes = device.ask("STATS")["loadbalancers"][0]["nodes"]
        return [(item["status"], item["last_check"]) for item in nodes]

    device.wait(lambda: checks() == [("UP", "L3OK"), ("DOWN", "L3CON")], "the first pings")
    before = device.pid(WORKER)
    device.run(f"kill -9 {before}")
    assert {get(PORT)[1] for _ in range(9)} == {"one"}
    device.wait(lambda: device.pid(WORKER) not in (0, before), "a new worker")
    device.wait_state(WORKER, "active")
    assert {get(PORT)[1] for _ in range(9)} == {"one"}
    device.wait(lambda: checks() == [("UP", "L3OK"), ("DOWN", "L3CON")], "pings again")
    assert device.ask("UPDATE", **update(*served))["hpcs_response"] == "PASS"


@pytest.fixture
def shared(device: Device, served: list[WebServer]) -> Iterator[Device]:
    """Set up for addresses that hosts share; there is no other host."""
    device.run(
        "ip link add eth5 type veth peer name eth6; ip link set eth5 up; ip link set eth6 up"
    )
    device.run("ip addr add 10.79.0.1/24 dev eth5")
    vrrp = {"interface": "eth5"}
    device.configure(vip={"adapter": "keepalived", "networks": ["10.79.0.0/24"], "vrrp": vrrp})
    device.run("cp /srv/checkout/etc/sysctl.d/60-libra-shared-addresses.conf /etc/sysctl.d")
    device.run("sysctl -q -p /etc/sysctl.d/60-libra-shared-addresses.conf")
    device.run(
        f"cp /srv/checkout/etc/systemd/libra-worker-shared-addresses.conf /etc/systemd/system/{WORKER}.d"
        f" && systemctl daemon-reload && systemctl restart {WORKER}"
    )
    device.run(f"systemctl enable --now --no-block {KEEPALIVED}")
    yield device
    device.configure()
    device.run(f"systemctl disable --now {KEEPALIVED}")
    device.run(f"rm /etc/systemd/system/{WORKER}.d/libra-worker-shared-addresses.conf")
    device.run(f"systemctl daemon-reload && systemctl restart {WORKER}")
    assert device.ask("UPDATE", **update(*served))["hpcs_response"] == "PASS"


def test_keepalived_runs_without_root(shared: Device, served: list[WebServer]) -> None:
    def has(address: str) -> bool:
        return f"{address}/32" in shared.run("ip addr show dev eth5")

    message = update(*served)
    balancer = {**message["loadbalancers"][0], "bind_address": "10.79.0.70"}  # type: ignore[index]
    reply = shared.ask("UPDATE", loadbalancers=[balancer])
    assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]
    shared.wait(lambda: has("10.79.0.70"), "the address")
    before = shared.pid(KEEPALIVED)
    assert "libra" in shared.run(f"ps -o user= -p {before}")
    shared.run(f"systemctl restart {WORKER}")
    balancer = {**balancer, "bind_address": "10.79.0.71"}
    reply = shared.ask("UPDATE", loadbalancers=[balancer])
    assert reply["hpcs_response"] == "PASS", reply["hpcs_error"]
    shared.wait(lambda: has("10.79.0.71") and not has("10.79.0.70"), "the other address")
    assert shared.pid(KEEPALIVED) == before
    shared.run(f"systemctl stop {HAPROXY}")
    shared.wait(lambda: not has("10.79.0.71"), "the address to be given up")
    shared.run(f"systemctl start {HAPROXY}")
    shared.wait(lambda: has("10.79.0.71"), "the address again")
    shared.run(f"systemctl kill -s KILL {KEEPALIVED}")
    shared.wait(lambda: shared.pid(KEEPALIVED) not in (0, before), "another keepalived")
    shared.wait(lambda: has("10.79.0.71"), "the address again")
    assert shared.ask("UPDATE", **message)["hpcs_response"] == "PASS"
    shared.wait(lambda: not has("10.79.0.71"), "the address to be given up")
    assert "setgroups" not in shared.run(f"journalctl --no-pager -u {KEEPALIVED}")


@pytest.fixture(scope="module")
def api(device: Device) -> Iterator[Api]:
    """The controller started, which restarts at once where it hangs."""
    packages = device.run(
        "/opt/libra/bin/python -c 'import sysconfig as s; print(s.get_path(\"purelib\"))'"
    )
    for path, text in hangingprovider.files(packages.strip()).items():
        device.write(path, text)
    device.write(f"/etc/systemd/system/{CONTROLLER}.d/test.conf", "[Service]\nWatchdogSec=6s\n")
    device.configure(
        manager={"hung_seconds": 3, "probe_seconds": 0.5},
        providers={"local_driver": "noop"},
        admin={"require_comment": True},
    )
    device.run(f"systemctl daemon-reload && systemctl start {CONTROLLER}")
    yield Api(device)
    device.run(f"systemctl stop {CONTROLLER}", timeout=120)
    device.configure()


def test_a_controller_with_a_loop_that_hangs_is_replaced(device: Device, api: Api) -> None:
    api.make_pool("other", provider=hangingprovider.NAME)
    before = device.pid(CONTROLLER)
    device.run(f"touch {hangingprovider.SWITCH}")
    device.wait(lambda: device.pid(CONTROLLER) not in (0, before), "a new controller")
    device.run(f"rm {hangingprovider.SWITCH}")
    device.wait_state(CONTROLLER, "active")
    journal = device.run(f"journalctl --no-pager -u {CONTROLLER}")
    assert "the watchdog is not answered" in journal
    assert "the loop 'pools' hangs" in journal
    assert "Watchdog timeout" in journal
    device.wait(lambda: api.call("GET", "/readyz").status_code == 200, "it to be ready")


def test_devices_of_a_controller_go_with_its_stop_and_with_nothing_else(
    device: Device, api: Api
) -> None:
    def worker() -> str:
        """Not by its command line, which is that of who waits for its start, too."""
        lock = f"{STATE}/devices/edge-1/state/worker.lock"
        return device.run(f"pid=$(cat {lock}) && kill -0 $pid && echo $pid", check=False).strip()

    api.make_pool("edge", provider="local", min_spare=1)
    device.wait(lambda: api.states("edge") == ["SPARE"], "a spare")
    first, before = worker(), device.pid(CONTROLLER)
    device.run(f"kill -9 {before}")
    device.wait(lambda: device.pid(CONTROLLER) not in (0, before), "a new controller")
    device.wait_state(CONTROLLER, "active")
    assert worker() == first
    assert api.call("POST", "/?action=quick_shutdown").status_code == 400  # it wants a comment
    order = {"action": "quick_shutdown", "comment": "a new kernel"}
    assert api.call("POST", "/", data=order).status_code == 200
    device.wait_state(CONTROLLER, "inactive")
    assert device.show(CONTROLLER, "Result") == "success"
    assert worker() == first
    device.run(f"systemctl start {CONTROLLER}")
    device.wait(lambda: api.states("edge") == ["SPARE"], "the same spare")
    assert worker() == first
    device.run(f"systemctl stop {CONTROLLER}", timeout=120)
    assert device.show(CONTROLLER, "Result") == "success"
    assert device.run("pgrep -f '[e]dge-1/worker.yaml'", check=False) == ""
    assert device.run(f"ls {STATE}/devices") == ""
    device.run(f"systemctl start {CONTROLLER}")
    device.wait(lambda: api.states("edge") == ["SPARE"], "it again")
    device.wait(worker, "its worker")


def test_after_a_power_cut_everything_is_as_before_without_any_job(
    device: Device, served: list[WebServer]
) -> None:
    device.crash()
    device.start()
    with device.network(), WebServer("three", served[0].port):
        device.wait(device.is_served, "traffic")
        assert get(PORT)[1] == "three"
