"""The services of web clusters: added, changed, removed, also while it runs."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libra.errors import AlreadyExists, Invalid, NotFound, QuotaExceeded
from libra.model.access import Caller
from libra.model.webcluster import StoredWebService
from libra.model.webpaths import is_below, normalise
from libra.model.webservices import flatten, flatten_one
from libra.storage.base import UnitOfWork
from libra.storage.query import Query
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id
from libra.usecases.webclusters.servicetypes import Config, parse_service
from libra.usecases.webclusters.snapshots import Snapshot, amend, find_cluster, parse_oid

MOST_IN_CLUSTER = 500
COMMON = ("label", "description", "tags")
Fields = Mapping[str, Any]


def add_service(
    services: Services, caller: Caller, key: str, path: str, given: Fields
) -> StoredWebService:
    """`given` holds the type, what it needs, and perhaps label, description and tags.

    Raises `Invalid`, `AlreadyExists` for a path that another one has, `NotFound`, `Forbidden`.
    """
    oid, where = new_id(), normalise(path)
    config = parse_service(given.get("type"), own_of(given), where)

    def edit(unit: UnitOfWork, before: Snapshot) -> Snapshot:
        del unit
        made = StoredWebService(
            oid=oid,
            webcluster_oid=before.cluster.oid,
            path=where,
            type=given["type"],
            **{name: given.get(name) for name in COMMON},
            config=_text(config),
            created_at=services.clock(),
        )
        return _with(before, made)

    stored = _amend(services, caller, key, edit, "on_webservice_added", oid)
    return _one(stored, oid)


def change_service(
    services: Services, caller: Caller, key: str, service: str, given: Fields
) -> StoredWebService:
    """Only what is given changes, and null takes away; with another type nothing of the old one stays.

    Raises as `add_service`.
    """
    oid = parse_oid(service, "a web service")

    def edit(unit: UnitOfWork, before: Snapshot) -> Snapshot:
        del unit
        return _with(before, _changed(_one(before, oid), given))

    stored = _amend(services, caller, key, edit, "on_webservice_changed", oid)
    return _one(stored, oid)


def _changed(known: StoredWebService, given: Fields) -> StoredWebService:
    kind, path = given.get("type", known.type), normalise(given.get("path", known.path))
    kept = json.loads(known.config) if kind == known.type else {}
    merged = {**kept, **own_of(given)}
    config = {name: value for name, value in merged.items() if value is not None or name == "value"}
    return replace(
        known,
        path=path,
        type=kind,
        **{name: given.get(name, getattr(known, name)) for name in COMMON},
        config=_text(parse_service(kind, config, path)),
    )


def remove_service(services: Services, caller: Caller, key: str, service: str) -> StoredWebService:
    """As it was. Raises `NotFound`, also for another cluster's."""
    oid = parse_oid(service, "a web service")
    gone: list[StoredWebService] = []

    def edit(unit: UnitOfWork, before: Snapshot) -> Snapshot:
        del unit
        gone[:] = [_one(before, oid)]
        return replace(before, services=_without(before, oid))

    _amend(services, caller, key, edit, "on_webservice_removed", oid, gone)
    return gone[0]


def _amend(
    services: Services,
    caller: Caller,
    key: str,
    edit: Any,
    kind: str,
    oid: str,
    gone: list[StoredWebService] | None = None,
) -> Snapshot:
    def tell(unit: UnitOfWork, stored: Snapshot) -> None:
        told, cluster = gone[0] if gone else _one(stored, oid), stored.cluster
        reason = f"{told.type} at {told.path} of '{cluster.name}'"
        add_event(unit, services, caller, kind, cluster.oid, cluster.project_id, reason)

    return amend(services, caller, key, edit, tell)


def _with(before: Snapshot, made: StoredWebService) -> Snapshot:
    """In place of the one with its id, if any."""
    others = _without(before, made.oid)
    taken = {item.path for item in flatten(others)}
    paths = [item.path for item in flatten_one(made)]
    twice = next((path for n, path in enumerate(paths) if path in taken or path in paths[:n]), None)
    if made.path in {item.path for item in others}:
        twice = made.path
    if twice is not None:
        raise AlreadyExists(f"cannot serve {twice} twice: another web service is there")
    if len(taken) + len(paths) > MOST_IN_CLUSTER:
        raise QuotaExceeded(
            f"Quota has been met for resources: Web service; a web cluster may have {MOST_IN_CLUSTER}"
        )
    services = sorted((*others, made), key=lambda item: item.path)
    return replace(before, services=tuple(services))


def _without(before: Snapshot, oid: str) -> tuple[StoredWebService, ...]:
    return tuple(item for item in before.services if item.oid != oid)


def _one(snapshot: Snapshot, oid: str) -> StoredWebService:
    for item in snapshot.services:
        if item.oid == oid:
            return item
    raise NotFound(f"Web service {oid} not found in the web cluster '{snapshot.cluster.name}'.")


def show_service(services: Services, caller: Caller, key: str, service: str) -> StoredWebService:
    """By id. Raises `NotFound`, also for another cluster's."""
    oid = parse_oid(service, "a web service")
    with services.storage.reading() as unit:
        cluster = find_cluster(unit, caller, key)
        found = unit.web_services.get(oid)
    if found is None or found.webcluster_oid != cluster.oid:
        raise NotFound(f"Web service {oid} not found in the web cluster '{cluster.name}'.")
    return found


def find_service(services: Services, caller: Caller, key: str, path: str) -> StoredWebService:
    """By path, in any spelling of it."""
    where = normalise(path)
    with services.storage.reading() as unit:
        cluster = find_cluster(unit, caller, key)
        asked = Query(where={"webcluster_oid": cluster.oid, "path": where})
        found = unit.web_services.find(asked)
    if not found:
        raise NotFound(f"No web service at {where} in the web cluster '{cluster.name}'.")
    return found[0]


def list_services(
    services: Services, caller: Caller, key: str, prefix: str | None = None
) -> list[StoredWebService]:
    """By path; those at the prefix and below it, by whole segments."""
    start = normalise(prefix or "")
    with services.storage.reading() as unit:
        cluster = find_cluster(unit, caller, key)
        found = unit.web_services.find(Query(where={"webcluster_oid": cluster.oid}))
    return sorted(
        (item for item in found if is_below(item.path, start)), key=lambda item: item.path
    )


def own_of(given: Fields) -> Config:
    """What is the type's own. Raises `Invalid` for what nobody may give."""
    if odd := sorted({"oid", "webcluster_oid"} & set(given)):
        raise Invalid(f"cannot use {odd[0]}: it is given by libra")
    return {name: value for name, value in given.items() if name not in (*COMMON, "type", "path")}


def _text(config: Config) -> str:
    return json.dumps(config, separators=(",", ":"))
