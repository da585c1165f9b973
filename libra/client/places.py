"""Where a person's own libra keeps what it has."""

import os
from pathlib import Path


def default_state_dir() -> Path:
    """Where the XDG convention puts it."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "libra"
