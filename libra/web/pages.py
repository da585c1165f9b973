"""What a page is, and what it is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import QueryParams

from libra.model.access import Caller, Role
from libra.usecases.services import Services
from libra.web.history import History

Context = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One request for a page. `key` is the thing that it is about, "" where it is about all of a kind."""

    services: Services
    history: History
    caller: Caller
    key: str = ""
    asked: QueryParams = field(default_factory=QueryParams)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """`path` is below /ui. `parts` are templates below parts/, each renewed while the page is open where it changes.

    `everywhere`: only for who is bound to no project. `deploying`: also for deployers, who see no other. `menu` is its
    name in the menu, "" where it is not there.
    """

    path: str
    title: str
    template: str
    parts: tuple[str, ...]
    view: Callable[[Look], Context]
    everywhere: bool = False
    deploying: bool = False
    menu: str = ""

    def allows(self, caller: Caller) -> bool:
        """Whether it may be seen."""
        if caller.role is Role.DEPLOYER:
            return self.deploying
        return caller.sees_everything or not self.everywhere
