"""What runs and what is installed, looked at once and decided on once."""

from dataclasses import dataclass

from libra.drivers.base import Step
from libra.drivers.haproxy.actions import Action, Reload, RuntimeAction
from libra.drivers.haproxy.install import ConfigurationFile, Installed
from libra.drivers.haproxy.master import MasterSocket
from libra.drivers.haproxy.ports import Bind, parse_binds
from libra.drivers.haproxy.render import structure_in
from libra.drivers.haproxy.runtime import AdminSocket
from libra.drivers.haproxy.sections import explain_reload
from libra.errors import DriverError, ProxyNotRunning
from libra.messages.fields import quoted

NOT_SERVING = "HAProxy does not serve"
OTHER_STRUCTURE = "what runs was started from a configuration of another structure"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServingProcess:
    """The process behind the admin socket; `description` tells which text it was started from.

    `stopping`: it takes no connections any more.
    """

    pid: int
    version: str
    description: str
    stopping: bool = False

    @property
    def is_libras(self) -> bool:
        """Whether it was started from a text of libra's."""
        return self.description.startswith("libra ")

    def started_from(self, description: str | None) -> bool:
        """Whether it was started from the text with this description; it may have been changed since."""
        return description is not None and self.description == description

    def has_structure_of(self, description: str | None) -> bool:
        """Whether a reload could not change more than a runtime command could."""
        structure = structure_in(self.description)
        return structure is not None and structure == structure_in(description)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One look: the process, the file, and the text that last ran.

    `serving` None where no process answers; `has_master` tells whether a master is there nevertheless, as with a
    process that hangs.
    """

    serving: ServingProcess | None
    has_master: bool
    installed: Installed
    last_good: Installed

    def running_text(self) -> str | None:
        """A text with the structure of what runs; None where there is none at hand."""
        known = self._running()
        return known.text if known else None

    def held_binds(self) -> frozenset[Bind] | None:
        """What HAProxy listens on already; None where it runs a text that is not at hand."""
        if self.serving is None:
            return None if self.has_master else frozenset()
        known = self._running()
        if known is None or known.text is None:
            return None
        untouched = self.serving.started_from(known.description)
        return parse_binds(known.text, disabled=not untouched, shared=True)

    def _running(self) -> Installed | None:
        for known in (self.installed, self.last_good):
            if self.serving and self.serving.has_structure_of(known.description):
                return known
        return None


@dataclass(frozen=True, slots=True)
class Plan:
    """The step, with the actions of a change or the reasons for a reload."""

    step: Step
    actions: tuple[RuntimeAction, ...] = ()
    reasons: tuple[str, ...] = ()


def explained(observed: Observed, wanted: str) -> tuple[Action, ...] | None:
    """The reload that leads there; None where the text that runs is not at hand to say why."""
    running = observed.running_text()
    reasons = explain_reload(running, wanted) if running is not None else ()
    return (Reload(reasons),) if reasons else None


def plan(observed: Observed, description: str, actions: tuple[Action, ...] | None) -> Plan:
    """The one decision whether HAProxy is reloaded.

    `description` is that of the wanted text; `actions` lead there from what runs, None where that is not known.
    """
    if observed.serving is None:
        return Plan(Step.RELOAD if observed.has_master else Step.START, reasons=(NOT_SERVING,))
    if actions is None:
        return Plan(Step.RELOAD, reasons=(OTHER_STRUCTURE,))
    reloads = [action for action in actions if isinstance(action, Reload)]
    if reloads:
        return Plan(Step.RELOAD, reasons=reloads[0].reasons)
    if actions:
        return Plan(Step.CHANGE, tuple(item for item in actions if not isinstance(item, Reload)))
    installed = observed.installed.description == description
    return Plan(Step.NOTHING if installed else Step.INSTALL)


def observe(admin: AdminSocket, master: MasterSocket, file: ConfigurationFile) -> Observed:
    """Raises `DriverError`."""
    serving = observe_process(admin)
    return Observed(
        serving=serving,
        has_master=serving is not None or observe_master(master),
        installed=file.load(),
        last_good=file.load_last_good(),
    )


def observe_master(master: MasterSocket) -> bool:
    """Whether a master answers right now."""
    try:
        master.show_processes_now()
    except ProxyNotRunning:
        return False
    return True


def observe_process(admin: AdminSocket) -> ServingProcess | None:
    """The process that answers on the admin socket, None where none does."""
    try:
        answer = admin.ask("show info")
    except ProxyNotRunning:
        return None
    return parse_process(answer)


def parse_process(text: str) -> ServingProcess:
    """The answer to `show info`: lines "Name: value"; raises `DriverError`."""
    values = dict(line.partition(": ")[::2] for line in text.splitlines())
    try:
        return ServingProcess(
            pid=int(values["Pid"]),
            version=values["Version"],
            description=values.get("description", ""),
            stopping=values.get("Stopping", "0") != "0",
        )
    except (KeyError, ValueError) as error:
        raise DriverError(f"cannot read HAProxy's process information: {quoted(text)}") from error
