"""The controller's objects, wired from its settings: storage, use cases, API, manager."""

import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

import structlog

from libra import plugins
from libra.api.app import ApiParts, create_app
from libra.api.doors import Doors
from libra.api.insight import Insight
from libra.api.keystone import open_door
from libra.api.server import TICK_SECONDS, ApiServer
from libra.cmd.steering import Steering
from libra.config.controller import AddressPoolSettings, QuotaSettings
from libra.config.identity import IdentitySettings
from libra.config.settings import JobServerSettings, Settings
from libra.config.showing import show_settings
from libra.daemon.beats import Beats
from libra.durable import replace_file
from libra.errors import AlreadyExists, Invalid, LibraError, StateError
from libra.jobs.gearman import GearmanJobClient, GearmanJobSource
from libra.jobs.gearman.status import count_workers, find_workers
from libra.manager.closedown import Patience, Progress, say_nothing, wait
from libra.manager.daemon import Manager
from libra.manager.heartbeat import Heartbeat
from libra.manager.pace import Pace
from libra.manager.reception import Reception
from libra.manager.settle import MANAGER
from libra.manager.statistics import StatisticsAsker
from libra.manager.webcheck import WebCheck
from libra.model.access import Role
from libra.model.devicepool import DevicePool
from libra.model.quota import Quota
from libra.model.webplan import Pace as WebPace
from libra.objectstores.base import ObjectStore
from libra.providers.base import Provider
from libra.storage.lease import open_lease
from libra.storage.schema import upgrade
from libra.storage.sql import open_storage
from libra.usecases.admin.maps import load_maps
from libra.usecases.services import AddressPool, AdminRules, Limits, Services
from libra.usecases.tokens import LONGEST_SECRET, SECRET_BYTES, store_token
from libra.vault import open_vault
from libra.web.app import add_pages
from libra.web.history import History

log = structlog.get_logger(__name__)

STATUS_SECONDS = 1.0  # how long one job server may take to tell of its workers


class Controller:
    """API and manager over one database. `start`, then `stop`; raises `LibraError` where it cannot."""

    def __init__(
        self, settings: Settings, *, api_port: int | None = None, steering: Steering | None = None
    ) -> None:
        self.steering = steering or Steering()
        self._stopped = False
        self.settings = settings
        """Those in use."""
        self.keep_devices = settings.admin.keep_devices
        upgrade(settings.database.url)
        self._storage = open_storage(
            settings.database.url, connections=settings.database.connections
        )
        self._token_file = settings.controller.admin_token_file
        self._client = GearmanJobClient(settings.job_servers)
        services = build_services(settings, self._storage)
        self.beats = Beats(settings.manager.hung_seconds)
        self.services = replace(
            services,
            webcheck=WebCheck(services, self._client),
            ask_statistics=StatisticsAsker(self._client),
        )
        self._manager = Manager(
            self.services,
            open_lease(settings.database.url),
            self._client,
            lambda: _count(settings.job_servers),
            build_pace(settings),
            lambda name, pool: open_provider(settings, name, pool),
            self.beats,
        )
        self._heartbeat = Heartbeat(
            self.services, self.beats, lambda: self._manager.manages, self.steering.id
        )
        self._reception = Reception(
            self.services,
            lambda: GearmanJobSource(settings.job_servers, settings.controller.function),
            self.beats,
        )
        self._history: History | None = None
        app = create_app(self._build_parts(settings))
        if settings.api.pages:
            window = 2 * settings.manager.probe_seconds
            self._history = History(self.services.storage, window, self.beats)
            add_pages(app, self.services, self._history)
        beat = self.beats.add("api", interval=TICK_SECONDS, endless=True)
        self.api = ApiServer(app, settings.api, api_port, beat)

    def _build_parts(self, settings: Settings) -> ApiParts:
        return ApiParts(
            services=self.services,
            max_body_bytes=settings.api.max_body_bytes,
            max_page=settings.api.max_page,
            max_streams=settings.api.max_event_streams,
            anonymous_metrics=settings.api.anonymous_metrics,
            insight=build_insight(lambda: self.settings),
            beats=self.beats,
            doors=build_doors(settings.identity),
            issued_lifetime=timedelta(seconds=settings.identity.issued_token_seconds),
            manages=lambda: self._manager.manages,
            daemon=self.steering,
        )

    def start(self) -> None:
        """The API answers when it returns."""
        ensure_admin_token(self.services, self._token_file)
        load_maps(self.services, MANAGER)
        self.api.start()
        self._heartbeat.start()
        if self._history is not None:
            self._history.start()
        self._manager.start()
        self._reception.start()

    def renew_token(self, path: Path) -> None:
        """Make the token that is in the file now known to the database; raises `StateError`."""
        ensure_admin_token(self.services, path)

    @property
    def manages(self) -> bool | None:
        """Whether it is the one, of all controllers on its database, that sends jobs; None until it knows."""
        return self._manager.manages

    @property
    def has_ended(self) -> bool:
        """Whether the API's loop ended by itself: then there is no sense in living on."""
        return self.api.has_ended

    def stop(self, patience: Patience = wait, progress: Progress = say_nothing) -> None:
        """First no new requests, then no new jobs, then no waiting for replies, then no devices of this host.

        `patience` is asked again and again where it may take long, `progress` told what it is that does. Idempotent.
        """
        if self._stopped:
            return
        self._stopped = True
        self.api.stop()
        if self._history is not None:
            self._history.stop()
        self._reception.stop()
        self._client.close()
        self._manager.rest()
        if self.keeps_devices():
            log.info("devices are left running", action="stop")
        else:
            self._manager.close_down(patience, progress)
        self._manager.stop()
        self._heartbeat.stop()
        self._storage.close()

    def keeps_devices(self) -> bool:
        """Whether its stop leaves the devices of this host running."""
        if self.keep_devices or self.steering.is_quick:
            return True
        try:
            others = self._heartbeat.others()
        except LibraError as error:
            log.warning("cannot look for other controllers", action="stop", error=str(error))
            return True
        for other in others:
            log.info(
                "another controller is there", action="stop", holder=f"{other.host} pid {other.pid}"
            )
        return bool(others)


