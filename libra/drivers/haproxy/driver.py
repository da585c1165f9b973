"""The driver: makes the HAProxy of this host be what is desired."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from libra.drivers.base import LoadBalancerDriver, ProxyVersion
from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.install import ConfigurationFile
from libra.drivers.haproxy.logs import open_access_log
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.names import frontend_name
from libra.drivers.haproxy.options import build_options
from libra.drivers.haproxy.ports import ensure_free, parse_binds
from libra.drivers.haproxy.reload import Reloader
from libra.drivers.haproxy.render import digest_of, render
from libra.drivers.haproxy.running import (
    Observed,
    ServingProcess,
    Step,
    observe,
    observe_process,
    plan_step,
)
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.statistics import StatisticsReader
from libra.drivers.haproxy.supervisors import create_supervisor
from libra.drivers.haproxy.waiting import Deadline
from libra.errors import DriverError
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.statistics import LoadBalancerStatistics

if TYPE_CHECKING:
    from libra.config.settings import HAProxySettings, Settings

ANSWER = timedelta(seconds=2)  # a process that says nothing for so long hangs

log = structlog.get_logger(__name__)


def create_driver(settings: "Settings") -> "HAProxyDriver":
    """The entry point. Touches nothing: HAProxy is looked for when it is first needed."""
    return HAProxyDriver(settings.haproxy, settings.worker.state_dir / "haproxy-counters.json")


@dataclass(frozen=True, slots=True)
class Wanted:
    """The text to run, and its digest."""

    text: str
    digest: str


class HAProxyDriver(LoadBalancerDriver):
    """One HAProxy in master-worker mode, its configuration file, and its two sockets."""

    name = "haproxy"

    def __init__(self, settings: "HAProxySettings", counters: Path) -> None:
        self._admin = AdminSocket(settings.admin_socket, ANSWER)
        self._master = MasterSocket(settings.master_socket)
        self._statistics = StatisticsReader(self._admin, self._master, counters)
        self._use(settings)

    def _use(self, settings: "HAProxySettings") -> None:
        self._settings = settings
        self._timeout = timedelta(seconds=settings.reload_timeout_seconds)
        self._binary = Binary(settings.binary, self._timeout)
        self._file = ConfigurationFile(settings.config_file, adopt=settings.adopt)
        self._supervisor = create_supervisor(settings, self._binary, self._admin, self._master)
        self._reloader = Reloader(self._admin, self._master, self._supervisor, self._timeout)

    def configure(self, settings: "Settings") -> None:
        """Both sockets stay, and with them the counters."""
        self._use(settings.haproxy)

    def apply(self, desired: Desired) -> None:
        """Build, observe, decide, install, bring live; go back where that fails."""
        wanted = self._render(desired)
        observed = self._observe()
        step = plan_step(observed, wanted.digest)
        if step is Step.NOTHING:
            return
        log.info("configuration differs", action=step.value, digest=wanted.digest)
        self._ensure_can_listen(wanted.text, observed)
        self._install(wanted, observed)
        try:
            self._bring_live(wanted.digest, observed.serving)
        except DriverError:
            self._go_back()
            raise
        self._file.mark_good()

    def ensure_running(self) -> None:
        """Where HAProxy ended, start it from the installed file."""
        if observe_process(self._admin) is not None:
            return
        installed = self._file.load()
        self._file.ensure_ours(installed)
        if installed.text is None or installed.digest is None:
            return  # nothing was applied yet
        self._supervisor.settle()
        observed = observe(self._admin, self._master, self._file)
        if observed.serving is not None:
            return
        self._ensure_can_listen(installed.text, observed)
        self._bring_live(installed.digest, None)
        log.warning("HAProxy had ended and runs again", action="start")

    def forget(self) -> None:
        """Drop the counters."""
        self._statistics.forget()

    def statistics(self, desired: Desired) -> tuple[LoadBalancerStatistics, ...]:
        """Read from every process, old ones too."""
        return self._statistics.read(desired)

    def access_log(self, loadbalancer: LoadBalancer) -> AbstractContextManager[Iterator[bytes]]:
        """The lines of its frontends in `haproxy.log_file` and the rotated files beside it."""
        frontends = [frontend_name(listener.id) for listener in loadbalancer.listeners]
        return open_access_log(self._settings.log_file, frontends)

    def version(self) -> ProxyVersion:
        """Of the program that would be started now."""
        try:
            version = str(self._binary.version())
        except DriverError as error:
            log.warning("HAProxy's version is not known", action="version", error=str(error))
            return ProxyVersion(name="HAProxy", version=None)
        return ProxyVersion(name="HAProxy", version=version)

    def stop(self) -> None:
        """End a HAProxy that the worker started itself; raises `DriverError`."""
        self._supervisor.stop(Deadline(self._timeout))

    def close(self) -> None:
        """HAProxy serves on."""
        self._statistics.close()

    def _render(self, desired: Desired) -> Wanted:
        options = build_options(self._settings, self._binary.version())
        text = render(build(desired, options))
        digest = digest_of(text)
        assert digest is not None
        return Wanted(text, digest)

    def _observe(self) -> Observed:
        """A HAProxy that died may just be about to be started again."""
        observed = observe(self._admin, self._master, self._file)
        if observed.serving is not None or observed.installed.text is None:
            return observed
        self._supervisor.settle()
        return observe(self._admin, self._master, self._file)

    def _ensure_can_listen(self, text: str, observed: Observed) -> None:
        held = observed.held_binds()
        if held is not None:
            ensure_free(parse_binds(text), held)

    def _install(self, wanted: Wanted, observed: Observed) -> None:
        """The file comes first, so that whoever starts HAProxy from now on starts the wanted one."""
        if observed.installed.digest == wanted.digest:
            return
        if observed.serving and observed.serving.runs(observed.installed.digest):
            self._file.mark_good()
        self._file.install(wanted.text, self._binary)

    def _bring_live(self, digest: str, serving: ServingProcess | None) -> None:
        """Start it or reload it until the process proves that it runs this text."""
        if serving is None:
            self._supervisor.start(Deadline(self._timeout))
            serving = observe_process(self._admin)
        if serving is not None and serving.runs(digest):
            return
        if serving is not None:
            self._statistics.hold()
        pid = self._reloader.reload(digest, serving).pid
        log.info("HAProxy reloaded", action="reload", pid=pid, digest=digest)

    def _go_back(self) -> None:
        """Install what ran before, and have it running where it does not any more."""
        try:
            last_good = self._file.put_back(keep_untried=self._supervisor.needs_file)
            if last_good.digest is not None:
                self._bring_live(last_good.digest, observe_process(self._admin))
        except DriverError as error:
            log.error("cannot go back", action="roll back", error=str(error))
