"""Whoever gets no device for a load balancer is told why, and so is the operator afterwards."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from libra.errors import PoolExhausted, QuotaExceeded
from libra.model.access import Caller
from libra.usecases.access import choose_project
from libra.usecases.admin.failures import REFUSED, note_failure
from libra.usecases.services import Services

P = ParamSpec("P")
T = TypeVar("T")
Create = Callable[Concatenate[Services, Caller, str | None, P], T]


def noting_refusals(create: Create[P, T]) -> Create[P, T]:
    """`create` is given services, caller and project, and whatever else it takes."""

    @wraps(create)
    def wrapped(
        services: Services, caller: Caller, project: str | None, /, *rest: P.args, **named: P.kwargs
    ) -> T:
        try:
            return create(services, caller, project, *rest, **named)
        except (PoolExhausted, QuotaExceeded) as error:
            owner = choose_project(caller, project)
            note_failure(services, caller, REFUSED, owner, str(error), owner)
            raise

    return wrapped
