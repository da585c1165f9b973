"""The scheduler's paths and parameters, however they are spelled."""

from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.api.routers.scheduler.parameters import Parameters, parse_parameters
from libra.api.scheduling import Spelling, prefers_json, read_path
from libra.errors import Invalid

PATHS = [
    (b"/", "GET", Spelling("/")),
    (b"/cloud", "GET", Spelling("/cloud")),
    (b"/cloud/", "GET", Spelling("/cloud")),
    (b"/clouds/edge/vms/", "DELETE", Spelling("/clouds/edge/vms/")),
    (b"/%63loud", "GET", Spelling("/cloud")),
    (b"/clusters.json", "GET", Spelling("/clusters", json=True)),
    (b"/clusters/a.json", "GET", Spelling("/clusters/a", json=True)),
    (b"/clusters/a.json/", "HEAD", Spelling("/clusters/a", json=True)),
    (b"/clusters/a.json.json", "GET", Spelling("/clusters/a.json", json=True)),
    (b"/clusters/a%2Ejson", "GET", Spelling("/clusters/a.json")),
    (b"/clusters/.json", "GET", Spelling("/clusters/.json")),
    (b"/clouds/a.json", "PUT", Spelling("/clouds/a.json")),
    (b"/clusters/a%2fb/vms", "GET", Spelling("/clusters/a%2Fb/vms")),
    (b"/clusters/a%3Fb%23c%20d", "GET", Spelling("/clusters/a%3Fb%23c%20d")),
    (b"/clusters/%c3%a4", "GET", Spelling("/clusters/%C3%A4")),
    (b"/clusters/a:b,c", "GET", Spelling("/clusters/a%3Ab%2Cc")),
    (b"/clusters/..", "GET", Spelling("/clusters/..")),
    (b"/clusters//vms", "GET", Spelling("/clusters//vms")),
]
OTHERS = [b"", b"///", b"/v1/jobs.json", b"/cloudy", b"/.json", b"/v3/clusters/", b"/healthz"]


@pytest.mark.parametrize(("raw", "method", "wanted"), PATHS)
def test_paths(raw: bytes, method: str, wanted: Spelling) -> None:
    assert read_path(raw, method) == wanted


@pytest.mark.parametrize("raw", OTHERS)
def test_paths_of_others(raw: bytes) -> None:
    assert read_path(raw, "GET") is None


def test_what_is_not_utf8() -> None:
    with pytest.raises(Invalid, match="is not UTF-8"):
        read_path(b"/clusters/%ff", "GET")


@given(st.text(min_size=1).filter(lambda name: "\0" not in name))
def test_every_name_is_one_segment(name: str) -> None:
    raw = "".join(f"%{byte:02x}" for byte in name.encode())
    assert read_path(f"/clusters/{raw}/vms".encode(), "GET") == Spelling(
        f"/clusters/{quote(name, safe='')}/vms"
    )
    assert read_path(f"/clusters/{raw}.json".encode(), "GET") == Spelling(
        f"/clusters/{quote(name, safe='')}", json=True
    )
    assert unquote(quote(name, safe="")) == name


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/json, text/plain, */*", True),
        ("text/plain, application/json;q=0.5", False),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("application/json;q=0", False),
        ("application/json;q=x", False),
        ("application/*", False),
        (",;,", False),
    ],
)
def test_what_is_liked_better(accept: str, wanted: bool) -> None:
    assert prefers_json(accept) is wanted


def test_a_form_counts_more_than_the_query() -> None:
    found = parse_parameters("action=enable&count=2", "action=disable").only("action", "count")
    assert (found.word("action", ("enable", "disable")), found.count()) == ("disable", 2)
    assert found.text("comment") is None
    assert "count" in found
    assert "comment" not in found


@pytest.mark.parametrize(
    ("query", "form"),
    [
        ("a=1&a=2", ""),
        ("a=%ff", ""),
        ("", "a=%00"),
        ("&".join(f"a{n}=1" for n in range(51)), ""),
    ],
)
def test_parameters_that_cannot_be_read(query: str, form: str) -> None:
    with pytest.raises(Invalid, match="cannot"):
        parse_parameters(query, form)


def test_a_parameter_that_nobody_asks_for() -> None:
    with pytest.raises(Invalid, match="'cuont': it takes action or count"):
        Parameters({"cuont": "1"}).only("action", "count")
    with pytest.raises(Invalid, match="'x': it takes none"):
        Parameters({"x": ""}).only()


@pytest.mark.parametrize("count", ["", "0", "-1", "1.5", "ALL", "1e3", "٣", "9" * 12, "9" * 5000])
def test_a_bad_count(count: str) -> None:
    with pytest.raises(Invalid, match="cannot use count="):
        Parameters({"count": count}).count()


def test_counts() -> None:
    assert Parameters({}).count() is None
    assert Parameters({"count": "all"}).count() is None
    assert Parameters({"count": "007"}).count() == 7
    assert Parameters({"allocations": "0"}).number("allocations") == 0


def test_a_bad_number_or_word() -> None:
    with pytest.raises(Invalid, match="allocations must be a whole number"):
        Parameters({}).number("allocations")
    with pytest.raises(Invalid, match="from 1 to"):
        Parameters({"n": "0"}).number("n", least=1)
    with pytest.raises(Invalid, match="action must be enable or disable"):
        Parameters({}).word("action", ("enable", "disable"))
    with pytest.raises(Invalid, match="cannot use action='x': it must be enable, b or c"):
        Parameters({"action": "x"}).word("action", ("enable", "b", "c"))
    assert Parameters({}).word("metric", ("all",), "all") == "all"
