"""The ledger on disk: one JSON file, replaced whole.

    {"format": 1, "boot": "<id>", "totals": {"<proxy>": {"<server>": [bytes in, bytes out, sessions, errors,
     requests]}},
     "seen": [{"pid": 1, "started": 2, "rows": {as totals}}], "ignored": [[pid, started]]}

After a reboot no process lives that was seen before: `boot` is the kernel's id of the boot, for clocks may repeat
themselves on hosts without a battery.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from libra.daemon.boot import read_boot_id
from libra.drivers.haproxy.counters import Counters, Ledger, Process, RowName, Rows
from libra.durable import replace_file
from libra.errors import StateError

log = structlog.get_logger(__name__)

FORMAT = 1


class LedgerFile:
    """Reads it once, writes it often. A file that cannot be read is set aside as `<name>.unreadable`."""

    def __init__(self, path: Path, boot: str | None = None) -> None:
        self._path = path
        self._boot = boot if boot is not None else read_boot_id()

    def load(self) -> Ledger:
        """An empty ledger where there is no file, or none that can be read. Never raises."""
        try:
            return decode(self._path.read_bytes(), self._boot)
        except FileNotFoundError:
            return Ledger()
        except (OSError, ValueError) as error:
            self._set_aside(error)
            return Ledger()

    def save(self, ledger: Ledger) -> None:
        """On disk when it returns; raises `StateError` with the old file in place."""
        try:
            replace_file(self._path, encode(ledger, self._boot))
        except OSError as error:
            raise StateError(
                f"cannot save the counters to {self._path}: {error.strerror}"
            ) from error

    def _set_aside(self, why: Exception) -> None:
        log.error(
            "the counters begin anew: their file cannot be read",
            action="load counters",
            path=str(self._path),
            error=str(why),
        )
        try:
            self._path.replace(self._path.with_name(f"{self._path.name}.unreadable"))
        except OSError as error:
            log.warning("cannot set the file aside", action="load counters", error=str(error))


def encode(ledger: Ledger, boot: str) -> bytes:
    """The file's content."""
    value = {
        "format": FORMAT,
        "boot": boot,
        "totals": _nest(ledger.totals),
        "seen": [
            {"pid": process.pid, "started": process.started, "rows": _nest(rows)}
            for process, rows in ledger.seen.items()
        ],
        "ignored": sorted(ledger.ignored),
    }
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def decode(data: bytes, boot: str) -> Ledger:
    """What `encode` made; raises `ValueError` on anything else. Processes of another boot are left out."""
    try:
        value = json.loads(data)
        if value["format"] != FORMAT:
            raise ValueError(f"its format {value['format']!r} is not {FORMAT}")
        totals = _flatten(value["totals"])
        if value["boot"] != boot:
            return Ledger(totals)
        return Ledger(
            totals,
            {
                Process(_count(item["pid"]), _count(item["started"])): _flatten(item["rows"])
                for item in value["seen"]
            },
            frozenset(Process(_count(pid), _count(started)) for pid, started in value["ignored"]),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"it is not a ledger: {error!r}") from error


def _nest(rows: Rows) -> dict[str, dict[str, Counters]]:
    nested: dict[str, dict[str, Counters]] = {}
    for (proxy, server), counters in rows.items():
        nested.setdefault(proxy, {})[server] = counters
    return nested


def _flatten(nested: Mapping[str, Any]) -> dict[RowName, Counters]:
    return {
        (proxy, server): Counters(*map(_count, counters))
        for proxy, servers in nested.items()
        for server, counters in servers.items()
    }


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value
