"""The loops of every controller: when each turned last, and what it works on."""

from collections.abc import Iterable
from datetime import datetime

from libra.api.text.layout import one_line, shorten
from libra.model.controller import Controller, LoopState


def render_beats(controllers: Iterable[Controller], now: datetime) -> str:
    """Name, interval and age of each, in seconds."""
    lines = ["Thread Heart Beat Times (seconds):"]
    for item in controllers:
        lines.append(describe(item, now))
        lines += [f"   {_beat(item, loop, now)}" for loop in item.loops]
    return "\n".join(lines)


def describe(item: Controller, now: datetime) -> str:
    """Which one it is."""
    role = "manages" if item.manages else "stands by"
    gone = "" if item.is_live(now) else f", silent for {_age(item.seen_at, now):.0f} s"
    return f"{one_line(item.host)}, process {item.pid}, {one_line(item.release)}, {role}{gone}"


def _beat(item: Controller, loop: LoopState, now: datetime) -> str:
    age = age_of(loop, now)
    told = "never turned here" if age is None else f"{age:.0f}"
    line = f"{one_line(loop.name)} Thread({loop.interval:g}): {told}"
    state = state_of(item, loop, now)
    if state == "hangs":
        return f"{line}, hangs"
    return f"{line}, failed {loop.failures} times: {shorten(loop.error)}" if loop.error else line


def age_of(loop: LoopState, now: datetime) -> float | None:
    """Seconds since it turned; None where it never has."""
    return None if loop.beat is None else _age(loop.beat, now)


def state_of(item: Controller, loop: LoopState, now: datetime) -> str:
    """gone, hangs, fails, waits (it has not turned here), or turns."""
    if not item.is_live(now):
        return "gone"
    if loop.hung:
        return "hangs"
    if loop.failed_at is not None and (loop.beat is None or loop.failed_at >= loop.beat):
        return "fails"
    return "waits" if loop.beat is None else "turns"


def render_stores(controllers: Iterable[Controller], now: datetime) -> str:
    """What each loop shares with others."""
    lines = ["Shared objects by thread:"]
    for item in controllers:
        lines.append(describe(item, now))
        for loop in item.loops:
            lines.append(f"   {one_line(loop.name)} Thread:")
            lines += [f"      {one_line(store)}" for store in loop.stores] or ["      none"]
    return "\n".join(lines)


def _age(moment: datetime, now: datetime) -> float:
    """Clocks of two hosts may differ: nothing is younger than now."""
    return max(0.0, (now - moment).total_seconds())
