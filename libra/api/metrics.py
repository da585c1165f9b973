"""Figures for Prometheus."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client import Counter as Counting
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from libra.errors import StorageUnavailable
from libra.model.job import OPEN
from libra.storage.base import Query, Storage


class Metrics:
    """One registry an application, so that two in one process do not meet."""

    def __init__(self, storage: Storage) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counting(
            "libra_api_requests",
            "Requests that were answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "libra_api_request_seconds",
            "How long requests took",
            ("method", "route"),
            registry=self.registry,
        )
        self.registry.register(_Stored(storage))

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """One request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def render(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)


class _Stored(Collector):
    """What the database holds, asked when somebody looks."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def collect(self) -> Iterator[Metric]:
        try:
            with self._storage.reading() as unit:
                devices = Counter(item.state.value for item in unit.devices.find())
                open_jobs = unit.jobs.find(Query(where={"state": list(OPEN)}))
                balancers = unit.loadbalancers.count_by_status()
        except StorageUnavailable:
            yield GaugeMetricFamily("libra_database_up", "Whether it answers", 0.0)
            return
        yield GaugeMetricFamily("libra_database_up", "Whether it answers", 1.0)
        yield _family(
            "libra_devices", "Devices by state", ("state",), {(k,): v for k, v in devices.items()}
        )
        jobs = Counter((job.action.value, job.state.value) for job in open_jobs)
        yield _family("libra_jobs_open", "Jobs that are not over", ("action", "state"), jobs)
        yield _family(
            "libra_loadbalancers",
            "Load balancers by both statuses",
            ("provisioning_status", "operating_status"),
            balancers,
        )


def _family(
    name: str,
    text: str,
    labels: tuple[str, ...],
    counts: Mapping[Any, int],
) -> Metric:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
