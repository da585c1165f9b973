"""The controller that is tested, and what the suite has to know of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import yaml

from tests.support.ports import accepts, free_port, wait_until

HOST = "127.0.0.1"
# The addresses that the suite asks for are of this network.
ADDRESSES = "198.18.33.0/24"
# Their names are words of the suite's.
PEOPLE = (
    ("primary", "member", ["member"]),
    ("admin", "admin", ["admin"]),
    ("lb_admin", "admin", ["load-balancer_admin"]),
    ("lb_member", "member", ["load-balancer_member"]),
    ("lb_member2", "member", ["load-balancer_member"]),
)


@dataclass(frozen=True)
class Tested:
    """`directory` is for what the suite is given."""

    client: httpx.Client
    port: int
    network: str
    directory: Path

    def lay_out(self, module: str) -> Path:
        """A directory with the suite's settings, with people of its own, so that modules may run beside each other."""
        place = self.directory / module
        (place / "lock").mkdir(parents=True)
        (place / "accounts.yaml").write_text(
            yaml.safe_dump([self._account(module, *one) for one in PEOPLE])
        )
        (place / "tempest.conf").write_text(
            SETTINGS.format(place=place, port=self.port, host=HOST, providers=self._providers())
        )
        return place

    def _providers(self) -> str:
        """As the suite's settings have a mapping."""
        shown = self.client.get("/v2/lbaas/providers").raise_for_status().json()["providers"]
        return ",".join(f"{one['name']}:{one['description']}" for one in shown)

    def _account(self, module: str, name: str, role: str, roles: list[str]) -> dict[str, object]:
        project = f"{module}-{name}"
        body = {"name": project, "role": role}
        if role == "member":
            body["project_id"] = project
        made = self.client.post("/v1/tokens", json=body).raise_for_status().json()["token"]
        return {
            "username": project,
            "password": made["secret"],
            "project_name": project,
            "domain_name": "Default",
            "roles": roles,
            **({"types": ["admin"]} if name == "admin" else {}),
        }


# Certificates are made up where a provider does nothing. libra's have to be there, so that TLS is skipped.
SETTINGS = """
[DEFAULT]
log_file = {place}/tempest.log
[oslo_concurrency]
lock_path = {place}/lock
[auth]
use_dynamic_credentials = False
test_accounts_file = {place}/accounts.yaml
[identity]
uri_v3 = http://{host}:{port}/identity/v3
auth_version = v3
[network]
project_networks_reachable = True
[validation]
run_validation = False
[load_balancer]
RBAC_test_type = owner_or_admin
provider = noop
enabled_provider_drivers = {providers}
test_with_noop = True
test_with_ipv6 = False
log_user_roles = False
check_interval = 1
check_timeout = 60
lb_build_interval = 1
lb_build_timeout = 60
build_interval = 1
region =
[loadbalancer-feature-enabled]
terminated_tls_enabled = False
log_offload_enabled = False
"""


@contextmanager
def tested(directory: Path) -> Iterator[Tested]:
    """A controller with its job server, in processes of their own."""
    jobs, port = free_port(), free_port()
    token = directory / "admin-token"
    config = directory / "libra.yaml"
    settings = {
        "job_servers": [{"host": HOST, "port": jobs}],
        "controller": {"key_file": str(directory / "key"), "admin_token_file": str(token)},
        "database": {"url": f"sqlite:///{directory}/libra.db"},
        "api": {"host": HOST, "port": port},
        "address_pools": [{"name": "vip", "ranges": [ADDRESSES]}],
    }
    config.write_text(json.dumps(settings))
    programs = Path(sys.executable).parent
    commands = (
        [programs / "libra", "jobserver", "--port", str(jobs)],
        [programs / "libra-controller", "--config", config],
    )
    started: list[subprocess.Popen[bytes]] = []
    try:
        with (directory / "log").open("wb") as log:
            started.extend(subprocess.Popen(one, stdout=log, stderr=log) for one in commands)
        wait_until(lambda: token.exists() and accepts(port), what="the API")
        headers = {"X-Auth-Token": token.read_text().strip()}
        with httpx.Client(base_url=f"http://{HOST}:{port}", headers=headers, timeout=60) as client:
            (subnet,) = client.get("/v2/subnets").raise_for_status().json()["subnets"]
            yield Tested(client, port, subnet["id"], directory)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)
