"""What `libra top` shows."""

import re
from typing import Any

import pytest
from rich.console import Console

from libra.cli.top import Sample, build_screen, compute_rates, tell_amount

Json = dict[str, Any]


def pool(**fields: Any) -> Json:
    states = {"ERROR": 1, "SPARE": 1}
    given = {"name": "default", "devices": 2, "spare": 1, "min_spare": 0, "states": states}
    return {**given, "brake_reason": "", **fields}


def device(name: str, state: str, **fields: Any) -> Json:
    given = {"name": name, "pool": "default", "state": state, "loadbalancers": 1}
    return {**given, "address": "10.0.0.1", "reason": "", **fields}


def balancer(name: str) -> Json:
    return {
        "id": f"id-{name}",
        "name": name,
        "vip_address": "10.1.0.1",
        "provisioning_status": "ACTIVE",
        "operating_status": "ONLINE",
    }


def stats(connections: int, received: int = 0, sent: int = 0) -> Json:
    return {"total_connections": connections, "bytes_in": received, "bytes_out": sent}


def sample(at: float, counters: dict[str, Json], **fields: Any) -> Sample:
    return Sample(at=at, counters=counters, **fields)


def show(screen: object) -> str:
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        console.print(screen)
    return capture.get()


def test_what_serves_most_and_what_is_amiss_comes_first() -> None:
    balancers = [balancer("quiet"), balancer("busy")]
    before = sample(10.0, {"id-quiet": stats(5), "id-busy": stats(100, 0, 0)})
    now = sample(
        12.0,
        {"id-quiet": stats(5), "id-busy": stats(300, 4000, 2_000_000)},
        pools=[pool(brake_reason="rather the network")],
        devices=[device("a", "SPARE"), device("b", "ERROR", reason="no answer")],
        balancers=balancers,
    )
    text = show(build_screen(before, now, 40))
    assert text.index("busy") < text.index("quiet")
    calm = re.search(r"^ ?a +default", text, re.MULTILINE)
    assert calm is not None
    assert text.index("no answer") < calm.start()
    assert "rather the network" in text
    assert re.search(r"busy .* 100 +2\.0k +1\.0M", text)


def test_a_small_screen_is_not_overrun() -> None:
    now = sample(
        1.0,
        {f"id-{n}": stats(n) for n in range(100)},
        pools=[pool()],
        devices=[device(f"d{n}", "SPARE") for n in range(100)],
        balancers=[balancer(str(n)) for n in range(100)],
    )
    assert len(show(build_screen(now, now, 24)).splitlines()) <= 24


def test_what_is_hostile_stays_a_text() -> None:
    bad = {**balancer("\x1b[2J[red]x"), "id": "id-bad"}
    now = sample(1.0, {"id-bad": stats(0)}, balancers=[bad])
    assert "\x1b" not in show(build_screen(now, now, 24))


def test_rates_need_two_looks_and_are_never_below_nothing() -> None:
    before, now = sample(1.0, {"a": stats(10)}), sample(3.0, {"a": stats(4), "b": stats(9)})
    assert compute_rates(before, now) == {"a": (0.0, 0.0, 0.0), "b": (0.0, 0.0, 0.0)}
    assert compute_rates(now, now)["a"] == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((0, "0"), (0.5, "0.5"), (9.94, "9.9"), (12.3, "12"), (999, "999")),
        *((1000, "1.0k"), (1_234_567, "1.2M"), (5e15, "5000T")),
    ],
)
def test_amounts(value: float, text: str) -> None:
    assert tell_amount(value) == text
