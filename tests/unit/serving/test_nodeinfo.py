"""The web service nodeinfo, and what belongs to no service."""

import json

import pytest

from libra import __version__
from libra.model.webservice import NodeInfo
from libra.serving.application import Application
from libra.serving.book import Node
from libra.serving.nodeinfo import prefers_json
from tests.support.serving import build_book, call

NODE = Node(name="<web&1>", proxy="HAProxy 2.8.3")
APPLICATION = Application(build_book(NodeInfo(path="/info"), node=NODE))


@pytest.mark.parametrize(
    ("accept", "json_wins"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/html,application/xhtml+xml,*/*;q=0.8", False),
        ("text/html;q=0.5, application/json", True),
        ("application/json;q=0", False),
        ("application/*, text/*;q=0.1", True),
        ("application/json;q=x, text/plain", False),
        (";;,,q=,", False),
    ],
)
def test_who_would_rather_have_json(accept: str, json_wins: bool) -> None:
    assert prefers_json(accept) is json_wins


def test_a_page_for_people() -> None:
    answer = call(APPLICATION, "/info/below", "/info")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["vary"] == "Accept"
    assert "&lt;web&amp;1&gt;" in answer.text
    assert "<web" not in answer.text
    assert "HAProxy 2.8.3" in answer.text


def test_the_same_for_programs() -> None:
    answer = call(APPLICATION, "/info", "/info", headers={"Accept": "application/json"})
    fields = json.loads(answer.body)
    assert set(fields) == {"name", "release", "proxy", "started", "uptime_seconds"}
    assert fields["name"] == "<web&1>"
    assert fields["release"] == __version__
    assert fields["uptime_seconds"] >= 0


def test_only_reading() -> None:
    answer = call(APPLICATION, "/info", "/info", "POST")
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("service", [None, "/other", "", "/info "])
def test_what_no_service_is_for(service: str | None) -> None:
    answer = call(APPLICATION, "/info", service)
    assert (answer.status, answer.body) == (404, b"404 Not Found\n")


def test_only_the_digest_is_told_to_who_asks() -> None:
    assert call(APPLICATION, "/", None, headers={"X-Libra-Serving": "digest"}).status == 200
    assert call(APPLICATION, "/", None, headers={"X-Libra-Serving": "services"}).status == 404
