"""Tokens that need not be looked for again, for a moment."""

from libra.model.access import Role, Token
from libra.usecases import knowntokens
from libra.usecases.knowntokens import LONGEST_SECONDS, KnownTokens
from tests.support.storages import NOW, new_id


def build_token(digest: str = "d1") -> Token:
    return Token(id=new_id(), name="ops", digest=digest, role=Role.ADMIN, created_at=NOW)


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def test_a_token_is_known_for_a_moment() -> None:
    clock, token = Clock(), build_token()
    known = KnownTokens(clock)
    assert known.get(token.digest) is None
    assert known.look(token.digest, lambda _: token) == token
    clock.seconds += LONGEST_SECONDS - 0.01
    assert known.get(token.digest) == token
    clock.seconds += 0.01
    assert known.get(token.digest) is None


def test_its_age_counts_from_before_it_was_looked_for() -> None:
    clock, token = Clock(), build_token()
    known = KnownTokens(clock)

    def find(_digest: str) -> Token:
        clock.seconds += LONGEST_SECONDS
        return token

    assert known.look(token.digest, find) == token
    assert known.get(token.digest) is None


def test_one_that_is_not_there_is_looked_for_again() -> None:
    known = KnownTokens(Clock())
    assert known.look("d1", lambda _: None) is None
    assert known.look("d1", lambda _: build_token()) is not None


def test_what_was_read_before_a_revocation_is_not_kept() -> None:
    token = build_token()
    known = KnownTokens(Clock())

    def find(_digest: str) -> Token:
        known.forget()
        return token

    assert known.look(token.digest, find) == token
    assert known.get(token.digest) is None
    known.look(token.digest, lambda _: token)
    assert known.get(token.digest) == token
    known.forget()
    assert known.get(token.digest) is None


def test_no_more_are_kept_than_there_is_room_for() -> None:
    known = KnownTokens(Clock())
    for number in range(knowntokens.MOST + 1):
        known.look(f"d{number}", lambda digest: build_token(digest))
    assert known.get("d0") is None
    assert known.get(f"d{knowntokens.MOST}") is not None
