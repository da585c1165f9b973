"""Rollouts over REST, and the client that leads them, on a whole controller without devices."""

import json
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from libra.client.rest import Refused
from libra.errors import NotFound
from libra.model.nodestatus import NodeStatus
from libra.model.rollout import DrainPolicy, FailurePolicy, Phase, RolloutState
from libra.rollout import Node, RolloutStopped, rollout
from libra.rollout.leading import RolloutApi
from tests.support.control import ControlLab, control_lab
from tests.support.ports import wait_until
from tests.support.rollouts import (
    Leader,
    add_group,
    api_of,
    command,
    environ_of,
    is_online,
    later,
    mark,
    options,
)

NUMBERS = count()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with control_lab(tmp_path_factory.mktemp("rollouts")) as lab:
        yield lab


@pytest.fixture
def api(lab: ControlLab) -> Iterator[RolloutApi]:
    with api_of(lab) as api:
        yield api


@pytest.fixture
def group(lab: ControlLab) -> str:
    """Of three nodes."""
    name = f"g{next(NUMBERS)}"
    add_group(lab, name, *(f"{name}-{letter}" for letter in "abc"))
    return name


def test_every_node_once_and_never_two(lab: ControlLab, api: RolloutApi, group: str) -> None:
    told: list[str] = []

    def change(node: Node) -> None:
        assert not is_online(lab, node.name)
        told.append(node.name)
        others = [name for name in (f"{group}-{x}" for x in "abc") if name != node.name]
        assert all(is_online(lab, name) for name in others)

    led = Leader(api, api.begin(group, (), options()), change).start().wait()
    assert led.state is RolloutState.COMPLETE
    assert told == [f"{group}-a", f"{group}-b", f"{group}-c"]
    assert all(is_online(lab, name) for name in told)
    assert api.show(led.id).state is RolloutState.COMPLETE


