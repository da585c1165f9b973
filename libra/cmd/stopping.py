"""Ends the proxy of a worker that is gone: `python -m libra.cmd.stopping FILE`, with the worker's settings."""

import os
import sys
from pathlib import Path

from libra.cmd.assembly import build_driver
from libra.config.load import load_settings
from libra.errors import LibraError


def main(arguments: list[str]) -> int:
    """0 once it does not run."""
    try:
        driver = build_driver(load_settings(Path(arguments[0]), os.environ))
        try:
            # A driver that has no process of its own has nothing to stop.
            getattr(driver, "stop", lambda: None)()
        finally:
            driver.close()
    except LibraError as error:
        print(error, file=sys.stderr)  # noqa: T201 - for who started it
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
