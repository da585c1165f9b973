"""Which devices a pool gives up, whatever it has."""

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from libra.model.device import WATCHED, DeviceState
from libra.model.shrinking import Occupied, choose_excess, counts
from tests.support.storages import at, build_device


def occupied(number: int, state: str = "SPARE", has: int = 0, **fields: bool) -> Occupied:
    is_node = fields.pop("is_node", False)
    device = build_device(f"d{number}", state=DeviceState(state), created_at=at(number), **fields)
    return Occupied(device=device, loadbalancers=has, is_node=is_node)


def names(devices: list[Occupied], most: int) -> list[str]:
    return [device.name for device in choose_excess(devices, most)]


def test_the_oldest_spare_one_goes_first_then_the_one_with_the_fewest() -> None:
    devices = [
        occupied(1, "ASSIGNED", 2),
        occupied(2, "ASSIGNED", 1),
        occupied(4),
        occupied(3),
        occupied(0, "ASSIGNED", 1),
    ]
    assert names(devices, 0) == ["d3", "d4", "d0", "d2", "d1"]
    assert names(devices, 3) == ["d3", "d4"]
    assert names(devices, 5) == names(devices, 9) == []


def test_what_is_of_no_use_goes_before_what_is_spare_and_what_comes_after_it() -> None:
    devices = [
        occupied(1, "BUILDING"),
        occupied(2),
        occupied(3, "ERROR"),
        occupied(4, "DRAINING"),
        occupied(5, "ERROR", 1),
    ]
    assert names(devices, 0) == ["d3", "d4", "d2", "d1", "d5"]


def test_a_node_of_a_web_cluster_goes_last() -> None:
    devices = [occupied(1, "ASSIGNED", is_node=True), occupied(2, "ASSIGNED", 9)]
    assert names(devices, 1) == ["d2"]


def test_who_is_on_its_way_out_is_not_counted_and_not_told_again() -> None:
    going = [
        occupied(1, "DRAINING", 1, retiring=True),
        occupied(2, "RETIRED"),
        occupied(3, "ANNOUNCED"),
    ]
    assert names([*going, occupied(4)], 1) == []
    assert names([*going, occupied(4)], 0) == ["d4"]


FLEETS = st.lists(
    st.builds(
        occupied,
        st.integers(0, 5),
        st.sampled_from([state.value for state in DeviceState]),
        st.integers(0, 3),
        retiring=st.booleans(),
        is_node=st.booleans(),
    ),
    max_size=12,
)


@given(FLEETS, st.integers(0, 13))
def test_as_many_stay_as_may(devices: list[Occupied], most: int) -> None:
    chosen = choose_excess(devices, most)
    mine = [item for item in devices if counts(item.device)]
    assert len(mine) - len(chosen) == min(most, len(mine))
    assert len({device.id for device in chosen}) == len(chosen)
    assert all(device.state in WATCHED and not device.retiring for device in chosen)


@given(FLEETS, st.integers(0, 12), st.randoms())
def test_to_shrink_in_steps_is_to_shrink_at_once(
    devices: list[Occupied], most: int, shuffled: Random
) -> None:
    """Whatever order they are listed in, and however often it is ordered again."""
    first = choose_excess(devices, most + 1)
    gone = {device.id for device in first}
    rest = [
        replace(item, device=replace(item.device, retiring=True))
        if item.device.id in gone
        else item
        for item in devices
    ]
    shuffled.shuffle(rest)
    second = choose_excess(rest, most)
    wanted = [device.id for device in choose_excess(devices, most)]
    assert [device.id for device in [*first, *second]] == wanted
    again = [
        replace(item, device=replace(item.device, retiring=True))
        if item.device.id in wanted
        else item
        for item in devices
    ]
    assert choose_excess(again, most) == []


@given(FLEETS, st.integers(0, 12))
def test_none_with_more_goes_while_one_with_less_stays(devices: list[Occupied], most: int) -> None:
    chosen = {device.id for device in choose_excess(devices, most)}
    mine = [item for item in devices if counts(item.device) and not item.is_node]
    going = [item.loadbalancers for item in mine if item.device.id in chosen]
    staying = [item.loadbalancers for item in mine if item.device.id not in chosen]
    assert max(going, default=0) <= min(staying, default=99)
