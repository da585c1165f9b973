"""`libra top`: the whole fleet on one screen, as it is now."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.resources import DEVICE, DEVICE_POOL, LOADBALANCER
from libra.cli.rows import Json
from libra.cli.verbs import TokenOption, UrlOption, open_api

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from libra.cli.rest import Rest

MOST_ROWS = 200
HEAD_ROWS = 13  # of a screen: four around each table, and one for the cursor
_RATES = ("total_connections", "bytes_in", "bytes_out")
_UNITS = ("", "k", "M", "G", "T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What the API says at one moment (seconds, monotonic). `counters` are by the load balancer's id."""

    at: float
    pools: Sequence[Json] = ()
    devices: Sequence[Json] = ()
    balancers: Sequence[Json] = ()
    counters: Mapping[str, Json]


def top(
    context: typer.Context,
    interval: Annotated[
        float,
        typer.Option("--interval", "-n", min=0.5, max=3600, help="Seconds between two looks."),
    ] = 2.0,
    once: Annotated[
        bool, typer.Option("--once", help="Print it after two looks, and end.")
    ] = False,
    api_url: UrlOption = None,
    token_file: TokenOption = None,
) -> None:
    """Show devices, load balancers and what they serve, full-screen; Ctrl-C ends it.

    Those that serve most come first.
    """
    with errors_as_exits():
        rest = open_api(context, api_url, token_file)
        before = take_sample(rest)
        if once:
            time.sleep(interval)
            _print(build_screen(before, take_sample(rest), MOST_ROWS))
            return
        _follow(rest, before, interval)


def _follow(rest: "Rest", before: Sample, interval: float) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console()
    screen = build_screen(before, before, console.height)
    try:
        with Live(screen, console=console, screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(interval)
                now = take_sample(rest)
                live.update(build_screen(before, now, console.height), refresh=True)
                before = now
    except KeyboardInterrupt:
        pass


def _print(screen: "RenderableType") -> None:
    from libra.cli.console import open_console

    open_console().print(screen)


def take_sample(rest: "Rest") -> Sample:
    """Asks for counters one by one, so of no more load balancers than a screen could show."""
    balancers = rest.call("GET", LOADBALANCER.path, limit=MOST_ROWS)[LOADBALANCER.plural]
    counters = {}
    for item in balancers:
        counters[item["id"]] = rest.call("GET", f"{LOADBALANCER.path}/{item['id']}/stats")["stats"]
    return Sample(
        at=time.monotonic(),
        pools=rest.call("GET", DEVICE_POOL.path)[DEVICE_POOL.plural],
        devices=rest.call("GET", DEVICE.path)[DEVICE.plural],
        balancers=balancers,
        counters=counters,
    )


def compute_rates(before: Sample, now: Sample) -> dict[str, tuple[float, ...]]:
    """By load balancer: connections, bytes in and bytes out a second. Pure; never below 0."""
    seconds = now.at - before.at
    return {
        key: tuple(_rate(before.counters.get(key), counters, name, seconds) for name in _RATES)
        for key, counters in now.counters.items()
    }


def _rate(before: Json | None, now: Json, name: str, seconds: float) -> float:
    if before is None or seconds <= 0:
        return 0.0
    return max(0.0, float(now[name] - before[name]) / seconds)


def tell_amount(value: float) -> str:
    """Four characters and a unit at most."""
    for unit in _UNITS[:-1]:
        if value < 1000:
            return f"{value:.0f}{unit}" if value >= 10 or not value else f"{value:.1f}{unit}"
        value /= 1000
    return f"{value:.0f}{_UNITS[-1]}"


def build_screen(before: Sample, now: Sample, height: int) -> "RenderableType":
    """`height` in lines. Pure."""
    from rich.console import Group

    left = max(4, height - HEAD_ROWS - len(now.pools))
    half = max(2, left // 3)
    return Group(
        _build_pools(now),
        _build_devices(now, half),
        _build_balancers(now, compute_rates(before, now), left - min(half, len(now.devices))),
    )


def _table(*heads: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    for head in heads:
        table.add_column(head, no_wrap=True, justify="right" if head.endswith("/s") else "left")
    return table


def _build_pools(now: Sample) -> "Table":
    from rich.text import Text

    from libra.logs.lines import escape

    table = _table("device pool", "devices", "spare", "states", "")
    for pool in now.pools:
        states = ", ".join(f"{count} {state}" for state, count in pool["states"].items())
        brake = Text(escape(pool["brake_reason"] or ""), style="red")
        spare = Text(str(pool["spare"]), style="red" if pool["spare"] < pool["min_spare"] else "")
        table.add_row(escape(pool["name"]), str(pool["devices"]), spare, states, brake)
    return table


def _build_devices(now: Sample, most: int) -> "Table":
    """Those that need somebody's eye first."""
    from libra.cli.rows import styled
    from libra.logs.lines import escape

    table = _table("device", "pool", "state", "lb", "address", "why")
    calm = ("SPARE", "ASSIGNED")
    ordered = sorted(now.devices, key=lambda item: (item["state"] in calm, item["name"]))
    for item in ordered[:most]:
        table.add_row(
            escape(item["name"]),
            escape(item["pool"]),
            styled(item["state"]),
            str(item["loadbalancers"]),
            escape(item["address"]),
            escape(item["reason"]),
        )
    return table


def _build_balancers(now: Sample, rates: Mapping[str, tuple[float, ...]], most: int) -> "Table":
    from libra.cli.rows import styled
    from libra.logs.lines import escape

    table = _table(
        "load balancer", "address", "provisioning", "operating", "conn/s", "in/s", "out/s"
    )
    ordered = sorted(now.balancers, key=lambda item: (-rates[item["id"]][0], item["name"]))
    for item in ordered[:most]:
        table.add_row(
            escape(item["name"] or item["id"]),
            item["vip_address"],
            styled(item["provisioning_status"]),
            styled(item["operating_status"]),
            *map(tell_amount, rates[item["id"]]),
        )
    return table
