"""Some simulated workers in one process: `python -m libra.simulation.process`, started by `fleet`.

Reads one line of JSON, a `Share`, from standard input; tells every second on standard output how it does, one line of
JSON each, a `Report`; a second line of input lets the schedule of faults begin; the end of the input ends it.
"""

import heapq
import json
import os
import sys
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import structlog

from libra.config.settings import JobServerSettings
from libra.errors import Invalid, LibraError
from libra.jobs.base import TakenJob
from libra.jobs.gearman import GearmanJobClient
from libra.jobs.gearman.switchboard import Switchboard
from libra.messages.announcement import build_announcement
from libra.simulation.device import SimulatedDevice
from libra.simulation.faults import (
    SLOW_SECONDS,
    Cut,
    Fault,
    FaultClock,
    FaultKind,
    Schedule,
    plan_faults,
)

log = structlog.get_logger(__name__)

REPORT_SECONDS = 1.0
LOOK_SECONDS = 0.2
ANNOUNCE_SECONDS = 30.0
ANNOUNCE_WITHIN = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The devices `first` to `first + count - 1` of `devices`; `name` holds one {} for the number.

    `announce_to` is the controllers' function, "" for nobody.
    """

    servers: list[dict[str, Any]]
    name: str
    first: int
    count: int
    devices: int
    pool: str
    announce_to: str
    schedule: Schedule = field(default_factory=Schedule)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Since the last one: what was answered, by action, and which faults began. Now: how many devices are `connected`
    and how many are `faulty`, and why a job server cannot be connected.
    """

    unreachable: str
    connected: int
    faulty: int
    answered: dict[str, int]
    begun: list[tuple[float, str, str, float]]


def build_name(pattern: str, number: int, devices: int) -> str:
    """With as many digits as the last one needs; raises `Invalid` for a pattern without exactly one {}."""
    if pattern.count("{}") != 1 or "{" in pattern.replace("{}", ""):
        raise Invalid(f"cannot name devices '{pattern}': it must hold {{}} once, for the number")
    return pattern.replace("{}", str(number).zfill(len(str(devices - 1))))


