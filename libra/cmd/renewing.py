"""What SIGHUP brings the controller: the log, the API's certificate and the administrator's token anew."""

from collections.abc import Callable, Iterator

import structlog

from libra.cmd.assembly import start_logging
from libra.cmd.controlling import Controller
from libra.config.section import Section
from libra.config.settings import Settings
from libra.errors import LibraError

log = structlog.get_logger(__name__)

# What the running controller has built on, but for these keys of them.
FIXED = (
    "job_servers",
    "controller",
    "database",
    "api",
    "manager",
    "quotas",
    "web_clusters",
    "address_pools",
)
RENEWED = {"api": ("cert", "key"), "controller": ("admin_token_file",)}


class Renewer:
    """Keeps the settings in use; called for each SIGHUP."""

    def __init__(
        self, load: Callable[[], Settings], settings: Settings, controller: Controller
    ) -> None:
        self._load = load
        self._settings = settings
        self._controller = controller

    def __call__(self) -> None:
        """Never raises: with a fault in what is read, everything stays as it is."""
        log.info("reading the settings again", action="reload")
        try:
            self._renew(self._load())
        except LibraError as error:
            for fault in str(error).splitlines():
                log.error("cannot use the new settings", action="reload", error=fault)
        except Exception:
            log.exception("internal error", action="reload")

    def _renew(self, after: Settings) -> None:
        """What can be refused comes first."""
        switched = (self._settings.api.cert is None) is not (after.api.cert is None)
        if after.api.cert is not None and not switched:
            self._controller.api.renew_certificate(after.api)
        self._controller.renew_token(after.controller.admin_token_file)
        start_logging(after, None)
        for key in waiting_keys(self._settings, after):
            log.warning("a changed setting needs a restart", action="reload", key=key)
        if switched:
            log.warning("a changed setting needs a restart", action="reload", key="api.cert")
        log.info("log, certificate of the API and administrator's token read", action="reload")


def waiting_keys(old: Settings, new: Settings) -> Iterator[str]:
    """The keys that are different and wait for a restart; a list of sections counts as one."""
    for name in FIXED:
        before, after = getattr(old, name), getattr(new, name)
        if not isinstance(before, Section):
            yield from (name,) if before != after else ()
            continue
        for key in type(before).model_fields:
            if key not in RENEWED.get(name, ()) and getattr(before, key) != getattr(after, key):
                yield f"{name}.{key}"
