"""Projects' accounts at object stores: kept, shown without their secrets, and given fresh tokens."""

import json
from dataclasses import dataclass, replace
from typing import Any

from libra.errors import Conflict, NotFound
from libra.model.access import Caller
from libra.model.job import OPEN, Job, JobAction
from libra.model.objectstore import Credentials, ObjectStoreAccount
from libra.objectstores.base import Grant
from libra.storage.base import UnitOfWork, account_lock
from libra.storage.query import Query
from libra.usecases.access import ensure_may_see, ensure_may_write
from libra.usecases.outbox import add_event
from libra.usecases.services import Services, new_id

TOKEN, ENDPOINT = "hpcs_object_store_token", "hpcs_object_store_endpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refreshed:
    """`jobs` is how many open jobs have the fresh token, too."""

    account: ObjectStoreAccount
    jobs: int = 0


def show(services: Services, caller: Caller, project: str) -> ObjectStoreAccount:
    """Raises `NotFound` and `Forbidden`."""
    if not caller.sees_everything and project != caller.project_id:
        # Whether another project has one is nobody's business.
        ensure_may_see(caller, _Project(project))
    account = find(services, project)
    if account is None:
        raise NotFound(f"cannot find an object-store account of the project {project!a}")
    return account


@dataclass(frozen=True, slots=True)
class _Project:
    project_id: str


def find(services: Services, project: str) -> ObjectStoreAccount | None:
    """None where there is none."""
    return services.storage.look(lambda unit: _find(unit, project))


def put(
    services: Services, caller: Caller, project: str, store: str, given: Credentials
) -> tuple[ObjectStoreAccount, bool]:
    """Stored once the store has let it in; True where it is new.

    Raises `ObjectStoreError` with the store's words, `Invalid` and `Forbidden` for where it is.
    """
    ensure_may_write(caller, project)
    grant = services.object_store(store).log_in(given)
    with services.storage.writing() as unit:
        unit.hold(_project_lock(project))
        before = _find(unit, project)
        account = _build(services, project, store, given, grant, before)
        if before is None:
            unit.object_stores.add(account)
        else:
            unit.hold(account_lock(before.id))
            unit.object_stores.replace(account)
        kind = "objectstore.created" if before is None else "objectstore.replaced"
        where = f"{given.user} at {given.auth_url}"
        add_event(unit, services, caller, kind, account.id, project, where)
    return account, before is None


def delete(services: Services, caller: Caller, project: str) -> None:
    """Jobs that have its token keep it. Raises `NotFound`."""
    ensure_may_write(caller, project)
    account = show(services, caller, project)
    with services.storage.writing() as unit:
        unit.object_stores.remove(account.id)
        add_event(unit, services, caller, "objectstore.deleted", account.id, project)


def refresh(services: Services, caller: Caller, project: str, *, jobs: bool) -> Refreshed:
    """A fresh token for the project's account; with `jobs` for its open jobs that were made from it, too.

    Raises `NotFound`, and `ObjectStoreError` with the store's words: then all is as it was.
    """
    ensure_may_write(caller, project)
    account = show(services, caller, project)
    return renew(services, caller, account, jobs=jobs)


def renew(
    services: Services, caller: Caller, account: ObjectStoreAccount, *, jobs: bool
) -> Refreshed:
    """As `refresh`. The store is asked outside of any transaction, for it may take its time."""
    grant = services.object_store(account.store).log_in(open_credentials(services, account))
    with services.storage.writing() as unit:
        unit.hold(account_lock(account.id))
        current = unit.object_stores.get(account.id)
        if current is None or current.sealed_key != account.sealed_key:
            raise Conflict(
                f"cannot refresh the token of {account.project_id!a}: its account was changed meanwhile"
            )
        fresh = replace(current, **_granted(services, grant))
        unit.object_stores.replace(fresh)
        given = _give_to_jobs(unit, services, fresh, grant) if jobs else 0
        reason = f"of the account and of {given} jobs" if jobs else "of the account"
        project = account.project_id
        add_event(unit, services, caller, "objectstore.refreshed", account.id, project, reason)
    if given:
        services.bell.ring()
    return Refreshed(account=fresh, jobs=given)


def open_credentials(services: Services, account: ObjectStoreAccount) -> Credentials:
    """With the key; raises `Invalid` where it was sealed with another."""
    return Credentials(
        auth_url=account.auth_url,
        auth_version=account.auth_version,
        user=account.user,
        key=services.sealer.unseal(account.sealed_key),
        domain=account.domain,
        region=account.region,
    )


def _give_to_jobs(
    unit: UnitOfWork, services: Services, account: ObjectStoreAccount, grant: Grant
) -> int:
    wanted = {"object_store_account": account.id, "state": list(OPEN), "action": JobAction.ARCHIVE}
    found = unit.jobs.find(Query(where=wanted))
    return sum(unit.jobs.reseal(job.id, _resealed(services, job, grant)) for job in found)


def _resealed(services: Services, job: Job, grant: Grant) -> str:
    message = json.loads(services.sealer.unseal(job.sealed))
    fresh = {ENDPOINT: grant.account.endpoint, TOKEN: grant.account.token}
    return services.sealer.seal(json.dumps({**message, **fresh}))


def _build(
    services: Services,
    project: str,
    store: str,
    given: Credentials,
    grant: Grant,
    before: ObjectStoreAccount | None,
) -> ObjectStoreAccount:
    now = services.clock()
    return ObjectStoreAccount(
        id=before.id if before else new_id(),
        project_id=project,
        store=store,
        auth_url=given.auth_url,
        auth_version=given.auth_version,
        user=given.user,
        domain=given.domain,
        region=given.region,
        sealed_key=services.sealer.seal(given.key),
        created_at=before.created_at if before else now,
        updated_at=now if before else None,
        **_granted(services, grant),
    )


def _granted(services: Services, grant: Grant) -> dict[str, Any]:
    now = services.clock()
    return {
        "endpoint": grant.account.endpoint,
        "sealed_token": services.sealer.seal(grant.account.token),
        "refreshed_at": now,
        "expires_at": None if grant.lasts is None else now + grant.lasts,
    }


def _find(unit: UnitOfWork, project: str) -> ObjectStoreAccount | None:
    found = unit.object_stores.find(Query(where={"project_id": project}))
    return found[0] if found else None


def _project_lock(project: str) -> str:
    return f"object store of {project}"
