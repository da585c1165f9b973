"""From a message to one of the seven requests."""

from typing import Any

import pytest

from libra.errors import Invalid
from libra.messages.requests import (
    Action,
    Archive,
    ArchiveTarget,
    Delete,
    Discover,
    Enable,
    Stats,
    Suspend,
    Update,
    is_dry_run,
    parse_action,
    parse_request,
)
from libra.model.listener import Protocol
from tests.support.messages import fault_of, http, update

ARCHIVE = {
    "hpcs_action": "ARCHIVE",
    "hpcs_object_store_basepath": "lbaaslogs",
    "hpcs_object_store_endpoint": "https://example.com/v1/100",
    "hpcs_object_store_token": "MY_AUTH_TOKEN",
    "hpcs_object_store_type": "swift",
    "loadbalancers": [{"id": "15", "name": "lb #1", "protocol": "HTTP"}],
}


def archive(**fields: Any) -> dict[str, Any]:
    return {**ARCHIVE, **fields}


def parse_archive(**fields: Any) -> Archive:
    request = parse_request(archive(**fields))
    assert isinstance(request, Archive)
    return request


# the action


@pytest.mark.parametrize(
    ("word", "request_type"),
    [
        ("SUSPEND", Suspend),
        ("ENABLE", Enable),
        ("DELETE", Delete),
        ("DISCOVER", Discover),
        ("STATS", Stats),
    ],
)
@pytest.mark.parametrize("spell", [str.upper, str.lower, str.title, str.swapcase])
def test_actions_without_fields(word: str, request_type: type, spell: Any) -> None:
    assert parse_request({spell("hpcs_action"): spell(word)}) == request_type()


@pytest.mark.parametrize("action", list(Action))
def test_the_action_alone_is_read_without_a_look_at_the_rest(action: Action) -> None:
    assert parse_action({"hpcs_action": action.value, "loadbalancers": "broken"}) is action


def test_four_actions_change_the_proxy() -> None:
    assert {action.value for action in Action if action.changes_proxy} == {
        "UPDATE",
        "SUSPEND",
        "ENABLE",
        "DELETE",
    }


@pytest.mark.parametrize(
    "message", [{}, {"hpcs_action": None}, {"hpcs_action ": "STATS"}, {"action": "STATS"}]
)
def test_the_action_is_required(message: dict[str, Any]) -> None:
    assert fault_of(message) == "cannot read hpcs_action: it is required"
    with pytest.raises(Invalid):
        parse_action(message)


@pytest.mark.parametrize(
    "action", ["", "STATUS", "STATS ", "\u017ftats", 1, True, [], {}, ["STATS"], "x" * 10**7]
)
def test_no_other_action(action: object) -> None:
    text = fault_of({"hpcs_action": action})
    assert text.startswith(
        "cannot read hpcs_action: it must be one of UPDATE, SUSPEND, ENABLE, DELETE, DISCOVER, ARCHIVE, STATS, got "
    )
    assert len(text) < 250


def test_two_actions_are_none() -> None:
    assert fault_of({"hpcs_action": "STATS", "HPCS_ACTION": "DELETE"}) == (
        "cannot read hpcs_action: it is given twice, in different spellings"
    )


@pytest.mark.parametrize("message", [None, [], "STATS", 1, b"{}", [{"hpcs_action": "STATS"}]])
def test_a_message_is_an_object(message: object) -> None:
    assert fault_of(message).startswith("cannot read the message: it must be a JSON object, got ")


# dry runs

CHANGES = [
    update(http()),
    *({"hpcs_action": action} for action in ("SUSPEND", "ENABLE", "DELETE")),
]


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize("name", ["hpcs_dry_run", "HPCS_Dry_Run"])
@pytest.mark.parametrize("value", [True, 1, "true", "TRUE", "1", "yes"])
def test_every_change_has_a_dry_run(message: dict[str, Any], name: str, value: object) -> None:
    request = parse_request({**message, name: value})
    assert isinstance(request, Update | Suspend | Enable | Delete)
    assert request.dry_run
    assert is_dry_run({**message, name: value})


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize("fields", [{}, *({"hpcs_dry_run": v} for v in (None, False, 0, "no"))])
def test_nothing_else_is_a_dry_run(message: dict[str, Any], fields: dict[str, object]) -> None:
    request = parse_request({**message, **fields})
    assert isinstance(request, Update | Suspend | Enable | Delete)
    assert not request.dry_run
    assert not is_dry_run({**message, **fields})


@pytest.mark.parametrize("message", CHANGES)
@pytest.mark.parametrize("value", ["", "maybe", "true ", 2, [], {}, [True]])
def test_a_dry_run_in_doubt_is_refused(message: dict[str, Any], value: object) -> None:
    sentence = "cannot read hpcs_dry_run: it must be true or false, got "
    assert fault_of({**message, "hpcs_dry_run": value}).startswith(sentence)
    with pytest.raises(Invalid):
        is_dry_run({**message, "hpcs_dry_run": value})


def test_an_archive_has_no_dry_run() -> None:
    assert fault_of(archive(hpcs_dry_run=True)) == (
        "cannot read hpcs_dry_run: it must be left out or false for ARCHIVE, got true"
    )
    assert parse_archive(hpcs_dry_run=False) == parse_archive()