def ensure_admin_token(services: Services, path: Path) -> None:
    """The file is the truth where there is one; without it, one is made for a database that has no token at all."""
    secret = read_token(path)
    if not secret:
        with services.storage.reading() as unit:
            if unit.tokens.count({}):
                log.warning(
                    "there is no administrator's token in its file; what is written into it is one",
                    action="start",
                    file=str(path),
                )
                return
        secret = secrets.token_urlsafe(SECRET_BYTES)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace_file(path, f"{secret}\n".encode(), mode=0o600)
        except OSError as error:
            raise StateError(f"cannot write {path}: {error.strerror}") from error
    with suppress(AlreadyExists):  # it is known already, or was revoked
        store_token(services, MANAGER, "admin", Role.ADMIN, secret)


def read_token(path: Path) -> str:
    """What is in the file, empty where there is none; raises `StateError` where it cannot be a token."""
    try:
        text = path.read_text().strip()
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StateError(f"cannot read the token in {path}: {error.strerror}") from error
    except UnicodeDecodeError:
        text = "\0"  # which is no token either
    if not text.isascii() or not text.isprintable() or len(text) > LONGEST_SECRET:
        raise StateError(
            f"cannot use the token in {path}: it must be one line of at most {LONGEST_SECRET} plain characters"
        )
    return text


def build_services(settings: Settings, storage: object) -> Services:
    """What the use cases stand on; makes the key where there is none."""
    return Services(
        storage=storage,  # type: ignore[arg-type]
        sealer=open_vault(settings.controller.key_file),
        limits=Limits(
            job_deadline=timedelta(seconds=settings.manager.job_deadline_seconds),
            archive_deadline=timedelta(seconds=settings.manager.archive_deadline_seconds),
            quota=_build_quota(settings.quotas),
            web_ports=range(settings.web_clusters.first_port, settings.web_clusters.last_port + 1),
        ),
        address_pools=tuple(map(_build_pool, settings.address_pools)),
        admin=AdminRules(**settings.admin.model_dump(exclude={"keep_devices"})),
        can_destroy=lambda pool: can_destroy(settings, pool),
        object_store=build_stores(settings),
    )


def build_stores(settings: Settings) -> Callable[[str], ObjectStore]:
    """Each kind is loaded when it is first asked for; raises `Invalid` for one that is not installed."""
    stores: plugins.Plugins[ObjectStore] = plugins.Plugins(
        "libra.object_stores", lambda create: create(settings.object_stores)
    )

    def find(kind: str) -> ObjectStore:
        if kind not in stores:
            raise Invalid(
                f"cannot use the object store {kind!a}: installed are {', '.join(stores)}"
            )
        return stores[kind]

    return find


def build_doors(given: IdentitySettings) -> Doors:
    """Who may call without a token of the database; raises `StateError`."""
    return Doors(
        anonymous=given.anonymous_role,
        project=given.anonymous_project,
        elsewhere=open_door(given.keystone),
    )


def build_pace(settings: Settings) -> Pace:
    """From the section `manager`."""
    given = settings.manager
    return Pace(
        probe=timedelta(seconds=given.probe_seconds),
        probe_deadline=timedelta(seconds=given.probe_deadline_seconds),
        repair=timedelta(seconds=given.repair_seconds),
        concurrent=given.concurrent_jobs,
        web=WebPace(
            grace=timedelta(seconds=given.web_grace_seconds),
            patience=timedelta(seconds=given.web_patience_seconds),
        ),
        keep_jobs=timedelta(days=given.keep_jobs_days),
        keep_events=timedelta(days=given.keep_events_days),
        keep_rollouts=timedelta(days=given.keep_rollouts_days),
    )


def build_insight(settings: Callable[[], Settings]) -> Insight:
    """Of these, which may be others each time."""
    return Insight(
        settings=lambda: show_settings(settings()),
        workers=lambda: find_workers(settings().job_servers, STATUS_SECONDS),
        functions=lambda: (settings().controller.function,),
    )


def open_provider(settings: Settings, name: str, pool: str) -> Provider:
    """Of a device pool; raises `LibraError`."""
    create = plugins.load("libra.providers", name)
    provider: Provider = create(settings, pool)
    return provider


def can_destroy(settings: Settings, pool: DevicePool) -> bool:
    """See `libra.usecases.services.CanDestroy`."""
    if not pool.provider:
        return False
    try:
        return open_provider(settings, pool.provider, pool.name).destroys
    except LibraError:
        return False


def _build_quota(given: QuotaSettings) -> Quota:
    return Quota(project_id="", **given.model_dump())


def _build_pool(given: AddressPoolSettings) -> AddressPool:
    """The id is made of the name, so that every controller has the same."""
    identity = str(uuid5(NAMESPACE_DNS, f"{given.name}.address-pool.libra"))
    return AddressPool(id=identity, name=given.name, ranges=given.ranges)


def _count(servers: Sequence[JobServerSettings]) -> Counter[str] | None:
    return count_workers(servers, STATUS_SECONDS)
