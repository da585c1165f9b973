"""Where answers for people go."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # heavy
    from rich.console import Console

WIDE = 200  # into a file or a pipe nothing is cut at 80


def open_console() -> "Console":
    """Standard output, as it comes: nothing in a text is taken for markup. As wide as its terminal."""
    from rich.console import Console

    is_free = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(highlight=False, markup=False, emoji=False, width=WIDE if is_free else None)
