"""One job out, one reply in."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from libra.config.types import is_function_name
from libra.errors import Invalid, JobFailed
from libra.jobs.base import JobClient
from libra.messages.codec import JsonObject, decode, encode
from libra.messages.fields import quoted


@dataclass(frozen=True, slots=True)
class Answer:
    """A worker's reply, and how long it took."""

    reply: JsonObject
    seconds: float


def send_job(
    open_client: Callable[[], JobClient],
    device: str,
    message: JsonObject,
    *,
    timeout_seconds: float,
) -> Answer:
    """The worker's answer; raises `Invalid` for what cannot be sent, `JobError` where no usable reply came."""
    if not is_function_name(device):
        raise Invalid(f"cannot send to {quoted(device)}: it is no worker's name")
    payload = encode(message)
    client = open_client()
    try:
        began = time.monotonic()
        data = client.submit(device, payload, timeout=timeout_seconds)
        seconds = time.monotonic() - began
    finally:
        client.close()
    return Answer(_decode_reply(data, device), seconds)


def _decode_reply(data: bytes, device: str) -> JsonObject:
    try:
        return decode(data)
    except Invalid as error:
        reason = str(error).replace("cannot read the message", "cannot read it")
        raise JobFailed(f"the reply of {device} is no use: {reason}") from None
