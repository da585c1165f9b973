"""{node}, {address}, {port} and {group} in commands and URLs."""

import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from libra.errors import Invalid

_PLACE = re.compile(r"\{(node|address|port|group)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a command is told of the node that it is for. `port` is None where the node has none."""

    name: str
    address: str
    port: int | None
    group: str

    def values(self) -> dict[str, str]:
        """By what stands for them."""
        port = "" if self.port is None else str(self.port)
        return {"node": self.name, "address": self.address, "port": port, "group": self.group}


def fill_words(words: Sequence[str], node: Node) -> list[str]:
    """Each stays one argument, whatever is in it. Raises `Invalid` for one that a program could take for an option."""
    for name, value in node.values().items():
        if value.startswith("-"):
            raise Invalid(
                f"cannot put the {name} {value!a} into a command: it looks like an option"
            )
    return [_fill(word, node, _same) for word in words]


def fill_shell(text: str, node: Node) -> str:
    """Quoted for /bin/sh; so no quotes belong around them."""
    return _fill(text, node, shlex.quote)


def fill_url(url: str, node: Node) -> str:
    """Escaped; an IPv6 address gets its brackets. Raises `Invalid` where the node has not got what belongs there."""
    values = node.values()
    for name in _PLACE.findall(url):
        if not values[name]:
            raise Invalid(f"cannot ask {url!a} of the node {node.name!a}: it has no {name}")
    return _fill(url, node, _for_url)


def _fill(text: str, node: Node, write: Callable[[str], str]) -> str:
    values = node.values()
    return _PLACE.sub(lambda match: write(values[match[1]]), text)


def _same(value: str) -> str:
    return value


def _for_url(value: str) -> str:
    if value.count(":") > 1:
        return f"[{quote(value, safe=':')}]"
    return quote(value, safe=":")
