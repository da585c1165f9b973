"""Asks a node how it is, and warms it up."""

import threading
import time
from collections.abc import Callable

import httpx

from libra.client.trust import trust_for
from libra.rollout.commands import ActionFailed

PAUSE_SECONDS = 0.2
ANSWER_SECONDS = 30.0  # for one answer; the deadline of all may be sooner


def await_answer(
    url: str, good: Callable[[int], bool], seconds: float, cancelled: threading.Event
) -> None:
    """Until it answers so. Raises `ActionFailed` with what it said last."""
    deadline = time.monotonic() + seconds
    with httpx.Client(trust_env=False, verify=trust_for(url)) as client:
        while True:
            left = deadline - time.monotonic()
            said = _ask(client, url, good, min(max(left, 0.1), ANSWER_SECONDS))
            if said is None:
                return
            if time.monotonic() + PAUSE_SECONDS >= deadline:
                raise ActionFailed(f"{url} {said}, for {seconds:g} s")
            if cancelled.wait(PAUSE_SECONDS):
                raise ActionFailed(f"{url} {said}, until the rollout was ended")


def _ask(client: httpx.Client, url: str, good: Callable[[int], bool], seconds: float) -> str | None:
    """None where the answer is good, and all of it came."""
    deadline = time.monotonic() + seconds
    try:
        with client.stream("GET", url, timeout=seconds) as answer:
            for _ in answer.iter_raw():
                if time.monotonic() > deadline:
                    return "does not end its answer"
            return None if good(answer.status_code) else f"answers {answer.status_code}"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return f"gives no answer ({str(error) or type(error).__name__})"


def is_healthy(status: int) -> bool:
    """2xx."""
    return 200 <= status < 300


def is_warm(status: int) -> bool:
    """2xx, or the redirection that a first page may be."""
    return 200 <= status < 400
