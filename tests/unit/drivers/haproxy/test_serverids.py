"""Numbers of servers: distinct, and nobody's but their own name's business."""

from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.config import Server
from libra.drivers.haproxy.serverids import HIGHEST, prefer_id, with_distinct_ids

names = st.lists(st.text("abc0123456789", min_size=1, max_size=8), unique=True, max_size=30)


def crowded(name: str, attempt: int = 0) -> int:
    """Seven numbers at first, so that most names want the same."""
    return prefer_id(name) % 7 + 1 if attempt == 0 else prefer_id(name, attempt) % 60 + 1


def ids(names: list[str], prefer: object = prefer_id) -> dict[str, int | None]:
    servers = [Server(name, "10.0.0.1", 80, id=prefer(name, 0)) for name in names]  # type: ignore[operator]
    found = {server.name: server.id for server in with_distinct_ids(servers, prefer)}  # type: ignore[arg-type]
    assert list(found) == names
    return found


@given(names)
def test_every_server_has_a_number_of_its_own(names: list[str]) -> None:
    found = ids(names)
    assert len(set(found.values())) == len(names)
    assert all(number is not None and 1 <= number <= HIGHEST for number in found.values())


@given(names)
def test_crowded_ones_too(names: list[str]) -> None:
    assert len(set(ids(names, crowded).values())) == len(names)


@given(names, st.randoms())
def test_the_order_does_not_matter(names: list[str], random: object) -> None:
    shuffled = sorted(names, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert ids(shuffled, crowded) == ids(names, crowded)


@given(names, st.data())
def test_nobodys_number_changes_when_others_come_and_go(
    names: list[str], data: st.DataObject
) -> None:
    """But for those that wanted the same: the first by name has it."""
    some = data.draw(st.lists(st.sampled_from(names), unique=True)) if names else []
    all_ids, some_ids = ids(names, crowded), ids(some, crowded)
    for name in some:
        if all_ids[name] == crowded(name):
            assert some_ids[name] == crowded(name)
    if len({prefer_id(name) for name in names}) == len(names):
        assert ids(some) == {name: ids(names)[name] for name in some}


def test_five_thousand() -> None:
    """Some of them want the same number."""
    many = [f"10.0.{n >> 8}.{n & 255}:80" for n in range(5000)]
    assert len({prefer_id(name) for name in many}) < 5000
    assert len(set(ids(many).values())) == 5000


def test_numbers_stay_from_release_to_release() -> None:
    """Else an upgrade of libra would move clients."""
    assert (prefer_id("10.0.0.1:80"), prefer_id("10.0.0.1:80", 1)) == PINNED


PINNED = (703252, 954753)
