"""Certificates with keys, authorities and revocation lists: kept, renewed, referred to by listeners."""

from dataclasses import dataclass, field, replace

from libra.errors import Conflict, Invalid, NotFound, QuotaExceeded
from libra.model.access import Caller
from libra.model.resources.certificate import CertificateType, StoredCertificate
from libra.model.resources.listener import Listener
from libra.model.resources.pool import Pool
from libra.model.resources.references import Wanted, pool_references, references_of
from libra.model.status import MUTABLE, ProvisioningStatus
from libra.storage.base import UnitOfWork, device_lock
from libra.storage.query import Query
from libra.usecases.access import choose_project, ensure_may_see, ensure_may_write
from libra.usecases.outbox import add_event, add_update
from libra.usecases.pem import (
    Parsed,
    parse_authorities,
    parse_pair,
    parse_pkcs12,
    parse_revocations,
)
from libra.usecases.services import Services, new_id
from libra.usecases.webclusters import renewals

MOST_IN_PROJECT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """PEM, or a PKCS #12 file in base64."""

    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    pkcs12: str | None = field(default=None, repr=False)
    passphrase: str | None = field(default=None, repr=False)


def create(
    services: Services,
    caller: Caller,
    project: str | None,
    name: str,
    kind: CertificateType,
    given: Given,
) -> StoredCertificate:
    """Raises `Invalid` for whatever a device would refuse."""
    owner = choose_project(caller, project)
    parsed = _parse(services, kind, given)
    stored = _fill(
        services,
        StoredCertificate(
            id=new_id(),
            project_id=owner,
            name=name,
            type=kind,
            pem="",
            created_at=services.clock(),
        ),
        parsed,
    )
    with services.storage.writing() as unit:
        unit.hold(_lock(owner))
        if unit.certificates.count({"project_id": owner}) >= MOST_IN_PROJECT:
            raise QuotaExceeded(
                f"Quota has been met for resources: Certificate; this project may have {MOST_IN_PROJECT}"
            )
        unit.certificates.add(stored)
        _tell(unit, services, caller, "certificate.created", stored)
    return stored


def show(services: Services, caller: Caller, key: str) -> StoredCertificate:
    """Raises `NotFound` and `Forbidden`."""
    stored = services.storage.look(lambda unit: unit.certificates.get(key))
    if stored is None:
        raise NotFound(f"Certificate {key} not found.")
    ensure_may_see(caller, stored)
    return stored


def renew(services: Services, caller: Caller, key: str, given: Given) -> StoredCertificate:
    """In place of what it was; every device that shows it is told.

    The new one is stored first. Were the controller to die before the devices' jobs are, the manager would find that
    they run something else than they shall.
    """
    before = show(services, caller, key)
    ensure_may_write(caller, before.project_id)
    parsed = _parse(services, before.type, given)
    with services.storage.writing() as unit:
        unit.hold(_lock(before.project_id))
        current = unit.certificates.get(key)
        if current is None:
            raise NotFound(f"Certificate {key} not found.")
        renewed = replace(_fill(services, current, parsed), updated_at=services.clock())
        unit.certificates.replace(renewed)
        _tell(unit, services, caller, "certificate.replaced", renewed)
        owners = sorted({item.loadbalancer_id for item in _users(unit, renewed)})
        rows = unit.loadbalancers.find(Query(where={"id": owners})) if owners else []
    for device_id in sorted({row.device_id for row in rows if row.device_id}):
        _send(services, caller, device_id, owners, renewed)
    renewals.roll_out(services, caller, renewed)
    services.bell.ring()
    return renewed


def _send(
    services: Services,
    caller: Caller,
    device_id: str,
    owners: list[str],
    renewed: StoredCertificate,
) -> None:
    """Load balancers that are being changed already are told by the same job."""
    with services.storage.writing() as unit:
        unit.hold(device_lock(device_id))
        generation = unit.devices.next_generation(device_id)
        device = unit.devices.get(device_id)
        assert device is not None
        for row in unit.loadbalancers.find(Query(where={"id": owners, "device_id": device_id})):
            pending = ProvisioningStatus.PENDING_UPDATE
            locked = None if row.going else unit.loadbalancers.lock(row.id, pending, MUTABLE)
            if locked is not None:
                unit.loadbalancers.replace(replace(locked, generation=generation))
        add_update(
            unit,
            services,
            caller,
            device,
            generation=generation,
            project_id=renewed.project_id,
        )


