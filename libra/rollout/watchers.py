"""Those who look on a rollout: what changed, as lines."""

from collections.abc import Callable, Iterator

from libra.logs.lines import escape
from libra.model.rollout import Phase, RolloutStep
from libra.rollout.leading import Fleet, Led


class Changes:
    """Finds what is new since it was asked last; the first time nothing is."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Phase, str]] = {}

    def of(self, led: Led) -> Iterator[RolloutStep]:
        """The nodes that are in another phase."""
        for step in led.steps:
            now = (step.phase, step.reason)
            if self._seen.get(step.node, now) != now:
                yield step
            self._seen[step.node] = now


class LineWatcher:
    """A line for each phase that a node enters, and for each that its command writes."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._changes = Changes()

    def show(self, led: Led, fleet: Fleet, waited: dict[str, float]) -> None:
        """See `Watcher`."""
        del fleet, waited
        for step in self._changes.of(led):
            self._write(escape(tell_step(step)))

    def tell(self, node: str, line: str) -> None:
        """See `Watcher`."""
        self._write(escape(f"{node} | {line}"))


def tell_step(step: RolloutStep) -> str:
    """ "web1: draining", with why where it says so."""
    start = f"{step.node}: {step.phase.value}"
    return f"{start} ({step.reason})" if step.reason else start


def tell_end(led: Led) -> str:
    """How it ended, and what may be done then."""
    done = sum(step.phase is Phase.DONE for step in led.steps)
    start = (
        f"the rollout of {led.group} is {led.state.value}, {done} of {len(led.steps)} nodes done"
    )
    if led.reason:
        start = f"{start}: {led.reason}"
    if not led.state.is_open:
        return start
    return (
        f"{start}; 'libra rollout resume {led.group}' goes on with it, "
        f"'libra rollout abort {led.group}' ends it"
    )
