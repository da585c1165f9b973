"""Five real HTTP servers behind two workers with real HAProxies, changed one after the other under load."""

import json
import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from libra.model.rollout import LEASE_SECONDS
from tests.support.control import LBAAS, ControlLab
from tests.support.ports import wait_until
from tests.support.rolloutlab import RolloutLab
from tests.support.rollouts import later
from tests.support.steady import SteadyLoad
from tests.support.worker import WAIT

RATE = 300
LEAST_RATE = 150  # where the machine has much else to do


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RolloutLab]:
    with ExitStack() as stack:
        yield RolloutLab(tmp_path_factory.mktemp("rollout"), stack)


@pytest.mark.load
def test_all_five_are_restarted_and_not_one_request_fails(world: RolloutLab) -> None:
    with SteadyLoad(RATE, world.targets) as load:
        done = world.rollout(*world.words("2"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert load.failures == []
    assert set(world.members.versions().values()) == {"2"}
    assert all(world.states())
    kinds = {key.partition(" ")[0] for key in load.counts}
    assert kinds == {"keep-alive", "short", "slow"}
    assert {f"short {name} {version}" for name in world.members.names for version in "12"} <= set(
        load.counts
    )
    assert load.total / load.seconds >= LEAST_RATE, (load.total, load.seconds)


@pytest.mark.load
def test_a_broken_version_stops_there_with_four_serving(world: RolloutLab) -> None:
    lab: ControlLab = world.lab
    before = world.members.versions()
    with SteadyLoad(RATE, world.targets) as load:
        done = world.rollout(*world.words("broken"))
    assert done.returncode == 1, done.stdout
    assert "web1: http://" in done.stderr
    assert load.failures == []
    assert world.members.versions() == {**before, "web1": "broken"}
    assert world.states() == [False, *[True] * 4]
    shown = lab.get("/v1/rollouts/web")["rollout"]
    assert (shown["state"], shown["phases"]) == ("stopped", {"failed": 1, "pending": 4})
    looked = lab.get("/v1/nodegroups/web/sessions")["nodes"]
    assert [node["open_members"] for node in looked] == [0, 2, 2, 2, 2]
    again = world.rollout("resume", "web", "--", *world.members.restart("3"))
    assert again.returncode == 0, again.stdout + again.stderr
    assert set(world.members.versions().values()) == {"3"}


def test_a_client_that_is_killed_is_followed_by_another(world: RolloutLab, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = f"echo $$ >{pid}.new; mv {pid}.new {pid}; exec sleep 600"
    process = world.begin("run", "--group", "web", "--node", "web1", "--", "sh", "-c", script)
    wait_until(pid.exists, timeout=WAIT, what="the command")
    process.kill()
    process.communicate()
    os.kill(int(pid.read_text()), signal.SIGKILL)
    refused = world.rollout("resume", "web", "--", "true")
    assert refused.returncode == 1
    assert "leads it; if it is dead, anybody may in" in refused.stderr
    with later(world.lab, LEASE_SECONDS + 1):
        shown = world.rollout("status", "web")
        assert "has not been heard of" in shown.stdout
        assert "1 command" in shown.stdout
        done = world.rollout("resume", "web", "--", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "web1: draining" not in done.stdout  # it goes on where it was
    assert all(world.states())


def test_ctrl_c_finishes_the_node_in_work(world: RolloutLab, tmp_path: Path) -> None:
    begun, go = tmp_path / "begun", tmp_path / "go"
    script = f"touch {begun}; while ! test -e {go}; do sleep 0.05; done"
    process = world.begin("run", "--group", "web", "--", "sh", "-c", script)
    wait_until(begun.exists, timeout=WAIT, what="the command")
    process.send_signal(signal.SIGINT)
    go.touch()
    out, err = process.communicate(timeout=WAIT)
    assert process.returncode == 1, out + err
    assert "stopped, 1 of 5 nodes done: interrupted" in err
    assert all(world.states())
    aborted = world.rollout("abort", "web", "-o", "json")
    assert json.loads(aborted.stdout)["phases"] == {"done": 1, "pending": 4}


def test_sessions_that_do_not_end_in_time_are_not_cut_off(world: RolloutLab) -> None:
    with SteadyLoad(
        20, world.targets, slow=40
    ) as load:  # no node is without a slow one at any time
        wait_until(lambda: look(world, "web1")["sessions"], timeout=WAIT, what="slow requests")
        done = world.rollout("run", "-g", "web", "--drain-timeout", "0.2", "--", "false")
    assert done.returncode == 1
    assert re.search("it still has [0-9]+ sessions after 0.2 s|not every device says", done.stderr)
    assert load.failures == []
    assert world.states() == [False, *[True] * 4]
    assert world.rollout("abort", "web", "--restore").returncode == 0
    assert all(world.states())


def test_a_member_that_its_owner_has_switched_off_holds_nobody_up(world: RolloutLab) -> None:
    """It is closed before, and stays so."""
    node = world.members.names[0]
    pool = world.lab.get(f"{LBAAS}/pools")["pools"][0]["id"]
    members = world.lab.get(f"{LBAAS}/pools/{pool}/members")["members"]
    member = next(
        item["id"] for item in members if item["address"] == world.members.addresses[node]
    )
    path = f"{LBAAS}/pools/{pool}/members/{member}"
    for change in ({"admin_state_up": False}, {"admin_state_up": True, "weight": 0}):
        world.lab.put(path, {"member": change})
        world.lab.wait(lambda: look(world, node)["open_members"] == 1, "the member is closed")
        done = world.rollout("run", "-g", "web", "--node", node, "--", "true")
        assert done.returncode == 0, done.stdout + done.stderr
    world.lab.put(path, {"member": {"weight": 1}})
    world.lab.wait(lambda: look(world, node)["open_members"] == 2, "the member is open")


def look(world: RolloutLab, name: str) -> dict[str, Any]:
    shown = world.lab.get("/v1/nodegroups/web/sessions")["nodes"]
    return next(node for node in shown if node["name"] == name)
