"""`libra simulate`: a fleet without hosts, for tests and for planning."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from libra.cli.exits import errors_as_exits
from libra.cli.options import ConfigOption, ServersOption
from libra.cli.wiring import Wiring

if TYPE_CHECKING:
    from libra.simulation.faults import Schedule
    from libra.simulation.fleet import SimulatedFleet, Standing

REGISTER_SECONDS = 120.0
LOOK_SECONDS = 1.0
MOST_PLANNED = 10_000
EPILOG = """\
[bold]Examples[/bold]

libra device-pool set default auto_enroll=true [dim]# beside 'libra up': lets them in as they come[/dim]

libra simulate --devices 100 [dim]# 'libra top' shows them[/dim]

libra simulate --devices 1000 --faults 6 --seed 7 [dim]# six faults a device and hour, the same with the same seed[/dim]

libra simulate --devices 50 --cut 0.4 --cut-at 20 --for 90 [dim]# 40 % of them are cut off at once[/dim]

libra simulate --devices 50 --faults 6 --for 600 --plan [dim]# only prints what would fail when[/dim]
"""

DevicesOption = Annotated[
    int, typer.Option("--devices", "-n", min=1, max=100_000, help="How many workers.")
]
NameOption = Annotated[
    str, typer.Option("--name", metavar="PATTERN", help="Their names; {} stands for the number.")
]
PoolOption = Annotated[
    str, typer.Option("--pool", metavar="NAME", help="The device pool that they ask to be in.")
]
FunctionOption = Annotated[
    str,
    typer.Option(
        "--announce-to",
        metavar="FUNCTION",
        help="The controllers' function (controller.function); '' announces nothing.",
    ),
]
ProcessesOption = Annotated[
    int | None,
    typer.Option("--processes", min=1, max=64, help="Default: one a processor, for 50 or more."),
]
FaultsOption = Annotated[
    float,
    typer.Option("--faults", min=0, max=3600, help="Faults that each device has in an hour."),
]
FaultSecondsOption = Annotated[
    float, typer.Option("--fault-seconds", min=0.1, help="How long one lasts, on average.")
]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the schedule of faults.")]
CutOption = Annotated[
    float, typer.Option("--cut", min=0, max=1, help="Share of the devices to cut off, all at once.")
]
CutAtOption = Annotated[float, typer.Option("--cut-at", min=0, help="Seconds until then.")]
CutSecondsOption = Annotated[float, typer.Option("--cut-seconds", min=0.1, help="For how long.")]
ForOption = Annotated[
    float | None, typer.Option("--for", metavar="SECONDS", min=1, help="Default: until Ctrl-C.")
]
PlanOption = Annotated[
    bool, typer.Option("--plan", help="Only print the schedule of faults; wants --for.")
]


def simulate(
    context: typer.Context,
    devices: DevicesOption = 10,
    name: NameOption = "sim{}",
    pool: PoolOption = "default",
    job_server: ServersOption = None,
    config: ConfigOption = None,
    announce_to: FunctionOption = "libra-controller",
    processes: ProcessesOption = None,
    faults: FaultsOption = 0.0,
    fault_seconds: FaultSecondsOption = 30.0,
    seed: SeedOption = 0,
    cut: CutOption = 0.0,
    cut_at: CutAtOption = 30.0,
    cut_seconds: CutSecondsOption = 60.0,
    seconds: ForOption = None,
    plan: PlanOption = False,
) -> None:
    """Run many workers without a proxy, in a few processes, until Ctrl-C.

    Each registers at the job servers, announces itself and answers every job as a real one does, and none of them
    serves any traffic. With --faults they fail at random: go away and come back, come back empty, hang, lose their
    proxy, are slow.
    """
    from libra.simulation.faults import Cut, Schedule

    off = Cut(share=cut, at=cut_at, seconds=cut_seconds) if cut else None
    schedule = Schedule(seed=seed, an_hour=faults, seconds=fault_seconds, cut=off)
    with errors_as_exits():
        if plan:
            _print_plan(schedule, devices, name, seconds)
            return
        fleet = _build(
            context, devices, processes, job_server, config, (name, pool, announce_to), schedule
        )
        try:
            with fleet:
                _run(fleet, devices, seconds)
        except KeyboardInterrupt:
            pass
    typer.echo("stopped")


def _build(
    context: typer.Context,
    devices: int,
    processes: int | None,
    job_server: list[str] | None,
    config: Path | None,
    words: tuple[str, str, str],
    schedule: "Schedule",
) -> "SimulatedFleet":
    from libra.cli.servers import choose_servers
    from libra.simulation.fleet import SimulatedFleet, default_processes, share_of_all
    from libra.simulation.process import build_name

    wiring: Wiring = context.obj
    name, pool, announce_to = words
    build_name(name, 0, devices)
    servers = choose_servers(config, job_server or (), wiring.environ)
    share = share_of_all(
        servers, devices, name=name, pool=pool, announce_to=announce_to, schedule=schedule
    )
    return SimulatedFleet(share, processes or default_processes(devices))


def _run(fleet: "SimulatedFleet", devices: int, seconds: float | None) -> None:
    _await_all(fleet, devices)
    typer.echo(f"all {devices} are registered")
    fleet.go()
    started = time.monotonic()
    before = time.monotonic()
    told = fleet.look(0.0)
    answered = told.answered.total()
    while seconds is None or time.monotonic() - started < seconds:
        told = fleet.look(LOOK_SECONDS)
        for at, name, kind, lasting in told.begun:
            typer.echo(f"{at:8.1f} s  {name} is {kind} for {lasting:.0f} s")
        now = time.monotonic()
        if now - before >= 10 * LOOK_SECONDS:
            _tell(told, devices, now - started, (told.answered.total() - answered) / (now - before))
            before, answered = now, told.answered.total()
    jobs = ", ".join(f"{count} {action}" for action, count in sorted(told.answered.items()))
    typer.echo(f"answered: {jobs or 'nothing'}")


def _tell(told: "Standing", devices: int, at: float, rate: float) -> None:
    typer.echo(
        f"{at:8.1f} s  {told.connected} of {devices} registered, {told.faulty} faulty, {rate:.1f} jobs/s"
    )


def _await_all(fleet: "SimulatedFleet", devices: int) -> None:
    """A job server that is not there is waited for; how far it is, is told each time it changes."""
    shown = ""
    while (told := fleet.look(LOOK_SECONDS)).connected < devices:
        text = f"{told.connected} of {devices} are registered"
        if told.unreachable:
            text = f"{text}; cannot reach {told.unreachable}"
        if text != shown:
            typer.echo(text)
            shown = text


def _print_plan(schedule: "Schedule", devices: int, name: str, seconds: float | None) -> None:
    from libra.errors import Invalid
    from libra.simulation.faults import plan_faults
    from libra.simulation.process import build_name

    if seconds is None:
        raise Invalid("cannot print a schedule without an end: give --for SECONDS")
    for count, fault in enumerate(plan_faults(schedule, devices)):
        if fault.at > seconds:
            return
        if count == MOST_PLANNED:
            typer.echo(f"... and more, only the first {MOST_PLANNED} are printed")
            return
        device = build_name(name, fault.number, devices)
        typer.echo(f"{fault.at:8.1f} s  {device} is {fault.kind_name} for {fault.seconds:.0f} s")
