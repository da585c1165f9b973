"""Where one goes after signing in: never to another site."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.web.app import safe_target


@pytest.mark.parametrize(
    "target", ["/ui/devices", "/ui/devices?state=ERROR", "/ui/nodes#group-web"]
)
def test_pages_are_targets(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize(
    "target",
    [
        "",
        "/",
        "//evil.example/ui/",
        "https://evil.example/ui/",
        "/ui//evil",
        "/ui/\\evil",
        "/ui/\r\nX: 1",
        "/v1/devices",
    ],
)
def test_anything_else_is_the_fleet(target: str) -> None:
    assert safe_target(target) == "/ui/"


@given(st.text())
def test_it_is_always_a_page(target: str) -> None:
    assert safe_target(target).startswith("/ui/")
