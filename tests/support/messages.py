"""The request and reply pairs of tests/data/messages, other spellings of them, and the load balancers they hold."""

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from libra import __version__
from libra.errors import Invalid
from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import LoadBalancer
from libra.worker.compress import compress_gzip

DIRECTORY = Path(__file__).parent.parent / "data" / "messages"
BYTES = "hpcs_object_store_bytes"
JsonObject = dict[str, Any]

# Texts that are the sender's own, where the case of a value is part of it.
_OWN_TEXTS = frozenset(
    (
        *("name", "id", "path", "cookie_name", "pool"),
        *("certificate", "key", "client_ca", "client_crl", "ciphers", "dhparam", "domain_name"),
        *("base_path", "url", "value", "directory", "default_file", "mime_types"),
        *("hpcs_object_store_basepath", "hpcs_object_store_endpoint", "hpcs_object_store_token"),
    )
)


@dataclass(frozen=True)
class Pair:
    """One file: the request and its reply.

    `before` holds the messages that were handled before, `log` lines of access logs by load balancer id; `proxy`
    is "stopped" where the proxy has died since.
    """

    name: str
    about: str
    request: JsonObject
    reply: JsonObject
    before: list[JsonObject] = field(default_factory=list)
    log: dict[str, list[str]] = field(default_factory=dict)
    proxy: str = "running"

    def blocks(self, loadbalancer: str) -> list[bytes]:
        """The lines of one access log."""
        return [line.encode() for line in self.log.get(loadbalancer, [])]

    def added(self) -> JsonObject:
        """The fields that the reply adds to the request."""
        return {name: value for name, value in self.reply.items() if name not in self.request}


def load_pair(path: Path) -> Pair:
    """One pair, with what a file cannot know filled in: "<release>", and "<bytes>" of a compressed log."""
    text = path.read_text(encoding="utf-8").replace("<release>", __version__)
    pair = Pair(name=f"{path.parent.name}/{path.stem}", **json.loads(text))
    if pair.reply.get(BYTES) == "<bytes>":
        (lines,) = map(pair.blocks, pair.log)
        pair.reply[BYTES] = sum(map(len, compress_gzip(lines)))
    return pair


def load_pairs() -> list[Pair]:
    """Every pair there is."""
    return [load_pair(path) for path in sorted(DIRECTORY.glob("*/*.json"))]


def respell(value: Any, names: Callable[[str], str], words: Callable[[str], str]) -> Any:
    """The message with its names and its words (not the sender's own texts) spelt another way."""
    if isinstance(value, list):
        return [respell(item, names, words) for item in value]
    if not isinstance(value, dict):
        return words(value) if isinstance(value, str) else copy.copy(value)
    return {
        names(name): item if name in _OWN_TEXTS else respell(item, names, words)
        for name, item in value.items()
    }


def update(*loadbalancers: JsonObject) -> JsonObject:
    """An UPDATE message."""
    return {"hpcs_action": "UPDATE", "loadbalancers": list(loadbalancers)}


def http(**fields: Any) -> JsonObject:
    """A small HTTP load balancer with these fields set, or left out where they are None."""
    base = {"protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": 80}]}
    return {name: value for name, value in {**base, **fields}.items() if value is not None}


def tcp(**fields: Any) -> JsonObject:
    """A small TCP load balancer on port 25."""
    return http(**{"protocol": "TCP", "port": 25, **fields})


def many_nodes(count: int) -> list[JsonObject]:
    """Different good nodes."""
    return [
        {
            "id": str(number),
            "address": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            "port": "80",
            "weight": "1",
        }
        for number in range(1, count + 1)
    ]


def parse_update(message: JsonObject) -> tuple[LoadBalancer, ...]:
    """The load balancers of an UPDATE message."""
    request = parse_request(message)
    assert isinstance(request, Update)
    return request.loadbalancers


def fault_of(message: object) -> str:
    """The sentence with which a message is refused."""
    with pytest.raises(Invalid) as caught:
        parse_request(message)
    return str(caught.value)


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every container and key in a message."""
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        return [(value, key) for key in keys] + [p for key in keys for p in places(value[key])]
    return []
