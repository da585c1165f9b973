"""Asks devices for their statistics because somebody wants to know now; what they say is not stored."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import structlog

from libra.errors import Invalid, JobError
from libra.jobs.base import JobClient, Priority
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.replies import passed
from libra.model.device import Device
from libra.model.job import JobAction

log = structlog.get_logger(__name__)

MOST_AT_ONCE = 64
_QUESTION = encode({"hpcs_action": JobAction.STATS.value})


class StatisticsAsker:
    """See `AskStatistics`. Safe for several threads."""

    def __init__(self, client: JobClient) -> None:
        self._client = client

    def __call__(self, devices: Sequence[Device], within: timedelta) -> Mapping[str, JsonObject]:
        """All at the same time."""
        if not devices:
            return {}
        with ThreadPoolExecutor(min(len(devices), MOST_AT_ONCE), "statistics") as pool:
            replies = pool.map(lambda device: self._ask(device, within), devices)
            told = zip(devices, replies, strict=True)
            return {device.id: reply for device, reply in told if reply is not None}

    def _ask(self, device: Device, within: timedelta) -> JsonObject | None:
        """None where it gives no good one."""
        try:
            answer = self._client.submit(
                device.name,
                _QUESTION,
                timeout=within.total_seconds(),
                priority=Priority.HIGH,
            )
            reply = decode(answer)
        except (JobError, Invalid) as error:
            log.warning(
                "a device does not tell", action="ask", device=device.name, error=str(error)
            )
            return None
        return reply if passed(reply) else None
