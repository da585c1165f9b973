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
ENDS = (signal.SIGTERM, signal.SIGINT)
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
    from libra.daemon.heap import freeze_heap, loading
    from libra.daemon.signals import SignalQueue

    faulthandler.enable()
    environ = take_environment(os.environ, systemd.VARIABLES)
    notifier = systemd.build_notifier(environ)
    start_logging(settings, None)
    try:
        with loading():
            from libra.cmd.controlling import Controller
            from libra.cmd.renewing import Renewer
            from libra.cmd.steering import Steering
    except ModuleNotFoundError as error:
        return _fail(
            f"cannot start: {error.name} is missing; pip install 'libra[controller]'", FAILED
        )
    with SignalQueue().installed() as signals:
        steering = Steering(lambda: signals.put(signal.SIGTERM))
        controller = Controller(settings, steering=steering)
        renew = Renewer(lambda: _load(config), settings, controller)
        steering.renew = renew.renew
        controller.start()
        freeze_heap()
        on_ready()
        _turn(controller, signals, notifier, renew)
        ended = controller.has_ended
        steering.is_quick = steering.is_quick or ended  # no end that anybody asked for
        _stop(controller, signals, notifier)
    return _fail("the API ended by itself; the log says why", FAILED) if ended else 0


def _turn(
    controller: "Controller", signals: "SignalQueue", notifier: "Notifier", renew: "Renewer"
) -> None:
    """Until it is to stop."""
    status = f"API on port {controller.api.port}"
    notifier.ready(status)
    hung = False
    while (came := signals.get(TICK_SECONDS)) not in ENDS and not controller.has_ended:
        if came is signal.SIGHUP:
            notifier.reloading()
            renew()
            notifier.ready(status)
        fault = controller.beats.fault()
        if not fault:
            notifier.alive()
        if bool(fault) is not hung:
            hung = bool(fault)
            _log_fault(fault)
            notifier.status(fault or status)


def _log_fault(fault: str) -> None:
    import structlog

    log = structlog.get_logger(__name__)
    if fault:
        log.error("the watchdog is not answered", action="watch", error=fault)
    else:
        log.info("every loop turns again", action="watch")


def _stop(controller: "Controller", signals: "SignalQueue", notifier: "Notifier") -> None:
    """Another SIGTERM or SIGINT ends the waiting for devices."""
    notifier.stopping("finishing requests", STOP)
    controller.stop(
        lambda seconds: signals.get(seconds) not in ENDS,
        lambda what, seconds: notifier.stopping(what, timedelta(seconds=seconds) + STOP),
    )


def _fail(text: str, status: int) -> int:
    print(f"libra-controller: {text}", file=sys.stderr)  # noqa: T201 - for who started it
    return status
