"""The list of a group's nodes as somebody types it."""

import pytest

from libra.errors import Invalid
from libra.web.nodeorders import parse_list


def test_names_are_apart_by_anything_blank() -> None:
    assert parse_list("web1 web2\r\nweb3\tweb4=10.0.0.4\n") == {
        "web1": "",
        "web2": "",
        "web3": "",
        "web4": "10.0.0.4",
    }


def test_twice_is_once() -> None:
    assert parse_list("web1 web1=10.0.0.1") == {"web1": "10.0.0.1"}


def test_addresses_are_canonical() -> None:
    assert parse_list("a=2001:DB8::0:1 b=Host.Example") == {"a": "2001:db8::1", "b": "host.example"}


@pytest.mark.parametrize(
    "text", ["", " \n", "we<b", "web1=10.0.0.256", "web1=a b$", "x" * 200, "=1.2.3.4"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="cannot "):
        parse_list(text)
