"""Which addresses the worker put on: on disk before the act, so that a killed worker's are found again."""

import ipaddress
import json
from pathlib import Path

import structlog

from libra.daemon.boot import read_boot_id
from libra.durable import replace_file
from libra.errors import StateError
from libra.vips.plan import Placed

log = structlog.get_logger(__name__)

FORMAT = 1


class AddressLedger:
    """One JSON file: {"format": 1, "boot": "...", "addresses": [["eth0", "203.0.113.16", 32], ...]}.

    No address outlives a boot, so what was noted before one is not ours any more: by then it may be the host's own.
    """

    def __init__(self, path: Path, boot: str | None = None) -> None:
        self._path = path
        self._boot = read_boot_id() if boot is None else boot
        self._known: frozenset[Placed] | None = None

    def ours(self) -> frozenset[Placed]:
        """Never raises: without a file that can be read nothing is ours, and so nothing is taken off."""
        if self._known is None:
            self._known = self._load()
        return self._known

    def note(self, ours: frozenset[Placed]) -> None:
        """Durable when it returns; raises `StateError` with the old notes in place."""
        if ours == self.ours():
            return
        entries = [
            [one.interface, str(one.address), one.prefix] for one in sorted(ours, key=_order)
        ]
        content = {"format": FORMAT, "boot": self._boot, "addresses": entries}
        try:
            replace_file(self._path, f"{json.dumps(content)}\n".encode())
        except OSError as error:
            raise StateError(
                f"cannot note the addresses in {self._path}: {error.strerror}"
            ) from error
        self._known = ours

    def _load(self) -> frozenset[Placed]:
        try:
            content = json.loads(self._path.read_bytes())
            return _parse(content) if content["boot"] == self._boot else frozenset()
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
            log.error(
                "addresses that were put on before stay: their notes cannot be read",
                action="addresses",
                path=str(self._path),
                error=str(error),
            )
            return frozenset()


def _parse(content: dict[str, list[tuple[str, str, int]]]) -> frozenset[Placed]:
    return frozenset(
        Placed(str(interface), ipaddress.ip_address(str(address)), int(prefix))
        for interface, address, prefix in content["addresses"]
    )


def _order(placed: Placed) -> tuple[str, int, int]:
    return placed.interface, placed.address.version, int(placed.address)
