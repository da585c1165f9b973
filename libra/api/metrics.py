"""Figures for Prometheus: what this process counts, how it does, and what the database holds."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client import Counter as Counting
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from libra import __version__
from libra.api.errors import METHODS
from libra.api.streams import Streams
from libra.daemon.beats import Beats
from libra.errors import StorageUnavailable
from libra.model.controller import LoopState
from libra.model.device import DeviceState
from libra.model.job import WAITING, JobAction, JobState
from libra.storage.base import UnitOfWork
from libra.storage.kinds import Tally
from libra.usecases.services import Services

MOST_DEVICES = 500  # of more there is no probe age of each, only the longest
_METHODS = frozenset((*METHODS, "HEAD", "OPTIONS", "PATCH"))
_OTHER = "other"  # a client may call a method whatever it likes

Manages = Callable[[], bool | None]


class Metrics:
    """One registry an application, so that two in one process do not meet, beside what its services count."""

    def __init__(
        self, services: Services, streams: Streams, beats: Beats, manages: Manages
    ) -> None:
        self._registry = registry = CollectorRegistry()
        self._counted = services.meters.registry
        self._requests = Counting(
            "libra_api_requests",
            "Requests that were answered",
            ("method", "route", "status"),
            registry=registry,
        )
        self._seconds = Histogram(
            "libra_api_request_seconds",
            "How long requests took until their answers began",
            ("method", "route"),
            registry=registry,
        )
        registry.register(_Process(services, streams, beats, manages))
        registry.register(_Stored(services))
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request."""
        known = method if method in _METHODS else _OTHER
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(known, route).observe(seconds)

    def render(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self._counted) + generate_latest(self._registry)


class _Process(Collector):
    """How this controller does."""

    def __init__(
        self, services: Services, streams: Streams, beats: Beats, manages: Manages
    ) -> None:
        self._services = services
        self._streams = streams
        self._beats = beats
        self._manages = manages

    def collect(self) -> Iterator[Metric]:
        yield InfoMetricFamily("libra_build", "What runs", {"version": __version__})
        manages = float(self._manages() or False)
        yield _gauge("libra_manager_active", "Whether this controller sends the jobs", manages)
        yield from _tell_loops(self._beats.states(self._services.clock()), self._services.clock())
        yield _gauge("libra_api_event_streams", "Clients that follow events", self._streams.open)
        used, most = self._services.storage.connections()
        yield _gauge("libra_database_connections", "Connections to the database in use", used)
        yield _gauge("libra_database_connections_limit", "The most of them", most)


class _Stored(Collector):
    """What the database holds, asked when somebody looks: every controller on it tells the same."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def collect(self) -> Iterator[Metric]:
        try:
            with self._services.storage.reading() as unit:
                found = list(self._ask(unit))
        except StorageUnavailable:
            found = []
        yield _gauge("libra_database_up", "Whether it answers", float(bool(found)))
        yield from found

    def _ask(self, unit: UnitOfWork) -> Iterator[Metric]:
        now = self._services.clock()
        yield _family(
            "libra_loadbalancers",
            "Load balancers by both statuses",
            ("provisioning_status", "operating_status"),
            unit.loadbalancers.count_by_status(),
        )
        yield from _tell_jobs(unit.figures.open_jobs(), now)
        devices = unit.figures.devices()
        yield from _tell_devices(devices, now)
        few = sum(tally.count for tally in devices.values()) <= MOST_DEVICES
        yield _family(
            "libra_probe_age_seconds",
            f"How long ago each device answered; only where there are no more than {MOST_DEVICES}",
            ("device", "state"),
            {
                (name, state.value): _age(seen, now)
                for name, state, seen in (unit.figures.last_seen(MOST_DEVICES) if few else ())
            },
        )


def _tell_loops(loops: Sequence[LoopState], now: datetime) -> Iterator[Metric]:
    """The manager's own has a name of its own, too, for it is there since there were no others."""
    ages = {(loop.name,): _age(loop.beat, now) for loop in loops if loop.beat is not None}
    if ("manager",) in ages:
        text = "How long ago the manager's loop turned, also where another controller manages"
        yield _gauge("libra_manager_beat_age_seconds", text, ages["manager",])
    text = "How long ago each loop, or step of one, turned last"
    yield _family("libra_loop_beat_age_seconds", text, ("loop",), ages)
    text = "For how long each has been hanging, 0 where it does not"
    yield _family(
        "libra_loop_hung_seconds", text, ("loop",), {(loop.name,): loop.hung for loop in loops}
    )
    failures = CounterMetricFamily(
        "libra_loop_failures", "Turns of each that raised", labels=("loop",)
    )
    for loop in loops:
        failures.add_metric((loop.name,), loop.failures)
    yield failures


def _tell_jobs(jobs: Mapping[tuple[JobAction, JobState], Tally], now: datetime) -> Iterator[Metric]:
    counts = {(action.value, state.value): tally.count for (action, state), tally in jobs.items()}
    yield _family("libra_jobs_open", "Jobs that are not over", ("action", "state"), counts)
    waiting = [tally for (_, state), tally in jobs.items() if state in WAITING]
    number = sum(tally.count for tally in waiting)
    yield _gauge("libra_jobs_waiting", "Jobs that are not on their way yet", number)
    oldest = max((_age(tally.oldest, now) for tally in waiting), default=0.0)
    text = "How long ago the oldest of them was made, 0 where there is none"
    yield _gauge("libra_jobs_waiting_oldest_seconds", text, oldest)


def _tell_devices(devices: Mapping[DeviceState, Tally], now: datetime) -> Iterator[Metric]:
    """Every state is there, so that an alert sees the first device in it."""
    counts = {
        (state.value,): devices[state].count if state in devices else 0 for state in DeviceState
    }
    yield _family("libra_devices", "Devices by state", ("state",), counts)
    text = "How long ago a device of this state answered, the longest"
    ages = {(state.value,): _age(tally.oldest, now) for state, tally in devices.items()}
    yield _family("libra_probe_age_max_seconds", text, ("state",), ages)


def _age(moment: datetime, now: datetime) -> float:
    """Another controller's clock may be a little ahead."""
    return max(0.0, (now - moment).total_seconds())


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value)


def _family(name: str, text: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
