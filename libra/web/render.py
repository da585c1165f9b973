"""Templates to answers, with the headers that keep a page to itself."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from libra.web.files import STAMP

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_GOOD = ("ACTIVE", "ONLINE", "SPARE", "ASSIGNED", "complete", "RUNNING", "online", "UP", "done")
_BAD = ("ERROR", "failed", "aborted", "expired", "DEGRADED", "DOWN", "FAILED")
_UNDER_WAY = (
    *("PENDING_CREATE", "PENDING_UPDATE", "PENDING_DELETE", "running", "scheduled", "idle", "new"),
    *(
        "ANNOUNCED",
        "BUILDING",
        "DRAINING",
        "STARTING",
        "STOPPING",
        "PAUSED",
        "held",
        "offline",
        "stopped",
    ),
    *("draining", "command", "checking", "warming", "returning", "restoring", "withdrawing"),
)
_TONES = {
    **dict.fromkeys(_GOOD, "good"),
    **dict.fromkeys(_BAD, "bad"),
    **dict.fromkeys(_UNDER_WAY, "busy"),
}
UNKNOWN = "\N{EN DASH}"
_AGE = re.compile(r"(<time data-age [^>]*>)[^<]*")
_UNITS = ("", "k", "M", "G", "T")
_AGES = ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h"))


def tone(word: object) -> str:
    """The class of a badge: good, bad, busy, or calm for all that nobody has to look at."""
    return _TONES.get(text(word), "calm")


def text(word: object) -> str:
    """An enum's value, anything else as it is."""
    return str(word.value) if isinstance(word, Enum) else str(word)


def amount(value: float | None) -> str:
    """Short, with a unit of thousands."""
    if value is None:
        return UNKNOWN
    if isinstance(value, int) and abs(value) < 1000:
        return str(value)  # counted, not measured
    for unit in _UNITS[:-1]:
        if abs(value) < 1000:
            return f"{value:.0f}{unit}" if value >= 10 or not value else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}{_UNITS[-1]}"


def percent(share: float | None) -> str:
    """Of 0 to 1."""
    if share is None:
        return UNKNOWN
    return f"{share * 100:.1f} %" if 0 < share < 0.1 else f"{share * 100:.0f} %"


def age(seconds: float) -> str:
    """In the largest unit that leaves two digits or more."""
    for limit, size, unit in _AGES:
        if seconds < limit:
            return f"{max(0, int(seconds // size))} {unit}"
    return f"{int(seconds // 86_400)} d"


def stamp(moment: datetime | None) -> str:
    """For machines, and for who points at it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


@cache
def environment() -> Environment:
    """Everything that is shown is escaped, and a misspelt name is an error."""
    found = Environment(
        loader=PackageLoader("libra.web"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    found.filters.update(tone=tone, text=text, amount=amount, percent=percent, age=age, stamp=stamp)
    found.globals["files"] = STAMP
    return found


def render(template: str, context: Mapping[str, Any]) -> str:
    """HTML."""
    return environment().get_template(template).render(context)


def answer(
    template: str, context: Mapping[str, Any], status: int = 200, **headers: str
) -> HTMLResponse:
    """A page."""
    return HTMLResponse(render(template, context), status, headers={**HEADERS, **headers})


def digest(html: str) -> str:
    """To tell whether a part has changed. Ages go on by themselves, in the browser."""
    return hashlib.blake2b(_AGE.sub(r"\1", html).encode(), digest_size=12).hexdigest()
