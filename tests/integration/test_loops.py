"""Loops of a live controller that raise, and that hang."""

import re
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from libra.manager.keeper import FleetKeeper
from libra.manager.prober import Prober
from libra.model.controller import Controller
from tests.support.control import ControlLab, control_lab

KINDS = (RuntimeError, SystemExit, RecursionError)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    directory = tmp_path_factory.mktemp("loops")
    with control_lab(directory, hung_seconds=1, probe_seconds=0.3) as lab:
        lab.worker()
        yield lab


def ready(lab: ControlLab) -> tuple[int, str]:
    response = lab.client.get("/readyz")
    return response.status_code, response.json()["status"]


def row(lab: ControlLab) -> Controller:
    (one,) = lab.controller.services.storage.look(lambda unit: unit.controllers.find())
    return one


def failures(lab: ControlLab, loop: str) -> int:
    (told,) = re.findall(
        rf'^libra_loop_failures_total{{loop="{loop}"}} (\S+)$',
        lab.client.get("/metrics").text,
        re.MULTILINE,
    )
    return int(float(told))


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_raises_costs_nobody_else_anything(
    lab: ControlLab, monkeypatch: pytest.MonkeyPatch, kind: type[BaseException]
) -> None:
    def bad(_self: object) -> bool:
        raise kind("what a pity")

    before = failures(lab, "fleet"), failures(lab, "web")
    monkeypatch.setattr(FleetKeeper, "_is_needed", bad)
    lab.wait(lambda: failures(lab, "fleet") > before[0], "the failure")
    made = lab.create(f"shop-{kind.__name__.lower()}", listeners=[])
    assert ready(lab) == (200, "ok")
    assert failures(lab, "web") == before[1]
    lab.wait(lambda: said(row(lab), "fleet").startswith(f"{kind.__name__}: what a"), "its row")
    monkeypatch.undo()
    failed = failures(lab, "fleet")
    lab.wait(lambda: beat(row(lab), "fleet") > failed_at(row(lab), "fleet"), "its next turn")
    assert failures(lab, "fleet") - failed <= 1
    lab.delete(f"/load-balancer/v2.0/lbaas/loadbalancers/{made['id']}?cascade=true")


def loop_of(controller: Controller, name: str) -> Any:
    return next(loop for loop in controller.loops if loop.name == name)


def said(controller: Controller, name: str) -> str:
    return str(loop_of(controller, name).error)


def beat(controller: Controller, name: str) -> datetime:
    found: datetime = loop_of(controller, name).beat
    return found


def failed_at(controller: Controller, name: str) -> datetime:
    found: datetime = loop_of(controller, name).failed_at
    return found


def test_one_that_raises_of_many_costs_the_others_nothing(
    lab: ControlLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from libra.manager.poolkeeper import PoolKeeper

    for name in ("bad", "good"):
        lab.post("/v1/device-pools", {"name": name, "provider": "local"})
    kept: list[str] = []

    def keep(_self: object, pool: Any, _now: datetime) -> None:
        kept.append(pool.name)
        if pool.name == "bad":
            raise RecursionError("again and again")

    monkeypatch.setattr(PoolKeeper, "_keep", keep)
    lab.wait(lambda: kept.count("good") >= 3, "the others")
    assert 1 <= kept.count("bad") < kept.count("good")
    assert ready(lab) == (200, "ok")
    monkeypatch.undo()
    for name in ("bad", "good"):
        lab.delete(f"/v1/device-pools/{name}")


def test_a_step_that_hangs_is_named_and_the_api_lives_on(
    lab: ControlLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(FleetKeeper, "finish_moves", lambda *_: over.wait(60))
    rebuild(lab)
    try:
        lab.wait(lambda: ready(lab)[0] == 503, "it to hang")
        assert re.fullmatch(r"the loop 'moves' hangs, for \d+ s by now", ready(lab)[1])
        assert lab.controller.beats.hung()
        assert lab.get("/v1/devices")["devices"]
        lab.wait(lambda: loop_of(row(lab), "moves").hung > 1, "its row")
        assert 'libra_loop_hung_seconds{loop="moves"} 0.0' not in lab.client.get("/metrics").text
    finally:
        over.set()
    lab.wait(lambda: ready(lab) == (200, "ok"), "its end")


def rebuild(lab: ControlLab) -> None:
    """Steps are bound when the controller is made."""
    lab.stop_controller()
    lab.start_controller()
    lab.client = lab.client_with(lab.secret)


def test_a_probe_that_hangs_far_beyond_its_time_is_named(
    lab: ControlLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(Prober, "probe", lambda *_: over.wait(60))
    try:
        lab.wait(lambda: "'probes' hangs" in ready(lab)[1], "it to hang")
    finally:
        over.set()
    lab.wait(lambda: ready(lab) == (200, "ok"), "its end")


def test_an_api_whose_loop_ends_is_noticed(lab: ControlLab) -> None:
    assert not lab.controller.has_ended
    server = lab.controller.api._server
    assert server is not None
    server.should_exit = True  # as if by itself
    lab.wait(lambda: lab.controller.has_ended, "its end")
    rebuild(lab)
    assert not lab.controller.has_ended


def test_the_row_goes_with_a_clean_stop(lab: ControlLab, tmp_path: Path) -> None:
    first = row(lab)
    assert first.is_live(lab.controller.services.clock())
    assert {"manager", "fleet", "reception", "heartbeat", "api"} <= {
        one.name for one in first.loops
    }
    lab.wait(lambda: row(lab).seen_at > first.seen_at, "the next beat")
    rebuild(lab)
    assert row(lab).id != first.id
