"""Queries whose SQL is made once find what the others find."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Select

from libra.errors import Invalid
from libra.model.device import Device, DeviceState
from libra.storage import rows, tables
from libra.storage.prepared import prepare
from libra.storage.query import Query, Since, TagFilter
from libra.storage.sql import SqlStorage
from tests.support.postgres import running_postgres
from tests.support.storages import NOW, build_device, lay_out, migrated

DEVICES = [
    replace(
        build_device(f"d{number}"),
        created_at=NOW + timedelta(seconds=number % 3),
        state=(DeviceState.SPARE, DeviceState.ERROR)[number % 2],
        stopped=number % 4 == 0,
        last_seen=NOW if number % 3 else None,
        misses=number % 2,
    )
    for number in range(8)
]
VALUES = {
    "state": [DeviceState.SPARE, {DeviceState.SPARE, DeviceState.ERROR}, frozenset()],
    "stopped": [True, False],
    "last_seen": [None, NOW],
    "misses": [0, 1, [1], 2**40],
    "name": ["d1", "'", ["d2", "d3"]],
}
EVERY: Select[tuple[object]] = rows._select_of(tables.devices, rows._names_of(Device))
QUERIES = st.builds(
    Query,
    where=st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in VALUES.items()}
    ),
    sort=st.lists(st.tuples(st.sampled_from(["last_seen", "misses"]), st.booleans())).map(tuple),
    limit=st.none() | st.integers(1, 9),
    backwards=st.booleans(),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SqlStorage]:
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = lay_out(tmp_path_factory.mktemp("prepared"))
        else:
            url = stack.enter_context(running_postgres()).laid_out_url()
        storage = stack.enter_context(migrated(url))
        with storage.writing() as unit:
            unit.devices.add_all(DEVICES)
        yield storage


@given(query=QUERIES)
def test_it_finds_the_same(filled: SqlStorage, query: Query) -> None:
    with filled.reading() as unit:
        made_once = unit.devices.find(query)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rows, "prepare", lambda *_: None)
            assert unit.devices.find(query) == made_once


def test_one_of_a_kind_is_made() -> None:
    first, second = (
        prepare(EVERY, tables.devices, Query(where={"name": name}, limit=limit))
        for name, limit in (("a", 1), ("b", 2))
    )
    assert first is not None
    assert second is not None
    assert first[0] is second[0]
    assert (first[1], second[1]) == ({"is_name": "a", "most": 1}, {"is_name": "b", "most": 2})


@pytest.mark.parametrize(
    "query",
    [
        Query(marker="a"),
        Query(place=()),
        Query(tags=TagFilter(every=("a",))),
        Query(where={"created_at": Since(NOW)}),
    ],
)
def test_what_is_not_so_simple_is_made_each_time(query: Query) -> None:
    assert prepare(EVERY, tables.devices, query) is None


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(Invalid):
        prepare(EVERY, tables.devices, Query(where={"x": 1}))
