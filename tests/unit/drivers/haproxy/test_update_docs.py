"""doc/explanation/updates.md says what the code does: every row of its table is tried."""

import re
from dataclasses import replace
from typing import Any

import pytest

from libra.config.settings import HAProxySettings
from libra.drivers.base import Step
from libra.drivers.haproxy import driver, leaving, reload
from libra.drivers.haproxy.actions import Reload
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Configuration, Options
from libra.drivers.haproxy.diff import MOST_STEPS, Features, diff
from libra.drivers.haproxy.effects import Running, after_reload
from libra.drivers.haproxy.features import COOKIE_SINCE
from libra.drivers.haproxy.render import render, structure_of
from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import Desired
from tests.support.message_docs import DOCUMENT
from tests.support.messages import DIRECTORY, http, load_pair, tcp, update
from tests.support.second import KEY, PEM, listener, loadbalancer, node, pool
from tests.support.second import update as second_update
from tests.unit.drivers.haproxy.test_build import OPTIONS

TEXT = (DOCUMENT.parents[1] / "explanation" / "updates.md").read_text(encoding="utf-8")
ROWS = dict(re.findall(r"^\| ([^|]+?) \| ([^|]+?) \|$", TEXT, re.MULTILINE))
MODERN = Features(add_server_with_cookie=True)
DEBIAN = Features()
OLD = Features(add_server=False, remove_server=False)
ONE = {"id": "1", "address": "10.0.0.1", "port": 80}
TWO = {"id": "2", "address": "10.0.0.2", "port": 80}
NAMED = {**TWO, "address": "web.example.com"}
COOKIE = {"session_persistence": "HTTP_COOKIE"}


def state(*loadbalancers: dict[str, Any], suspended: bool = False) -> Desired:
    request = parse_request(update(*loadbalancers))
    assert isinstance(request, Update)
    return Desired(loadbalancers=request.loadbalancers, suspended=suspended)


def web(*nodes: dict[str, Any], **fields: Any) -> Desired:
    return state(http(**{"nodes": list(nodes or (ONE, TWO)), **fields}))


def way(
    before: Desired, after: Desired, features: Features = MODERN, *, options: Options = OPTIONS
) -> str:
    """How it goes live, in the words of the document."""
    old, new = build(before, OPTIONS), build(after, options)
    return _way(after_reload(old), new, old, features)


def _way(running: Running, new: Configuration, old: Configuration, features: Features) -> str:
    if render(old) == render(new):
        return "nothing"
    if structure_of(old) != structure_of(new):
        return "reload"
    actions = diff(running, new, features)
    if any(isinstance(action, Reload) for action in actions):
        return "reload"
    return "runtime" if actions else "the file only"


BEFORE = web()
SIMPLE = [
    ("node: `weight`", web({**ONE, "weight": 9}, TWO)),
    ("node: `condition`", web({**ONE, "condition": "DRAINING"}, TWO)),
    ("node: `condition`", web({**ONE, "condition": "DISABLED"}, TWO)),
    ("node: `port`", web({**ONE, "port": 81}, TWO)),
    ("node: `address`", web({**ONE, "address": "::1"}, TWO)),
    ("a node more", web(ONE, TWO, {**TWO, "id": "3", "port": 81})),
    ("a node less", web(ONE)),
    ("node: `id`", web({**ONE, "id": "9"}, TWO)),
    ("the order of the nodes", web(TWO, ONE)),
    ("node: `backup`", web({**ONE, "backup": True}, TWO)),
    ("`name`", web(name="shop")),
    ("`port`", web(port=8080)),
    ("`bind_address`", web(bind_address="127.0.0.1")),
    ("`algorithm`", web(algorithm="LEAST_CONNECTIONS")),
    ("`connection_limit`", web(connection_limit=9)),
    ("`x_forwarded_for`", web(x_forwarded_for=True)),
    ("`options`", web(options={"client_timeout": 9})),
    ("`options`", web(options={"connect_retries": 9})),
    ("`monitor`", web(monitor={"type": "CONNECT"})),
    ("`session_persistence`", web(**COOKIE)),
    ("`session_persistence`", web(session_persistence="SOURCE_IP")),
    ("`protocol`", state(tcp(port=80, nodes=[ONE, TWO]))),
    ("load balancer: `id`", web(id="other")),
    ("a load balancer more or less", state(http(nodes=[ONE, TWO]), tcp())),
    ("SUSPEND", replace(BEFORE, suspended=True)),
    ("DELETE", Desired()),
]


