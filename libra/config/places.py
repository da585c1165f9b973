"""Where things of a worker are that several of its parts have to find."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from libra.config.settings import Settings

SERVING_SOCKET = "serving.sock"


def serving_socket(settings: "Settings") -> Path:
    """Where HAProxy reaches the server of web services."""
    return settings.serving.socket or settings.worker.state_dir / SERVING_SOCKET
