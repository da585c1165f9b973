"""Keeps no addresses: they are on the host anyway, or somebody else puts them there."""

from typing import TYPE_CHECKING

from libra.vips.base import Address, VipAdapter

if TYPE_CHECKING:
    from libra.config.settings import Settings


def create_vips(settings: "Settings") -> "NoVips":  # noqa: ARG001 - the interface of entry points
    """The entry point."""
    return NoVips()


class NoVips(VipAdapter):
    """Does nothing."""

    name = "none"

    def hold(self, wanted: frozenset[Address]) -> None:
        """HAProxy will say where one is missing."""

    def release(self, wanted: frozenset[Address]) -> None:
        """Nothing was put on."""

    def preview(self, wanted: frozenset[Address]) -> tuple[str, ...]:  # noqa: ARG002
        """Nothing would be done."""
        return ()