def second(**fields: object) -> Desired:
    """A listener that ends TLS, with one pool; the fields are the listener's."""
    tls = fields.pop("tls", {"certificates": [certificate(PEM)]})
    item = {**listener("li", 443, pool="p"), "protocol": "TERMINATED_HTTPS", "tls": tls, **fields}
    request = parse_request(second_update(loadbalancer("lb", [item], [pool("p", node("n", 1))])))
    assert isinstance(request, Update)
    return Desired(loadbalancers=request.loadbalancers, version="2.0")


def certificate(chain: str) -> dict[str, str]:
    return {"id": "a", "certificate": chain, "key": KEY}


def over_tls(count: int, **tls: object) -> Desired:
    """Nodes that are spoken to over TLS."""
    nodes = [node(f"n{n}", n) for n in range(1, count + 1)]
    pools = [pool("p", *nodes, tls={"ca": PEM, **tls})]
    request = parse_request(
        second_update(loadbalancer("lb", [listener("li", 80, pool="p")], pools))
    )
    assert isinstance(request, Update)
    return Desired(loadbalancers=request.loadbalancers, version="2.0")


SHOWN = {"certificate": certificate(PEM)}
RULE = {"type": "PATH", "compare_type": "EQUAL_TO", "value": "/a"}
DENYING = {"id": "x", "action": "REJECT", "rules": [RULE]}
RENEWED = {"certificates": [certificate(PEM.replace("TUlJ", "TUlK"))]}
NETWORKS = {"allowed_cidrs": ["10.0.0.0/8"]}
SECOND = [
    ("2.0: a renewed certificate", second(), second(tls=RENEWED)),
    ("2.0: other `allowed_cidrs`", second(**NETWORKS), second(allowed_cidrs=["::1/128"])),
    ("2.0: a policy more, less or another", second(), second(policies=[DENYING])),
    ("2.0: a node more in a pool with `tls`", over_tls(1), over_tls(2)),
    ("2.0: a node more in a pool with `tls`", over_tls(0), over_tls(1)),
    ("2.0: a node more in a pool with `tls`", over_tls(1, **SHOWN), over_tls(2, **SHOWN)),
    (
        "2.0: the first node of a pool whose `tls` has a `certificate`",
        over_tls(0, **SHOWN),
        over_tls(1, **SHOWN),
    ),
    ("2.0: anything else of a listener, TLS or a pool", second(), second(port=444)),
    (
        "2.0: anything else of a listener, TLS or a pool",
        second(),
        second(tls={**RENEWED, "alpn": ["h2"]}),
    ),
]


@pytest.mark.parametrize(("row", "before", "after"), SECOND)
def test_what_2_0_changes_goes_live_as_the_document_says(
    row: str, before: Desired, after: Desired
) -> None:
    assert way(before, after) == re.split("[;:,]", ROWS[row])[0]


def test_a_node_less_over_tls_goes_at_runtime() -> None:
    assert (
        "runtime, as one less, or of another weight"
        in ROWS["2.0: a node more in a pool with `tls`"]
    )
    assert way(over_tls(2), over_tls(1)) == "runtime"


def test_networks_come_and_go_by_a_reload() -> None:
    assert "from or to none: reload" in ROWS["2.0: other `allowed_cidrs`"]
    assert way(second(), second(**NETWORKS)) == way(second(**NETWORKS), second()) == "reload"


def test_what_is_not_enabled_goes_as_a_suspension_does() -> None:
    assert ROWS["2.0: `enabled`"] == "as SUSPEND and ENABLE"
    assert way(second(), second(enabled=False)) == "runtime"


@pytest.mark.parametrize(("row", "after"), SIMPLE)
def test_what_changes_goes_live_as_the_document_says(row: str, after: Desired) -> None:
    told = re.split("[;:,]", ROWS[row])[0]
    assert way(BEFORE, after) == told


