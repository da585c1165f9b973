"""The worker's objects, wired from its settings."""

import importlib.util
import os
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from libra import plugins
from libra.config.changes import Changes, diff_settings
from libra.config.places import serving_socket
from libra.config.values import LogFormat, replaced
from libra.daemon.lockfile import LockFile
from libra.drivers.base import LoadBalancerDriver
from libra.jobs.gearman import GearmanJobSource
from libra.logs import configure_logging
from libra.objectstores.base import ObjectStore
from libra.serving.book import Node
from libra.vips.base import VipAdapter
from libra.worker.archive import Archiver
from libra.worker.controller import LBaaSController
from libra.worker.daemon import Registration, Renewal, Timing
from libra.worker.serving import Places, ServingProcess
from libra.worker.state import FileState
from libra.worker.web import NoServing, WebServer

if TYPE_CHECKING:
    from libra.config.settings import Settings

log = structlog.get_logger(__name__)

STATE_FILE = "desired.json"
SERVING = "serving"
PROXYS = frozenset(("haproxy", "serving"))  # sections that what is applied depends on
LOCK_FILE = "worker.lock"
HUNG_FLOOR = timedelta(minutes=1)
PULSE_SECONDS = 1.0
STEPS = 4  # check, reload, and both again to go back: each may take the whole reload timeout


Stores = plugins.Plugins[ObjectStore]


@dataclass(slots=True)
class LiveSettings:
    """The settings in use; replaced by a reload."""

    settings: "Settings"


def start_logging(settings: "Settings", default_file: Path | None) -> None:
    """To where the settings say, else to `default_file`, else to standard error; raises `StateError`."""
    configure_logging(
        level=settings.logging.level.value,
        as_json=settings.logging.format is LogFormat.JSON,
        file=settings.logging.file or default_file,
    )


def lock_state(settings: "Settings") -> LockFile:
    """Make the state directory where it is missing, and keep other workers out of it; raises `LibraError`."""
    lock = LockFile(settings.worker.state_dir / LOCK_FILE, directory_mode=0o700)
    lock.write_pid()
    return lock


def build_driver(settings: "Settings") -> LoadBalancerDriver:
    """The driver that the settings name; raises `LibraError`."""
    create = plugins.load("libra.drivers", settings.worker.driver)
    driver: LoadBalancerDriver = create(settings)
    return driver


def build_stores(live: LiveSettings) -> Stores:
    """The object stores, each loaded by the first ARCHIVE that names it."""
    return Stores("libra.object_stores", lambda create: create(live.settings.object_stores))


def build_serving(settings: "Settings", driver: LoadBalancerDriver) -> WebServer:
    """Who answers web services beside the proxy."""
    if any(importlib.util.find_spec(name) is None for name in ("starlette", "uvicorn")):
        return NoServing()
    state_dir, is_root = settings.worker.state_dir, os.geteuid() == 0

    def describe() -> Node:
        proxy = driver.version()
        known = " ".join(filter(None, (proxy.name, proxy.version)))
        return Node(name=settings.worker.name, proxy=known)

    places = Places(
        socket=serving_socket(settings),
        services=state_dir / f"{SERVING}.json",
        log=state_dir / f"{SERVING}.log",
        pid_file=state_dir / f"{SERVING}.pid",
        statistics=settings.haproxy.admin_socket,
        user=settings.haproxy.user if is_root else None,
        group=settings.haproxy.group if is_root else None,
    )
    return ServingProcess(places, describe, settings.serving.directories)


def build_controller(
    settings: "Settings", driver: LoadBalancerDriver, stores: Stores, web: WebServer
) -> LBaaSController:
    """The controller over the state on disk; raises `LibraError`."""
    create = plugins.load("libra.vips", settings.vip.adapter)
    vips: VipAdapter = create(settings)
    state = FileState(settings.worker.state_dir / STATE_FILE)
    return LBaaSController(driver, state, Archiver(stores), vips, web)


def build_timing(settings: "Settings", watchdog: timedelta | None) -> Timing:
    """How long a job may run follows from how long the proxy may take."""
    reload_timeout = timedelta(seconds=settings.haproxy.reload_timeout_seconds)
    return Timing(
        drain=timedelta(seconds=settings.worker.drain_seconds),
        hung_after=HUNG_FLOOR + STEPS * reload_timeout,
        watchdog=watchdog,
    )


def gives_way(settings: "Settings") -> bool:
    """Whether this worker has addresses that another may have got while it was away; keepalived sees to its own."""
    return settings.vip.adapter not in ("none", "keepalived") and settings.vip.give_way


def register(settings: "Settings") -> Registration:
    """Open the job source; raises `LibraError`."""
    pulse = PULSE_SECONDS if gives_way(settings) else None
    source = GearmanJobSource(settings.job_servers, settings.worker.name, pulse=pulse)
    return Registration(source, servers=len(settings.job_servers))


class SettingsRenewer:
    """What SIGHUP brings: reads the settings anew, and builds what they change."""

    def __init__(
        self,
        load: "Callable[[], Settings]",
        live: LiveSettings,
        driver: LoadBalancerDriver,
        stores: Stores,
        web: WebServer,
        *,
        default_log_file: Path | None,
        watchdog: timedelta | None,
    ) -> None:
        self._load = load
        self._live = live
        self._driver = driver
        self._stores = stores
        self._web = web
        self._default_log_file = default_log_file
        self._watchdog = watchdog

    def __call__(self) -> Renewal:
        """Raises `LibraError` with nothing changed."""
        before = self._live.settings
        changes = diff_settings(before, self._load())
        after = changes.settings
        start_logging(after, self._default_log_file)
        registration = register(after) if "job_servers" in changes.sections else None
        self._live.settings = after
        self._stores.rebuild()
        _tell(changes)
        return Renewal(
            registration=registration,
            timing=build_timing(after, self._watchdog),
            configure=self._configure if changes.sections & PROXYS else None,
            revert=lambda: self._revert(before),
        )

    def _configure(self) -> None:
        self._driver.configure(self._live.settings)
        self._web.configure(self._live.settings.serving.directories)

    def _revert(self, before: "Settings") -> None:
        """What the proxy refuses is tried again by the next SIGHUP, so it must still be a change then."""
        self._live.settings = replaced(
            self._live.settings, haproxy=before.haproxy, serving=before.serving
        )
        self._configure()


def _tell(changes: Changes) -> None:
    for key in changes.needs_restart:
        log.warning("a changed setting needs a restart", action="reload", key=key)
    log.info("settings read", action="reload", changed=", ".join(sorted(changes.sections)))


def take_environment(environ: MutableMapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    """These variables, removed, so that no child speaks to the service manager in our name."""
    return {name: environ.pop(name) for name in names if name in environ}