def delete(services: Services, caller: Caller, key: str) -> None:
    """Raises `Conflict` while a listener, a pool or a web cluster uses it, or a device may still run it."""
    before = show(services, caller, key)
    ensure_may_write(caller, before.project_id)
    with services.storage.writing() as unit:
        unit.hold(_lock(before.project_id))
        users = _users(unit, before)
        if users:
            raise Conflict(
                f"cannot delete certificate {key}: the {_kind(users[0])} {users[0].id} uses it"
            )
        if clusters := renewals.users_of(unit, before):
            raise Conflict(
                f"cannot delete certificate {key}: the web cluster '{clusters[0].name}' uses it"
            )
        unit.certificates.remove(key)
        _tell(unit, services, caller, "certificate.deleted", before)


def _kind(user: Listener | Pool) -> str:
    return "listener" if isinstance(user, Listener) else "pool"


def ensure_references(unit: UnitOfWork, project: str, wanted: Wanted) -> None:
    """Raises `Invalid` for what is not there, is another project's, or is of another type."""
    if not wanted:
        return
    unit.hold(_lock(project))
    keys = sorted({key for key, _ in wanted})
    found = unit.certificates.find(Query(where={"id": keys, "project_id": project}))
    types = {item.id: item.type for item in found}
    for key, kind in wanted:
        if key not in types:
            raise Invalid(f"Could not retrieve certificate: {key}")
        if types[key] is not kind:
            raise Invalid(
                f"Validation failure: {key} is of the type {types[key].value}, not {kind.value}"
            )


def _users(unit: UnitOfWork, stored: StoredCertificate) -> list[Listener | Pool]:
    """As they are wanted, and as devices have confirmed them where that is something else."""
    owned = {"project_id": stored.project_id}
    unsettled = [item for item in ProvisioningStatus if item is not ProvisioningStatus.ACTIVE]
    others = unit.loadbalancers.find(Query(where={**owned, "provisioning_status": unsettled}))
    applied = unit.loadbalancers.applied([item.id for item in others])
    running = [item for tree in applied.values() for item in tree.listeners]
    secret = [item.pool for tree in applied.values() for item in tree.pools]
    listeners = (*unit.listeners.find(Query(where=owned)), *running)
    pools = (*unit.pools.find(Query(where=owned)), *secret)
    return [
        *(item for item in listeners if stored.id in references_of(item)),
        *(item for item in pools if stored.id in pool_references(item)),
    ]


def _parse(services: Services, kind: CertificateType, given: Given) -> Parsed:
    now = services.clock()
    if kind is CertificateType.CERTIFICATE:
        if given.pkcs12 is not None and given.certificate is None and given.key is None:
            return parse_pkcs12(given.pkcs12, given.passphrase, now)
        if given.pkcs12 is None and given.certificate is not None and given.key is not None:
            return parse_pair(given.certificate, given.key, given.passphrase, now)
        raise Invalid("cannot read the certificate: give certificate and key, or pkcs12")
    if given.certificate is None or given.key or given.pkcs12 or given.passphrase:
        raise Invalid(f"cannot read the {kind.value}: give certificate, and nothing else")
    if kind is CertificateType.AUTHORITIES:
        return parse_authorities(given.certificate, now)
    return parse_revocations(given.certificate)


def _fill(services: Services, stored: StoredCertificate, parsed: Parsed) -> StoredCertificate:
    return replace(
        stored,
        pem=parsed.pem,
        sealed=services.sealer.seal(parsed.key) if parsed.key else "",
        subject=parsed.subject,
        names=parsed.names,
        fingerprint=parsed.fingerprint,
        not_after=parsed.not_after,
    )


def _lock(project: str) -> str:
    return f"certificates {project}"


def _tell(
    unit: UnitOfWork, services: Services, caller: Caller, kind: str, stored: StoredCertificate
) -> None:
    reason = f"'{stored.name}' {stored.fingerprint}"
    add_event(unit, services, caller, kind, stored.id, stored.project_id, reason)
