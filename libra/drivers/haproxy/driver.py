"""The driver: makes the HAProxy of this host be what is desired."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from libra.config.places import serving_socket
from libra.drivers.base import LoadBalancerDriver, Preview, ProxyVersion, Step
from libra.drivers.haproxy.actions import Action, RuntimeAction, SetCertificate
from libra.drivers.haproxy.binary import Binary
from libra.drivers.haproxy.diff import diff
from libra.drivers.haproxy.features import FeatureProbe
from libra.drivers.haproxy.handover import Handover
from libra.drivers.haproxy.install import ConfigurationFile
from libra.drivers.haproxy.leaving import LeavingServers
from libra.drivers.haproxy.live import LiveConfiguration
from libra.drivers.haproxy.logs import open_access_log
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.materialfiles import MaterialFiles
from libra.drivers.haproxy.names import frontend_name
from libra.drivers.haproxy.options import build_options, material_directory
from libra.drivers.haproxy.pinging.pinger import Pinger
from libra.drivers.haproxy.pinging.sockets import OpenLink, open_link
from libra.drivers.haproxy.ports import ensure_free, parse_binds
from libra.drivers.haproxy.preview import build_preview
from libra.drivers.haproxy.processes import load_other_file
from libra.drivers.haproxy.reload import Reloader
from libra.drivers.haproxy.running import (
    Observed,
    Plan,
    ServingProcess,
    explained,
    observe,
    observe_master,
    observe_process,
    plan,
)
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.settling import settle
from libra.drivers.haproxy.statistics import StatisticsReader
from libra.drivers.haproxy.supervisors import create_supervisor
from libra.drivers.haproxy.waiting import Deadline
from libra.drivers.haproxy.wanted import Wanted, WantedBuilder
from libra.errors import DriverError, LibraError, ProxyNotRunning
from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.statistics import LoadBalancerStatistics

if TYPE_CHECKING:
    from libra.config.settings import HAProxySettings, Settings

ANSWER = timedelta(seconds=2)  # a process that says nothing for so long hangs
LOOK_EVERY_SECONDS = 30.0  # how soon a change that somebody made behind our back is undone

log = structlog.get_logger(__name__)


def create_driver(settings: "Settings") -> "HAProxyDriver":
    """The entry point. Touches nothing: HAProxy is looked for when it is first needed."""
    counters = settings.worker.state_dir / "haproxy-counters.json"
    return HAProxyDriver(settings.haproxy, counters, serving_socket(settings))


class HAProxyDriver(LoadBalancerDriver):
    """One HAProxy in master-worker mode, its configuration file, and its two sockets."""

    name = "haproxy"

    def __init__(
        self,
        settings: "HAProxySettings",
        counters: Path,
        serving_socket: Path | None = None,
        open_link: OpenLink = open_link,
    ) -> None:
        self._serving_socket = serving_socket
        self._admin = AdminSocket(settings.admin_socket, ANSWER)
        self._master = MasterSocket(settings.master_socket)
        self._statistics = StatisticsReader(self._admin, self._master, counters)
        self._leaving = LeavingServers(self._admin)
        self._live = LiveConfiguration(self._admin, self._leaving)
        self._features = FeatureProbe(self._admin)
        self._pinger = Pinger(self._admin, open_link)
        self._builder = WantedBuilder()
        self._disk = ThreadPoolExecutor(1, "haproxy-disk")
        self._applied: Desired | None = None
        self._looked = time.monotonic()
        self._use(settings)

    def _use(self, settings: "HAProxySettings") -> None:
        self._settings = settings
        self._timeout = timedelta(seconds=settings.reload_timeout_seconds)
        self._binary = Binary(settings.binary, self._timeout)
        self._file = ConfigurationFile(settings.config_file, adopt=settings.adopt, disk=self._disk)
        self._handover = Handover(self._admin, settings.config_file)
        self._materials = MaterialFiles(material_directory(settings.config_file))
        self._supervisor = create_supervisor(settings, self._binary, self._admin, self._master)
        self._reloader = Reloader(
            self._admin, self._master, self._supervisor, self._timeout, settings.max_old_processes
        )
        closes = settings.drain_policy.value == "close"
        self._leaving.drain = timedelta(seconds=settings.drain_timeout_seconds) if closes else None

    def configure(self, settings: "Settings") -> None:
        """Both sockets stay, and with them the counters."""
        self._use(settings.haproxy)

    @property
    def reports_health(self) -> bool:
        """By the settings."""
        return self._settings.health_reporter is not None

    def apply(self, desired: Desired, meanwhile: Callable[[], None] | None = None) -> None:
        """Build, observe, decide, then change what runs or load it anew; go back where that fails."""
        self._pinger.admit(desired, self._file.load)
        wanted = self._render(desired)
        self._handover.ensure_files(wanted.text)
        self._materials.ensure(wanted.configuration.materials)
        first = self._applied is None
        if first:
            self._recover()
        try:
            with self._file.written_ahead(wanted.text, wanted.description):
                observed, step = self._look(wanted)
                if step.step is not Step.NOTHING:
                    self._carry_out(step, wanted, observed, meanwhile)
                    self._file.mark_good()
        except LibraError:
            self._sweep_materials()
            raise
        if first or step.step is not Step.NOTHING:
            self._materials.sweep({item.name for item in wanted.configuration.materials})
        self._applied = desired
        self._pinger.watch(desired)

    def _sweep_materials(self) -> None:
        """Of what failed nothing stays behind, keys least of all."""
        with suppress(DriverError):
            texts = (self._file.load().text, self._file.load_last_good().text)
            self._materials.sweep("\n".join(text or "" for text in texts))

    def preview(self, desired: Desired) -> Preview:
        """As `apply` up to the decision, but it neither waits for nor ends what is under way."""
        self._pinger.admit(desired, self._file.load)
        wanted = self._render(desired)
        observed = observe(self._admin, self._master, self._file)
        self._ensure_ours(observed)
        step = self._plan(wanted, observed)
        if step.step in (Step.RELOAD, Step.START):
            self._ensure_can_listen(wanted.text, observed)
        self._file.check(wanted.text, self._binary, self._missing_files(wanted))
        return build_preview(step, observed.installed, wanted.text)

    def ensure_running(self) -> None:
        """Where HAProxy ended, start it from the installed file; undo what somebody else changed in it."""
        if observe_process(self._admin) is not None:
            self._look_after()
            return
        installed = self._file.load()
        self._file.ensure_ours(installed)
        if installed.text is None or installed.description is None:
            return  # nothing was applied yet
        self._supervisor.settle()
        observed = observe(self._admin, self._master, self._file)
        if observed.serving is not None:
            return
        self._ensure_can_listen(installed.text, observed)
        self._handover.ensure_files(installed.text)
        self._bring_live(installed.description, None)
        log.warning("HAProxy had ended and runs again", action="start")

    def forget(self) -> None:
        """Drop the counters."""
        self._statistics.forget()

    def statistics(self, desired: Desired) -> tuple[LoadBalancerStatistics, ...]:
        """Read from every process, old ones too."""
        return self._statistics.read(desired, self._pinger.outcomes())

    def access_log(self, loadbalancer: LoadBalancer) -> AbstractContextManager[Iterator[bytes]]:
        """The lines of its frontends in `haproxy.log_file` and the rotated files beside it."""
        frontends = [frontend_name(listener.id) for listener in loadbalancer.listeners]
        return open_access_log(self._settings.log_file, frontends)

    def version(self) -> ProxyVersion:
        """Of the program that would be started now."""
        return ProxyVersion(name="HAProxy", version=self._binary.known_version())

    def stop(self) -> None:
        """End a HAProxy that the worker started itself; raises `DriverError`."""
        self._statistics.snapshot()
        self._supervisor.stop(Deadline(self._timeout))

    def close(self) -> None:
        """HAProxy serves on."""
        self._leaving.close()
        self._pinger.close()
        self._statistics.close()
        self._disk.shutdown()

    # Looking and deciding.

    def _render(self, desired: Desired) -> Wanted:
        options = build_options(self._settings, self._binary.version(), self._serving_socket)
        return self._builder.build(desired, options)

    def _missing_files(self, wanted: Wanted) -> dict[Path, bytes]:
        """What `apply` would write before HAProxy reads it."""
        missing = dict.fromkeys(self._handover.missing_files(wanted.text), b"")
        return missing | self._materials.missing(wanted.configuration.materials)

    def _recover(self) -> None:
        """End what a worker left half done that was killed; the state of checks that it took along is long past."""
        settle(self._admin, self._master, self._timeout)
        self._file.sweep()
        self._handover.close()

    def _observe(self) -> Observed:
        """A HAProxy that died may just be about to be started again."""
        observed = observe(self._admin, self._master, self._file)
        self._ensure_ours(observed)
        if observed.serving is not None or observed.installed.text is None:
            return observed
        self._supervisor.settle()
        return observe(self._admin, self._master, self._file)

    def _ensure_ours(self, observed: Observed) -> None:
        """Refuse a HAProxy that runs somebody else's configuration: a reload would not make it load ours."""
        serving = observed.serving
        if serving is None or serving.is_libras:
            return
        other = load_other_file(serving.pid, self._settings.config_file)
        if other is not None:
            raise DriverError(
                f"cannot take over the HAProxy that answers at {self._admin.path}: process {serving.pid}"
                f" was started from {other}; stop it, or set other sockets in the settings"
            )

    def _look(self, wanted: Wanted) -> tuple[Observed, Plan]:
        observed = self._observe()
        try:
            return observed, self._plan(wanted, observed)
        except ProxyNotRunning:  # it ended while it was asked
            observed = self._observe()
            return observed, self._plan(wanted, observed)

    def _plan(self, wanted: Wanted, observed: Observed) -> Plan:
        return plan(observed, wanted.description, self._actions(wanted, observed))

    def _actions(self, wanted: Wanted, observed: Observed) -> tuple[Action, ...] | None:
        serving = observed.serving
        if serving is None:
            return None
        if not serving.has_structure_of(wanted.description):
            return explained(observed, wanted.text)
        try:
            running = self._live.look(serving.pid, wanted.configuration)
        except ValueError as error:
            log.warning("cannot tell what HAProxy runs", action="look", error=str(error))
            return None
        features = self._features.features(serving.version)
        return self._live.not_under_way(diff(running, wanted.configuration, features))

    def _look_after(self) -> None:
        if self._applied is None or time.monotonic() < self._looked + LOOK_EVERY_SECONDS:
            return
        self._looked = time.monotonic()
        self._live.forget()
        self.apply(self._applied)

    # Carrying out. The file comes first, so that whoever starts HAProxy from now on starts the wanted one.

    def _carry_out(
        self,
        step: Plan,
        wanted: Wanted,
        observed: Observed,
        meanwhile: Callable[[], None] | None,
    ) -> None:
        log.info(
            "configuration differs",
            action=step.step.value,
            changes=len(step.actions),
            reasons="; ".join(step.reasons),
        )
        if observed.serving and observed.serving.has_structure_of(observed.installed.description):
            self._file.mark_good()
        tried = step.step in (Step.CHANGE, Step.INSTALL)
        if tried:
            self._install(step, wanted)
            if self._change(step.actions, wanted, observed.serving):
                return
            meanwhile = None
        self._load(wanted, observed, meanwhile, half_changed=tried)

    def _install(self, step: Plan, wanted: Wanted) -> None:
        """A certificate may not fit its key, and HAProxy could not start from the file then: it is checked before."""
        if any(isinstance(action, SetCertificate) for action in step.actions):
            self._file.install(wanted.text, self._binary)
        else:
            self._file.install_unchecked(wanted.text, wanted.description)

    def _change(
        self, actions: tuple[RuntimeAction, ...], wanted: Wanted, serving: ServingProcess | None
    ) -> bool:
        """False where HAProxy refused one of them: then it has to load the file."""
        if serving is None or not actions:
            return True
        try:
            self._live.change(serving.pid, actions, wanted.configuration)
        except DriverError as error:
            log.warning("cannot change HAProxy at runtime", action="change", error=str(error))
            return False
        return True

    def _load(
        self,
        wanted: Wanted,
        observed: Observed,
        meanwhile: Callable[[], None] | None,
        *,
        half_changed: bool,
    ) -> None:
        self._ensure_can_listen(wanted.text, observed)
        changed = self._file.load().description != observed.installed.description
        try:
            if observed.installed.description != wanted.description:
                self._file.install(wanted.text, self._binary, meanwhile)
                changed = True
            self._bring_live_surely(wanted, observed.serving)
        except DriverError:
            if changed or half_changed:
                self._go_back(half_changed=half_changed)
            raise

    def _ensure_can_listen(self, text: str, observed: Observed) -> None:
        if (held := observed.held_binds()) is not None:
            ensure_free(parse_binds(text), held)

    def _bring_live(
        self, description: str, serving: ServingProcess | None, wanted: Wanted | None = None
    ) -> None:
        """Start it or reload it until a new process proves that it runs this text."""
        self._live.forget()
        self._leaving.abandon()
        fresh = None
        if serving is None:
            self._supervisor.start(Deadline(self._timeout))
            fresh = serving = observe_process(self._admin)
        if fresh is None or not fresh.started_from(description):
            fresh = self._reload(description, serving, wanted)
        if wanted is not None:
            self._live.loaded(fresh.pid, wanted.configuration)

    def _bring_live_surely(self, wanted: Wanted, serving: ServingProcess | None) -> None:
        """Once more where HAProxy was killed amid it, which is no fault of the text."""
        try:
            self._bring_live(wanted.description, serving, wanted)
        except ProxyNotRunning as error:
            if serving is None or observe_process(self._admin) or observe_master(self._master):
                raise
            log.warning("HAProxy ended meanwhile", action="start", error=str(error))
            self._bring_live(wanted.description, None, wanted)

    def _reload(
        self, description: str, serving: ServingProcess | None, wanted: Wanted | None
    ) -> ServingProcess:
        self._reloader.make_room(serving, self._statistics.snapshot)
        if serving is not None:
            self._statistics.hold()
        try:
            if wanted is not None:
                self._handover.take_along(wanted.configuration)
            fresh = self._reloader.reload(description, serving)
        finally:
            self._handover.close()
        log.info("HAProxy reloaded", action="reload", pid=fresh.pid)
        return fresh

    def _go_back(self, *, half_changed: bool) -> None:
        """Install what ran before, and load it.

        `half_changed`: also where the process was started from it, for it is not what it was then.
        """
        self._live.forget()
        try:
            last_good = self._file.put_back(keep_untried=self._supervisor.needs_file)
            serving = observe_process(self._admin)
            if last_good.description is None:
                return
            untouched = serving is not None and serving.started_from(last_good.description)
            if half_changed or not untouched:
                self._bring_live(last_good.description, serving)
        except DriverError as error:
            log.error("cannot go back", action="roll back", error=str(error))
