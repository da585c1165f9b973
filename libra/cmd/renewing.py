"""What SIGHUP brings the controller, and an order over its API: some of the settings anew."""

import threading
from collections.abc import Callable, Iterator

import structlog

from libra.cmd.assembly import start_logging
from libra.cmd.controlling import Controller
from libra.config.section import Section
from libra.config.settings import Settings
from libra.errors import LibraError
from libra.usecases.admin.daemon import Reconfiguration

log = structlog.get_logger(__name__)

# What the running controller has built on, but for these keys of them.
FIXED = (
    "job_servers",
    "controller",
    "database",
    "api",
    "manager",
    "providers",
    "admin",
    "quotas",
    "web_clusters",
    "address_pools",
)
LIVE = ("logging",)
RENEWED = {
    "api": ("cert", "key"),
    "controller": ("admin_token_file",),
    "admin": ("keep_devices",),
}


class Renewer:
    """Keeps the settings in use. Safe for several threads."""

    def __init__(
        self,
        load: Callable[[], Settings],
        settings: Settings,
        controller: Controller,
        log_anew: Callable[[Settings], None] = lambda settings: start_logging(settings, None),
    ) -> None:
        self._load = load
        self._running = settings
        self._latest = settings
        self._controller = controller
        self._log_anew = log_anew
        self._lock = threading.Lock()

    def __call__(self) -> None:
        """For SIGHUP. Never raises: with a fault in what is read, everything stays as it is."""
        log.info("reading the settings again", action="reload")
        try:
            self.renew()
        except LibraError as error:
            for fault in str(error).splitlines():
                log.error("cannot use the new settings", action="reload", error=fault)
        except Exception:
            log.exception("internal error", action="reload")

    def renew(self) -> Reconfiguration:
        """Raises `LibraError` with nothing changed."""
        with self._lock:
            after = self._load()
            done = diff_keys(self._running, self._latest, after)
            self._take(after)
            self._latest = after
        for key in done.waiting:
            log.warning("a changed setting needs a restart", action="reload", key=key)
        log.info("log, certificate of the API and administrator's token read", action="reload")
        return done

    def _take(self, after: Settings) -> None:
        """What can be refused comes first."""
        if after.api.cert is not None and not _switched(self._running, after):
            self._controller.api.renew_certificate(after.api)
        self._controller.renew_token(after.controller.admin_token_file)
        self._log_anew(after)
        self._controller.keep_devices = after.admin.keep_devices
        self._controller.settings = in_use(self._running, after)


def in_use(running: Settings, after: Settings) -> Settings:
    """What counts from now on: the rest of `after` waits for a restart."""
    taken: dict[str, object] = {name: getattr(after, name) for name in LIVE}
    for name, keys in RENEWED.items():
        new = {key: getattr(getattr(after, name), key) for key in keys}
        taken[name] = getattr(running, name).model_copy(update=new)
    return running.model_copy(update=taken)


def diff_keys(running: Settings, before: Settings, after: Settings) -> Reconfiguration:
    """What is different from `before`, when they were read last, and counts now; and from `running`, and waits."""
    waiting = tuple(waiting_keys(running, after))
    changed = {
        key
        for name in (*FIXED, *LIVE)
        for key in _different(name, getattr(before, name), getattr(after, name))
    }
    return Reconfiguration(tuple(sorted(changed - set(waiting))), waiting)


def waiting_keys(old: Settings, new: Settings) -> Iterator[str]:
    """The keys that are different and wait for a restart; a list of sections counts as one."""
    for name in FIXED:
        live = {f"{name}.{key}" for key in RENEWED.get(name, ())}
        for key in _different(name, getattr(old, name), getattr(new, name)):
            if key not in live:
                yield key
    if _switched(old, new):
        yield "api.cert"


def _different(name: str, before: object, after: object) -> Iterator[str]:
    if not isinstance(before, Section):
        yield from (name,) if before != after else ()
        return
    for key in type(before).model_fields:
        if getattr(before, key) != getattr(after, key):
            yield f"{name}.{key}"


def _switched(old: Settings, new: Settings) -> bool:
    """From TLS to clear text, or back."""
    return (old.api.cert is None) is not (new.api.cert is None)
