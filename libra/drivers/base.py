"""The interface between the worker and a proxy. Third parties add drivers by the entry point `libra.drivers`."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, ClassVar

from libra.model.loadbalancer import Desired, LoadBalancer
from libra.model.statistics import LoadBalancerStatistics

if TYPE_CHECKING:
    from libra.config.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyVersion:
    """What DISCOVER tells of the proxy: its name ("HAProxy") and version ("2.6.12"), None where it is not found."""

    name: str
    version: str | None


class Step(Enum):
    """What makes the proxy run the wanted configuration."""

    NOTHING = "nothing"
    INSTALL = "install"  # it runs, only its file is not in place
    CHANGE = "change"  # at runtime
    RELOAD = "reload"
    START = "start"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What `apply` would do, for people: it holds no secret.

    `reasons` are sentences why the step is more than a change at runtime, `actions` what a change consists of;
    `diff` is the unified diff of the configuration that is installed against the wanted one. `notes` tell what a
    reader might miss otherwise.
    """

    step: Step
    reasons: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    diff: str = ""
    notes: tuple[str, ...] = ()


class LoadBalancerDriver(ABC):
    """One proxy on one host.

    `apply`, `preview`, `ensure_running`, `configure`, `forget` and `close` are called by one thread at a time; the
    others at any time, also beside them.
    An entry point names a factory `create_driver(settings: Settings) -> LoadBalancerDriver`; in a worker the settings
    are `libra.config.values.Values`, with the attributes of `Settings` but none of pydantic's methods.
    """

    name: ClassVar[str]

    @property
    def reports_health(self) -> bool:
        """Whether it answers health checks of `Desired.nodes` by itself."""
        return False

    @abstractmethod
    def apply(self, desired: Desired, meanwhile: Callable[[], None] | None = None) -> None:
        """Make the proxy be exactly this, and start it where it does not run.

        Idempotent, and touches nothing when all is so already. Returns when it is live and verified; raises
        `DriverError` with what ran before still running and installed.

        `meanwhile` is work that has to be done anyway: a driver that waits for others may call it once, before it
        changes anything; what it raises goes on to the caller.
        """

    @abstractmethod
    def preview(self, desired: Desired) -> Preview:
        """What `apply` would do right now. Changes nothing and leaves nothing behind.

        Raises `DriverError` where `apply` is known to fail, as with a configuration that the proxy refuses.
        """

    def ensure_running(self) -> None:  # noqa: B027 - a driver may have nothing to look after
        """Start the proxy again where it ended by itself; called every few seconds, so cheap while all is well.

        Changes nothing else. Raises `DriverError` where it cannot.
        """

    def configure(self, settings: "Settings") -> None:  # noqa: B027 - some settings wait for a restart
        """Use these settings from now on, as after a reload of the worker; the next `apply` brings them live."""

    @abstractmethod
    def forget(self) -> None:
        """Drop counters and everything else that is kept of load balancers that are gone (after a DELETE)."""

    @abstractmethod
    def statistics(self, desired: Desired) -> tuple[LoadBalancerStatistics, ...]:
        """One entry a desired load balancer; raises `ProxyNotRunning` unless the proxy answers right now."""

    @abstractmethod
    def access_log(self, loadbalancer: LoadBalancer) -> AbstractContextManager[Iterator[bytes]]:
        """The load balancer's log lines, oldest first, rotated files included, as blocks that may end amid a line.

        Memory stays bounded whatever the size; what is appended after the call is left out. Raises `DriverError`.
        """

    @abstractmethod
    def version(self) -> ProxyVersion:
        """The proxy's version, asked once."""

    def close(self) -> None:  # noqa: B027 - most drivers hold nothing
        """Give back what the driver itself holds. The proxy runs on."""
