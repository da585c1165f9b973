"""Which caller a token of Keystone's is of."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libra.api.keystone import Environ, KeystoneDoor, choose_role, read_caller
from libra.config.identity import KeystoneSettings
from libra.errors import StorageUnavailable
from libra.model.access import Role

SETTINGS = KeystoneSettings(cache_seconds=30)


def environ(*roles: str, project: str | None = "p1", status: str = "Confirmed") -> Environ:
    told = {
        "HTTP_X_IDENTITY_STATUS": status,
        "HTTP_X_ROLES": ",".join(roles),
        "HTTP_X_USER_NAME": "ann",
        "HTTP_X_USER_ID": "u1",
    }
    return told if project is None else {**told, "HTTP_X_PROJECT_ID": project}


def test_a_caller() -> None:
    caller = read_caller(environ("reader", "Member"), SETTINGS)
    assert caller is not None
    assert (caller.name, caller.oid, caller.role, caller.project_id) == (
        "ann",
        "u1",
        Role.MEMBER,
        "p1",
    )


@pytest.mark.parametrize(
    ("roles", "wanted"),
    [
        (["reader", "member", "admin"], (Role.ADMIN, False)),
        (["load-balancer_admin", "member"], (Role.OPERATOR, False)),
        (["load-balancer_global_observer", "reader"], (Role.READER, True)),
        (["load-balancer_observer"], (Role.READER, False)),
        (["_member_"], None),
        ([""], None),
        ([], None),
    ],
)
def test_the_highest_role_counts(roles: list[str], wanted: object) -> None:
    assert choose_role(roles, SETTINGS) == wanted


def test_who_is_nobody_here() -> None:
    assert read_caller(environ("admin", status="Invalid"), SETTINGS) is None
    assert read_caller({}, SETTINGS) is None
    assert read_caller(environ("somebody"), SETTINGS) is None
    for role in ("member", "reader"):
        assert read_caller(environ(role, project=None), SETTINGS) is None
    observer = read_caller(environ("load-balancer_global_observer"), SETTINGS)
    assert observer is not None
    assert observer.sees_everything


@given(st.lists(st.sampled_from(["reader", "member", "_x", "load-balancer_observer"])))
def test_no_mixture_of_lesser_roles_sees_everything(roles: list[str]) -> None:
    caller = read_caller(environ(*roles), SETTINGS)
    assert caller is None or not caller.sees_everything


class Answers:
    """A middleware that says this, and counts."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.says: Environ = environ("member")
        self.status = "200 OK"

    def __call__(self, asked: Environ, start_response: Any) -> Iterable[bytes]:
        self.asked.append(asked["HTTP_X_AUTH_TOKEN"])
        asked.update(self.says)
        start_response(self.status, [])
        return []


def test_an_answer_is_believed_for_a_while() -> None:
    answers, now = Answers(), [0.0]
    door = KeystoneDoor(SETTINGS, answers, lambda: now[0])
    first = door("t1", "req-1")
    second = door("t1", "req-2")
    assert first is not None
    assert second is not None
    assert (first.request_id, second.request_id) == ("req-1", "req-2")
    assert answers.asked == ["t1"]
    answers.says = environ("member", status="Invalid")
    now[0] = 29.9
    assert door("t1", "") is not None
    now[0] = 30.0
    assert door("t1", "") is None
    assert door("t1", "") is None
    assert answers.asked == ["t1"] * 3  # a refusal is not kept
    answers.says = environ("member")
    assert door("t1", "") is not None


def test_a_keystone_that_is_down() -> None:
    answers = Answers()
    answers.status, answers.says = "503 Service Unavailable", {}
    with pytest.raises(StorageUnavailable, match="Keystone"):
        KeystoneDoor(SETTINGS, answers)("t1", "")


@pytest.mark.parametrize("secret", ["a\r\nX-Roles: admin", "ü", "\0"])
def test_what_is_no_header_is_not_asked_about(secret: str) -> None:
    answers = Answers()
    assert KeystoneDoor(SETTINGS, answers)(secret, "") is None
    assert answers.asked == []
