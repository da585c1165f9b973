"""The console script libra-controller.

Exit status: 0 after a clean stop, 2 where the settings are at fault, 1 otherwise.
"""

import argparse
import faulthandler
import os
import signal
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from libra import __version__
from libra.errors import LibraError

if TYPE_CHECKING:
    from libra.cmd.controlling import Controller
    from libra.cmd.renewing import Renewer
    from libra.config.settings import Settings
    from libra.daemon.signals import SignalQueue
    from libra.daemon.systemd import Notifier

FAILED = 1
BAD_SETTINGS = 2
DEFAULT_CONFIG = Path("/etc/libra/libra.yaml")
TICK_SECONDS = 1.0
STOP = timedelta(seconds=60)


def main() -> int:
    """Parse the arguments, read the settings, run."""
    arguments = _parse_arguments()
    config = arguments.config.absolute()
    try:
        settings = _load(config)
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
        prog="libra-controller",
        description="Keeps load balancers in a database, serves the REST API, drives the workers.",
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
    parser.add_argument("--version", action="version", version=f"libra-controller {__version__}")
    return parser.parse_args()


def _load(config: Path) -> "Settings":
    from libra.config.load import load_settings

    return load_settings(config, os.environ)


def _detach(config: Path, settings: "Settings") -> int:
    from libra.daemon.detach import detach

    launched = detach(
        "libra-controller",
        settings.controller.pid_file,
        lambda ready: _serve(config, settings, ready),
    )
    return _fail(launched.fault, FAILED) if launched.fault else 0


def _serve(config: Path, settings: "Settings", on_ready: Callable[[], None] = lambda: None) -> int:
    """The daemon from its start to its end."""
    import libra.logs  # noqa: F401 - before anything imports structlog, for what it keeps out
    from libra.cmd.assembly import start_logging, take_environment
    from libra.daemon import systemd
    from libra.daemon.heap import freeze_heap
    from libra.daemon.signals import SignalQueue

    faulthandler.enable()
    environ = take_environment(os.environ, systemd.VARIABLES)
    notifier = systemd.build_notifier(environ)
    start_logging(settings, None)
    try:
        from libra.cmd.controlling import Controller
        from libra.cmd.renewing import Renewer
    except ModuleNotFoundError as error:
        return _fail(
            f"cannot start: {error.name} is missing; pip install 'libra[controller]'", FAILED
        )
    with SignalQueue().installed() as signals:
        controller = Controller(settings)
        controller.start()
        freeze_heap()
        on_ready()
        renew = Renewer(lambda: _load(config), settings, controller)
        _turn(controller, signals, notifier, renew)
        controller.stop()
    return 0


def _turn(
    controller: "Controller", signals: "SignalQueue", notifier: "Notifier", renew: "Renewer"
) -> None:
    """Until it is to stop."""
    status = f"API on port {controller.api.port}"
    notifier.ready(status)
    while (came := signals.get(TICK_SECONDS)) not in (signal.SIGTERM, signal.SIGINT):
        if came is signal.SIGHUP:
            notifier.reloading()
            renew()
            notifier.ready(status)
        if controller.is_alive:
            notifier.alive()
    notifier.stopping("finishing requests", STOP)


def _fail(text: str, status: int) -> int:
    print(f"libra-controller: {text}", file=sys.stderr)  # noqa: T201 - for who started it
    return status
