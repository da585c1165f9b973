"""Every command of `libra status`, as a table and as JSON, before one live controller with three worker processes."""

import json
from collections.abc import Iterator

import pytest

from libra import __version__
from tests.support.operating import POOL, Operator, operating
from tests.support.ports import free_port


@pytest.fixture(scope="module")
def operator() -> Iterator[Operator]:
    with operating() as operator:
        operator.grow(3)
        operator.lab.put("/v1/device-pools/edge", {"shared": True, "min_spare": 0})
        operator.lab.create("shop", project_id="p1")
        yield operator


@pytest.fixture(scope="module")
def device(operator: Operator) -> str:
    return str(operator.vms()[0]["name"])


COMMANDS = {  # what a table has, and which keys JSON
    "": (("cloud type", "edge", "local"), "resources"),
    "clouds": (("network address", "edge", "3/unlimited"), "resources"),
    "clusters": (("edge", "parts", "SPARE"), "resources"),
    "cluster edge": (("edge", "parts", "SPARE"), "vms"),
    "vms": (("edge", "devices: 3, in pools: 1"), "vms"),
    "vms --cloud edge": (("edge", "devices: 3, in pools: 1"), "vms"),
    "vm edge DEVICE": (("cloudtype", "local"), "cloudtype"),
    "counts": (("Running", "3"), "Running"),
    "counts --cloud edge": (("Running", "3"), "Running"),
    "total": (("total", "3"), "total"),
    "total -c edge": (("total", "3"), "total"),
    "missing": (("every worker is a device's",), "missing"),
    "boot-times": (("seconds", "edge"), "startup_times"),
    "run-times": (("average", "jobs"), "job_run_times"),
    "run-times -c edge": (("average", "jobs"), "job_run_times"),
    "jobs": (("device", "UPDATE", "complete"), "jobs"),
    "jobs complete --limit 1": (("UPDATE", "complete"), "jobs"),
    "jobs held": (("no job",), "jobs"),
    "job JOB": (("action", "UPDATE", "complete"), "action"),
    "job-pools": (("new: 0", "sched: 0"), "new_jobs"),
    "ips": (("no device has a public address",), "hosts"),
    "config": (("section", "database", "device_pool.edge"), "database"),
    "diff-types": (("project and pool", "p1:edge"), "diff_types"),
    "boot-failures": (("nothing failed",), "users"),
    "image-failures": (("nothing failed",), "never_online"),
    "heart-beats": (("controller", "interval", "turns"), "controllers"),
    "shared-objs": (("controller", "uses"), "controllers"),
    "developer-info": (("threads",), "threads"),
    "version": ((__version__,), "controller"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command(operator: Operator, device: str, command: str) -> None:
    job = operator.lab.get("/v1/jobs", action="UPDATE")["jobs"][0]["id"]
    arguments = ["status", *command.replace("DEVICE", device).replace("JOB", job).split()]
    words, key = COMMANDS[command]
    table = operator.run(*arguments)
    for word in words:
        assert word in table
    assert key in operator.json(*arguments)
    assert key in operator.run(*arguments, "-o", "yaml")
    text = operator.run(*arguments, "-o", "text")
    assert text.strip() or command == "ips"


def test_text_is_what_the_scheduler_prints(operator: Operator) -> None:
    told = operator.run("status", "-o", "text")
    assert told == operator.lab.client.get("/cloud").text


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", "a?b#c", "x.json", "%2e", "ü ß", "\x1b[2J", "edge/vms", "a\nb"]
)
@pytest.mark.parametrize("command", ["cluster", "vm", "job"])
def test_hostile_names_are_names_of_nothing(operator: Operator, command: str, name: str) -> None:
    arguments = ("edge", name) if command == "vm" else (name,)
    told = operator.run("status", command, *arguments, status=1)
    assert "HTTP 404" in told
    assert "\x1b" not in told


def test_what_the_api_refuses(operator: Operator) -> None:
    assert "state" in operator.run("status", "jobs", "lost", status=1)
    told = operator.run("status", "jobs", "lost", "-o", "text", status=1)
    assert "state" in told
    operator.token_file.write_text("wrong")
    try:
        assert "HTTP 401" in operator.run("status", status=1)
    finally:
        operator.token_file.write_text(operator.lab.secret)


def test_wrong_usage_and_nobody_there(operator: Operator) -> None:
    operator.run("status", "cluster", status=2)
    operator.run("status", "cluster", "", status=2)
    operator.run("status", "nonsense", status=2)
    operator.run("status", "--output", "xml", status=2)
    url = f"http://127.0.0.1:{free_port()}"
    assert "cannot reach the API" in operator.run("status", "vms", "--api-url", url, status=3)


def test_json_is_json_alone(operator: Operator) -> None:
    assert json.loads(operator.run("status", "-o", "json"))["resources"][-1]["name"] == POOL
