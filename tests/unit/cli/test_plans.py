"""`libra job send --dry-run`: what goes out, and how the plan is shown."""

import json
from typing import Any

import pytest
from rich.console import Console

from libra.cli.plans import MOST_LINES, build_plan
from tests.support.cli import FakeClient, invoke

UPDATE = {"loadbalancers": [{"protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": 80}]}]}
PLAN: dict[str, Any] = {
    "step": "change",
    "reload": False,
    "reasons": [],
    "actions": ["set weight of be-15/web-1 to 5", "refuse new connections on fe-15"],
    "diff": "--- installed\n+++ wanted\n@@ -1,1 +1,1 @@\n-    old [red]\n+    new [/]\n     same",
    "notes": [],
}


def answer(plan: object = PLAN, **fields: object) -> bytes:
    reply = {"hpcs_action": "X", "plan": plan, "hpcs_response": "PASS", **fields}
    return json.dumps(reply).encode()


def send(*arguments: str, client: FakeClient, stdin: object = UPDATE) -> Any:
    return invoke(
        *("job", "send", *arguments, "-d", "web1", "-m", "-"),
        client=client,
        stdin=json.dumps(stdin).encode(),
    )


def sent(client: FakeClient) -> dict[str, Any]:
    ((_, payload, _),) = client.submitted
    message: dict[str, Any] = json.loads(payload)
    return message


@pytest.mark.parametrize("action", ["UPDATE", "suspend", "ENABLE", "DELETE"])
@pytest.mark.parametrize("option", ["--dry-run", "-n"])
def test_the_wish_is_sent(action: str, option: str) -> None:
    client = FakeClient(answer())
    assert send(action, option, client=client).exit_code == 0
    assert sent(client) == {"hpcs_action": action.upper(), **UPDATE, "hpcs_dry_run": True}


@pytest.mark.parametrize(
    "fields", [{"HPCS_Dry_Run": False}, {"hpcs_dry_run": "no", "hpcs_DRY_run": 1}, {"Plan": {}}]
)
def test_the_option_wins_over_the_file(fields: dict[str, object]) -> None:
    client = FakeClient(answer())
    assert send("update", "--dry-run", client=client, stdin={**fields, **UPDATE}).exit_code == 0
    assert sent(client) == {"hpcs_action": "UPDATE", **UPDATE, "hpcs_dry_run": True}


@pytest.mark.parametrize("action", ["STATS", "discover", "ARCHIVE"])
def test_nothing_else_has_a_dry_run(action: str) -> None:
    client = FakeClient(answer())
    result = send(action, "--dry-run", client=client)
    assert result.exit_code == 2
    assert "as a dry run: only UPDATE, SUSPEND, ENABLE, DELETE have one" in result.stderr
    assert client.submitted == []


def test_a_wish_in_doubt_is_not_sent() -> None:
    client = FakeClient(answer())
    result = send("update", client=client, stdin={**UPDATE, "hpcs_dry_run": "maybe"})
    assert (result.exit_code, client.submitted) == (2, [])
    assert "hpcs_dry_run" in result.stderr


def test_a_change_at_runtime() -> None:
    result = send("update", "--dry-run", client=FakeClient(answer()))
    first, *lines = result.stdout.splitlines()
    assert first.startswith("DRY RUN  UPDATE on web1 in ")
    assert lines == [
        "It would go live at runtime, without a reload:",
        "  set weight of be-15/web-1 to 5",
        "  refuse new connections on fe-15",
        "",
        "--- installed",
        "+++ wanted",
        "@@ -1,1 +1,1 @@",
        "-    old [red]",
        "+    new [/]",
        "     same",
    ]


