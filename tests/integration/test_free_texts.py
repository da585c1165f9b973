"""Free texts on their way into HAProxy's file: what ends a line is refused, by the API and again by the worker.

The texts are found in the requests' schemas and in a whole message, so that a new one is tried as well.
"""

import copy
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from libra.api.schemas import octavia, v1
from libra.api.schemas.types import Ciphers
from libra.drivers.haproxy.build import build
from libra.drivers.haproxy.config import Options
from libra.drivers.haproxy.render import render
from libra.errors import Invalid
from libra.messages.requests import Update, parse_request
from libra.model.loadbalancer import Desired
from tests.support.certificates import Authority
from tests.support.haproxy import haproxy_binary
from tests.support.messages import http, update
from tests.support.second import CRL, KEY, PEM, listener, loadbalancer, node, pool
from tests.support.second import update as second_update

__all__ = ["haproxy_binary"]

Json = dict[str, Any]
Place = tuple[str | int, ...]
CONTROLS = [chr(n) for n in (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029)]
GOOD = ("", "x", "/x", "200", "10.0.0.1", "a.example", "10.0.0.0/8", "http://10.0.0.1/v1", "ALL")
"""What a text may be otherwise: each place takes one of them, or something like it."""
BODIES = [
    kind
    for module in (octavia, v1)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind.__module__ == module.__name__
]
OPTIONS = Options(
    admin_socket="/run/libra/admin.sock",
    log_target="stdout",
    version=(2, 6),
    hard_stop_after=timedelta(hours=1),
)


