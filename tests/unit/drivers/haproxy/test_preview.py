"""A plan in words: every action has a sentence, and no secret is shown."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.base import Step
from libra.drivers.haproxy.actions import (
    AddServer,
    DisableFrontend,
    EnableFrontend,
    RemoveServer,
    RuntimeAction,
    SetAddress,
    SetCertificate,
    SetMaint,
    SetMap,
    SetReady,
    SetWeight,
)
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Check, Material, Server, ServerState
from libra.drivers.haproxy.install import Installed
from libra.drivers.haproxy.preview import FOREIGN, build_preview, describe
from libra.drivers.haproxy.render import description_of, render
from libra.drivers.haproxy.running import Plan
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired, desireds
from tests.unit.drivers.haproxy.test_build import OPTIONS

CHECK = Check(interval=timedelta(seconds=1), timeout=timedelta(seconds=1), attempts=2)
SERVER = Server("web-1", "10.0.0.1", 80, weight=5)
SENTENCES: list[tuple[RuntimeAction, str]] = [
    (SetWeight("be-15", "web-1", 5), "set weight of be-15/web-1 to 5"),
    (SetWeight("be-15", "web-1", 0), "set weight of be-15/web-1 to 0, so that it drains"),
    (SetAddress("be-15", "web-1", "::1", 80), "move be-15/web-1 to [::1]:80"),
    (SetReady("be-15", "web-1"), "take be-15/web-1 out of maintenance"),
    (SetMaint("be-15", "web-1"), "put be-15/web-1 into maintenance"),
    (
        AddServer("be-15", SERVER, CHECK, with_cookie=True),
        "add be-15/web-1 at 10.0.0.1:80 with weight 5",
    ),
    (
        AddServer(
            "be-15",
            SERVER._replace(backup=True, state=ServerState.MAINT),
            None,
            with_cookie=False,
        ),
        "add be-15/web-1 at 10.0.0.1:80 with weight 5, as backup, in maintenance",
    ),
    (
        AddServer("be-15", SERVER._replace(state=ServerState.DRAIN), None, with_cookie=False),
        "add be-15/web-1 at 10.0.0.1:80 with weight 0",
    ),
    (RemoveServer("be-15", "web-1"), "remove be-15/web-1 once its connections have ended"),
    (EnableFrontend("fe-15"), "listen again on fe-15"),
    (DisableFrontend("fe-15"), "refuse new connections on fe-15"),
    (SetCertificate(Material("crt-15-a", "pem", "secret")), "renew the certificate crt-15-a"),
    (
        SetMap(Material("allow-15", "map", "", ("10.0.0.0/8", "::1/128"))),
        "let 2 networks in by allow-15",
    ),
]


def installed(desired: Desired, **options: object) -> Installed:
    text = render(build(desired, replace(OPTIONS, **options)))
    return Installed(text, description_of(text))


@pytest.mark.parametrize(("action", "sentence"), SENTENCES)
def test_every_action_has_a_sentence(action: RuntimeAction, sentence: str) -> None:
    assert describe(action) == sentence


def test_none_is_forgotten() -> None:
    assert {type(action) for action, _ in SENTENCES} == set(get_args(RuntimeAction))


def test_a_plan_in_words() -> None:
    before, after = installed(build_desired(81)), installed(build_desired(82))
    plan = Plan(Step.CHANGE, (SetAddress("be-web", "m0", "127.0.0.1", 82),))
    preview = build_preview(plan, before, str(after.text))
    assert (preview.step, preview.reasons, preview.notes) == (Step.CHANGE, (), ())
    assert preview.actions == ("move be-web/m0 to 127.0.0.1:82",)
    lines = preview.diff.splitlines()
    assert "-    server m0 127.0.0.1:81 weight 1" in lines
    assert "+    server m0 127.0.0.1:82 weight 1" in lines


def test_reasons_are_the_plans() -> None:
    after = installed(build_desired(82))
    preview = build_preview(Plan(Step.RELOAD, reasons=("one", "two")), Installed(), str(after.text))
    assert (preview.step, preview.reasons) == (Step.RELOAD, ("one", "two"))
    assert preview.diff.count("\n+") == str(after.text).count("\n") + 1  # the heading, too


@given(desireds())
def test_the_same_text_has_no_diff(desired: Desired) -> None:
    file = installed(desired)
    assert build_preview(Plan(Step.NOTHING), file, str(file.text)).diff == ""


SECRETS = [
    "stats auth admin:open-sesame",
    "http-request set-header Authorization 'Basic open-sesame x'",
    "setenv DB_PASSWORD open-sesame",
    "user libra insecure-password open-sesame",
    "dynamic-cookie-key open-sesame",
    "cluster-secret open-sesame",
    "http-check send hdr X-Auth-Token open-sesame meth GET",
]


@pytest.mark.parametrize("line", SECRETS)
def test_no_secret_of_the_operator_is_shown(line: str) -> None:
    bare = installed(build_desired(81))
    for where in ("extra_global", "extra_defaults"):
        secret = installed(build_desired(81), **{where: (line,)})
        other = installed(build_desired(81), **{where: (line.replace("open", "shut"),)})
        for before, after in ((bare, secret), (secret, bare), (secret, other)):
            diff = build_preview(Plan(Step.RELOAD), before, str(after.text)).diff
            assert "sesame" not in diff
            assert "***" in diff


def test_a_customers_names_are_shown() -> None:
    before = installed(build_desired(81))
    text = str(before.text).replace("server m0 ", "server token ").replace("be-web", "be-secret")
    diff = build_preview(Plan(Step.RELOAD), before, text).diff
    assert "+    server token 127.0.0.1:81 weight 1" in diff.splitlines()
    assert "+backend be-secret" in diff.splitlines()
    assert "***" not in diff


@given(st.text())
def test_somebody_elses_file_is_not_shown(text: str) -> None:
    wanted = str(installed(build_desired(81)).text)
    foreign = f"global\n# {text}\nopen sesame\n"
    preview = build_preview(Plan(Step.RELOAD), Installed(foreign, None), wanted)
    assert "sesame" not in preview.diff
    assert preview.notes == (FOREIGN,)
