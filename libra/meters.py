"""What this process counts of its own work, for Prometheus; what is stored is counted by the database instead.

Of several controllers each has its own: a histogram of jobs lives where they were sent from. Labels are words of closed
sets, never names or ids.
"""

from enum import Enum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics

from libra.model.job import FINAL, JobAction, JobState

disable_created_metrics()  # type: ignore[no-untyped-call]  # twice as many series, for nothing that is asked

JOB_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800)
PROBE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class FailoverOutcome(Enum):
    """How an attempt to move a device's load balancers ended."""

    MOVED = "moved"
    NO_SPARE = "no_spare"  # comes again when there is one
    FAILED = "failed"
    BRAKED = "braked"  # so many looked dead at once that nothing was moved


class Meters:
    """One registry a controller, so that two in one process do not meet. Safe for several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._job_seconds = Histogram(
            "libra_job_seconds",
            "From when a job was sent until its reply was settled",
            ("action",),
            buckets=JOB_BUCKETS,
            registry=self.registry,
        )
        self._jobs = Counter(
            "libra_jobs_finished",
            "Jobs that this controller has ended, by how",
            ("action", "state"),
            registry=self.registry,
        )
        self._probe_seconds = Histogram(
            "libra_probe_seconds",
            "How long devices took to answer a probe, or did not",
            ("action",),
            buckets=PROBE_BUCKETS,
            registry=self.registry,
        )
        self._probes = Counter(
            "libra_probes",
            "Probes of devices, by how they ended",
            ("action", "state"),
            registry=self.registry,
        )
        self._failovers = Counter(
            "libra_failovers",
            "Failovers of devices, by outcome",
            ("outcome",),
            registry=self.registry,
        )
        self.failover_brakes = Gauge(
            "libra_failover_brakes",
            "Device pools where nothing is moved, for too many devices look dead at once",
            registry=self.registry,
        )
        for outcome in FailoverOutcome:  # a rate is seen only of what was 0 before
            self._failovers.labels(outcome.value)

    def observe_job(self, action: JobAction, seconds: float) -> None:
        """One that was sent and settled."""
        self._job_seconds.labels(action.value).observe(seconds)

    def count_job(self, action: JobAction, state: JobState) -> None:
        """One that has ended; all ways to end are there from the first one of its action on."""
        for other in FINAL:
            self._jobs.labels(action.value, other.value)
        self._jobs.labels(action.value, state.value).inc()

    def count_probe(self, action: JobAction, state: JobState, seconds: float) -> None:
        """One probe, answered or not."""
        self._probes.labels(action.value, state.value).inc()
        self._probe_seconds.labels(action.value).observe(seconds)

    def count_failover(self, outcome: FailoverOutcome) -> None:
        """One attempt."""
        self._failovers.labels(outcome.value).inc()
