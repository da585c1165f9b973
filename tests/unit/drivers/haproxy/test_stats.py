"""Parsing `show stat` with haproxy-stats."""

import logging
import subprocess
import sys

import pytest

from libra.drivers.haproxy.counters import Counters
from libra.drivers.haproxy.rows import Row
from libra.drivers.haproxy.stats import COLUMNS, SocketStats, parse_stat
from libra.errors import DriverError, ProxyNotRunning

HEADER = (
    "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,wredis,status,weight,"
    "act,check_status,check_code,last_chk,addr,req_tot,-,\n"
)
FRONTEND = "fe-web,FRONTEND,,,2,9,100,30,4000,5000,1,1,6,,,,,OPEN,,,,,,,90,-,\n"
SERVER = "be-web,m0,0,0,1,9,,20,400,500,,0,,1,2,3,4,UP,7,1,L7OK,200,OK,127.0.0.1:80,,-,\n"
BACKEND = "be-web,BACKEND,0,0,1,9,10,20,400,500,0,0,,3,4,3,4,UP,7,1,,,,,,-,\n"


def stat(*rows: str) -> str:
    return HEADER + "".join(rows) + "\n"


def test_rows_of_each_kind() -> None:
    assert parse_stat(stat(FRONTEND, SERVER, BACKEND)) == {
        ("fe-web", "FRONTEND"): Row("OPEN", 0, None, 2, Counters(4000, 5000, 30, 6, 90)),
        ("be-web", "m0"): Row("UP", 7, "L7OK/200", 1, Counters(400, 500, 20, 3)),
        ("be-web", "BACKEND"): Row("UP", 7, None, 1, Counters(400, 500, 20, 7)),
    }


def test_nothing_configured() -> None:
    assert parse_stat(stat()) == {}


@pytest.mark.parametrize(
    "words", ['"Sorry, we ""moved"", bye"', "²", "a\x0cb\x85c\u2028d", '"a\rb"', '"a\nb"', "\x00"]
)
def test_a_members_own_words_shift_nothing(words: str) -> None:
    hostile = SERVER.replace("200,OK", f"200,{words}")
    table = parse_stat(stat(hostile, BACKEND))
    row = table["be-web", "m0"]
    assert list(table) == [("be-web", "BACKEND"), ("be-web", "m0")]
    assert (row.status, row.check, row.counters) == ("UP", "L7OK/200", Counters(400, 500, 20, 3))


@pytest.mark.parametrize("name", ["45", "007", "FRONT", "127.0.0.1:80"])
def test_names_stay_texts(name: str) -> None:
    row = SERVER.replace("be-web,m0", f"{name},{name}")
    assert list(parse_stat(stat(row))) == [(name, name)]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        ("L4OK", "", "L4OK"),
        ("L7STS", "500", "L7STS/500"),
        ("* L7OK", "200", "L7OK/200"),
        ("* L4CON", "", "L4CON"),
        ("INI", "", "INI"),
        ("", "", None),
        ("L7OK", "0", "L7OK"),
    ],
)
def test_the_last_check(status: str, code: str, said: str | None) -> None:
    row = SERVER.replace("L7OK,200", f"{status},{code}")
    assert parse_stat(stat(row))["be-web", "m0"].check == said


@pytest.mark.parametrize(
    "text",
    ["", "\n", "Unknown command", stat(SERVER[:40] + "\n"), stat(SERVER).replace("eresp", "other")],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(DriverError, match="cannot read HAProxy's statistics: "):
        parse_stat(text)


def test_the_objects_are_the_packages_own() -> None:
    stats = SocketStats(lambda: stat(FRONTEND, SERVER, BACKEND), name="here")
    (backend,) = stats.backends
    assert [listener.name for listener in backend.listeners] == ["m0"]
    assert (stats.frontends[0].stot, backend.listeners[0].bin) == (30, 400)
    assert backend.proxy_name == "here"
    assert tuple(stats.fields) == COLUMNS
    assert '"svname": "m0"' in stats.to_json()


def test_after_a_failure_it_goes_on() -> None:
    answers = [stat(SERVER), None, stat(SERVER.replace("m0", "m1"))]

    def source() -> str:
        answer = answers.pop(0)
        if answer is None:
            raise ProxyNotRunning("cannot reach HAProxy")
        return answer

    stats = SocketStats(source)
    with pytest.raises(ProxyNotRunning):
        stats.update()
    assert [listener.name for listener in stats.listeners] == ["m0"]
    stats.update()
    assert [listener.name for listener in stats.listeners] == ["m1"]
    assert not stats.failed


def run_python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


def test_the_package_does_not_touch_the_root_logger() -> None:
    code = (
        "import logging; root = logging.getLogger(); root.setLevel(17)\n"
        "import libra.drivers.haproxy.stats\n"
        "print(root.handlers, root.level)"
    )
    assert run_python(code) == "[] 17"
    assert logging.getLogger("haproxystats").propagate


def test_the_package_brings_no_requests_along_and_leaves_the_real_one_alone() -> None:
    code = (
        "import sys, libra.drivers.haproxy.statistics\n"
        "assert 'haproxystats' in sys.modules and 'requests' not in sys.modules\n"
        "import requests\n"
        "print(requests.Session.__module__)"
    )
    assert run_python(code) == "requests.sessions"
