"""Which device gets a load balancer."""

from dataclasses import replace

import pytest

from libra.errors import PoolExhausted
from libra.model.device import Place
from libra.usecases.placement import pick_place


def place(name: str, *projects: str, has: int | None = None, shared: bool = False) -> Place:
    return Place(
        device_id=name,
        name=name,
        address=f"10.0.0.{len(name)}",
        protocol="2.0",
        loadbalancers=len(projects) if has is None else has,
        shared=shared,
        projects=frozenset(projects),
    )


def test_projects_have_devices_of_their_own() -> None:
    places = [place("a", "p"), place("b")]
    assert pick_place(places, "p").name == "a"
    assert pick_place(places, "q").name == "b"
    with pytest.raises(PoolExhausted, match="another project's"):
        pick_place(places[:1], "q")


def test_a_device_that_was_shared_before_takes_nobody_in() -> None:
    with pytest.raises(PoolExhausted):
        pick_place([place("a", "p", "q")], "p")


def test_where_projects_share_the_emptiest_is_taken() -> None:
    places = [place("a", "p", has=3, shared=True), place("b", "q", has=2, shared=True)]
    assert pick_place(places, "p").name == "b"


def test_the_reserve_is_left_alone_while_there_is_another() -> None:
    used, spare = place("a", "p", has=3, shared=True), place("b", shared=True)
    kept = [replace(item, reserve=1) for item in (used, spare)]
    assert pick_place([used, spare], "p").name == "b"
    assert pick_place(kept, "p").name == "a"
    assert pick_place([*kept, replace(place("c", shared=True), reserve=1)], "p").name == "b"
    assert pick_place(kept[1:], "p").name == "b"


def test_pools_with_the_lowest_priority_come_first() -> None:
    first, second = place("b", "p", has=9, shared=True), place("a", shared=True)
    places = [replace(first, priority=-1), replace(second, priority=1)]
    assert pick_place(places, "p").name == "b"
    kept = [replace(item, reserve=1) for item in [replace(places[0], loadbalancers=0), places[1]]]
    assert pick_place(kept, "p").name == "b"  # even of its reserve, which its keeper fills up again
    full = [replace(places[0], loadbalancers=100_000), places[1]]
    assert pick_place(full, "p").name == "a"


def test_one_of_an_older_release_comes_last() -> None:
    older = replace(place("a", shared=True), protocol="1.0")
    newer = place("b", "p", has=9, shared=True)
    assert pick_place([older, newer], "p").name == "b"


def test_only_the_device_with_the_address_that_is_asked_for() -> None:
    places = [place("a"), place("bb")]
    assert pick_place(places, "p", "10.0.0.2").name == "bb"
    with pytest.raises(PoolExhausted, match=r"the address 10\.0\.0\.9"):
        pick_place(places, "p", "10.0.0.9")