def places_in(schema: Json, definitions: Json, place: Place = ()) -> Iterator[Place]:
    """Where a schema has a text of the client's choice."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        yield from places_in(definitions[name], definitions, place)
    for way in schema.get("anyOf", ()):
        yield from places_in(way, definitions, place)
    for name, part in schema.get("properties", {}).items():
        yield from places_in(part, definitions, (*place, name))
    if schema.get("type") == "array":
        yield from places_in(schema["items"], definitions, (*place, 0))
    if schema.get("type") == "string" and not {"enum", "const"} & set(schema):
        yield place


def hostile() -> Iterator[str]:
    for good in GOOD:
        yield from (f"{good}{control}" for control in CONTROLS)
        yield from (f"{control}{good}" for control in "\n\0\x7f\u2028")
        yield from (f"{good[:1]}{control}{good[1:]}" for control in "\n\0\x7f\u2028")


@pytest.mark.parametrize("body", BODIES, ids=lambda kind: kind.__name__)
def test_the_api_refuses_what_ends_a_line(body: type[BaseModel]) -> None:
    schema = body.model_json_schema()
    for place in places_in(schema, schema.get("$defs", {})):
        for text in hostile():
            whole: Any = text
            for step in reversed(place):
                whole = [whole] if step == 0 else {step: whole}
            with pytest.raises(ValidationError) as refused:
                body.model_validate(whole)
            found = [error["loc"][: len(place)] for error in refused.value.errors()]
            assert place in found, (place, text)


def whole_messages() -> list[Json]:
    """One a version, with every text that there may be."""
    monitor: Json = {"type": "HTTP", "path": "/x", "expected_codes": "200-204,302"}
    tied = {"type": "APP_COOKIE", "cookie_name": "sid"}
    first = http(name="shop", monitor=monitor, session_persistence={"type": "HTTP_COOKIE"})
    monitor = {**monitor, "method": "GET", "http_version": "1.1", "domain_name": "a.example"}
    monitor |= {"delay": 5, "timeout": 3, "attempts": 3}
    nodes = [node("m", 80, monitor_address="127.0.0.2"), node("n", 81, address="a.example")]
    one = pool("p", *nodes, monitor=monitor, session_persistence=tied) | {"name": "pool"}
    tls = {"certificates": [{"id": "c", "certificate": PEM, "key": KEY}], "ciphers": "ALL"}
    tls |= {"client_authentication": "MANDATORY", "client_ca": PEM, "client_crl": CRL}
    tls |= {"versions": ["TLSv1.2"], "alpn": ["h2"]}
    ending = {"protocol": "TERMINATED_HTTPS", "tls": tls, "pool": "p"}
    listeners = [
        listener("l", 80, pool="p", allowed_cidrs=["10.0.0.0/8"]) | {"name": "web"},
        listener("s", 443, bind_address="127.0.0.1", **ending),
    ]
    return [update(first), second_update(loadbalancer("b", listeners, [one]) | {"name": "two"})]


def texts_in(value: object, place: Place = ()) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    pairs = value.items() if isinstance(value, dict) else ()
    for step, part in (*pairs, *(enumerate(value) if isinstance(value, list) else ())):
        yield from texts_in(part, (*place, step))


def replaced(message: Json, place: Place, text: str) -> Json:
    message = copy.deepcopy(message)
    holder: Any = message
    for step in place[:-1]:
        holder = holder[step]
    holder[place[-1]] = text
    return message


def rendered(message: Json) -> str:
    request = parse_request(message)
    assert isinstance(request, Update)
    return render(build(Desired(loadbalancers=request.loadbalancers), OPTIONS))


@pytest.mark.parametrize("message", whole_messages(), ids=["first", "second"])
def test_the_worker_lets_no_line_end_through(message: Json) -> None:
    text = rendered(message)
    assert all(word in text for word in ("/x", "200-204"))
    lines = text.count("\n")
    refused = 0
    for place, given in texts_in(message):
        for control in CONTROLS:
            for sent in (
                f"{given}{control}",
                f"{control}{given}",
                f"{given[:1]}{control}{given[1:]}",
            ):
                try:
                    written = rendered(replaced(message, place, sent))
                except Invalid:
                    refused += 1
                    continue
                assert not set(CONTROLS) - {"\n"} & set(written), (place, sent)
                assert written.count("\n") == lines, (place, sent)
    assert refused > 1000


CIPHERS = (
    *(
        "FOO",
        "TLS_AES_256_GCM_SHA384",
        "TLS_FOO",
        "ALL:@SECLEVEL=9",
        "!ALL",
        "@",
        "ECDHE+AESGCM:FOO",
    ),
    *("TLS_AES_128_CCM_8_SHA256:TLS_FOO", "TLS_FOO:ALL", "kRSA:-AES", "+", "=", "ALL:@STRENGTH"),
    *("ALL:@FOO", "-ALL", "ALL:!ALL", "ECDHE-RSA-AES128-GCM-SHA256:TLS_AES_128_GCM_SHA256"),
)


@pytest.mark.parametrize("ciphers", CIPHERS)
def test_the_api_takes_the_ciphers_that_haproxy_takes(
    haproxy_binary: Path, tmp_path: Path, ciphers: str
) -> None:
    pair = Authority(tmp_path).issue("a.example").both
    newest = [name for name in ciphers.split(":") if name.startswith("TLS_")]
    others = [name for name in ciphers.split(":") if name not in newest]
    words = [f"ciphers {':'.join(others)}"] if others else []
    words += [f"ciphersuites {':'.join(newest)}"] if newest else []
    file = tmp_path / "cfg"
    times = "".join(f"timeout {name} 1s\n" for name in ("client", "server", "connect"))
    bind = f"bind 127.0.0.1:9 ssl crt {pair} {' '.join(words)}\n"
    file.write_text(f"defaults\nmode http\n{times}frontend f\n{bind}")
    checked = subprocess.run([haproxy_binary, "-c", "-f", file], capture_output=True, timeout=60)
    assert is_taken(lambda: TypeAdapter(Ciphers).validate_python(ciphers)) == (
        checked.returncode == 0
    ), checked.stderr


def is_taken(check: Callable[[], object]) -> bool:
    try:
        check()
    except ValidationError:
        return False
    return True
