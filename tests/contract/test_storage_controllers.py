"""The rows of controllers, with their loops: SQLite and a real PostgreSQL."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from libra.model.controller import LIVE, Controller, LoopState
from libra.storage.engines import open_engine
from libra.storage.sql import SqlStorage
from tests.support.postgres import Postgres, running_postgres
from tests.support.storages import NOW, at, lay_out, migrated, new_id


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=("sqlite", "postgresql"))
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return lay_out(tmp_path)
    return str(request.getfixturevalue("postgres").laid_out_url())


@pytest.fixture
def storage(url: str) -> Iterator[SqlStorage]:
    with migrated(url) as opened:
        yield opened


def build_controller() -> Controller:
    good = LoopState(name="fleet", interval=1.0, limit=30.0, beat=at(1), stores=("database",))
    bad = replace(good, name="web", failures=2, error='it "raised" ü', failed_at=at(2), hung=40.5)
    never = LoopState(name="prune", interval=3600.0, limit=30.0)
    return Controller(
        id=new_id(),
        host="edge1",
        pid=4711,
        release="1.0",
        started_at=NOW,
        seen_at=at(3),
        loops=(good, bad, never),
    )


def test_a_controller_comes_back_as_it_went_in(storage: SqlStorage) -> None:
    one = build_controller()
    with storage.writing() as unit:
        unit.controllers.add(one)
    with storage.reading() as unit:
        assert unit.controllers.get(one.id) == one
        assert unit.controllers.find() == [one]
    told = replace(one, seen_at=at(9), manages=True, loops=())
    with storage.writing() as unit:
        unit.controllers.replace(told)
    with storage.reading() as unit:
        assert unit.controllers.get(one.id) == told


def test_what_another_release_says_of_a_loop_is_passed_over(url: str, storage: SqlStorage) -> None:
    one = build_controller()
    with storage.writing() as unit:
        unit.controllers.add(one)
    newer = '[{"name": "new", "interval": 1, "limit": 2, "mood": "fine"}]'
    engine = open_engine(url, connections=1)
    with engine.connect() as connection:
        connection.execute(text("UPDATE controllers SET loops = :loops"), {"loops": newer})
    engine.dispose()
    with storage.reading() as unit:
        (found,) = unit.controllers.find()
    assert found.loops == (LoopState(name="new", interval=1, limit=2),)


def test_one_that_wrote_long_ago_is_not_live() -> None:
    one = replace(build_controller(), seen_at=NOW)
    assert one.is_live(at(0))
    assert not one.is_live(NOW + LIVE)
