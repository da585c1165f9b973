"""Server-sent events, read."""

from libra.cli.serverevents import Message, parse_stream


def test_messages() -> None:
    text = """retry: 2000
id: 3

: keep-alive

event: a.b
id: 4
data: {"a":
data:1}

id: 5
data: cut off"""
    assert list(parse_stream(text.splitlines())) == [Message("3", ""), Message("4", '{"a":\n1}')]
