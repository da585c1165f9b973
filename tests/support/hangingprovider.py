"""A provider of another package that hangs, as long as there is a file: installed into a place that Python looks at."""

from pathlib import PurePosixPath

NAME = "hanging"
SWITCH = "/run/libra-hang"
MODULE = f"""
import time
from pathlib import Path


class Provider:
    destroys = False

    def choose(self, taken):
        return None

    def list(self):
        return []


def create(settings, pool):
    while Path({SWITCH!r}).exists():
        time.sleep(0.1)
    return Provider()
"""
METADATA = f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n"
ENTRY = f"[libra.providers]\n{NAME} = libra_hanging:create\n"


def files(packages: str) -> dict[str, str]:
    """What is to be written there, by path."""
    place = PurePosixPath(packages)
    info = place / f"{NAME}-1.0.dist-info"
    return {
        str(place / "libra_hanging.py"): MODULE,
        str(info / "METADATA"): METADATA,
        str(info / "entry_points.txt"): ENTRY,
    }
