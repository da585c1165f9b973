"""The worker's daemon and what runs beside it, from the first thread to the last."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from libra.cmd import assembly
from libra.cmd.announcing import build_announcer
from libra.daemon import systemd
from libra.worker.daemon import WorkerDaemon
from libra.worker.guard import AddressGuard

if TYPE_CHECKING:
    from libra.config.settings import Settings

Load = Callable[[Callable[[], None]], "Settings"]


class Working:
    """Opened by its constructor, which raises `LibraError`. `load` reads the settings anew, and calls what it is given
    while that takes: the main thread waits for it, and on a busy host longer than the watchdog does.
    """

    def __init__(self, settings: "Settings", load: Load, default_log_file: Path | None) -> None:
        environ = assembly.take_environment(os.environ, systemd.VARIABLES)
        watchdog = systemd.parse_watchdog(environ, os.getpid())
        notifier = systemd.build_notifier(environ)
        live = assembly.LiveSettings(settings)
        self._driver, stores = assembly.build_driver(settings), assembly.build_stores(live)
        self._web = assembly.build_serving(settings, self._driver)
        controller = assembly.build_controller(settings, self._driver, stores, self._web)
        self._announcer = build_announcer(live, controller)
        self._on_ready: Callable[[], None] = lambda: None
        self._daemon = WorkerDaemon(
            assembly.register(settings),
            controller,
            timing=assembly.build_timing(settings, watchdog),
            notifier=notifier,
            renew=assembly.SettingsRenewer(
                lambda: load(notifier.alive),
                live,
                self._driver,
                stores,
                self._web,
                default_log_file=default_log_file,
                watchdog=watchdog,
            ),
            on_ready=self._begin,
        )
        self._guard: AddressGuard | None = None
        if assembly.gives_way(settings):
            self._guard = AddressGuard(controller, self._daemon.heard)
            controller.ask_away(self._guard.away)

    def run(self, on_ready: Callable[[], None]) -> bool:
        """Until a signal ends it; True where every job that was taken is answered. Main thread only."""
        self._on_ready = on_ready
        if self._guard is not None:
            self._guard.start()
        all_answered = self._daemon.run()
        if self._guard is not None:
            self._guard.stop()
        self._announcer.stop()
        self._web.close()
        if all_answered:
            self._driver.close()
        return all_answered

    def _begin(self) -> None:
        self._announcer.start()
        self._on_ready()
