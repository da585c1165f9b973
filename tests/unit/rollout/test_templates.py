"""Nodes in commands and URLs: whatever they are called, they stay what they are."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.errors import Invalid
from libra.rollout.templates import Node, fill_shell, fill_url, fill_words

NODE = Node(name="web1", address="10.0.0.1", port=80, group="web")
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)


def node(name: str, address: str = "10.0.0.1") -> Node:
    return Node(name=name, address=address, port=None, group="web")


def test_all_that_stands_for_something() -> None:
    words = fill_words(["{node}:{address}", "{port}", "{group}", "{other}", "{{node}}"], NODE)
    assert words == ["web1:10.0.0.1", "80", "web", "{other}", "{web1}"]
    assert fill_words(["{port}"], node("a")) == [""]


@given(TEXTS)
def test_a_name_is_one_argument(name: str) -> None:
    if name.startswith("-"):
        with pytest.raises(Invalid, match="looks like an option"):
            fill_words(["{node}"], node(name))
    else:
        assert fill_words(["x", "at {node}"], node(name)) == ["x", f"at {name}"]


@pytest.mark.parametrize("name", ["a b", "$(id)", "`id`", "a;id", "a'b", "{address}", "*", "a\nb"])
def test_no_shell_takes_a_name_for_anything_else(name: str) -> None:
    text = fill_shell("printf %s {node}", node(name))
    done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout == name


def test_urls() -> None:
    assert fill_url("http://{address}:{port}/a?n={node}", NODE) == "http://10.0.0.1:80/a?n=web1"
    with pytest.raises(Invalid, match="has no port"):
        fill_url("http://{address}:{port}/", node("a"))
    with pytest.raises(Invalid, match="has no address"):
        fill_url("http://{address}/", node("a", ""))
    assert fill_url("http://{address}:80/", node("a", "::1")) == "http://[::1]:80/"
    assert fill_url("http://h/{node}", node("a/../b?c#d@e")) == "http://h/a%2F..%2Fb%3Fc%23d%40e"
