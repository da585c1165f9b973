"""`libra job send --dry-run` at a worker with a HAProxy: what is told, and that nothing is touched."""

import json

import pytest
from typer.testing import Result

from libra.drivers.haproxy.master import MasterSocket
from tests.acceptance.test_worker_haproxy import Site, site
from tests.support.cli import invoke_really
from tests.support.haproxy import haproxy_binary, socket_directory

__all__ = ["haproxy_binary", "site", "socket_directory"]


def send(site: Site, action: str, *options: str, **fields: object) -> Result:
    server = f"127.0.0.1:{site.worker.ports[0]}"
    message = json.dumps(fields).encode()
    command = ("job", "send", action, "-d", site.worker.name, "-s", server, "-m", "-", *options)
    return invoke_really(*command, stdin=message)


def reloads(site: Site) -> int:
    return MasterSocket(site.master_socket).show_processes().master.reloads


def look(site: Site) -> object:
    state = site.worker.state_dir
    kept = {
        path.name: path.read_bytes() for path in (state / "haproxy.cfg", state / "desired.json")
    }
    worker = MasterSocket(site.master_socket).show_processes().workers[0].pid
    return kept, sorted(path.name for path in state.glob("haproxy.cfg*")), worker, reloads(site)


@pytest.mark.parametrize("action", ["UPDATE", "DELETE"])
def test_a_reload_is_announced_and_happens(site: Site, action: str) -> None:
    before = look(site)
    fields = site.update(algorithm="LEAST_CONNECTIONS") if action == "UPDATE" else {}
    told = send(site, action, "--dry-run", **fields)
    assert (told.exit_code, told.stderr) == (0, "")
    first, verdict, reason, *_ = told.stdout.splitlines()
    assert first.startswith(f"DRY RUN  {action} on {site.worker.name} in ")
    assert verdict == "It would be one reload, because"
    assert reason
    assert look(site) == before
    assert site.is_served()
    count = reloads(site)
    assert send(site, action, **fields).exit_code == 0
    assert reloads(site) == count + 1
    assert "It would change nothing" in send(site, action, "--dry-run", **fields).stdout


def test_a_change_at_runtime_is_announced_and_happens(site: Site) -> None:
    before = look(site)
    told = send(site, "SUSPEND", "--dry-run")
    assert told.stdout.splitlines()[1:3] == [
        "It would go live at runtime, without a reload:",
        "  refuse new connections on fe-15",
    ]
    assert "+    disabled" in told.stdout.splitlines()
    assert look(site) == before
    assert site.is_served()
    plan = json.loads(send(site, "SUSPEND", "--dry-run", "-o", "json").stdout)["plan"]
    assert (plan["step"], plan["reload"]) == ("change", False)
    count = reloads(site)
    assert send(site, "SUSPEND").exit_code == 0
    assert not site.is_served()
    assert reloads(site) == count


def test_what_would_fail_fails(site: Site) -> None:
    before = look(site)
    told = send(site, "UPDATE", "--dry-run", **site.update(bind_address="192.0.2.1"))
    assert (told.exit_code, told.stdout) == (1, "")
    assert "cannot listen on 192.0.2.1" in told.stderr
    assert look(site) == before
