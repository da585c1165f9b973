"""What an operator may see of this process that no database holds."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from libra.config.showing import Shown

Workers = Mapping[str, Collection[str]]
"""Where the workers of each function connect from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Insight:
    """`settings` are those in use, without secrets. `workers` are those that the job servers know now, None where none
    of them answers; `functions` those that are the controllers' own."""

    settings: Callable[[], Shown] = dict
    workers: Callable[[], Workers | None] = lambda: None
    functions: Callable[[], Collection[str]] = tuple
