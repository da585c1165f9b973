"""The frontend by which HAProxy itself answers health checks of nodes: GET /health?node=NAME, /health/GROUP?node=NAME.

No controller is asked: the answer stands in a map, by NAME and by GROUP/NAME. It is what the controllers answer, see
`libra.api.probes`. Pure.
"""

from collections.abc import Iterator, Sequence

from libra.drivers.haproxy.config import Frontend, Material, Mode
from libra.drivers.haproxy.materials import build_map
from libra.model.nodestatus import NODE_NAME, NodeStatus, ReportedNode

NAME = "libra-health"  # no listener's: those begin with fe-
STEM = "health-nodes"
UNKNOWN = "there is no such node"
ANSWERS = {NodeStatus.ONLINE: (200, "OK"), NodeStatus.OFFLINE: (503, "the node is offline")}
_PLAIN = "content-type text/plain hdr Cache-Control no-store"


def build_reporter(place: tuple[str, int], nodes: Sequence[ReportedNode]) -> Frontend:
    """Without nodes it knows none, and so no node is online."""
    host, port = place
    return Frontend(
        name=NAME,
        mode=Mode.HTTP,
        port=port,
        backend=None,
        bind_address=host,
        quiet=True,  # who asks does so many times a second
        statuses=build_statuses(nodes),
    )


def build_statuses(nodes: Sequence[ReportedNode]) -> Material:
    """The map."""
    entries: list[tuple[str, str]] = []
    for node in nodes:
        status = node.status.value
        entries += [(node.name, status), (f"{node.group}/{node.name}", status)]
    return build_map(STEM, tuple(entries))


def render_reporter(statuses: str) -> Iterator[str]:
    """Its rules; `statuses` is the file of the map. Neither groups nor names hold a slash."""
    no_name = "one node must be named: ?node=NAME"
    refused = "only GET and HEAD are answered here"
    allowed = " hdr Allow 'GET, HEAD'"
    yield f"{_answer(405, refused, allowed)} unless {{ method GET HEAD }}"
    yield f"{_answer(404, 'there is nothing here')} unless {{ path -m reg ^/health(/[^/]+)?/?$ }}"
    yield "    http-request set-var(txn.node) url_param(node),url_dec"
    yield f"{_answer(400, no_name)} unless {{ var(txn.node) -m len 1: }}"
    yield f"{_answer(400, no_name)} if {{ query -m reg (^|&)node=.*&node= }}"
    yield f"{_answer(404, UNKNOWN)} unless {{ var(txn.node) -m reg ^{NODE_NAME}$ }}"  # no slash, no NUL
    yield "    http-request set-var(txn.group) path,field(3,/)"
    in_group = "{ var(txn.group) -m len 1: }"
    yield f"    http-request set-var(txn.key) var(txn.node) unless {in_group}"
    yield f"    http-request set-var(txn.key) var(txn.group),concat(/,txn.node) if {in_group}"
    yield f"    http-request set-var(txn.status) var(txn.key),map_str({statuses})"
    for status, (code, text) in ANSWERS.items():
        yield f"{_answer(code, text)} if {{ var(txn.status) -m str {status.value} }}"
    yield _answer(404, UNKNOWN)


def _answer(code: int, text: str, more: str = "") -> str:
    return f"    http-request return status {code} {_PLAIN}{more} string '{text}'"
