"""How the processes of one run share the tests out."""

from hypothesis import given
from hypothesis import strategies as st

from tests.support.ordering import deal

MODULES = st.lists(st.integers(min_value=1, max_value=30), max_size=40)


@given(modules=MODULES, short=st.integers(min_value=0, max_value=400), hands=st.integers(1, 8))
def test_every_test_is_dealt_once_and_modules_stay_whole(
    modules: list[int], short: int, hands: int
) -> None:
    long = [[(number, item) for item in range(size)] for number, size in enumerate(modules)]
    rest = [(-1, item) for item in range(short)]
    dealt = deal(long, rest, hands)
    assert sorted(dealt) == sorted([item for module in long for item in module] + rest)
    for module in long:
        start = dealt.index(module[0])
        assert dealt[start : start + len(module)] == module


def test_every_piece_begins_with_the_long_ones() -> None:
    long = [[f"{name}{n}" for n in range(3)] for name in "abcd"]
    dealt = deal(long, [f"short{n}" for n in range(28)], 4)
    pieces = [dealt[start : start + 10] for start in range(0, 40, 10)]
    assert [piece[:3] for piece in pieces] == long
    assert all(item.startswith("short") for piece in pieces for item in piece[3:])
