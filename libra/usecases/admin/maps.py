"""Aliases of device pools and limits of projects: shown, and taken anew from the operator's files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from libra.errors import Invalid, LibraError
from libra.messages.codec import JsonObject
from libra.model.access import Caller
from libra.model.adminmap import ALIASES, LIMITS, AdminMap
from libra.storage.base import UnitOfWork
from libra.usecases.admin.comments import ensure_comment
from libra.usecases.admin.mapfiles import parse_aliases, parse_limits, read_file
from libra.usecases.adminmaps import Aliases, Limits, aliases_of, limits_of
from libra.usecases.outbox import add_event
from libra.usecases.services import Services

log = structlog.get_logger(__name__)

Parse = Callable[[UnitOfWork, JsonObject], dict[str, Any]]


def list_aliases(services: Services) -> Aliases:
    """{alias: names of device pools}."""
    return services.storage.look(aliases_of)


def list_limits(services: Services) -> Limits:
    """{project: number of devices, -1 for no limit}."""
    return services.storage.look(limits_of)


def reload_aliases(services: Services, caller: Caller) -> Aliases:
    """In place of what was. Raises `Invalid`, and then all is as before: for no file, and a bad one."""
    ensure_comment(services, caller)
    path = services.admin.aliases_file
    return _reload(services, caller, ALIASES, path, _aliases_in, ordered=True)


def reload_limits(services: Services, caller: Caller) -> Limits:
    """As `reload_aliases`."""
    ensure_comment(services, caller)
    path = services.admin.limits_file
    return _reload(services, caller, LIMITS, path, _limits_in, ordered=True)


def load_maps(services: Services, caller: Caller) -> None:
    """When a controller starts: where a file is bad, that is a warning, and what was stays."""
    for name, path, parse in (
        (ALIASES, services.admin.aliases_file, _aliases_in),
        (LIMITS, services.admin.limits_file, _limits_in),
    ):
        if path is None:
            continue
        try:
            _reload(services, caller, name, path, parse, ordered=False)
        except LibraError as error:
            log.warning("a map stays as it was", action="start", map=name, error=str(error))


def _aliases_in(unit: UnitOfWork, document: JsonObject) -> dict[str, Any]:
    return parse_aliases(document, {pool.name for pool in unit.device_pools.find()})


def _limits_in(_unit: UnitOfWork, document: JsonObject) -> dict[str, Any]:
    return parse_limits(document)


def _reload(
    services: Services,
    caller: Caller,
    name: str,
    path: Path | None,
    parse: Parse,
    *,
    ordered: bool,
) -> dict[str, Any]:
    if path is None:
        raise Invalid(f"cannot reload the {name}: admin.{name}_file is not set")
    found = read_file(path)
    with services.storage.writing() as unit:
        unit.hold(f"admin map {name}")
        try:
            parsed = parse(unit, found)
        except Invalid as error:
            raise Invalid(f"cannot use {path}: {error}") from None
        if _store(unit, services, name, parsed) or ordered:
            reason = f"{len(parsed)} entries"
            add_event(unit, services, caller, f"{name}.loaded", name, reason=reason)
    return parsed


def _store(unit: UnitOfWork, services: Services, name: str, parsed: dict[str, Any]) -> bool:
    """Whether it is another one than before."""
    document = json.dumps(parsed, separators=(",", ":"))
    known = unit.admin_maps.get(name)
    record = AdminMap(name=name, document=document, loaded_at=services.clock())
    if known is None:
        unit.admin_maps.add(record)
    else:
        unit.admin_maps.replace(record)
    return known is None or known.document != document
