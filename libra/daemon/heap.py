"""What the garbage collector need not look at."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading() -> Iterator[None]:
    """While modules are imported: none of that is garbage, and to look for some takes a seventh of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def freeze_heap() -> None:
    """To be called once, when everything is loaded: that stays, and is not gone through while long lists are made."""
    gc.collect()
    gc.freeze()
