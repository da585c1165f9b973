"""libra below /opt of a booted host, as its guide says, and a gearmand beside it."""

import json
import sys
from collections.abc import Callable
from typing import Any

import httpx
import yaml

from tests.support.ports import wait_until
from tests.support.sdlab import SystemdHost
from tests.support.web import NOBODY, get

WORKER = "libra-worker.service"
HAPROXY = "libra-haproxy.service"
KEEPALIVED = "libra-keepalived.service"
CONTROLLER = "libra-controller.service"
STATE = "/var/lib/libra-controller"
PORT = 80  # below 1024: only with the capability
WAIT = 60.0
INSTALL = """
set -e
python3.{minor} -m venv --without-pip /opt/libra
echo /srv/packages > "$(/opt/libra/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/packages.pth"
mkdir /opt/src /etc/libra
cp -r /srv/checkout/libra /srv/checkout/setup.cfg /srv/checkout/pyproject.toml /srv/checkout/LICENSE /opt/src
touch /opt/src/README.md
/opt/libra/bin/python -m pip install -q --no-index --no-deps --no-build-isolation --ignore-installed /opt/src
cd /srv/checkout/etc
cp systemd/* /etc/systemd/system/
cp sysusers.d/* /usr/lib/sysusers.d/
cp rsyslog.d/* /etc/rsyslog.d/
cp logrotate.d/libra /etc/logrotate.d/
systemd-sysusers
systemctl daemon-reload
"""
SETTINGS = {
    "job_servers": [{"host": "127.0.0.1", "port": 4730}],
    "worker": {"name": "web1", "drain_seconds": 5},
}


class Device(SystemdHost):
    """A host with libra installed below /opt and a gearmand beside it."""

    def install(self) -> None:
        self.run(INSTALL.format(minor=sys.version_info.minor))
        self.settings = SETTINGS
        self.configure()
        # The unit's own half minute is longer than a test wants to wait.
        self.write(f"/etc/systemd/system/{WORKER}.d/test.conf", "[Service]\nWatchdogSec=2s\n")
        self.run("systemctl daemon-reload")

    def configure(self, **sections: object) -> None:
        self.write("/etc/libra/libra.yaml", yaml.safe_dump({**SETTINGS, **sections}))

    def start_gearmand(self) -> None:
        self.run(
            "systemd-run -q --unit=gearmand gearmand --listen 127.0.0.1 --log-file none"
            " --pid-file /run/gearmand.pid --user root"
        )

    def show(self, unit: str, name: str) -> str:
        return self.run(f"systemctl show --value -p {name} {unit}").strip()

    def pid(self, unit: str) -> int:
        return int(self.show(unit, "MainPID"))

    def ask(self, action: str, **fields: object) -> Any:
        """The reply to one job, by a client that was not written here."""
        message = json.dumps({"hpcs_action": action, **fields})
        return json.loads(self.run("timeout 20 gearman -f web1", text=message))

    def haproxy_cfg(self) -> str:
        """What is installed; `systemctl reload` returns before the worker has read its settings."""
        return self.run("cat /var/lib/libra/haproxy/haproxy.cfg")

    def wait_state(self, unit: str, state: str) -> None:
        self.wait(lambda: self.show(unit, "ActiveState") == state, f"{unit} {state}")

    def wait(self, condition: Callable[[], object], what: str) -> None:
        try:
            wait_until(condition, timeout=WAIT, what=what)
        except AssertionError as error:
            journal = self.run(
                f"journalctl -n 60 --no-pager -u {WORKER} -u {HAPROXY} -u {KEEPALIVED} -u {CONTROLLER}"
            )
            raise AssertionError(f"{error}\n{journal}") from None

    def is_served(self) -> bool:
        try:
            return get(PORT)[0] == 200
        except OSError:
            return False


class Api:
    """Of the controller on that host, as its administrator."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def call(self, method: str, path: str, **fields: Any) -> httpx.Response:
        headers = {"X-Auth-Token": self.device.run(f"cat {STATE}/admin-token").strip()}
        url = f"http://127.0.0.1:8111{path}"
        return httpx.request(method, url, headers=headers, verify=NOBODY, timeout=WAIT, **fields)

    def states(self, pool: str) -> list[str]:
        """Of its devices; none where nobody answers, as while a controller is started again."""
        try:
            listed = self.call("GET", "/v1/devices").json()["devices"]
        except httpx.TransportError:
            return []
        return [one["state"] for one in listed if one["name"].startswith(f"{pool}-")]

    def make_pool(self, name: str, **fields: Any) -> None:
        assert self.call("POST", "/v1/device-pools", json={"name": name, **fields}).is_success
