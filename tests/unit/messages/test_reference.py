"""The reference of the messages says what the code does."""

import re
from pathlib import Path

import pytest

from libra.drivers.base import Preview, Step
from libra.messages import codec, fields, loadbalancers, members, pools, requests
from libra.messages.requests import DRY_RUN, Action
from libra.messages.version2 import listeners as second_listeners
from libra.messages.version2 import loadbalancers as second_loadbalancers
from libra.messages.version2 import pools as second_pools
from libra.messages.version2 import tls
from libra.worker import plan
from tests.support.message_docs import DOCUMENT, DOCUMENTS, SECOND_DOCUMENT, fill_in
from tests.support.messages import DIRECTORY, load_pair, load_pairs

TEXT = DOCUMENT.read_text(encoding="utf-8")
SECOND_TEXT = SECOND_DOCUMENT.read_text(encoding="utf-8")
TABLES = [line for line in TEXT.splitlines() if line.startswith("|")]
SECOND_TABLES = [line for line in SECOND_TEXT.splitlines() if line.startswith("|")]


def names_in(value: object) -> set[str]:
    if isinstance(value, list):
        return {name for item in value for name in names_in(item)}
    if isinstance(value, dict):
        own = ("value", "mime_types")  # in these, names are the sender's own
        inside = [item for name, item in value.items() if name not in own]
        return set(value) | names_in(inside)
    return set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_examples_are_those_on_file(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert fill_in(text) == text, "run: python -m tests.support.message_docs"


@pytest.mark.parametrize("action", list(Action))
def test_every_action_has_a_section_and_its_example(action: Action) -> None:
    assert f"\n## {action.value}\n" in TEXT
    assert f"<!-- pair: {action.value.lower()}/example -->" in TEXT


def test_every_field_there_is_stands_in_a_table() -> None:
    every = load_pair(DIRECTORY / "update" / "every_field.json").request
    first = [pair for pair in load_pairs() if not pair.name.endswith(("/second", "/older"))]
    names = names_in([every, *(pair.added() for pair in first)]) - {"hpcs_action"}
    names -= {"hpcs_response", "hpcs_error", "loadbalancers"}
    assert names <= named_first(TABLES)


def test_every_field_of_2_0_stands_in_a_table() -> None:
    every, stats = (load_pair(DIRECTORY / action / "second.json") for action in ("update", "stats"))
    names = names_in([every.request, every.reply, stats.added()])
    names -= {"hpcs_action", "hpcs_response"}
    listed = set(re.findall(r"`([\w-]+)`", "\n".join(SECOND_TABLES)))
    assert names <= listed | named_first(TABLES)


def named_first(tables: list[str]) -> set[str]:
    """What stands in the first columns."""
    return set(re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in tables)))


@pytest.mark.parametrize(
    ("name", "limits"),
    [
        ("nodes", f"1 to {members.MAX_NODES} "),
        ("weight", f"0 to {members.MAX_WEIGHT};"),
        ("connection_limit", f"1 to {loadbalancers.MAX_CONNECTIONS} "),
        ("connect_retries", f"0 to {loadbalancers.MAX_RETRIES} "),
        ("client_timeout", f"1 to {loadbalancers.MAX_MILLISECONDS} milliseconds"),
        ("delay", f"1 to {pools.MAX_MONITOR_SECONDS} seconds"),
        ("expected_codes", f"up to {pools.MAX_CODES} status codes"),
        ("diff", f"at most {plan.MOST_LINES} lines and {plan.MOST_CHARACTERS} characters"),
        ("hpcs_object_store_basepath", f"at most {requests.MAX_CONTAINER_BYTES} bytes"),
        ("hpcs_object_store_token", f"at most {requests.MAX_TOKEN} characters"),
    ],
)
def test_the_limits_are_those_of_the_code(name: str, limits: str) -> None:
    assert any(limits in line for line in TABLES if line.startswith(f"| `{name}` |"))


def test_every_step_of_a_plan_is_told() -> None:
    (row,) = [line for line in TABLES if line.startswith("| `step` |")]
    assert set(re.findall(r"`(\w+)`", row)) == {"step", *(step.value for step in Step)}


def test_the_plan_of_a_dry_run_is_told() -> None:
    names = set(plan.render_plan(Preview(step=Step.NOTHING))) | {DRY_RUN}
    assert all(any(line.startswith(f"| `{name}` |") for line in TABLES) for name in names)


def test_the_limits_of_every_message() -> None:
    assert f"at most {fields.MAX_TEXT} characters" in TEXT
    assert f"at most {fields.MAX_ID} characters" in TEXT
    assert f"at most {codec.MAX_MESSAGE_BYTES // 1024**2} MiB" in TEXT
    assert f"at most {codec.MAX_DEPTH} deep" in TEXT
    assert f"protocol version {requests.PROTOCOL_VERSION}" in TEXT


def test_the_limits_of_2_0() -> None:
    for limit in (
        f"up to {second_loadbalancers.MAX_LOADBALANCERS} load balancers",
        f"up to {second_loadbalancers.MAX_LISTENERS} listeners",
        f"up to {second_pools.MAX_POOLS}",
        f"1 to {tls.MAX_CERTIFICATES} of",
        f"{tls.MAX_PEM // 1024} KiB",
        f"up to {second_listeners.MAX_CIDRS} networks",
        f"1 to {second_pools.MAX_MINUTES} minutes",
    ):
        assert any(limit in line for line in SECOND_TABLES), limit
