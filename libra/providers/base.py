"""What the keeper of a device pool asks of who brings devices.

A provider is found by the entry point group `libra.providers`, as `create(settings, pool)`: the settings, and the name
of the pool. It is called by one thread at a time for each device.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """`name` is its worker's, and so the device's; `address` is where traffic reaches it."""

    name: str
    address: str = ""


class Provider(Protocol):
    """Boots hosts with workers, and shuts them down. Every method raises `ProviderError`."""

    destroys: bool
    """Whether a host is gone after its shutdown, and another one may have its name; else it is somebody else's."""

    ends_with_controller: bool
    """Whether its hosts are on the controller's own host, and are destroyed when that stops cleanly. Where a provider
    does not say, they are not."""

    def choose(self, taken: Collection[str]) -> Host | None:
        """The next host that could be booted, none of those names; None where there is no more. Boots nothing."""

    def boot(self, host: Host) -> None:
        """See to it that its worker runs, or will soon; idempotent. May take a while."""

    def shutdown(self, name: str) -> None:
        """See to it that it is gone, with all that it served; idempotent, also for a name that it never had."""

    def list(self) -> list[Host]:
        """Those that are booted, as far as it can tell."""