def test_every_row_is_tried() -> None:
    table = TEXT.partition("## What goes live how")[2].partition("Several changes")[0]
    rows = re.findall(r"^\| ([^|]+?) \| ", table, re.MULTILINE)[1:]
    tried = {row for row, _ in SIMPLE} | {"ENABLE", "the worker's own settings"}
    tried |= {row for row, *_ in SECOND} | {"2.0: `enabled`"}
    assert set(rows) == tried


def test_every_field_of_an_update_has_a_row() -> None:
    """The nodes themselves, and a load balancer's id, have rows of other names."""
    every = load_pair(DIRECTORY / "update" / "every_field.json").request["loadbalancers"]
    names = {name for item in every for name in item} | {
        f"node: {name}" for item in every for node in item["nodes"] for name in node
    }
    told = {row.replace("`", "") for row in ROWS}
    assert names - {"id", "nodes"} <= told
    assert "load balancer: id" in told


def test_host_names_need_a_reload() -> None:
    assert "from or to a host name: reload" in ROWS["node: `address`"]
    assert way(BEFORE, web(ONE, NAMED)) == way(web(ONE, NAMED), BEFORE) == "reload"
    assert "with a host name: reload" in ROWS["a node more"]
    assert way(web(ONE), web(ONE, NAMED)) == "reload"
    assert way(web(ONE, NAMED), web(ONE)) == "runtime"


def test_cookies_need_a_reload_before_a_version() -> None:
    version = ".".join(map(str, COOKIE_SINCE))
    assert f"by cookie from HAProxy {version} on, before: reload" in ROWS["a node more"]
    before, after = web(ONE, **COOKIE), web(ONE, TWO, **COOKIE)
    assert way(before, after) == "runtime"
    assert way(before, after, DEBIAN) == "reload"
    assert way(after, before, DEBIAN) == "runtime"


def test_the_oldest_add_and_remove_by_a_reload() -> None:
    assert way(web(ONE), BEFORE, OLD) == way(BEFORE, web(ONE), OLD) == "reload"
    assert way(BEFORE, web({**ONE, "weight": 9}, TWO), OLD) == "runtime"


def test_enable_is_a_reload_after_a_reload_while_suspended() -> None:
    assert ROWS["ENABLE"].startswith("runtime; where HAProxy started or reloaded while")
    suspended = replace(BEFORE, suspended=True)
    assert way(suspended, BEFORE) == "reload"
    old, new = build(suspended, OPTIONS), build(BEFORE, OPTIONS)
    assert _way(Running(old), new, old, MODERN) == "runtime"


def test_settings_in_the_file_need_a_reload() -> None:
    assert ROWS["the worker's own settings"].startswith("reload")
    assert way(BEFORE, BEFORE, options=replace(OPTIONS, user="other")) == "reload"


def test_how_many_steps_are_too_many() -> None:
    assert f"More than {MOST_STEPS} steps at once" in TEXT
    nodes = [{**ONE, "id": str(n), "port": n} for n in range(1, MOST_STEPS + 2)]
    heavy = [{**node, "weight": 2} for node in nodes]
    assert way(web(*nodes), web(*heavy[:-1], nodes[-1])) == "runtime"
    assert way(web(*nodes), web(*heavy)) == "reload"


def test_the_figures_are_those_of_the_code() -> None:
    settings = HAProxySettings()
    hour = "an hour"
    for name in ("drain_timeout_seconds", "hard_stop_after_seconds"):
        assert getattr(settings, name) == 3600
        assert f"`haproxy.{name}` ({hour})" in TEXT
    assert f"`haproxy.max_old_processes` ({settings.max_old_processes})" in TEXT
    assert f"waits up to {reload.ROOM_WITHIN.total_seconds():g} seconds for one to end" in TEXT
    pauses = (leaving.FIRST_PAUSE_SECONDS * 1000, leaving.LONGEST_PAUSE_SECONDS)
    assert "after {:g} milliseconds and later every {:g} seconds".format(*pauses) in TEXT
    assert driver.LOOK_EVERY_SECONDS == 30
    assert "within half a minute" in TEXT


@pytest.mark.parametrize("step", [step for step in Step if step is not Step.NOTHING])
def test_every_step_of_the_log_is_told(step: Step) -> None:
    assert any(f"`{step.value}`" in row for row in ROWS)
