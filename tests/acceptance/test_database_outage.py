"""PostgreSQL dies and comes back while clients write: 503 meanwhile, and nothing acknowledged is lost."""

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.chaos import ChaosLab
from tests.support.control import LBAAS
from tests.support.haproxy import socket_directory
from tests.support.ports import wait_until
from tests.support.postgres import Postgres, running_postgres

__all__ = ["socket_directory"]

OUTAGES = 3
OUTAGE_SECONDS = 1.5
WRITERS = 4
ANSWER_SECONDS = 15.0
RECOVERY_SECONDS = 60.0
Json = dict[str, Any]


@pytest.fixture
def database() -> Iterator[Postgres]:
    """Its own: it is killed."""
    with running_postgres() as server:
        yield server


@pytest.fixture
def lab(database: Postgres, socket_directory: Path) -> Iterator[ChaosLab]:
    lab = ChaosLab(socket_directory, database.new_url(), gearmand=False)
    try:
        lab.start()
        yield lab
    finally:
        lab.tell()
        lab.close()


class Writer:
    """Adds members to a pool of its own and takes them away again, one after the other, until it is told to stop.

    Ports of `there` were acknowledged as added, of `gone` as deleted; of the others nobody knows.
    """

    def __init__(self, lab: ChaosLab, number: int) -> None:
        self._lab = lab
        self._client = lab.client
        self.there: set[int] = set()
        self.gone: set[int] = set()
        self.refusals: list[httpx.Response] = []
        self.pool = self._create(f"lb{number}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"writer-{number}")
        self._fault: BaseException | None = None
        self._thread.start()

    def _create(self, name: str) -> str:
        pool = {"name": "p", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN"}
        listeners = [{"protocol": "TCP", "protocol_port": 9000, "default_pool": pool}]
        body = {"name": name, "vip_subnet_id": "default", "listeners": listeners}
        answer = self._client.post(f"{LBAAS}/loadbalancers", json={"loadbalancer": body})
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["loadbalancer"]["pools"][0]["id"])

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(RECOVERY_SECONDS)
        assert not self._thread.is_alive()
        if self._fault is not None:
            raise self._fault

    def _run(self) -> None:
        try:
            port = 1
            while not self._stopping.is_set():
                made = self._ask("POST", "", {"address": "127.0.0.1", "protocol_port": port})
                if made is not None:
                    self.there.add(port)
                    if port % 2:
                        self._delete(port, made.json()["member"]["id"])
                port += 1
        except BaseException as error:  # noqa: BLE001 - raised again where it is stopped
            self._fault = error

    def _delete(self, port: int, key: str) -> None:
        self.there.discard(port)
        if self._ask("DELETE", f"/{key}") is not None:
            self.gone.add(port)

    def _ask(self, method: str, path: str, member: Json | None = None) -> httpx.Response | None:
        """None where it was refused for want of a database: it may be done all the same."""
        body = {"member": member} if member else None
        while not self._stopping.is_set():
            url = f"{LBAAS}/pools/{self.pool}/members{path}"
            answer = self._client.request(method, url, json=body)
            if answer.status_code == httpx.codes.CONFLICT:  # the change before is under way
                time.sleep(0.02)
                continue
            if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
                self.refusals.append(answer)
                time.sleep(0.05)
                return None
            assert answer.is_success, (answer.status_code, answer.text)
            return answer
        return None

    def is_as_acknowledged(self) -> bool:
        answer = self._client.get(f"{LBAAS}/pools/{self.pool}/members")
        ports = {item["protocol_port"] for item in answer.json()["members"]}
        assert self.there <= ports, "a member was acknowledged and is lost"
        assert not self.gone & ports, "a deletion was acknowledged and is lost"
        return True


def test_writes_go_on_after_each_outage(lab: ChaosLab, database: Postgres) -> None:
    with ExitStack() as stack:
        writers = [Writer(lab, number) for number in range(WRITERS)]
        for writer in writers:
            stack.callback(writer.stop)
        for _ in range(OUTAGES):
            ensure_all_write(writers)
            database.stop()
            ensure_refused_with_a_sentence(lab)
            time.sleep(OUTAGE_SECONDS)  # the outage lasts a while: that is what is tried
            database.start()
        ensure_all_write(writers)
    lab.wait(lambda: has_settled(lab), "everything ACTIVE")
    assert all(writer.is_as_acknowledged() for writer in writers)
    lab.wait(lab.runs_as_stored, "a device that runs what is stored")
    assert any(writer.refusals for writer in writers)
    for writer in writers:
        for refused in writer.refusals:
            assert_says_why(refused)


def ensure_all_write(writers: list[Writer]) -> None:
    """From now on at least once."""
    reached = [len(writer.there) for writer in writers]
    wait_until(
        lambda: all(len(w.there) > n for w, n in zip(writers, reached, strict=True)),
        timeout=RECOVERY_SECONDS,
        what="acknowledged writes of everybody",
    )


def ensure_refused_with_a_sentence(lab: ChaosLab) -> None:
    """At once, for reads as for writes, and for whoever asks whether the controller is ready."""
    started = time.monotonic()
    assert_says_why(lab.client.get(f"{LBAAS}/loadbalancers"))
    body = {"loadbalancer": {"vip_subnet_id": "default"}}
    assert_says_why(lab.client.post(f"{LBAAS}/loadbalancers", json=body))
    assert lab.client.get("/readyz").status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert lab.client.get("/healthz").status_code == httpx.codes.OK
    assert time.monotonic() - started < ANSWER_SECONDS


def assert_says_why(answer: httpx.Response) -> None:
    assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
    assert answer.json()["faultstring"].startswith("cannot use the database: ")
    assert "INSERT" not in answer.text
    assert "SELECT" not in answer.text


def has_settled(lab: ChaosLab) -> bool:
    answer = lab.client.get(f"{LBAAS}/loadbalancers")
    if not answer.is_success:
        return False
    found = answer.json()["loadbalancers"]
    return {item["provisioning_status"] for item in found} == {"ACTIVE"}
