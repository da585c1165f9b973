"""Maps that an operator keeps in files: aliases of device pools, and how many devices each project may use."""

from dataclasses import dataclass
from datetime import datetime

ALIASES = "aliases"
"""{alias: [device pool, ...]}, by the pools' names."""
LIMITS = "limits"
"""{project: devices}, -1 for no limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdminMap:
    """`name` is ALIASES or LIMITS, `document` its JSON: in the database, so that every controller has the same."""

    name: str
    document: str
    loaded_at: datetime