class Process:
    """`run` is called by the main thread; announcing has a thread of its own, which ends with the process."""

    def __init__(self, share: Share) -> None:
        self._share = share
        self._servers = [JobServerSettings.model_validate(server) for server in share.servers]
        self._board = Switchboard(self._servers)
        numbers = range(share.first, share.first + share.count)
        devices = (
            SimulatedDevice(build_name(share.name, number, share.devices), number, share.pool)
            for number in numbers
        )
        self._devices = {device.name: device for device in devices}
        self._slow: set[str] = set()
        self._faulty: set[str] = set()
        self._answers: list[tuple[float, int, TakenJob, bytes]] = []  # those that are late
        self._answered: Counter[str] = Counter()
        self._begun: list[Fault] = []
        self._clock: FaultClock | None = None  # once it goes
        self._zero = 0.0
        self._count = 0
        self.go = threading.Event()
        self.ended = threading.Event()

    def run(self) -> None:
        """Until `ended`."""
        for name in self._devices:
            self._board.plug(name)
        if self._share.announce_to:
            threading.Thread(target=self._announce, name="announcer", daemon=True).start()
        told = time.monotonic()
        while not self.ended.is_set():
            for name, job in self._board.take(LOOK_SECONDS):
                self._answer(self._devices[name], job)
            self._send_late()
            self._turn_faults()
            if time.monotonic() - told >= REPORT_SECONDS:
                told = time.monotonic()
                self._report()
        self._board.close()

    def _answer(self, device: SimulatedDevice, job: TakenJob) -> None:
        action, reply = device.answer(job)
        self._answered[action] += 1
        if device.name in self._slow:
            self._count += 1
            due = time.monotonic() + SLOW_SECONDS
            heapq.heappush(self._answers, (due, self._count, job, reply))
        else:
            job.complete(reply)

    def _send_late(self) -> None:
        while self._answers and self._answers[0][0] <= time.monotonic():
            _, _, job, reply = heapq.heappop(self._answers)
            job.complete(reply)

    # Faults.

    def _turn_faults(self) -> None:
        if self._clock is None:
            if not self.go.is_set():
                return
            self._zero = time.monotonic()
            faults = plan_faults(self._share.schedule, self._share.devices)
            self._clock = FaultClock(fault for fault in faults if self._is_mine(fault))
        begun, ended = self._clock.turn(time.monotonic() - self._zero)
        for fault in begun:
            self._begun.append(fault)
            self._fail(fault, self._devices[self._name_of(fault)])
        for fault in ended:
            self._mend(fault, self._devices[self._name_of(fault)])

    def _fail(self, fault: Fault, device: SimulatedDevice) -> None:
        self._faulty.add(device.name)
        match fault.kind:
            case FaultKind.FROZEN:
                self._board.mute(device.name, muted=True)
            case FaultKind.PROXY:
                device.stop_proxy()
            case FaultKind.SLOW:
                self._slow.add(device.name)
            case FaultKind.AWAY | FaultKind.WIPED:
                self._board.unplug(device.name)

    def _mend(self, fault: Fault, device: SimulatedDevice) -> None:
        self._faulty.discard(device.name)
        match fault.kind:
            case FaultKind.FROZEN:
                self._board.mute(device.name, muted=False)
            case FaultKind.PROXY:
                device.start_proxy()
            case FaultKind.SLOW:
                self._slow.discard(device.name)
            case FaultKind.AWAY:
                self._board.plug(device.name)
            case FaultKind.WIPED:
                device.wipe()
                self._board.plug(device.name)

    def _is_mine(self, fault: Fault) -> bool:
        return 0 <= fault.number - self._share.first < self._share.count

    def _name_of(self, fault: Fault) -> str:
        return build_name(self._share.name, fault.number, self._share.devices)

    # Telling.

    def _report(self) -> None:
        answered, self._answered = self._answered, Counter()
        begun, self._begun = self._begun, []
        report = Report(
            unreachable=self._board.fault,
            connected=self._board.connected(),
            faulty=len(self._faulty),
            answered=dict(answered),
            begun=[
                (fault.at, self._name_of(fault), fault.kind_name, fault.seconds) for fault in begun
            ],
        )
        print(json.dumps(asdict(report)), flush=True)  # noqa: T201 - for who started it

    def _announce(self) -> None:
        """Round and round, one after the other; the first round as fast as it goes."""
        client = GearmanJobClient(self._servers)
        pause = 0.0
        while True:
            for device in list(self._devices.values()):
                if device.name not in self._faulty:
                    self._announce_one(client, device)
                time.sleep(pause)
            pause = ANNOUNCE_SECONDS / len(self._devices)

    def _announce_one(self, client: GearmanJobClient, device: SimulatedDevice) -> None:
        try:
            payload = build_announcement(device.describe())
            to = self._share.announce_to
            client.leave(to, payload, unique=device.name, timeout=ANNOUNCE_WITHIN)
        except LibraError as error:
            log.debug("cannot announce", action="announce", device=device.name, error=str(error))


def parse_share(line: str) -> Share:
    """What `json.dumps(asdict(share))` wrote."""
    fields = json.loads(line)
    schedule = fields.pop("schedule")
    cut = schedule.pop("cut")
    return Share(
        schedule=Schedule(cut=Cut(**cut) if cut is not None else None, **schedule), **fields
    )


def _listen(process: Process) -> None:
    sys.stdin.readline()
    process.go.set()
    sys.stdin.read()
    process.ended.set()


def main() -> None:
    """Until standard input ends."""
    from libra.logs import configure_logging

    configure_logging(level="error", as_json=False)
    process = Process(parse_share(sys.stdin.readline()))
    threading.Thread(target=partial(_listen, process), name="input", daemon=True).start()
    try:
        process.run()
    except BrokenPipeError:  # nobody listens any more: who started it was killed
        os._exit(1)


if __name__ == "__main__":
    main()
