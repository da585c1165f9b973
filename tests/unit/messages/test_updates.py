"""An UPDATE message that is built reads back as the same load balancers, whatever they are."""

import json

from hypothesis import given
from hypothesis import strategies as st

from libra.messages.codec import decode, encode
from libra.messages.updates import UpdateWriter, build_update
from tests.support.messages import DIRECTORY, load_pair, parse_update
from tests.support.updates import updates


@given(updates())
def test_what_is_built_reads_back_as_the_same(message: dict[str, object]) -> None:
    loadbalancers = parse_update(message)
    built = build_update(loadbalancers)
    assert parse_update(decode(encode(built))) == loadbalancers
    assert build_update(parse_update(built)) == built


@given(st.lists(updates(), min_size=1, max_size=3))
def test_what_is_written_with_a_memory_is_what_is_built(messages: list[dict[str, object]]) -> None:
    writer = UpdateWriter()
    for message in [*messages, *messages]:
        loadbalancers = parse_update(message)
        built = json.dumps(build_update(loadbalancers), separators=(",", ":"))
        assert writer.write(loadbalancers) == built
    assert writer.write(()) == '{"hpcs_action":"UPDATE","loadbalancers":[]}'


def test_every_value_is_written_out() -> None:
    pair = load_pair(DIRECTORY / "update" / "every_field.json")
    built = build_update(parse_update(pair.request))
    text = json.dumps(built)
    assert json.dumps(build_update(parse_update(built))) == text
    first, second = built["loadbalancers"]  # type: ignore[misc]
    assert set(first) == set(pair.request["loadbalancers"][0])
    assert set(first["monitor"]) == set(pair.request["loadbalancers"][0]["monitor"])
    assert all(node["weight"] == 1 and node["backup"] is False for node in second["nodes"])
