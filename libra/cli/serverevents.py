"""Server-sent events, read from the lines of an answer. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """`data` is empty where only a place to go on from was sent; `id` is empty where none was."""

    id: str
    data: str


def parse_stream(lines: Iterable[str]) -> Iterator[Message]:
    """What is not whole when the lines end was not sent."""
    identity, data = "", list[str]()
    for line in lines:
        if not line:
            if identity or data:
                yield Message(identity, "\n".join(data))
            identity, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            identity = value
        elif name == "data":
            data.append(value)
