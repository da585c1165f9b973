"""LBaaSController: carries out the messages of the worker protocol on one device."""

import threading
from collections.abc import Mapping
from typing import Any, assert_never

import structlog

from libra import __version__
from libra.drivers.base import LoadBalancerDriver
from libra.errors import Conflict, DriverError, LibraError, StateError
from libra.messages.codec import JsonObject
from libra.messages.replies import build_fail, build_pass, masked
from libra.messages.requests import (
    PROTOCOL_VERSION,
    Archive,
    Delete,
    Discover,
    Enable,
    Request,
    Stats,
    Suspend,
    Update,
    parse_request,
)
from libra.model.loadbalancer import Desired
from libra.worker.archive import Archiver
from libra.worker.report import render_statistics
from libra.worker.state import MemoryState, SavedState, StateStore

log = structlog.get_logger(__name__)


class LBaaSController:
    """Makes one driver do what messages say.

    `handle` may be called by several threads: messages that change the proxy wait for each other, the others
    run beside them. `state` is where the last desired state lives (in memory where none is given); `archiver`
    uploads logs (without one, ARCHIVE is refused).
    """

    def __init__(
        self,
        driver: LoadBalancerDriver,
        state: StateStore | None = None,
        archiver: Archiver | None = None,
    ) -> None:
        self._driver = driver
        self._state = state or MemoryState()
        self._archiver = archiver or Archiver(stores={})
        self._changing = threading.Lock()

    def restore(self) -> None:
        """Bring the proxy to the saved state, as at start-up; raises `LibraError`."""
        with self._changing:
            self._driver.apply(self._desired())

    def ensure(self) -> None:
        """Bring back a proxy that ended by itself; raises `DriverError`."""
        with self._changing:
            self._driver.ensure_running()

    def handle(self, message: object) -> JsonObject:
        """The reply to one decoded message: the message itself plus `hpcs_response` and more. Never raises."""
        original = message if isinstance(message, Mapping) else {}
        try:
            return build_pass(original, self._carry_out(parse_request(message), original))
        except LibraError as error:
            return build_fail(original, str(error))
        except Exception:
            log.exception("internal error", action="handle", message=masked(original))
            return build_fail(original, "internal error; the worker's log has the details")

    def _carry_out(self, request: Request, message: Mapping[str, Any]) -> JsonObject:
        match request:
            case Update():
                return self._update(request, message)
            case Suspend():
                return self._switch(suspended=True)
            case Enable():
                return self._switch(suspended=False)
            case Delete():
                return self._delete()
            case Discover():
                return self._discover()
            case Stats():
                return self._stats()
            case Archive():
                return self._archive(request)
        assert_never(request)

    def _update(self, request: Update, message: Mapping[str, Any]) -> JsonObject:
        with self._changing:
            before = self._state.load()
            suspended = before is not None and before.suspended
            self._make_so(
                Desired(loadbalancers=request.loadbalancers, suspended=suspended),
                SavedState(update=dict(message), suspended=suspended),
            )
        return {}

    def _switch(self, *, suspended: bool) -> JsonObject:
        verb = "suspend" if suspended else "enable"
        with self._changing:
            saved = self._state.load()
            if saved is None:
                raise Conflict(f"cannot {verb}: no load balancer is configured on this device")
            after = SavedState(update=saved.update, suspended=suspended)
            self._make_so(after.desired(), after)
        return {}

    def _delete(self) -> JsonObject:
        with self._changing:
            self._make_so(Desired(), None)
            self._driver.forget()
        return {}

    def _make_so(self, desired: Desired, state: SavedState | None) -> None:
        """Apply, then save; where saving fails, go back, so that a FAIL leaves everything as it was."""
        self._driver.apply(desired)
        try:
            self._state.save(state)
        except StateError:
            self._go_back()
            raise

    def _go_back(self) -> None:
        try:
            self._driver.apply(self._desired())
        except (DriverError, StateError):
            log.exception("cannot go back to the saved state", action="roll back")

    def _discover(self) -> JsonObject:
        proxy = self._driver.version()
        return {
            "version": PROTOCOL_VERSION,
            "release": __version__,
            "driver": self._driver.name,
            "proxy": proxy.name,
            "proxy_version": proxy.version,
        }

    def _stats(self) -> JsonObject:
        statistics = self._driver.statistics(self._desired())
        return {"loadbalancers": [render_statistics(item) for item in statistics]}

    def _archive(self, request: Archive) -> JsonObject:
        return self._archiver.archive(request, self._desired(), self._driver)

    def _desired(self) -> Desired:
        saved = self._state.load()
        return saved.desired() if saved else Desired()
