"""What the garbage collector need not look at."""

import gc


def freeze_heap() -> None:
    """To be called once, when everything is loaded: that stays, and is not gone through while long lists are made."""
    gc.collect()
    gc.freeze()
