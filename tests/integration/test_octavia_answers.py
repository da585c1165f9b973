"""What Octavia's own API answers to the same requests, as it was recorded, beside what libra answers.

tools/octavia-answers records it; differences.json has each difference with its reason.
"""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from libra.manager import daemon, noop
from tests.support.control import LBAAS, ControlLab, control_lab
from tests.support.octaviaasking import Answer, ask_all
from tests.support.ports import wait_until

DATA = Path(__file__).resolve().parent.parent / "data" / "octavia"
WAIT = 60.0


class Gate:
    """What is on its way stays there until the requests of a case are over."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._open = threading.Event()

    def provision(self, services: Any) -> None:
        if self._open.is_set():
            noop.provision_noops(services)

    def settle(self) -> None:
        if not self._waiting():
            return
        self._open.set()
        wait_until(lambda: not self._waiting(), timeout=WAIT, what="everything to be ACTIVE")
        self._open.clear()

    def _waiting(self) -> list[str]:
        found = self._client.get(f"{LBAAS}/loadbalancers").json()["loadbalancers"]
        return [item["id"] for item in found if "PENDING" in item["provisioning_status"]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Answer]]:
    with (
        control_lab(tmp_path_factory.mktemp("octavia")) as lab,
        pytest.MonkeyPatch.context() as patch,
    ):
        yield ask_ours(lab, patch.setattr)


def ask_ours(lab: ControlLab, patch: Callable[..., None]) -> dict[str, Answer]:
    gate = Gate(lab.client)
    patch(daemon, "provision_noops", gate.provision)
    (subnet,) = lab.get("/v2/subnets")["subnets"]
    known = {"subnet": subnet["id"], "provider": "noop", "project": "default"}
    return ask_all(lab.client, known, gate.settle)


@pytest.fixture(scope="module")
def theirs() -> dict[str, Answer]:
    answers: dict[str, Answer] = json.loads((DATA / "answers.json").read_text())["answers"]
    return answers


def test_there_are_many(theirs: dict[str, Answer], ours: dict[str, Answer]) -> None:
    assert len(theirs) >= 200
    assert list(theirs) == list(ours)
    bad = [name for name, told in theirs.items() if told["status"] >= 400]
    assert 100 < len(bad) < len(theirs) - 80


def test_every_difference_has_its_reason(
    theirs: dict[str, Answer], ours: dict[str, Answer]
) -> None:
    table = json.loads((DATA / "differences.json").read_text())
    found = find_differences(theirs, ours)
    known = {
        name: {key: told[key] for key in ("octavia", "libra")}
        for name, told in table["differences"].items()
    }
    assert found == known
    used = {told["reason"] for told in table["differences"].values()}
    assert used == set(table["reasons"])


def find_differences(
    theirs: dict[str, Answer], ours: dict[str, Answer]
) -> dict[str, dict[str, Any]]:
    """Of statuses, or of the keys where the status is the same."""
    found = {}
    for name, told in theirs.items():
        mine = ours[name]
        if told["status"] != mine["status"]:
            found[name] = {"octavia": told["status"], "libra": mine["status"]}
        elif told["keys"] != mine["keys"]:
            found[name] = {"octavia": told["keys"], "libra": mine["keys"]}
    return found