def test_a_reload_and_why() -> None:
    plan = {**PLAN, "step": "reload", "reasons": ["the pool be-15 changed"], "notes": ["mind"]}
    plan = {**plan, "actions": [], "diff": ""}
    result = send("update", "--dry-run", client=FakeClient(answer(plan)))
    assert result.stdout.splitlines()[1:] == [
        "It would be one reload, because",
        "  the pool be-15 changed",
        "note: mind",
    ]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("nothing", "would change nothing"),
        ("install", "put the configuration file in place"),
        ("start", "would start the proxy, because"),
        ("levitate", "the step levitate"),
    ],
)
def test_every_step_has_its_words(step: str, words: str) -> None:
    plan = {**PLAN, "step": step}
    assert words in send("update", "-n", client=FakeClient(answer(plan))).stdout


def test_a_wish_in_the_file_is_shown_as_a_plan_too() -> None:
    result = send("update", client=FakeClient(answer()), stdin={**UPDATE, "hpcs_dry_run": "true"})
    assert result.stdout.startswith("DRY RUN  UPDATE on web1 in ")


def test_json_is_the_whole_reply() -> None:
    result = send("update", "--dry-run", "-o", "json", client=FakeClient(answer()))
    assert result.exit_code == 0
    assert json.loads(result.stdout)["plan"] == PLAN


def test_an_echo_is_no_plan() -> None:
    """Nobody asked for one: the UPDATE was carried out."""
    result = send("update", client=FakeClient(answer()), stdin={**UPDATE, "plan": PLAN})
    assert result.exit_code == 0
    assert result.stdout.startswith("PASS  UPDATE on web1 in ")


@pytest.mark.parametrize("plan", [None, "x", [], 1])
@pytest.mark.parametrize("form", ["json", "table"])
def test_a_worker_that_knows_no_dry_run_has_carried_it_out(plan: object, form: str) -> None:
    result = send("update", "--dry-run", "-o", form, client=FakeClient(answer(plan)))
    assert result.exit_code == 1
    assert result.stderr == "libra: web1 knows no dry run: it has carried out the UPDATE\n"


def test_a_fail_is_a_fail() -> None:
    reply = answer(None, hpcs_response="FAIL", hpcs_error="cannot use the configuration: no")
    result = send("update", "--dry-run", client=FakeClient(reply))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "FAIL  UPDATE on web1: cannot use the configuration: no\n"


HOSTILE = ["\x1b]0;x\x07", "[red]x[/red]", "[/]", ":smile:", "a\r", "\u202e", "x" * 10**5, "\t"]
ODD = [*HOSTILE, None, True, 1.5, 10**400, [], {}, [{}], [None, 1, ["x"]], {"step": "x"}]


@pytest.mark.parametrize("value", ODD)
def test_whatever_is_in_a_plan_is_shown_in_print(value: object) -> None:
    for plan in (dict.fromkeys(PLAN, value), dict.fromkeys(PLAN, [value] * 20), {"x": value}):
        result = send("update", "--dry-run", client=FakeClient(answer(plan)))
        assert result.exit_code == 0, result.output
        assert all(line.isprintable() for line in result.output.splitlines())
        assert len(result.output) < 50_000


def test_thousands_of_lines_end_in_a_number() -> None:
    plan = {**PLAN, "diff": "\n".join(["+x"] * (MOST_LINES + 1500))}
    result = send("update", "--dry-run", client=FakeClient(answer(plan)))
    assert result.stdout.count("+x\n") == MOST_LINES
    assert "and 1,500 lines more; -o json shows all" in result.stdout


def test_long_lines_are_not_broken() -> None:
    plan = {**PLAN, "diff": f"+{'x' * 300}"}
    result = send("update", "--dry-run", client=FakeClient(answer(plan)))
    assert f"+{'x' * 300}" in result.stdout.splitlines()


def test_a_terminal_gets_colours() -> None:
    console = Console(force_terminal=True, color_system="standard", no_color=False, width=80)
    with console.capture() as capture:
        console.print(build_plan(PLAN))
    assert "\x1b[31m-    old [red]\x1b[0m" in capture.get()
    assert "\x1b[32m+    new [/]\x1b[0m" in capture.get()
