"""The order in which the processes of one run share the tests out."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TypeVar

T = TypeVar("T")


def deal(modules: Iterable[Sequence[T]], short: Sequence[T], hands: int) -> list[T]:
    """Every process is given a piece of equal length of the list: `modules` whole, then as much of `short` as fits.

    The ones that wait for other processes come first and everywhere, so that all processors have work until the end,
    when short ones are left to even it out.
    """
    dealt: list[list[T]] = [[] for _ in range(hands)]
    for module in modules:
        min(dealt, key=len).extend(module)
    size = -(-(sum(map(len, dealt)) + len(short)) // hands)
    rest = iter(short)
    for hand in dealt:
        hand.extend(item for _, item in zip(range(size - len(hand)), rest, strict=False))
    dealt[-1].extend(rest)
    return list(chain.from_iterable(dealt))
