"""LBaaSController: carries out the messages of the worker protocol on one device."""

import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import assert_never

import structlog

from libra import __version__
from libra.drivers.base import LoadBalancerDriver
from libra.errors import Conflict, DriverError, Invalid, LibraError, StateError
from libra.messages.codec import JsonObject
from libra.messages.decoder import Message
from libra.messages.digest import Digester
from libra.messages.members import RememberedMembers
from libra.messages.replies import PLAN, build_fail, build_pass, masked_text
from libra.messages.requests import (
    PROTOCOL_VERSION,
    VERSIONS,
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
from libra.messages.version2.loadbalancers import KnownLoadBalancers
from libra.model.loadbalancer import Desired
from libra.vips.base import VipAdapter
from libra.vips.none import NoVips
from libra.worker.addresses import without
from libra.worker.archive import Archiver
from libra.worker.holding import HeldAddresses
from libra.worker.knock import knock_all, listening_ones
from libra.worker.plan import render_plan
from libra.worker.report import render_statistics
from libra.worker.state import DesiredState, MemoryState, StateStore
from libra.worker.web import MemoryServing, WebServer

log = structlog.get_logger(__name__)

INTERNAL = "internal error; the worker's log has the details"
WARNING = "hpcs_warning"
DIGEST, HEALTH_REPORTER = "digest", "health_reporter"
GENERATION = "generation"
MAX_ERROR = 8000  # characters; a proxy may have a word on each of thousands of nodes


class LBaaSController:
    """Makes one driver do what messages say.

    `handle` may be called by several threads: messages that change the proxy wait for each other, the others
    run beside them. `state` is where the last desired state lives (in memory where none is given); `archiver`
    uploads logs (without one, ARCHIVE is refused); `vips` has the addresses (without one, they are there anyway);
    `web` answers web services that the proxy does not answer itself (without one, nothing does).
    """

    def __init__(
        self,
        driver: LoadBalancerDriver,
        state: StateStore | None = None,
        archiver: Archiver | None = None,
        vips: VipAdapter | None = None,
        web: WebServer | None = None,
    ) -> None:
        self._driver = driver
        self._state = DesiredState(state or MemoryState())
        self._archiver = archiver or Archiver(stores={})
        self._addresses = HeldAddresses(vips or NoVips())
        self._web = web or MemoryServing()
        self._changing = threading.Lock()
        self._members = RememberedMembers()
        self._known = KnownLoadBalancers()
        self._digester = Digester()
        self._digesting = threading.Lock()
        self._astray = False  # the proxy runs what was refused, for it could not go back

    def ask_away(self, away: Callable[[], float]) -> None:
        """Whom to ask until when this host was away, by `time.monotonic`, where a job may be one of before."""
        self._addresses.away = away

    def restore(self) -> None:
        """Bring the proxy to the saved state, as at start-up; raises `LibraError`.

        Where that cannot be read, the proxy is left alone. A DELETE that was cut short is ended here. An address that
        this host lost, and another one has meanwhile, is not taken from that.
        """
        with self._changing:
            desired = self._state.current()
            kept = self._addresses.begin(desired)
            with self._addresses.addressed(kept), self._answered(kept):
                self._driver.apply(kept)
            if desired.is_empty:
                self._driver.forget()

    def ensure(self) -> None:
        """Bring back addresses that were taken away, a proxy that ended by itself, and the saved state where a change
        could not be taken back when it failed; raises `LibraError`.
        """
        with self._changing:
            try:
                desired = self._state.current()
            except StateError:  # what it held, and the proxy runs, goes on
                self._driver.ensure_running()
                self._web.ensure()
                return
            with self._addresses.addressed(self._addresses.kept(desired)):
                self._driver.ensure_running()
                if self._astray:
                    self._take_back(desired)
                self._web.ensure()
            self._addresses.announce()

    def contest(self, away: float) -> None:
        """Give addresses up that another host answers for, or take them back; raises `LibraError`.

        Call several times a second. `away`: until when this host was, by `time.monotonic`, for meanwhile controllers
        may have given them to that host.
        """
        seen = self._addresses.look(away, self._state.current())
        if seen is None:
            return
        with self._changing:
            if self._addresses.follow(*seen):
                self._follow_contest()

    def _follow_contest(self) -> None:
        """Off with the address first: from then on nobody is answered here who should be answered there."""
        kept = self._addresses.kept(self._state.current())
        self._addresses.release(kept)
        try:
            self._addresses.hold(kept)
            with self._answered(kept):
                self._driver.apply(kept)
        except LibraError:
            self._astray = True
            raise

    @contextmanager
    def _answered(self, kept: Desired) -> Iterator[None]:
        """With its web services; one that cannot be answered does not keep the proxy from all else."""
        try:
            self._web.prepare(kept)
        finally:
            yield
        self._web.settle(kept)

    def handle(self, message: object) -> JsonObject:
        """The reply to one decoded message: the message itself plus `hpcs_response` and more. Never raises."""
        try:
            return self._reply(_plain(message), message)
        except Exception:  # noqa: BLE001 - an object that is no JSON may do anything when it is looked at
            return build_fail(None, INTERNAL)

    def pass_over(self, message: object) -> JsonObject:
        """The reply to an UPDATE that one after it, which was carried out, has replaced. Never raises."""
        try:
            return self._reply(_plain(message), message, replaced=True)
        except Exception:  # noqa: BLE001 - as in `handle`
            return build_fail(None, INTERNAL)

    def _reply(
        self, original: JsonObject, message: object, *, replaced: bool = False
    ) -> JsonObject:
        try:
            request = self._parse(original, message)
            # It is what runs by now that a digest tells.
            added = self._identify(self._state.current()) if replaced else self._carry_out(request)
            return build_pass(original, added)
        except LibraError as error:
            text = masked_text(_bounded(error), original)
            log.debug("message refused", action="handle", error=text)
            return build_fail(original, text)
        except Exception as error:  # noqa: BLE001 - a fault of ours must not end the worker
            # Not log.exception: some formatters print local variables, and there is the token.
            text = masked_text("".join(traceback.format_exception(error)), original)
            log.error("internal error", action="handle", traceback=text)
            return build_fail(original, INTERNAL)

    def _parse(self, original: JsonObject, message: object) -> Request:
        if isinstance(message, dict) and len(original) != len(message):
            raise Invalid("cannot read the message: every name in it must be a text")
        if isinstance(message, Message):  # a caller's own might be changed and come again
            return parse_request(original, self._members, self._known)
        return parse_request(original if isinstance(message, dict) else message)

    def _carry_out(self, request: Request) -> JsonObject:
        match request:
            case Update():
                return self._update(request)
            case Suspend():
                return self._switch(suspended=True, dry_run=request.dry_run)
            case Enable():
                return self._switch(suspended=False, dry_run=request.dry_run)
            case Delete():
                return self._delete(dry_run=request.dry_run)
            case Discover():
                return self._discover()
            case Stats():
                return self._stats()
            case Archive():
                return self._archive(request)
        assert_never(request)

    def _update(self, request: Update) -> JsonObject:
        with self._changing:
            before = self._before()
            after = _follow(before or Desired(), request)
            if request.dry_run:
                return self._preview(after)
            if before and request.generation == before.generation and self._is_same(before, after):
                return self._identify(before)
            self._web.preview(after)
            self._make_so(before, after)
            if after.is_empty:
                self._driver.forget()
            return self._identify(after)

    def _is_same(self, one: Desired, other: Desired) -> bool:
        return self._digest(one) == self._digest(other)

    def digest(self) -> str:
        """Of what it runs; "" where that is nothing, or cannot be read."""
        try:
            desired = self._state.current()
        except StateError:
            return ""
        return str(self._identify(desired).get("digest") or "")

    def _digest(self, desired: Desired) -> str:
        with self._digesting:
            return self._digester.digest(desired)

    def _identify(self, desired: Desired) -> JsonObject:
        """What a controller knows the state by; only who speaks 2.0 is told."""
        if desired.version == PROTOCOL_VERSION and not desired.generation:
            return {}
        return {DIGEST: self._digest(desired), GENERATION: desired.generation}

    def _switch(self, *, suspended: bool, dry_run: bool) -> JsonObject:
        with self._changing:
            before = self._configured("suspend" if suspended else "enable")
            after = replace(before, suspended=suspended)
            return self._preview(after) if dry_run else self._make_so(before, after)

    def _delete(self, *, dry_run: bool) -> JsonObject:
        with self._changing:
            if dry_run:
                return self._preview(Desired())
            self._make_so(self._before(), Desired())
            self._driver.forget()
        return {}

    def _preview(self, desired: Desired) -> JsonObject:
        self._web.preview(desired)
        notes = self._addresses.preview(desired)
        preview = self._driver.preview(desired)
        return {PLAN: render_plan(replace(preview, notes=(*preview.notes, *notes)))}

    def _before(self) -> Desired | None:
        """The state that is to be replaced; None where it cannot be read, which must not keep it from that."""
        try:
            return self._state.current()
        except StateError as error:
            log.warning("going on without the saved state", action="update", error=str(error))
            return None

    def _configured(self, verb: str) -> Desired:
        desired = self._state.current()
        if desired.is_empty:
            raise Conflict(f"cannot {verb}: no load balancer is configured on this device")
        return desired

    def _make_so(self, before: Desired | None, after: Desired) -> JsonObject:
        """Apply, then save, so that what is saved was acknowledged. A FAIL leaves everything as it was."""
        contest = self._addresses.plan(before, after)
        kept = without(after, contest.given_up)
        self._addresses.hold(kept)
        try:
            self._web.prepare(kept)
            self._driver.apply(kept, lambda: self._state.prepare(after))
            self._web.settle(kept)
            self._state.replace(after)
        except DriverError:  # the driver has gone back itself
            self._state.discard()
            self._forget_since(before)
            raise
        except Exception:
            self._state.discard()
            self._go_back(before)
            self._forget_since(before)
            raise
        self._astray = False
        self._addresses.adopt(contest)
        self._addresses.release(kept)
        return {}

    def _forget_since(self, before: Desired | None) -> None:
        """Addresses and web services that only what failed has asked for."""
        if before is None:
            return
        kept = self._addresses.kept(before)
        self._addresses.release(kept)
        try:
            self._web.settle(kept)
        except LibraError as error:  # what is answered too much is not asked for
            log.warning("cannot forget web services", action="roll back", error=str(error))

    def _go_back(self, before: Desired | None) -> None:
        if before is None:
            log.error("cannot go back: the state before is not known", action="roll back")
            return
        self._astray = True
        try:
            self._take_back(before)
        except LibraError as error:
            log.error("cannot go back", action="roll back", error=str(error))

    def _take_back(self, before: Desired) -> None:
        """Raises `LibraError`, as on a disk that is still full: then it is for `ensure` to try again."""
        kept = self._addresses.kept(before)
        self._web.prepare(kept)
        self._driver.apply(kept)
        # Where only the directory could not be synced, the new file stands there already.
        self._state.replace(before)
        self._web.settle(kept)
        self._astray = False

    def _discover(self) -> JsonObject:
        proxy = self._driver.version()
        return {
            "version": VERSIONS[-1],
            "versions": list(VERSIONS),
            "release": __version__,
            "driver": self._driver.name,
            "proxy": proxy.name,
            "proxy_version": proxy.version,
            **self._capabilities(),
        }

    def _capabilities(self) -> JsonObject:
        """What a controller has to know to tell this device all it needs, and no more."""
        return {HEALTH_REPORTER: True} if self._driver.reports_health else {}

    def _stats(self) -> JsonObject:
        """A saved state that cannot be read is no reason to call a serving proxy dead: the reply warns of it."""
        warning: JsonObject = {}
        try:
            desired = self._state.current()
        except StateError as error:
            desired, warning = Desired(), {WARNING: str(error)}
        if given_up := self._addresses.given_up:
            text = ", ".join(sorted(map(str, given_up)))
            warning = {WARNING: f"given up, for another host answers for it: {text}"}
        kept = self._addresses.kept(desired)
        statistics = self._driver.statistics(kept)
        detailed = desired.version != PROTOCOL_VERSION
        answers = knock_all(kept, listening_ones(statistics))
        entries = [
            render_statistics(item, detailed=detailed, answers=answers) for item in statistics
        ]
        told = {**self._identify(desired), **self._capabilities(), **warning}
        return {"loadbalancers": entries, **told}

    def _archive(self, request: Archive) -> JsonObject:
        return self._archiver.archive(request, self._configured("archive"), self._driver)


def _follow(before: Desired, request: Update) -> Desired:
    """What an UPDATE asks for; raises `Conflict` where a newer one was asked for already."""
    generation = before.generation if request.generation is None else request.generation
    if generation < before.generation:
        raise Conflict(
            f"cannot go back to generation {generation}: {before.generation} was asked for already"
        )
    return Desired(
        loadbalancers=request.loadbalancers,
        suspended=before.suspended and bool(request.loadbalancers),
        generation=generation,
        version=request.version,
        nodes=request.nodes,
    )


def _plain(message: object) -> JsonObject:
    """What can be echoed: a copy of its own, for the caller keeps the message."""
    if not isinstance(message, dict):
        return {}
    return {name: value for name, value in message.items() if type(name) is str}


def _bounded(error: LibraError) -> str:
    text = str(error) or f"cannot carry out the message: {type(error).__name__}"
    return text if len(text) <= MAX_ERROR else f"{text[:MAX_ERROR]}... ({len(text)} characters)"
