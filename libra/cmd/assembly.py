"""The worker's objects, wired from its settings."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog

from libra import plugins
from libra.config.changes import Changes, diff_settings
from libra.config.settings import LogFormat, Settings
from libra.daemon.lockfile import LockFile
from libra.drivers.base import LoadBalancerDriver
from libra.jobs.gearman import GearmanJobSource
from libra.logs import configure_logging
from libra.objectstores.base import ObjectStore
from libra.worker.archive import Archiver
from libra.worker.controller import LBaaSController
from libra.worker.daemon import Registration, Renewal, Timing
from libra.worker.state import FileState

log = structlog.get_logger(__name__)

STATE_FILE = "desired.json"
LOCK_FILE = "worker.lock"
HUNG_FLOOR = timedelta(minutes=1)
STEPS = 4  # check, reload, and both again to go back: each may take the whole reload timeout


def start_logging(settings: Settings, default_file: Path | None) -> None:
    """To where the settings say, else to `default_file`, else to standard error; raises `StateError`."""
    configure_logging(
        level=settings.logging.level.value,
        as_json=settings.logging.format is LogFormat.JSON,
        file=settings.logging.file or default_file,
    )


def lock_state(settings: Settings) -> LockFile:
    """Make the state directory where it is missing, and keep other workers out of it; raises `LibraError`."""
    lock = LockFile(settings.worker.state_dir / LOCK_FILE, directory_mode=0o700)
    lock.write_pid()
    return lock


def build_driver(settings: Settings) -> LoadBalancerDriver:
    """The driver that the settings name; raises `LibraError`."""
    create = plugins.load("libra.drivers", settings.worker.driver)
    driver: LoadBalancerDriver = create(settings)
    return driver


def build_controller(settings: Settings, driver: LoadBalancerDriver) -> LBaaSController:
    """The controller over the state on disk; object stores are loaded by the first ARCHIVE."""
    stores: plugins.Plugins[ObjectStore] = plugins.Plugins(
        "libra.object_stores", lambda create: create(settings.object_stores)
    )
    return LBaaSController(
        driver, FileState(settings.worker.state_dir / STATE_FILE), Archiver(stores)
    )


def build_timing(settings: Settings, watchdog: timedelta | None) -> Timing:
    """How long a job may run follows from how long the proxy may take."""
    reload_timeout = timedelta(seconds=settings.haproxy.reload_timeout_seconds)
    return Timing(
        drain=timedelta(seconds=settings.worker.drain_seconds),
        hung_after=HUNG_FLOOR + STEPS * reload_timeout,
        watchdog=watchdog,
    )


def register(settings: Settings) -> Registration:
    """Open the job source; raises `LibraError`."""
    source = GearmanJobSource(settings.job_servers, settings.worker.name)
    return Registration(source, servers=len(settings.job_servers))


class SettingsRenewer:
    """What SIGHUP brings: reads the settings anew, and builds what they change."""

    def __init__(
        self,
        load: Callable[[], Settings],
        settings: Settings,
        driver: LoadBalancerDriver,
        *,
        default_log_file: Path | None,
        watchdog: timedelta | None,
    ) -> None:
        self._load = load
        self._settings = settings
        self._driver = driver
        self._default_log_file = default_log_file
        self._watchdog = watchdog

    def __call__(self) -> Renewal:
        """Raises `LibraError` with nothing changed."""
        changes = diff_settings(self._settings, self._load())
        for key in changes.needs_restart:
            log.warning("a changed setting needs a restart", action="reload", key=key)
        start_logging(changes.settings, self._default_log_file)
        renewal = self._renew(changes)
        log.info("settings read", action="reload", changed=", ".join(sorted(changes.sections)))
        return renewal

    def _renew(self, changes: Changes) -> Renewal:
        """The old settings stand for the proxy until the new controller has proved itself."""
        before, after = self._settings, changes.settings
        rebuild = bool(changes.sections & {"haproxy", "object_stores"})
        driver = build_driver(after) if rebuild else self._driver
        renewal = Renewal(
            registration=register(after) if "job_servers" in changes.sections else None,
            controller=build_controller(after, driver) if rebuild else None,
            timing=build_timing(after, self._watchdog),
            settled=lambda adopted: self._settle(adopted, before, driver),
        )
        self._settings = after
        return renewal

    def _settle(self, adopted: bool, before: Settings, driver: LoadBalancerDriver) -> None:
        """A refused change is tried again by the next SIGHUP, so what is remembered goes back."""
        if adopted:
            self._driver.close()
            self._driver = driver
        else:
            driver.close()
            self._settings = self._settings.model_copy(
                update={"haproxy": before.haproxy, "object_stores": before.object_stores}
            )


def take_environment(environ: "os._Environ[str]", names: tuple[str, ...]) -> dict[str, str]:
    """These variables, removed, so that no child speaks to the service manager in our name."""
    return {name: environ.pop(name) for name in names if name in environ}
