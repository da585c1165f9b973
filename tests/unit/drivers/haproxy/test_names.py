"""HAProxy names: one-to-one, safe, readable."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.names import LONGEST, backend_name, encode_name, frontend_name

HAPROXY_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300)


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        ("15", "15"),
        ("web_1", "web_1"),
        ("10.0.0.1:80", "10.0.0.1:80"),
        ("lb #1", "lb_20_231"),
        ("_5F", "_5F5F"),
        ("BACKEND", "_42ACKEND"),
        ("FRONTEND", "_46RONTEND"),
        ("a/b;c\n", "a_2Fb_3Bc_0A"),
    ],
)
def test_ordinary_ids_stay_readable_and_others_are_escaped(identity: str, name: str) -> None:
    assert encode_name(identity) == name


@given(IDS)
def test_a_name_is_what_haproxy_takes(identity: str) -> None:
    name = encode_name(identity)
    assert HAPROXY_NAME.fullmatch(name)
    assert len(name) <= LONGEST


@given(IDS, IDS)
def test_two_ids_never_share_a_name(one: str, other: str) -> None:
    assert (encode_name(one) == encode_name(other)) == (one == other)


@given(
    st.text("_5F4BACKEND", min_size=1, max_size=8), st.text("_5F4BACKEND", min_size=1, max_size=8)
)
def test_ids_that_look_like_escapes_stay_apart(one: str, other: str) -> None:
    assert (encode_name(one) == encode_name(other)) == (one == other)


def test_frontends_and_backends_have_names_apart() -> None:
    assert frontend_name("15") != backend_name("15")
