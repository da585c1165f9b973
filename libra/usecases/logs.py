"""Access logs, archived on demand."""

import json
from dataclasses import dataclass, field
from datetime import timedelta

from libra.errors import Conflict, Invalid
from libra.model.access import Caller
from libra.model.job import Job, JobAction
from libra.storage.base import account_lock
from libra.usecases import objectstores
from libra.usecases.access import ensure_may_write
from libra.usecases.loadbalancers import show
from libra.usecases.outbox import add_event, build_job
from libra.usecases.services import Services

SOON = timedelta(minutes=5)
"""A token that ends before that is no use for an upload."""
DEFAULT_STORE = "swift"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a log goes, and what opens it. `account` is the object-store account that it was taken from."""

    store: str
    endpoint: str
    token: str = field(repr=False)
    account: str | None = None


def archive_logs(
    services: Services,
    caller: Caller,
    loadbalancer_id: str,
    *,
    basepath: str,
    store: str | None = None,
    endpoint: str | None = None,
    token: str | None = None,
) -> Job:
    """The device sends its log into an object store; the token is stored encrypted, and only until then.

    Without endpoint and token into the account of the load balancer's project.
    """
    tree = show(services, caller, loadbalancer_id)
    owner = tree.loadbalancer
    ensure_may_write(caller, owner.project_id)
    if owner.device_id is None or not tree.listeners:
        raise Conflict(f"cannot archive the logs of {loadbalancer_id}: it has no listener")
    place = _choose_place(services, caller, owner.project_id, store, endpoint, token)
    protocol = "HTTP" if tree.listeners[0].protocol.is_http else "TCP"
    message = {
        "hpcs_action": "ARCHIVE",
        "hpcs_object_store_type": place.store,
        "hpcs_object_store_basepath": basepath,
        objectstores.ENDPOINT: place.endpoint,
        objectstores.TOKEN: place.token,
        "loadbalancers": [{"id": owner.id, "name": owner.name or owner.id, "protocol": protocol}],
    }
    with services.storage.writing() as unit:
        if place.account is not None:
            unit.hold(account_lock(place.account))
        device = unit.devices.get(owner.device_id)
        assert device is not None
        job = build_job(
            services,
            caller,
            device,
            JobAction.ARCHIVE,
            services.limits.archive_deadline,
            loadbalancer_id=owner.id,
            project_id=owner.project_id,
            object_store_account=place.account,
            sealed=services.sealer.seal(json.dumps(message)),
        )
        unit.jobs.add(job)
        add_event(unit, services, caller, "loadbalancer.archive", owner.id, owner.project_id)
    services.bell.ring()
    return job


def _choose_place(
    services: Services,
    caller: Caller,
    project: str,
    store: str | None,
    endpoint: str | None,
    token: str | None,
) -> Place:
    if endpoint and token:
        return Place(store=store or DEFAULT_STORE, endpoint=endpoint, token=token)
    if endpoint or token:
        raise Invalid("cannot archive: give object_store_endpoint and auth_token, or neither")
    account = objectstores.find(services, project)
    if account is None:
        raise Invalid(
            "cannot archive without object_store_endpoint and auth_token: the project "
            f"{project!a} has no object-store account"
        )
    if store not in (None, account.store):
        raise Invalid(f"cannot archive to {store}: the project's account is one of {account.store}")
    if account.expires_at is not None and account.expires_at - services.clock() < SOON:
        account = objectstores.renew(services, caller, account, jobs=False).account
    return Place(
        store=account.store,
        endpoint=account.endpoint,
        token=services.sealer.unseal(account.sealed_token),
        account=account.id,
    )
