"""The web service `metrics`: what one load balancer has served, in Prometheus' text, from HAProxy's own statistics.

HAProxy's exporter would tell of everything on the device, which may be other customers'.
"""

import csv
import socket
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from libra.model.webservice import Metrics
from libra.serving.answers import HARMLESS, READING, not_allowed, refuse

SECONDS = 5.0
HEADERS = {**HARMLESS, "cache-control": "no-store"}
FORMAT = "text/plain; version=0.0.4"
_FRONTEND, _BACKEND = "FRONTEND", "BACKEND"

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric: its name behind what it is of, the column of HAProxy's statistics, its type, and what it says."""

    name: str
    column: str
    kind: str
    help: str


_TRAFFIC = (
    Figure("current_sessions", "scur", "gauge", "Sessions now."),
    Figure("sessions_total", "stot", "counter", "Sessions so far."),
    Figure("bytes_in_total", "bin", "counter", "Bytes from clients."),
    Figure("bytes_out_total", "bout", "counter", "Bytes to clients."),
)
_RESPONSES = tuple(
    Figure(f"http_responses_{n}xx_total", f"hrsp_{n}xx", "counter", f"Answers with {n}xx.")
    for n in range(1, 6)
)
_FAULTS = (
    Figure("connection_errors_total", "econ", "counter", "Connections to members that failed."),
    Figure("response_errors_total", "eresp", "counter", "Answers of members that were none."),
)
FIGURES = {
    "listener": (
        *_TRAFFIC,
        *_RESPONSES,
        Figure("requests_total", "req_tot", "counter", "Requests so far."),
        Figure("request_errors_total", "ereq", "counter", "Requests that were none."),
        Figure("requests_denied_total", "dreq", "counter", "Requests that were refused."),
        Figure("max_sessions", "slim", "gauge", "Sessions that there may be at once."),
    ),
    "pool": (
        *_TRAFFIC,
        *_RESPONSES,
        *_FAULTS,
        Figure("active_members", "act", "gauge", "Members that serve."),
        Figure("backup_members", "bck", "gauge", "Backup members that could."),
        Figure("queue_length", "qcur", "gauge", "Requests that wait."),
    ),
    "member": (
        *_TRAFFIC,
        *_RESPONSES,
        *_FAULTS,
        Figure("weight", "weight", "gauge", "Its weight in effect."),
        Figure("check_failures_total", "chkfail", "counter", "Checks that failed."),
        Figure("downtime_seconds_total", "downtime", "counter", "How long it was down."),
    ),
}
STATUS = Figure("status", "status", "gauge", "1 where it serves.")


class MetricsAnswer:
    """`socket_path` is HAProxy's admin socket."""

    def __init__(self, service: Metrics, socket_path: str) -> None:
        self._proxies = {name: (kind, key) for name, kind, key in service.proxies}
        self._socket = socket_path

    def answer(self, request: Request) -> Response:
        """Waits for HAProxy, at most some seconds."""
        if request.method not in READING:
            return not_allowed()
        try:
            rows = parse_statistics(ask(self._socket))
        except (OSError, ValueError):
            return refuse(HTTPStatus.SERVICE_UNAVAILABLE)
        text = render_metrics(rows, self._proxies)
        return PlainTextResponse(text, headers=HEADERS, media_type=FORMAT)


def ask(path: str) -> str:
    """HAProxy's statistics as it has them; raises OSError."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(SECONDS)
        connection.connect(path)
        connection.sendall(b"show stat\n")
        blocks = iter(lambda: connection.recv(65536), b"")
        return b"".join(blocks).decode(errors="replace")


def parse_statistics(text: str) -> list[Row]:
    """Raises ValueError for what is none."""
    if not text.startswith("# "):
        raise ValueError("no statistics of HAProxy's")
    return list(csv.DictReader(text[2:].splitlines()))


def render_metrics(rows: Iterable[Row], proxies: Mapping[str, tuple[str, str]]) -> str:
    """Of these proxies only: what each is, and its id, by HAProxy's name of it."""
    sorted_rows: dict[str, list[tuple[str, Row]]] = {kind: [] for kind in FIGURES}
    for row in rows:
        kind, key = proxies.get(row["pxname"], ("", ""))
        if not kind:
            continue
        if row["svname"] in (_FRONTEND, _BACKEND):
            sorted_rows[kind].append((f'{kind}="{_escape(key)}"', row))
        elif kind == "pool":
            labels = f'pool="{_escape(key)}",member="{_escape(row["svname"])}"'
            sorted_rows["member"].append((labels, row))
    return "".join(line for kind, found in sorted_rows.items() for line in _lines(kind, found))


def _lines(kind: str, found: list[tuple[str, Row]]) -> Iterator[str]:
    for figure in (*FIGURES[kind], STATUS):
        values = [(labels, _value(figure, row)) for labels, row in found]
        present = [(labels, value) for labels, value in values if value]
        if not present:
            continue
        name = f"octavia_{kind}_{figure.name}"
        yield f"# HELP {name} {figure.help}\n# TYPE {name} {figure.kind}\n"
        yield from (f"{name}{{{labels}}} {value}\n" for labels, value in present)


def _value(figure: Figure, row: Row) -> str:
    """Empty where HAProxy tells none."""
    value = row.get(figure.column) or ""
    if figure is STATUS:
        return str(int(value.startswith(("OPEN", "UP", "no check"))))
    return value if value.isdecimal() else ""


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
