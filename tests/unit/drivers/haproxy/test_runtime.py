"""Commands for the admin socket: nothing a sender wrote can end one and begin another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.drivers.haproxy.names import backend_name, server_name
from libra.drivers.haproxy.runtime import build_command, checked, parse_answer
from libra.errors import RuntimeRefused


def test_words_become_a_command() -> None:
    command = build_command("set", "server", "be/s1", "weight", 5)
    assert command == checked(command) == "set server be/s1 weight 5"
    assert build_command("set", "server", "be/s", "addr", "2001:db8::1")


@pytest.mark.parametrize(
    "word", ["", "a b", "a\nb", "a;b", "a\\b", "<<", "a\x00", "a\x7f", "é", "a\u2028", "'a'", '"']
)
def test_a_word_is_one_word(word: str) -> None:
    with pytest.raises(RuntimeRefused, match=r"^cannot say"):
        build_command("set", "server", word)


@pytest.mark.parametrize("command", ["", "a\n", "a;b", "a\\;b", "set ssl cert x <<", "a\r", "\x01"])
def test_a_command_is_one_command(command: str) -> None:
    with pytest.raises(RuntimeRefused, match=r"^cannot say"):
        checked(command)


@given(pool=st.text(min_size=1), member=st.text(min_size=1))
def test_every_name_can_be_said(pool: str, member: str) -> None:
    try:
        names = f"{backend_name(pool)}/{server_name(member)}"
    except UnicodeEncodeError:
        return  # surrogates never pass the parser
    assert build_command("del", "server", names).count(" ") == 2


def test_severity_decides() -> None:
    assert not parse_answer("c", "").refused
    refused = parse_answer("c", "[3]: No such server.\n")
    assert (refused.refused, refused.text, refused.severity) == (True, "No such server.", 3)
    assert not parse_answer("c", "[4]: no need to change the addr\n").refused
    assert parse_answer("c", "[6]: Unknown command: 'x'\nhelp\n").refused
    assert parse_answer("c", "Permission denied\n").refused
