"""python -m libra.serving --socket PATH --services FILE"""

import argparse
import logging
import resource
import sys
from pathlib import Path

from libra.errors import Invalid
from libra.serving.application import Application
from libra.serving.server import Server

FAILED = 1


def main() -> int:
    """0 after a clean end, 1 where it could not begin."""
    parser = argparse.ArgumentParser(prog="libra-serving", description=__doc__)
    parser.add_argument("--socket", type=Path, required=True, help="where HAProxy reaches it")
    parser.add_argument("--services", type=Path, required=True, help="what to answer")
    parser.add_argument("--user", help="who may connect, beside root")
    parser.add_argument("--group", help="whose members may connect")
    arguments = parser.parse_args()
    logging.basicConfig(
        level=logging.ERROR, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    _raise_limit()
    server = Server(Application(), arguments.services)
    try:
        server.serve_at(arguments.socket, arguments.user, arguments.group)
    except (OSError, Invalid) as error:
        print(f"libra-serving: {error}", file=sys.stderr)  # noqa: T201 - for who started it
        return FAILED
    return 0


def _raise_limit() -> None:
    """A connection and a file or two each: as many as this process may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    sys.exit(main())