@pytest.mark.parametrize("action", ["STATS", "DISCOVER"])
def test_what_changes_nothing_ignores_it(action: str) -> None:
    assert parse_request({"hpcs_action": action, "hpcs_dry_run": "maybe"}) is not None


# ARCHIVE


def test_archive() -> None:
    assert parse_archive() == Archive(
        store_type="swift",
        basepath="lbaaslogs",
        endpoint="https://example.com/v1/100",
        token="MY_AUTH_TOKEN",
        targets=(ArchiveTarget(protocol=Protocol.HTTP, id="15"),),
    )


def test_archive_in_another_spelling() -> None:
    message = {name.upper(): value for name, value in archive().items()}
    message["HPCS_OBJECT_STORE_TYPE"] = "Swift"
    message["LOADBALANCERS"] = [{"PROTOCOL": "tcp"}, {"Protocol": "http", "ID": 15}]
    request = parse_request(message)
    assert isinstance(request, Archive)
    assert request.store_type == "swift"
    assert request.targets == (
        ArchiveTarget(protocol=Protocol.TCP),
        ArchiveTarget(protocol=Protocol.HTTP, id="15"),
    )


@pytest.mark.parametrize("field", [name for name in ARCHIVE if name != "hpcs_action"])
@pytest.mark.parametrize("how", ["left out", "null"])
def test_archive_s_required_fields(field: str, how: str) -> None:
    message = {name: value for name, value in archive().items() if name != field}
    if how == "null":
        message[field] = None
    assert fault_of(message) == f"cannot read {field}: it is required"


def test_a_target_s_protocol_is_required() -> None:
    assert fault_of(archive(loadbalancers=[{"id": "15"}])) == (
        "cannot read loadbalancers[0].protocol: it is required"
    )


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        ([], "it must be one or two load balancers, got 0"),
        ([{"protocol": "HTTP"}] * 3, "it must be one or two load balancers, got 3"),
        ([{"protocol": "HTTP"}] * 2, "the same load balancer is named twice"),
        ([{"protocol": "HTTP", "id": 1}, {"protocol": "TCP", "id": "1"}], "the same load balancer"),
        ({"protocol": "HTTP"}, "it must be a list, got an object"),
    ],
)
def test_no_other_targets(targets: object, sentence: str) -> None:
    assert fault_of(archive(loadbalancers=targets)).startswith(
        f"cannot read loadbalancers: {sentence}"
    )


@pytest.mark.parametrize("name", ["lbaaslogs", "log s", "ü", "a" * 256, ".logs", 15])
def test_containers(name: object) -> None:
    assert parse_archive(hpcs_object_store_basepath=name).basepath == str(name)


@pytest.mark.parametrize(
    "name", ["", "a/b", "/logs", "logs/", ".", "..", "a" * 257, "ü" * 129, "a\nb", True, []]
)
def test_no_other_container(name: object) -> None:
    assert fault_of(archive(hpcs_object_store_basepath=name)).startswith(
        "cannot read hpcs_object_store_basepath: it must be "
    )


@pytest.mark.parametrize(
    "url", ["https://example.com/v1/100", "HTTP://127.0.0.1:8080/v1/AUTH_test", "https://[::1]/v1"]
)
def test_endpoints(url: str) -> None:
    assert parse_archive(hpcs_object_store_endpoint=url).endpoint == url


@pytest.mark.parametrize(
    "url",
    [
        *("", "example.com", "ftp://example.com/", "file:///etc/passwd", "https://", "https:/x"),
        *("https://exa mple.com", "https://example.com\n", "https://ex\u00e4mple.com", "http\u017f://x"),
        *("https://x/" + "a" * 2048, 1, True, ["https://x"]),
    ],
)  # fmt: skip
def test_no_other_endpoint(url: object) -> None:
    assert fault_of(archive(hpcs_object_store_endpoint=url)).startswith(
        "cannot read hpcs_object_store_endpoint: it must be "
    )


def test_a_password_in_the_endpoint_is_refused_without_an_echo() -> None:
    text = fault_of(archive(hpcs_object_store_endpoint="https://me:hunter22@example.com/v1"))
    assert "hunter22" not in text
    assert text == "cannot read hpcs_object_store_endpoint: it must not hold a user or an @"


@pytest.mark.parametrize("name", ["", "s w", "swift/..", "\u017fwift", "x" * 65, 1.5, "\u212a"])
def test_no_other_store_type(name: object) -> None:
    assert fault_of(archive(hpcs_object_store_type=name)).startswith(
        "cannot read hpcs_object_store_type: it must be "
    )


@pytest.mark.parametrize(
    "token",
    ["", " ", "SECRET TOKEN", "SECRET\n", "SECRET\u00e4", "SECRET" * 10_000, 123456, ["SECRET"], {}],
)  # fmt: skip
def test_no_other_token_and_none_is_told(token: object) -> None:
    text = fault_of(archive(hpcs_object_store_token=token))
    assert text == (
        "cannot read hpcs_object_store_token: it must be a text of 1 to 16384 printable ASCII characters "
        "without spaces"
    )


def test_the_token_is_in_no_repr() -> None:
    assert "MY_AUTH_TOKEN" not in repr(parse_archive())
