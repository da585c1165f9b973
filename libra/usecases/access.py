"""Who may touch what."""

from typing import Protocol

from libra.errors import Forbidden
from libra.model.access import Caller


class Owned(Protocol):
    """Whatever belongs to a project."""

    @property
    def project_id(self) -> str:
        """The owner."""


def ensure_may_see(caller: Caller, owned: Owned) -> None:
    """Raises `Forbidden` for another project's."""
    if not caller.sees_everything and owned.project_id != caller.project_id:
        raise Forbidden("cannot show it: it belongs to another project")


def ensure_may_write(caller: Caller, project_id: str) -> None:
    """Raises `Forbidden` for a reader, and for another project's."""
    if not caller.may_write:
        raise Forbidden(f"cannot change anything: '{caller.name}' may only read")
    if not caller.sees_everything and project_id != caller.project_id:
        raise Forbidden("cannot change it: it belongs to another project")


def choose_project(caller: Caller, asked: str | None) -> str:
    """The owner of what is created: the caller's project, unless it may create for others."""
    project = asked or caller.project_id or "default"
    ensure_may_write(caller, project)
    return project
