"""Hostile names and parameters of orders at the root of the REST API: each is refused, and changes nothing."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.support.control import ControlLab
from tests.support.orders import ask, events, ordered_lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlLab]:
    with ordered_lab(tmp_path_factory.mktemp("orders")) as lab:
        yield lab


NAMES = (
    "",
    *("nope", "Default", "DEFAULT", "web1 ", " ", "..", ".", "a/b", "default/vms", "web1?x", "a#b"),
    *(
        "ü",
        "雪",
        "\u202e",
        "\n",
        "\x1b[2J",
        "'; DROP TABLE devices; --",
        "%",
        "%2e%2e",
        "*",
        "x" * 9000,
    ),
    *("../../etc/passwd", "{}", "default;a=b", "{cloud}"),
)
PLACES = (
    ("PUT", "/clouds/{}?action=disable"),
    ("PUT", "/clouds/{}?allocations=0"),
    ("DELETE", "/clouds/{}/vms"),
    ("PUT", "/clouds/{}/vms?action=shutdown"),
    ("DELETE", "/clouds/default/vms/{}"),
    ("PUT", "/clouds/default/vms/{}?action=shutdown"),
    ("POST", "/clouds/default/vms/{}?action=force_retire"),
    ("POST", "/clouds/{}/vms/web1?action=force_retire"),
)


@pytest.mark.parametrize("name", NAMES)
def test_hostile_names_are_nobodys(lab: ControlLab, name: str) -> None:
    before = (events(lab), lab.get("/v1/devices"), lab.get("/v1/device-pools"))
    spelled = "".join(f"%{byte:02x}" for byte in name.encode())
    for method, place in PLACES:
        # Clients take out what is a dot in plain sight: a path without it is what they ask for.
        spellings = (spelled,) if name.strip(".") == "" else (quote(name, safe=""), spelled)
        for spelling in spellings:
            answer = ask(lab, method, place.format(spelling))
            assert answer.status_code in (400, 404, 405, 414), (
                method,
                place,
                answer.status_code,
                answer.text,
            )
            assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert settled(lab, *before)


def settled(lab: ControlLab, *before: object) -> bool:
    """Nothing has changed but when devices were seen."""
    now = (events(lab), lab.get("/v1/devices"), lab.get("/v1/device-pools"))
    for item in (now[1], before[1]):
        for one in item["devices"]:  # type: ignore[index]
            one.pop("last_seen", None)
    return now == before


QUERIES = (
    ("PUT", "/clouds/default", ""),
    ("PUT", "/clouds/default", "action=Disable"),
    ("PUT", "/clouds/default", "action="),
    ("PUT", "/clouds/default", "action=enable&action=disable"),
    ("PUT", "/clouds/default", "action=disable&more=1"),
    ("PUT", "/clouds/default", "action=disable&allocations=0"),
    ("PUT", "/clouds/default", "allocations="),
    ("PUT", "/clouds/default", "allocations=-1"),
    ("PUT", "/clouds/default", "allocations=1.0"),
    ("PUT", "/clouds/default", "allocations=1e3"),
    ("PUT", "/clouds/default", "allocations=%D9%A1"),
    ("PUT", "/clouds/default", "allocations=9999999999999999999999"),
    ("PUT", "/clouds/default", "allocations=1000001"),
    ("PUT", "/clouds/default", "action=%ff"),
    ("PUT", "/clouds/default/vms", ""),
    ("PUT", "/clouds/default/vms", "action=disable"),
    ("PUT", "/clouds/default/vms", "action=shutdown&count=-1"),
    ("PUT", "/clouds/default/vms", "action=shutdown&count=0"),
    ("PUT", "/clouds/default/vms", "action=shutdown&count="),
    ("PUT", "/clouds/default/vms", "action=shutdown&count=ALL"),
    ("PUT", "/clouds/default/vms", "action=shutdown&count=1&count=2"),
    ("PUT", "/clouds/default/vms", "action=shutdown&cuont=1"),
    ("POST", "/clouds/default/vms", "action=shutdown"),
    ("POST", "/clouds/default/vms", "count=1"),
    ("DELETE", "/clouds/default/vms", "count=x"),
    ("DELETE", "/clouds/default/vms", "action=shutdown"),
    ("PUT", "/clouds/default/vms/web1", "action=shutdown&vm=web2"),
    ("PUT", "/clouds/default/vms/web1", "count=1"),
    ("POST", "/clouds/default/vms/web1", "action=remove"),
    ("POST", "/cloud-aliases", "file=/etc/passwd"),
    ("POST", "/user-limits", "poor=5"),
)


@pytest.mark.parametrize(("method", "path", "query"), QUERIES)
def test_hostile_parameters_change_nothing(
    lab: ControlLab, method: str, path: str, query: str
) -> None:
    before = (events(lab), lab.get("/v1/devices"), lab.get("/v1/device-pools"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answers = [ask(lab, method, f"{path}?{query}")]
    if query:
        answers.append(ask(lab, method, path, content=query, headers=form))
        answers.append(ask(lab, method, path, json={"action": "shutdown"}))
    for answer in answers:
        assert answer.status_code == 400, (answer.status_code, answer.text)
        assert answer.text.startswith("cannot ")
    assert settled(lab, *before)


def test_other_methods_are_not_allowed(lab: ControlLab) -> None:
    for method, path in (
        ("DELETE", "/clouds/default"),
        ("POST", "/clouds/default"),
        ("PUT", "/user-limits"),
    ):
        answer = ask(lab, method, path)
        assert answer.status_code == 405
        assert answer.headers["allow"]


def test_a_name_that_is_empty_is_not_all_of_them(lab: ControlLab) -> None:
    """As of a script whose variable is empty."""
    before = (events(lab), lab.get("/v1/devices"), lab.get("/v1/device-pools"))
    for method, place in PLACES:
        answer = ask(lab, method, place.format(""))
        assert answer.status_code in (404, 405), (method, place, answer.text)
    assert settled(lab, *before)
