"""What Cinder's clients may send, and what is answered to what they may not."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.api.schemas.clusters import (
    LEAST,
    MOST,
    Fault,
    Order,
    parse_filters,
    parse_order,
    parse_version,
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("header", "version"),
    [
        (None, LEAST),
        ("volume 3.7", (3, 7)),
        ("volume latest", MOST),
        ("compute 2.1, volume 3.26", (3, 26)),
        ("volume 3.7,volume 3.8", (3, 7)),
    ],
)
def test_versions(header: str | None, version: tuple[int, int]) -> None:
    assert parse_version(header) == version


@pytest.mark.parametrize(
    ("header", "status"),
    [
        *(
            (text, 400)
            for text in ("", "volume", "compute 2.1", "volume x", "volume 3", "volume 03.7")
        ),
        *((text, 400) for text in ("volume 3.07", "volume 3.7 now", "volume 99999.1")),
        *((text, 406) for text in ("volume 2.0", "volume 3.72", "volume 4.0")),
    ],
)
def test_versions_that_are_none(header: str, status: int) -> None:
    with pytest.raises(Fault) as caught:
        parse_version(header)
    assert caught.value.status == status


def test_orders() -> None:
    assert parse_order({"name": "a"}, disabling=False) == Order(name="a", binary="cinder-volume")
    assert parse_order({"name": "a", "binary": None}, disabling=False).binary is None
    given_reason = {"name": "a", "disabled_reason": "  disk swap "}
    assert parse_order(given_reason, disabling=True).reason == "disk swap"
    assert parse_order({"name": "a", "disabled_reason": ""}, disabling=True).reason == ""
    assert parse_order({"name": "a", "disabled_reason": None}, disabling=True).reason is None


@pytest.mark.parametrize(
    "body",
    [
        *(None, [], "a", {}),
        *({"name": name} for name in (1, None, "", "  ", "a" * 256)),
        *({"name": "a", "binary": binary} for binary in (1, "b" * 256)),
        {"name": "a", "cluster": {}},
        {"name": "a", "disabled_reason": "why"},
    ],
)
def test_orders_that_are_none(body: object) -> None:
    with pytest.raises(Fault) as caught:
        parse_order(body, disabling=False)
    assert caught.value.status == 400


@pytest.mark.parametrize("reason", ["  ", 5, "a" * 256, "a\nb", "\x1b[31m", "\ud800"])
def test_reasons_that_are_none(reason: object) -> None:
    with pytest.raises(Fault):
        parse_order({"name": "a", "disabled_reason": reason}, disabling=True)


def test_filters() -> None:
    query = [("name", "x"), ("name", "a"), ("is_up", "YES"), ("disabled", "0"), ("num_hosts", "2")]
    expected = {"name": "a", "is_up": True, "disabled": False, "num_hosts": 2}
    assert parse_filters(query, MOST) == expected
    assert parse_filters([("name", "")], MOST) == {}
    assert parse_filters([("binary", "")], MOST) == {"binary": ""}
    assert parse_filters([("frozen", "off")], (3, 26)) == {"frozen": False}


@pytest.mark.parametrize(
    "one",
    [("limit", "1"), ("is_up", ""), ("is_up", " yes"), ("num_hosts", "two"), ("num_hosts", "-1")],
)
def test_filters_that_are_none(one: tuple[str, str]) -> None:
    with pytest.raises(Fault):
        parse_filters([one], MOST)
    with pytest.raises(Fault):
        parse_filters([("frozen", "off")], (3, 25))


@given(anything, st.booleans())
def test_a_body_is_an_order_or_a_fault(body: object, disabling: bool) -> None:
    with suppress(Fault):
        assert parse_order(body, disabling=disabling).name
