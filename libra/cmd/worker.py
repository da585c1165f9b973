"""The console script libra-worker.

Exit status: 0 after a clean stop, 2 where the settings are at fault, 1 otherwise.
"""

import argparse
import faulthandler
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from libra import __version__
from libra.errors import LibraError

if TYPE_CHECKING:
    from libra.config.settings import Settings

FAILED = 1
BAD_SETTINGS = 2
DEFAULT_CONFIG = Path("/etc/libra/libra.yaml")
DAEMON_LOG = "libra-worker.log"


def main() -> int:
    """Parse the arguments, read the settings, run."""
    arguments = _parse_arguments()
    # A daemon leaves the directory where a relative path starts; links are followed anew at each reload.
    config = arguments.config.absolute()
    try:
        settings = _load(config) if arguments.check else _load_beside(config)
    except LibraError as error:
        return _fail(str(error), BAD_SETTINGS)
    if arguments.check:
        print(f"{config}: the settings are good")  # noqa: T201 - the answer
        return 0
    try:
        return _detach(config, settings) if arguments.daemon else _serve(config, settings)
    except LibraError as error:
        return _fail(str(error), FAILED)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="libra-worker", description="Makes HAProxy on this host do what jobs say."
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_CONFIG,
        metavar="FILE",
        help="settings (default: %(default)s)",
    )
    parser.add_argument(
        "--daemon", action="store_true", help="leave the terminal; return once it is ready"
    )
    parser.add_argument(
        "--check", action="store_true", help="only say whether the settings are good"
    )
    parser.add_argument("--version", action="version", version=f"libra-worker {__version__}")
    return parser.parse_args()


def _load_beside(config: Path) -> "Settings":
    """The daemon's modules are loaded while another process reads the settings."""
    from libra.config.reading import Reading

    with Reading(config, os.environ) as reading:
        import libra.logs  # noqa: F401 - before anything imports structlog, for what it keeps out
        from libra.cmd import working  # noqa: F401 - loaded
        from libra.drivers.haproxy import driver  # noqa: F401 - most have it

        return reading.result()


def _load(config: Path, meanwhile: Callable[[], None] = lambda: None) -> "Settings":
    from libra.config.reading import read_settings

    return read_settings(config, os.environ, meanwhile)


def _detach(config: Path, settings: "Settings") -> int:
    from libra.daemon.detach import detach

    launched = detach(
        "libra-worker",
        settings.worker.pid_file,
        lambda ready: _serve(
            config, settings, ready, default_log_file=settings.worker.state_dir / DAEMON_LOG
        ),
    )
    return _fail(launched.fault, FAILED) if launched.fault else 0


def _serve(
    config: Path,
    settings: "Settings",
    on_ready: Callable[[], None] = lambda: None,
    default_log_file: Path | None = None,
) -> int:
    """The daemon from its lock to its end."""
    from libra.cmd import assembly
    from libra.cmd.working import Working

    faulthandler.enable()  # the watchdog's SIGABRT then says where every thread hangs
    with assembly.lock_state(settings):
        assembly.start_logging(settings, default_log_file)
        working = Working(settings, lambda alive: _load(config, alive), default_log_file)
        if not working.run(on_ready):
            # Threads with jobs that were given back still run; the interpreter's own end would race with them.
            os._exit(0)
    return 0


def _fail(text: str, status: int) -> int:
    print(f"libra-worker: {text}", file=sys.stderr)  # noqa: T201 - for who started it
    return status