def test_a_url_that_a_node_cannot_be_asked_takes_none_out(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    asked = options(health="http://{address}:{port}/")  # they have neither
    led = Leader(api, api.begin(group, (), asked)).start().wait()
    assert led.state is RolloutState.STOPPED
    assert "has no address" in led.reason
    assert is_online(lab, f"{group}-a")
    assert lab.get("/v1/nodes", group=group)["nodes"][0]["updated_at"] is None


def test_one_at_a_time_for_a_group(api: RolloutApi, group: str) -> None:
    led = api.begin(group, (), options())
    with pytest.raises(Refused, match=f"there is one already, {led.id}, led by"):
        api.begin(group, (), options())
    with pytest.raises(Refused, match="leads it; if it is dead, anybody may in"):
        api.resume(group)
    api.end(led, RolloutState.STOPPED, "enough")
    with pytest.raises(Refused, match="libra rollout resume"):
        api.begin(group, (), options())


def test_a_leader_that_is_not_heard_of_loses_it(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    old = api.begin(group, (), options())
    old = api.record(old, f"{group}-a", Phase.DRAINING, "")
    with later(lab, 31):
        shown = lab.get(f"/v1/rollouts/{group}")["rollout"]
        assert (shown["state"], shown["led"]) == ("running", False)
        new = api.resume(group)
    assert new.lease == old.lease + 1
    for refused in (
        lambda: api.renew(old),
        lambda: api.record(old, f"{group}-a", Phase.COMMAND, ""),
        lambda: api.mark(old, f"{group}-a"),
        lambda: api.end(old, RolloutState.STOPPED, ""),
    ):
        with pytest.raises(Refused, match="leads it by now"):
            refused()
    done = Leader(api, new).start().wait()
    assert done.state is RolloutState.COMPLETE


def test_it_stops_at_the_first_failure_and_goes_on_there(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    broken, told = {f"{group}-b"}, []

    def change(node: Node) -> None:
        told.append(node.name)
        if node.name in broken:
            raise RuntimeError("no such version\nand more")

    led = Leader(api, api.begin(group, (), options()), change).start().wait()
    assert led.state is RolloutState.STOPPED
    assert led.reason == f"{group}-b: RuntimeError: no such version"
    assert [is_online(lab, f"{group}-{x}") for x in "abc"] == [True, False, True]
    broken.clear()
    led = Leader(api, api.resume(group), change).start().wait()
    assert led.state is RolloutState.COMPLETE
    assert told == [f"{group}-{x}" for x in "abbc"]


def test_a_node_that_failed_is_restored_where_that_is_the_policy(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    given = options(command=("false",), on_failure=FailurePolicy.RESTORE)
    led = Leader(api, api.begin(group, (), given)).start().wait()
    assert led.state is RolloutState.STOPPED
    assert is_online(lab, f"{group}-a")
    assert led.steps[0].phase is Phase.FAILED


def test_a_failing_health_check_leaves_it_offline(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    url = f"http://127.0.0.1:{lab.controller.api.port}/no-such-page/{{node}}"
    given = options(health=url, health_timeout=3)
    led = Leader(api, api.begin(group, (), given)).start().wait()
    assert led.state is RolloutState.STOPPED
    assert f"/no-such-page/{group}-a answers 404" in led.reason
    assert not is_online(lab, f"{group}-a")


def test_health_and_warm_up_come_before_service(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    url = f"http://127.0.0.1:{lab.controller.api.port}"
    given = options(health=f"{url}/healthz?n={{node}}", warm_up=(f"{url}/", f"{url}/healthz"))
    leader = Leader(api, api.begin(group, (f"{group}-b",), given))
    assert leader.start().wait().state is RolloutState.COMPLETE
    words = ("draining", "command", "checking", "warming", "returning", "done")
    assert leader.lines == [f"{group}-b: {word}" for word in words]


def test_what_others_took_out_is_left_alone(lab: ControlLab, api: RolloutApi, group: str) -> None:
    mark(lab, f"{group}-a", NodeStatus.OFFLINE, "disk")
    given = options(min_online="1")
    led = Leader(api, api.begin(group, (), given)).start().wait()
    assert led.state is RolloutState.COMPLETE
    assert [step.phase for step in led.steps] == [Phase.SKIPPED, Phase.DONE, Phase.DONE]
    assert led.steps[0].reason == "it is offline: disk"
    assert not is_online(lab, f"{group}-a")


@pytest.mark.parametrize("policy", FailurePolicy)
def test_what_somebody_takes_out_meanwhile_is_not_brought_back(
    lab: ControlLab, api: RolloutApi, group: str, policy: FailurePolicy
) -> None:
    def change(node: Node) -> None:
        mark(lab, node.name, NodeStatus.OFFLINE, "disk")

    led = Leader(api, api.begin(group, (), options(on_failure=policy)), change).start().wait()
    assert led.state is RolloutState.STOPPED
    assert "somebody has marked it offline: disk" in led.reason
    shown = lab.get(f"/v1/nodes/{group}-a")["node"]
    assert (shown["status"], shown["reason"]) == ("offline", "disk")


def test_what_somebody_takes_out_a_moment_before_is_theirs(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    led = api.record(api.begin(group, (), options()), f"{group}-a", Phase.DRAINING, "")
    mark(lab, f"{group}-a", NodeStatus.OFFLINE, "disk")
    with pytest.raises(Refused, match="somebody has marked it offline: disk"):
        api.mark(led, f"{group}-a")
    assert lab.get(f"/v1/nodes/{group}-a")["node"]["reason"] == "disk"


def test_it_waits_while_too_few_serve(lab: ControlLab, api: RolloutApi, group: str) -> None:
    mark(lab, f"{group}-c", NodeStatus.OFFLINE)
    leader = Leader(api, api.begin(group, (), options(min_online="2"))).start()
    mark(lab, f"{group}-c", NodeStatus.ONLINE)
    assert leader.wait().state is RolloutState.COMPLETE
    mark(lab, f"{group}-c", NodeStatus.OFFLINE)
    given = options(min_online="2", capacity_timeout=0.5)
    led = Leader(api, api.begin(group, (), given)).start().wait()
    assert led.reason == "cannot take another node: 2 of 3 serve, and 2 must"
    assert led.state is RolloutState.STOPPED


def test_the_first_interrupt_finishes_the_node_in_work(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    entered, go = threading.Event(), threading.Event()

    def change(node: Node) -> None:
        entered.set()
        go.wait(20)

    leader = Leader(api, api.begin(group, (), options()), change).start()
    assert entered.wait(20)
    leader.runner.interrupt()
    go.set()
    led = leader.wait()
    assert (led.state, led.reason) == (RolloutState.STOPPED, "interrupted")
    assert [step.phase for step in led.steps] == [Phase.DONE, Phase.PENDING, Phase.PENDING]
    assert is_online(lab, f"{group}-a")


def test_the_second_interrupt_ends_the_command_and_says_where(
    api: RolloutApi, group: str, tmp_path: Path
) -> None:
    marker = tmp_path / "begun"
    given = options(command=("/bin/sh", "-c", f"touch {marker}; sleep 600"))
    leader = Leader(api, api.begin(group, (), given)).start()
    wait_until(marker.exists, what="the command")
    leader.runner.interrupt()
    leader.runner.interrupt()
    led = leader.wait()
    assert led.state is RolloutState.STOPPED
    assert led.reason == f"interrupted in the middle: {group}-a is command"
    again = replace(led.options, command=("true",))
    assert Leader(api, api.resume(group, again)).start().wait().state is RolloutState.COMPLETE


@pytest.mark.parametrize(("verb", "state"), [("stop", "stopped"), ("abort", "aborted")])
def test_somebody_else_asks_for_an_end(
    lab: ControlLab, api: RolloutApi, group: str, verb: str, state: str
) -> None:
    entered, go = threading.Event(), threading.Event()

    def change(node: Node) -> None:
        entered.set()
        go.wait(20)

    leader = Leader(api, api.begin(group, (), options()), change).start()
    assert entered.wait(20)
    done = command(lab, verb, group)
    assert done.exit_code == 0, done.output
    go.set()
    assert leader.wait().state.value == state
    assert [step.phase for step in leader.wait().steps][1:] == [Phase.PENDING] * 2


def test_an_abort_brings_back_what_it_left(lab: ControlLab, api: RolloutApi, group: str) -> None:
    Leader(api, api.begin(group, (), options(command=("false",)))).start().wait()
    mark(lab, f"{group}-c", NodeStatus.OFFLINE, "mine")
    done = command(lab, "abort", group, "--restore", "-o", "json")
    assert json.loads(done.stdout)["state"] == "aborted"
    assert [is_online(lab, f"{group}-{x}") for x in "abc"] == [True, True, False]
    with pytest.raises(Refused, match="it is aborted"):
        api.resume(group)


def test_a_controller_that_restarts_is_waited_for(lab: ControlLab, group: str) -> None:
    entered, go = threading.Event(), threading.Event()

    def change(node: Node) -> None:
        entered.set()
        go.wait(20)

    with api_of(lab) as api:
        leader = Leader(api, api.begin(group, (), options(min_online="0")), change).start()
        assert entered.wait(20)
        lab.controller.api.stop()
        go.set()
        lab.controller.api.start()
        assert leader.wait().state is RolloutState.COMPLETE


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"group": "nowhere"}, "cannot find the group"),
        ({"options": {"min_online": "100%"}}, "3 of 3 nodes must stay online"),
        ({"options": {"min_online": "most"}}, "must be a number, or like 50%"),
        ({"options": {"batch": 0}}, "options.batch"),
        ({"options": {"health": "file:///etc/passwd"}}, "options.health"),
        ({"options": {"health": "http://{adress}/"}}, "options.health"),
        ({"options": {"warm_up": ["http://{node}/{"]}}, "options.warm_up"),
        ({"options": {"warm_up": ["http://a/\r\nX: 1"]}}, "control characters"),
        ({"options": {"command": ["a\0b"]}}, "zero byte"),
        ({"options": {"drain_timeout": "nan"}}, "options.drain_timeout"),
        ({"options": {"later": 1}}, "Unknown attribute"),
        ({"nodes": ["elsewhere"]}, "cannot find the node 'elsewhere'"),
        ({"holder": ""}, "holder"),
    ],
)
def test_what_is_refused_changes_nothing(
    lab: ControlLab, group: str, given: dict[str, object], words: str
) -> None:
    answer = lab.client.post("/v1/rollouts", json={"group": group, "holder": "me", **given})
    assert answer.status_code in (400, 404), answer.text
    assert words in answer.json()["faultstring"]
    assert lab.get("/v1/rollouts", group=group)["rollouts"] == []


def test_a_node_named_twice(lab: ControlLab, group: str) -> None:
    body = {"group": group, "holder": "me", "nodes": [f"{group}-a"] * 2}
    assert lab.client.post("/v1/rollouts", json=body).status_code == 400


def test_steps_that_cannot_be(lab: ControlLab, api: RolloutApi, group: str) -> None:
    led = api.begin(group, (), options())
    with pytest.raises(Refused, match="it is pending"):
        api.record(led, f"{group}-a", Phase.COMMAND, "")
    with pytest.raises(Refused, match="cannot mark the node"):
        api.mark(led, f"{group}-a")
    with pytest.raises(NotFound):
        api.record(led, "elsewhere", Phase.DRAINING, "")
    with pytest.raises(Refused, match="not every node is done"):
        api.end(led, RolloutState.COMPLETE, "")
    body = {"lease": led.lease, "state": "running"}
    assert lab.client.post(f"/v1/rollouts/{led.id}/end", json=body).status_code == 400


def test_what_was_not_heard_may_be_said_again(api: RolloutApi, group: str) -> None:
    led = api.begin(group, (), options())
    for _ in range(2):
        led = api.record(led, f"{group}-a", Phase.DRAINING, "")
        api.mark(led, f"{group}-a")
    for _ in range(2):
        assert api.end(led, RolloutState.STOPPED, "x").state is RolloutState.STOPPED


def test_too_few_by_the_time_that_it_is_marked(
    lab: ControlLab, api: RolloutApi, group: str
) -> None:
    """What was seen may be over: the mark itself is refused."""
    led = api.begin(group, (), options(min_online="2"))
    led = api.record(led, f"{group}-a", Phase.DRAINING, "")
    mark(lab, f"{group}-b", NodeStatus.OFFLINE)
    with pytest.raises(Refused, match="1 of 3 would be online, and 2 must be"):
        api.mark(led, f"{group}-a")
    assert is_online(lab, f"{group}-a")


# The commands, and the function.


def test_the_command_line(lab: ControlLab, group: str) -> None:
    words = ("-g", group, "--health", f"{environ_of(lab)['LIBRA_API_URL']}/healthz?{{node}}")
    words += ("--", "echo", "at {node}", "{group};$HOME")
    before = command(lab, "run", "--dry-run", "-o", "json", *words)
    rows = json.loads(before.stdout)
    assert [row["turn"] for row in rows] == [1, 2, 3]
    assert rows[0]["command"] == f"echo 'at {group}-a' '{group};$HOME'"
    assert lab.get("/v1/rollouts", group=group)["rollouts"] == []
    done = command(lab, "run", *words)
    assert done.exit_code == 0, done.output
    assert f"{group}-b | at {group}-b {group};$HOME" in done.stdout
    assert f"the rollout of {group} is complete, 3 of 3 nodes done" in done.stderr
    shown = command(lab, "status", group)
    assert "3 done" in shown.stdout
    listed = command(lab, "history", "--group", group, "-o", "json")
    assert [row["state"] for row in json.loads(listed.stdout)] == ["complete"]


def test_a_failure_as_json(lab: ControlLab, group: str) -> None:
    script = 'echo "$LIBRA_NODE"; test {node} = ' + f"{group}-a"
    words = ("run", "-g", group, "-o", "json", "--shell", "--", script)
    done = command(lab, *words)
    assert done.exit_code == 1
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {"node": f"{group}-a", "line": f"{group}-a"} in lines
    assert lines[-1]["state"] == "stopped"
    assert lines[-1]["phases"] == {"done": 1, "failed": 1, "pending": 1}
    assert "libra rollout resume" in done.stderr


def test_what_was_skipped_is_not_overlooked(lab: ControlLab, group: str) -> None:
    mark(lab, f"{group}-b", NodeStatus.OFFLINE, "disk")
    done = command(lab, "run", "-g", group, "--min-online", "1", "--", "true")
    assert done.exit_code == 4
    words = f"1 not changed: {group}-b: it is offline: disk"
    assert f"is complete, 2 of 3 nodes done: {words}" in done.stderr
    (row,) = json.loads(command(lab, "history", "--group", group, "-o", "json").stdout)
    assert (row["state"], row["reason"]) == ("complete", words)


def test_a_stored_command_is_not_run_unasked(lab: ControlLab, group: str) -> None:
    assert command(lab, "run", "-g", group, "--", "false").exit_code == 1
    done = command(lab, "resume", group)
    assert done.exit_code == 2
    assert "cannot run the stored command 'false' unasked" in done.stderr
    assert command(lab, "resume", group, "--stored-command").exit_code == 1
    done = command(lab, "resume", group, "--", "true")
    assert done.exit_code == 0, done.output


def test_another_command_is_no_text_for_the_shell(lab: ControlLab, group: str) -> None:
    """Unless that is said, whatever the one before was."""
    assert command(lab, "run", "-g", group, "--shell", "--", "exit 1").exit_code == 1
    assert command(lab, "resume", group, "--shell").exit_code == 2
    words = ("--", "sh", "-c", "test $# -eq 1 && echo one word", "x", "a b")
    done = command(lab, "resume", group, *words)
    assert done.exit_code == 0, done.output
    assert f"{group}-a | one word" in done.stdout
    assert command(lab, "run", "-g", group, "--", "false").exit_code == 1
    done = command(lab, "resume", group, "--shell", "--", "echo {node} | tr a-z A-Z")
    assert f"{group}-a | {group}-a".upper() in done.stdout.upper()
    assert done.exit_code == 0, done.output


def test_a_program(
    lab: ControlLab, group: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(lab.secret)
    where = {"api_url": environ_of(lab)["LIBRA_API_URL"], "token_file": token}
    told: list[str] = []
    done = rollout(
        group, lambda node: told.append(node.name), min_online=1, report=told.append, **where
    )
    assert done.state is RolloutState.COMPLETE
    assert told[-1].startswith(f"the rollout of {group} is complete")

    with pytest.raises(TypeError, match="unexpected keyword argument 'bach'"):
        rollout(group, ["true"], bach=2, **where)
    for wrong in ({"change": []}, {"change": "true"}, {"nodes": "a"}, {"warm_up": "http://x/"}):
        with pytest.raises(TypeError, match=r"rollout\(\) takes"):
            rollout(**{"group": group, "change": ["true"], **wrong}, **where)
    with pytest.raises(TypeError, match="takes no others"):
        rollout(group, ["true"], nodes=["a"], resume=True, **where)

    def change(node: Node) -> None:
        raise OSError("nobody there")

    with pytest.raises(RolloutStopped, match="OSError: nobody there") as caught:
        rollout(group, change, report=told.append, **where)
    assert caught.value.rollout.state is RolloutState.STOPPED
    refused = command(lab, "resume", group, "--stored-command")
    assert "a program began it" in refused.stderr
    done = rollout(group, ["true"], resume=True, report=told.append, **where)
    assert done.state is RolloutState.COMPLETE


def test_a_function_that_exits_has_failed(api: RolloutApi, group: str) -> None:
    def change(node: Node) -> None:
        sys.exit("no disk")

    led = Leader(api, api.begin(group, (), options()), change).start().wait()
    assert led.reason == f"{group}-a: SystemExit: no disk"


def test_sessions_that_do_not_end(api: RolloutApi, group: str) -> None:
    """Nobody drains a node that is put online again meanwhile, whatever the policy."""
    given = options(on_drain_timeout=DrainPolicy.CONTINUE)
    led = api.record(api.begin(group, (), given), f"{group}-a", Phase.DRAINING, "")
    done = Leader(api, led).start().wait()
    assert done.state is RolloutState.COMPLETE
