"""The shelf of jobs that were fetched ahead."""

import threading

from libra.jobs.gearman.shelf import Shelf


def never() -> None:
    raise AssertionError("nobody waits for a place")


def test_first_in_first_out() -> None:
    shelf: Shelf[str] = Shelf(3, 100)
    for item in ("a", "b", "c"):
        assert shelf.reserve(never)
        shelf.put(item)
    assert [shelf.take(0.0) for _ in range(4)] == ["a", "b", "c", None]


def test_who_finds_no_place_is_called_once_when_there_is_one() -> None:
    shelf: Shelf[str] = Shelf(1, 100)
    called: list[str] = []

    def call() -> None:
        called.append("free")

    assert shelf.reserve(never)
    assert not shelf.reserve(call)
    assert not shelf.reserve(call)
    shelf.put("a")
    assert called == []
    assert shelf.take(0.0) == "a"
    assert called == ["free"]
    assert shelf.reserve(never)
    shelf.release()
    assert shelf.reserve(never)
    assert called == ["free"]


def test_removed_items_free_their_places() -> None:
    shelf: Shelf[int] = Shelf(4, 100)
    for number in range(4):
        assert shelf.reserve(never)
        shelf.put(number)
    called: list[bool] = []
    assert not shelf.reserve(lambda: called.append(True))
    assert shelf.remove(lambda number: number % 2 == 0) == [0, 2]
    assert called == [True]
    assert [shelf.reserve(never) for _ in range(2)] == [True, True]
    assert [shelf.take(0.0), shelf.take(0.0), shelf.take(0.0)] == [1, 3, None]


def test_a_closed_shelf_gives_nothing_and_wakes_who_waits() -> None:
    shelf: Shelf[str] = Shelf(2, 100)
    taken: list[object] = []
    waiting = threading.Thread(target=lambda: taken.append(shelf.take(60.0)))
    waiting.start()
    shelf.close()
    waiting.join(10)
    assert taken == [None]
    assert shelf.reserve(never)
    shelf.put("a")
    assert shelf.take(60.0) is None
    assert shelf.remove(lambda _: True) == ["a"]


def test_weight_counts_as_well_and_one_heavy_item_always_fits() -> None:
    shelf: Shelf[str] = Shelf(10, 100)
    called: list[bool] = []
    assert shelf.reserve(never)
    shelf.put("light", weight=99)
    assert shelf.reserve(never)
    shelf.put("heavy", weight=5000)
    assert not shelf.reserve(lambda: called.append(True))
    assert shelf.take(0.0) == "light"
    assert called == [True]
    assert not shelf.reserve(lambda: called.append(True))
    assert shelf.take(0.0) == "heavy"
    assert called == [True, True]
    assert shelf.reserve(never)
    shelf.put("unwanted", weight=200)
    assert not shelf.reserve(lambda: None)
    shelf.remove(lambda _: True)
    assert shelf.reserve(never)
