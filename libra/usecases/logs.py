"""Access logs, archived on demand."""

import json

from libra.errors import Conflict
from libra.model.access import Caller
from libra.model.job import Job, JobAction
from libra.usecases.access import ensure_may_write
from libra.usecases.loadbalancers import show
from libra.usecases.outbox import add_event, build_job
from libra.usecases.services import Services


def archive_logs(
    services: Services,
    caller: Caller,
    loadbalancer_id: str,
    *,
    store: str,
    endpoint: str,
    basepath: str,
    token: str,
) -> Job:
    """The device sends its log into an object store; the token is stored encrypted, and only until then."""
    tree = show(services, caller, loadbalancer_id)
    owner = tree.loadbalancer
    ensure_may_write(caller, owner.project_id)
    if owner.device_id is None or not tree.listeners:
        raise Conflict(f"cannot archive the logs of {loadbalancer_id}: it has no listener")
    protocol = "HTTP" if tree.listeners[0].protocol.is_http else "TCP"
    message = {
        "hpcs_action": "ARCHIVE",
        "hpcs_object_store_type": store,
        "hpcs_object_store_basepath": basepath,
        "hpcs_object_store_endpoint": endpoint,
        "hpcs_object_store_token": token,
        "loadbalancers": [{"id": owner.id, "name": owner.name or owner.id, "protocol": protocol}],
    }
    with services.storage.writing() as unit:
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
            sealed=services.sealer.seal(json.dumps(message)),
        )
        unit.jobs.add(job)
        add_event(unit, services, caller, "loadbalancer.archive", owner.id, owner.project_id)
    services.bell.ring()
    return job
