"""A row of `show stat`, as far as libra reports it. Pure."""

from collections.abc import Mapping
from typing import NamedTuple

from libra.drivers.haproxy.counters import NOTHING, Counters, RowName

FRONTEND = "FRONTEND"
BACKEND = "BACKEND"


class Row(NamedTuple):
    """A frontend, a backend or a server, right now.

    `weight` is what the balancing uses (0: nothing new). `check` is the last check's result, as L4OK or L7STS/500.
    Of the counters, `errors` are a frontend's faulty requests; for backends and servers failed connections and faulty
    responses.
    """

    status: str
    weight: int = 0
    check: str | None = None
    current_sessions: int = 0
    counters: Counters = NOTHING


Table = Mapping[RowName, Row]
