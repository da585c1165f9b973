"""The maps as placement reads them. They are in the database, so that every controller heeds the same."""

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from libra.errors import Invalid
from libra.messages.fields import quoted
from libra.model.adminmap import ALIASES, LIMITS
from libra.model.quota import UNLIMITED
from libra.storage.base import UnitOfWork
from libra.storage.query import Query

Aliases = Mapping[str, list[str]]
Limits = Mapping[str, int]


def aliases_of(unit: UnitOfWork) -> Aliases:
    """{alias: names of device pools}; not to be changed."""
    aliases: Aliases = _read(unit, ALIASES)
    return aliases


def limits_of(unit: UnitOfWork) -> Limits:
    """{project: devices}; not to be changed."""
    limits: Limits = _read(unit, LIMITS)
    return limits


def limit_of(unit: UnitOfWork, project: str) -> int:
    """How many devices a project may use, -1 for as many as there are."""
    return limits_of(unit).get(project, UNLIMITED)


def find_zone(unit: UnitOfWork, zone: str) -> frozenset[str]:
    """The ids of the device pools that an availability zone stands for: one, by id or name, or an alias's.

    A pool that was removed since the alias was loaded is left out. Raises `Invalid` for a zone that there is not.
    """
    pool = unit.device_pools.get(zone)
    if pool is not None:
        return frozenset((pool.id,))
    names = [zone, *aliases_of(unit).get(zone, ())]
    found = {pool.name: pool.id for pool in unit.device_pools.find(Query(where={"name": names}))}
    if zone in found:
        return frozenset((found[zone],))
    if not found:
        raise Invalid(
            f"cannot place it in the availability zone {quoted(zone)}: "
            "there is no device pool and no alias of that name"
        )
    return frozenset(found.values())


def _read(unit: UnitOfWork, name: str) -> Any:
    stored = unit.admin_maps.get(name)
    return _decoded(stored.document) if stored is not None else {}


@lru_cache(maxsize=8)
def _decoded(document: str) -> Any:
    return json.loads(document)
