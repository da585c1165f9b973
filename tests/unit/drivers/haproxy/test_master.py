"""What HAProxy's master prints, in the forms of several versions."""

from datetime import timedelta

import pytest

from libra.drivers.haproxy.master import ReloadAnswer, parse_processes, parse_reload
from libra.errors import DriverError

NEW = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1000            master          7 [failed: 2]   1d02h03m04s     2.8.25-5cf5d0683
# workers
1003            worker          2               0d00h00m01s     2.8.25-5cf5d0683
# old workers
1002            worker          3               0d00h01m00s     2.8.25-5cf5d0683
1001            worker          5               0d00h02m00s     2.6.12
# programs
999             api             0               0d00h02m00s     -

"""
OLD = """\
#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>
1000            master          0               1               0d00h00m08s     2.4.22
# workers
1003            worker          1               0               0d00h00m01s     2.4.22
# old workers
1002            worker          [was: 1]        1               0d00h01m00s     2.4.22
# programs

"""


def test_the_list_of_processes() -> None:
    processes = parse_processes(NEW)
    assert (processes.master.pid, processes.master.reloads, processes.failed_reloads) == (
        1000,
        7,
        2,
    )
    assert processes.master.uptime == timedelta(days=1, hours=2, minutes=3, seconds=4)
    assert [(p.pid, p.reloads) for p in processes.workers] == [(1003, 2)]
    assert [(p.pid, p.version) for p in processes.old_workers] == [
        (1002, "2.8.25-5cf5d0683"),
        (1001, "2.6.12"),
    ]


def test_the_list_of_an_older_one() -> None:
    processes = parse_processes(OLD)
    assert (processes.master.pid, processes.master.reloads, processes.failed_reloads) == (
        1000,
        1,
        0,
    )
    assert [(p.pid, p.reloads) for p in processes.workers] == [(1003, 0)]
    assert [(p.pid, p.reloads) for p in processes.old_workers] == [(1002, 1)]


def test_a_master_without_workers() -> None:
    processes = parse_processes("\n".join(NEW.split("\n")[:3]) + "\n\n")
    assert processes.workers == processes.old_workers == ()


@pytest.mark.parametrize("text", ["", "\n", "Permission denied\n\n", NEW.replace("1d02h", "xx")])
def test_anything_else_is_an_error(text: str) -> None:
    with pytest.raises(DriverError, match="cannot read HAProxy's list of processes"):
        parse_processes(text)


def test_answers_to_reload() -> None:
    assert parse_reload("") == ReloadAnswer(None, "")
    assert parse_reload("Success=1\n--\nline\n\n") == ReloadAnswer(True, "line")
    assert parse_reload("Success=0\n--\n[ALERT] a\nb\n\n") == ReloadAnswer(False, "[ALERT] a\nb")
