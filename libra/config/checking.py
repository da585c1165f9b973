"""Run as a process of its own: reads and checks the settings, and gives the worker's share of them as bare values.

    python -P -m libra.config.checking [FILE]

Standard output is one pickle: the `Values`, or a text where the settings are at fault.
"""

import os
import pickle
import sys
from pathlib import Path

from libra.config.load import load_settings
from libra.config.section import Section
from libra.config.settings import Settings
from libra.config.values import Values
from libra.errors import Invalid

# The rest is the controller's; what of it is secret stays here.
WORKERS = ("job_servers", "worker", "haproxy", "vip", "serving", "object_stores", "logging")


def main() -> None:
    """See above."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    try:
        result: object = extract(load_settings(path, os.environ))
    except Invalid as error:
        result = str(error)
    sys.stdout.buffer.write(pickle.dumps(result))


def extract(settings: Settings) -> Values:
    """The sections that a worker uses."""
    return Values(**{name: _bare(getattr(settings, name)) for name in WORKERS})


def _bare(value: object) -> object:
    if isinstance(value, Section):
        return Values(**{name: _bare(below) for name, below in vars(value).items()})
    if isinstance(value, tuple):
        return tuple(_bare(item) for item in value)
    return value


if __name__ == "__main__":
    main()
