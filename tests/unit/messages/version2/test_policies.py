"""What policies of 2.0 messages may not say."""

from typing import Any

import pytest

from libra.errors import Invalid
from libra.messages.requests import parse_request
from tests.support.second import listener, loadbalancer, node, pool, update


def rule(kind: str, compare: str, value: str, key: str | None = None) -> dict[str, Any]:
    return {"type": kind, "compare_type": compare, "value": value, "key": key}


def refusal(*policies: dict[str, Any], **fields: Any) -> str:
    made = {**listener("li", 80, policies=list(policies)), **fields}
    pools = [pool("p", node("n", 1)), pool("tcp", protocol="TCP")]
    with pytest.raises(Invalid) as caught:
        parse_request(update(loadbalancer("lb", [made], pools)))
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (rule("PATH", "EQUAL_TO", ""), "value"),
        (rule("PATH", "EQUAL_TO", "/a\nlisten x"), "value"),
        (rule("PATH", "REGEX", "("), "a regular expression"),
        (rule("FILE_TYPE", "CONTAINS", "x"), "compare_type"),
        (rule("HEADER", "EQUAL_TO", "x"), "key"),
        (rule("HEADER", "EQUAL_TO", "x", "a)"), "key"),
        (rule("HEADER", "EQUAL_TO", "x", "a'b"), "key"),
        (rule("SSL_DN_FIELD", "EQUAL_TO", "x", "CN,1"), "key"),
        (rule("SSL_VERIFY_RESULT", "EQUAL_TO", "x"), "value"),
        (rule("SSL_CONN_HAS_CERT", "EQUAL_TO", "false"), "value"),
    ],
)
def test_what_would_reach_the_file_as_something_else(given: dict[str, Any], words: str) -> None:
    text = refusal({"id": "x", "action": "REJECT", "rules": [given]})
    assert text.startswith("cannot read loadbalancers[0].listeners[0].policies[0].rules[0].")
    assert words in text


GOOD = [rule("PATH", "EQUAL_TO", "/a")]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"action": "REJECT", "rules": []}, "1 to 50 rules"),
        ({"action": "REJECT", "rules": GOOD * 51}, "1 to 50 rules"),
        ({"action": "REDIRECT_TO_POOL", "rules": GOOD}, "policies[0].pool"),
        ({"action": "REDIRECT_TO_POOL", "rules": GOOD, "pool": "tcp"}, "policies[0].pool"),
        ({"action": "REDIRECT_TO_URL", "rules": GOOD}, "policies[0].url"),
        ({"action": "REDIRECT_TO_URL", "rules": GOOD, "url": "http://a\r\nX: y"}, "url"),
        ({"action": "REDIRECT_PREFIX", "rules": GOOD, "url": "/a", "code": 304}, "code"),
        ({"action": "JUMP", "rules": GOOD}, "action"),
    ],
)
def test_what_does_not_go_together(given: dict[str, Any], words: str) -> None:
    assert words in refusal({"id": "x", **given})


def test_policies_are_for_requests() -> None:
    given = {"id": "x", "action": "REJECT", "rules": GOOD}
    assert "policies" in refusal(given, protocol="TCP")
    assert "left out beside services" in refusal(given, services=[])
