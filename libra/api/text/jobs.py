"""Jobs, in a scheduler's words."""

from collections.abc import Mapping, Sequence

from libra.api.text.layout import Column, lay_out
from libra.model.job import Job, JobState

_JOB = (
    Column("Global ID", 36),
    Column("User", 15),
    Column("Action", 10),
    Column("Job Status", 10),
    Column("Status", 12),
    Column("Cloud", 15),
    Column("Device", 15),
)
NUMBERS: Mapping[JobState, int] = {
    JobState.NEW: 0,
    JobState.SCHEDULED: 1,
    JobState.IDLE: 1,
    JobState.RUNNING: 2,
    JobState.CANCELLED: 3,
    JobState.SUPERSEDED: 3,
    JobState.COMPLETE: 4,
    JobState.HELD: 5,
    JobState.FAILED: 6,
    JobState.EXPIRED: 6,
}
WORDS = ("New", "Idle", "Running", "Removed", "Complete", "Held", "Error")
"""By those numbers."""


def status_of(job: Job) -> str:
    """Whether a device was asked for it, or will be by itself."""
    return "Unscheduled" if job.state in (JobState.NEW, JobState.HELD) else "Scheduled"


def render_jobs(jobs: Sequence[Job], pools: Mapping[str, str]) -> str:
    """A header, and a line each."""
    rows = [
        (
            job.id,
            job.project_id or "",
            job.action.value,
            WORDS[NUMBERS[job.state]],
            status_of(job),
            pools.get(job.device_id, ""),
            job.device_name,
        )
        for job in jobs
    ]
    return "\n".join(lay_out(_JOB, rows))


def render_page(jobs: Sequence[Job], pools: Mapping[str, str], total: int, more: str | None) -> str:
    """With how many there are, and where more of them are."""
    lines = [render_jobs(jobs, pools), "", f"Jobs: {len(jobs)} of {total}"]
    if more is not None:
        lines.append(f"More: {more}")
    return "\n".join(lines)
