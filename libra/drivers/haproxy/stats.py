"""HAProxy's statistics, parsed by the package haproxy-stats from any text: libra feeds it from the unix socket.

Import this module before there are threads: for a moment it stands in front of the package `requests`.
"""

import csv
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from operator import itemgetter
from types import ModuleType
from typing import Any

from libra.drivers.haproxy.counters import Counters, RowName
from libra.drivers.haproxy.rows import BACKEND, FRONTEND, Row
from libra.errors import DriverError


@contextmanager
def _root_logger_kept() -> Iterator[None]:
    """haproxystats calls logging.basicConfig when it is imported."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


@contextmanager
def _requests_left_out() -> Iterator[None]:
    """haproxystats takes `requests` along, 6 MB for an HTTP session that is not opened here."""
    if "requests" in sys.modules:
        yield
        return
    stand_in = ModuleType("requests")
    vars(stand_in)["Session"] = object
    sys.modules["requests"] = stand_in
    try:
        yield
    finally:
        del sys.modules["requests"]


with _root_logger_kept(), _requests_left_out():
    from haproxystats import HAProxyServer, HAProxyService

# The columns that libra uses; making objects of all hundred would take four times as long. None of them holds words of
# a member's own (as last_chk does), which the package's decoding trips over: "²".isdigit() is true, int("²") raises.
COLUMNS = (
    "pxname",
    "svname",
    "scur",
    "stot",
    "bin",
    "bout",
    "ereq",
    "econ",
    "eresp",
    "status",
    "weight",
    "check_status",
    "check_code",
    "req_tot",
)
_IN_PROGRESS = "* "  # in front of check_status while the next check runs


class SocketStats(HAProxyServer):
    """The package's server, from a callable that returns the answer to `show stat`.

    What it makes better: quoted fields are read as CSV has them (a member's own words may hold commas), names stay
    texts, nothing is fetched by HTTP, a failure leaves no mark, and large backends take linear time.
    """

    def __init__(self, source: Callable[[], str], name: str = "haproxy") -> None:
        # not super().__init__(): it opens an HTTP session and fetches
        self.failed = False
        self.name = name
        self._source = source
        self.update()

    def update(self) -> None:
        """Read and parse anew; raises `DriverError`, and what the source raises, with the last good values kept."""
        # not splitlines(): it breaks lines at more characters than HAProxy does
        rows = csv.reader(self._source().removeprefix("# ").split("\n"))
        header = next(rows, [])
        try:
            chosen = itemgetter(*map(header.index, COLUMNS))
            services = [self._service(chosen(row)) for row in rows if row]
        except (ValueError, IndexError, csv.Error) as error:
            raise DriverError(f"cannot read HAProxy's statistics: {error}") from error
        self.fields = COLUMNS
        self._sort(services)
        self.last_update = datetime.now(UTC)

    def _service(self, values: tuple[str, ...]) -> HAProxyService:
        service = HAProxyService(COLUMNS, values, self.name)
        service.pxname, service.svname = values[0], values[1]
        service.name = values[0] if values[1] in (FRONTEND, BACKEND) else values[1]
        return service

    def _sort(self, services: list[HAProxyService]) -> None:
        self.frontends = [service for service in services if service.svname == FRONTEND]
        self.backends = [service for service in services if service.svname == BACKEND]
        self.listeners = [
            service for service in services if service.svname not in (FRONTEND, BACKEND)
        ]
        by_proxy: dict[str, list[HAProxyService]] = {}
        for listener in self.listeners:
            by_proxy.setdefault(listener.pxname, []).append(listener)
        for backend in self.backends:
            backend.listeners = by_proxy.get(backend.pxname, [])


def parse_stat(text: str) -> dict[RowName, Row]:
    """The answer to `show stat` by proxy and server name; raises `DriverError`."""
    stats = SocketStats(lambda: text)
    services = (*stats.frontends, *stats.backends, *stats.listeners)
    return {(service.pxname, service.svname): _row(service) for service in services}


def _row(service: HAProxyService) -> Row:
    """A column that does not apply is empty: ereq and req_tot are frontends', econ and eresp backends' and servers'."""
    fields: dict[str, Any] = vars(service)  # quicker than an attribute each
    errors = (fields["ereq"] or 0) + (fields["econ"] or 0) + (fields["eresp"] or 0)
    return Row(
        str(fields["status"]),
        fields["weight"] or 0,
        _check(fields["check_status"], fields["check_code"]),
        fields["scur"] or 0,
        Counters(
            fields["bin"] or 0,
            fields["bout"] or 0,
            fields["stot"] or 0,
            errors,
            fields["req_tot"] or 0,
        ),
    )


def _check(status: str, code: int | str) -> str | None:
    """Without the code while the next check runs, for HAProxy sets it to 0 then."""
    word = str(status).removeprefix(_IN_PROGRESS)
    return f"{word}/{code}" if word and code not in ("", 0) else word or None
