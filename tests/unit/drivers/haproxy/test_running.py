"""The one decision what to do with HAProxy."""

from dataclasses import replace

import pytest

from libra.drivers.base import Step
from libra.drivers.haproxy.actions import Action, Reload, SetReady
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.install import Installed
from libra.drivers.haproxy.ports import Bind
from libra.drivers.haproxy.render import description_of, render
from libra.drivers.haproxy.running import Observed, ServingProcess, parse_process, plan
from libra.errors import DriverError
from tests.support.desired import build_desired
from tests.unit.drivers.haproxy.test_build import OPTIONS

INFO = "Name: HAProxy\nVersion: 2.6.12-1+deb12u4\nPid: 42\nnode: a: b\ndescription: libra abc\n"


def installed(*ports: int, listen: int, suspended: bool = False) -> Installed:
    text = render(build(build_desired(*ports, listen=listen, suspended=suspended), OPTIONS))
    return Installed(text, description_of(text))


def serving(file: Installed) -> ServingProcess:
    return ServingProcess(pid=1, version="2.6.12", description=str(file.description))


ONE, TWO, NONE = installed(1, listen=81), installed(1, listen=82), Installed()
CHANGE, RELOAD = SetReady("be", "s"), Reload(("because",))


@pytest.mark.parametrize(
    ("process", "master", "file", "actions", "step"),
    [
        (serving(ONE), True, ONE, (), Step.NOTHING),
        (serving(ONE), True, TWO, (), Step.INSTALL),
        (serving(ONE), True, NONE, (), Step.INSTALL),
        (serving(ONE), True, TWO, (CHANGE,), Step.CHANGE),
        (serving(TWO), True, ONE, (RELOAD,), Step.RELOAD),
        (serving(TWO), True, ONE, None, Step.RELOAD),
        (None, True, ONE, None, Step.RELOAD),
        (None, False, ONE, None, Step.START),
        (None, False, NONE, None, Step.START),
    ],
)
def test_steps(
    process: ServingProcess | None,
    master: bool,
    file: Installed,
    actions: tuple[Action, ...] | None,
    step: Step,
) -> None:
    observed = Observed(serving=process, has_master=master, installed=file, last_good=NONE)
    decided = plan(observed, str(ONE.description), actions)
    assert decided.step is step
    assert decided.actions == ((CHANGE,) if step is Step.CHANGE else ())
    assert bool(decided.reasons) is (step in (Step.RELOAD, Step.START))


@pytest.mark.parametrize(
    ("process", "master", "ports"),
    [
        (serving(ONE), True, {81}),
        (serving(installed(1, 2, listen=81)), True, {81}),
        (serving(TWO), True, {82}),
        (serving(installed(1, listen=83)), True, None),
        (None, True, None),
        (None, False, set()),
    ],
)
def test_what_it_holds(
    process: ServingProcess | None, master: bool, ports: set[int] | None
) -> None:
    observed = Observed(serving=process, has_master=master, installed=ONE, last_good=TWO)
    binds = None if ports is None else {Bind("127.0.0.1", port) for port in ports}
    assert observed.held_binds() == binds


def test_what_it_may_hold_while_suspended() -> None:
    """A listener that was disabled at runtime keeps its port, one that was started disabled never had it."""
    shut = installed(1, listen=81, suspended=True)
    observed = Observed(serving=serving(ONE), has_master=True, installed=shut, last_good=NONE)
    assert observed.held_binds() == {Bind("127.0.0.1", 81)}
    assert replace(observed, serving=serving(shut)).held_binds() == set()


def test_process_information() -> None:
    process = parse_process(INFO)
    assert (process.pid, process.version) == (42, "2.6.12-1+deb12u4")
    assert process.started_from("libra abc")
    assert not process.started_from("libra ab")
    assert not process.started_from(None)


def test_a_process_that_goes_says_so() -> None:
    assert not parse_process(INFO).stopping
    assert not parse_process(f"{INFO}Stopping: 0\n").stopping
    assert parse_process(f"{INFO}Stopping: 1\n").stopping


def test_a_process_that_is_not_ours_runs_nothing_of_ours() -> None:
    other = parse_process(INFO.replace("description: libra abc\n", ""))
    assert not other.started_from("libra abc")
    assert not other.has_structure_of(ONE.description)


@pytest.mark.parametrize("text", ["", "Pid: x\nVersion: 1\n", "Version: 1\n"])
def test_other_answers(text: str) -> None:
    with pytest.raises(DriverError, match=r"^cannot read HAProxy's process information"):
        parse_process(text)
