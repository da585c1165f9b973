"""What processes say of themselves, and what follows from it for the ledger."""

import pytest

from libra.drivers.haproxy.counters import Counters, Ledger, Process, Reading, RowName
from libra.drivers.haproxy.rows import Row
from libra.drivers.haproxy.sightings import Sighting, Sightings, parse_info, parse_sighting
from libra.drivers.haproxy.statistics import drop_strangers, sum_sessions
from libra.errors import DriverError
from libra.model.loadbalancer import Desired
from tests.support.desired import build_desired

INFO = """Name: HAProxy
Version: 2.6.12-1+deb12u4
Nbthread: 2
Pid: 8057
Uptime: 0d 0h00m04s
Uptime_sec: 4
CurrConns: 3
node: 123
description: libra Pid: 7
Stopping: 1
Start_time_sec: 1795240427
"""
STAT = """# pxname,svname,scur,stot,bin,bout,ereq,econ,eresp,status,weight,check_status,check_code,req_tot,
fe-web,FRONTEND,1,2,3,4,5,,,STOP,,,,6,
"""
FRONT: RowName = ("fe-web", "FRONTEND")
M0: RowName = ("be-web", "m0")
M7: RowName = ("be-web", "m7")
M8: RowName = ("be-web", "m8")


def sight(pid: int, *names: RowName, stopping: bool = False, sessions: int = 0) -> Sighting:
    row = Row("UP", 1, None, sessions, Counters(pid))
    return Sighting(Process(pid, 1000), stopping, sessions, dict.fromkeys(names, row))


def test_a_process_is_read_from_its_two_answers() -> None:
    sighting = parse_sighting(INFO, STAT)
    assert sighting.process == Process(8057, 1795240427)
    assert (sighting.stopping, sighting.connections) == (True, 3)
    assert sighting.counters() == {FRONT: Counters(3, 4, 2, 5, 6)}


def test_an_old_haproxy_does_not_say_when_it_started() -> None:
    fields = parse_info("Pid: 5\n")
    assert (fields["Pid"], fields["Start_time_sec"], fields["Stopping"]) == (5, 0, 0)


def test_no_answer_of_haproxys_is_refused() -> None:
    with pytest.raises(DriverError, match="cannot read HAProxy's answer to 'show info'"):
        parse_info("Unknown command")


def test_all_processes_make_a_reading() -> None:
    sightings = Sightings(sight(2, M0), (sight(1, M0, M7),), frozenset({1, 2}))
    assert sightings.reading() == Reading(
        {
            Process(2, 1000): {M0: Counters(2)},
            Process(1, 1000): {M0: Counters(1), M7: Counters(1)},
        },
        frozenset({1, 2}),
    )


def test_sessions_are_those_of_all_processes() -> None:
    old = sight(1, FRONT, M7, stopping=True, sessions=3)
    sightings = Sightings(sight(2, FRONT, M0, sessions=2), (old,), None)
    assert sum_sessions(sightings) == {FRONT: 5, M0: 2, M7: 3}


def test_totals_stay_of_what_is_desired_and_of_what_the_serving_process_knows() -> None:
    sightings = Sightings(sight(2, FRONT, M7), (sight(1, M8, stopping=True),), None)
    ledger = Ledger(dict.fromkeys((FRONT, M0, M7, M8), Counters(1)))
    desired = build_desired(8001)  # m0, which the process does not know yet, but not m7
    assert set(drop_strangers(ledger, desired, sightings).totals) == {FRONT, M0, M7}
    assert set(drop_strangers(ledger, Desired(), sightings).totals) == {FRONT, M7}
