"""Rollouts in every storage: SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from libra.errors import AlreadyExists
from libra.model.rollout import OPEN, Phase, Rollout, RolloutState, RolloutStep, Wish
from libra.storage.query import Query
from libra.storage.sql import SqlStorage
from libra.usecases.rollouts import prune_rollouts
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import at, lay_out, migrated

KINDS = ("sqlite", "postgresql")
ROLLOUT = Rollout(
    id="r1",
    group="web",
    state=RolloutState.STOPPED,
    reason="web2: it has 3 sessions",
    author="ci",
    options="{}",
    holder="me@here pid 1",
    lease=2,
    lease_until=at(30),
    wish=Wish.ABORT,
    created_at=at(0),
    updated_at=at(1),
    ended_at=at(2),
)
STEP = RolloutStep(
    id="r1/0",
    rollout_id="r1",
    position=0,
    node="web1",
    phase=Phase.DRAINING,
    reason="why",
    taken=True,
    since=at(3),
)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=KINDS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStorage]:
    with migrated(_url(request, tmp_path)) as storage:
        yield storage


def _url(request: pytest.FixtureRequest, directory: Path) -> str:
    if request.param == "sqlite":
        return lay_out(directory)
    return str(request.getfixturevalue("postgres").laid_out_url())


def test_every_record_comes_back_as_it_went_in(storage: SqlStorage) -> None:
    for record in (ROLLOUT, STEP):
        assert all(getattr(record, field.name) is not None for field in fields(record))
    with storage.writing() as unit:
        unit.rollouts.add(ROLLOUT)
        unit.rollout_steps.add(STEP)
    with storage.reading() as unit:
        assert unit.rollouts.find(Query(where={"group": "web", "state": OPEN})) == [ROLLOUT]
        assert unit.rollout_steps.find(Query(where={"rollout_id": ["r1"]})) == [STEP]


def test_a_node_is_in_a_rollout_once_and_goes_with_it(storage: SqlStorage) -> None:
    other = RolloutStep(id="r1/1", rollout_id="r1", position=1, node="web1", since=at(0))
    with storage.writing() as unit:
        unit.rollouts.add(ROLLOUT)
        unit.rollout_steps.add(STEP)
        with pytest.raises(AlreadyExists):
            unit.rollout_steps.add(other)
    with storage.writing() as unit:
        unit.rollouts.remove("r1")
        assert unit.rollout_steps.find() == []


def test_what_ended_long_ago_goes_with_its_nodes(storage: SqlStorage) -> None:
    old = replace(ROLLOUT, id="old", state=RolloutState.COMPLETE)
    stopped = replace(ROLLOUT, id="stopped", ended_at=None)
    late = replace(ROLLOUT, id="late", state=RolloutState.ABORTED, ended_at=at(9))
    with storage.writing() as unit:
        for item in (old, stopped, late):
            unit.rollouts.add(item)
            unit.rollout_steps.add(replace(STEP, id=f"{item.id}/0", rollout_id=item.id))
        assert prune_rollouts(unit, at(5)) == 1
    with storage.reading() as unit:
        assert {item.id for item in unit.rollouts.find()} == {"stopped", "late"}
        assert {step.rollout_id for step in unit.rollout_steps.find()} == {"stopped", "late"}
