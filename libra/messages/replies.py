"""Replies: the original message, untouched, plus the fields of the answer."""

import re
from collections.abc import Iterable, Mapping

from libra.messages.codec import JsonObject, encode
from libra.messages.fields import SECRET_MARK, fold

PASS = "PASS"  # noqa: S105
FAIL = "FAIL"
RESPONSE = "hpcs_response"
ERROR = "hpcs_error"
PLAN = "plan"  # of a dry run
MASK = "***"
SMALLEST_SPLICED = 4096  # bytes
KEY = "key"  # of a certificate, whatever it holds
_PRIVATE_KEY = re.compile(
    rf"-----BEGIN [A-Z0-9 ]*{SECRET_MARK}.*?(-----END [A-Z0-9 ]*{SECRET_MARK}-----|\Z)", re.DOTALL
)
_SECRETS = ("hpcs_object_store_token",)
_SHORTEST_SECRET = 6  # a shorter one hides nothing, and masking it would garble every sentence


def build_pass(
    message: Mapping[str, object], fields: Mapping[str, object] | None = None
) -> JsonObject:
    """The reply to a message that was carried out."""
    added = fields or {}
    return {**_echo(message, added), **added, RESPONSE: PASS}


def build_fail(message: Mapping[str, object] | None, error: str) -> JsonObject:
    """The reply to a message that was not; None where it could not even be read."""
    return {**_echo(message or {}, ()), RESPONSE: FAIL, ERROR: error}


def splice(
    data: bytes, message: JsonObject | None, reply: JsonObject, smallest: int = SMALLEST_SPLICED
) -> bytes | None:
    """The reply as JSON, made of the message's own bytes; None where it has to be encoded.

    That is for large messages only. `data` is what the message was decoded from, and ASCII, as `encode` promises.
    """
    if not message or len(data) < smallest or not data.isascii():
        return None
    fields = list(reply.items())
    echo, added = fields[: len(message)], fields[len(message) :]
    same = zip(message.items(), echo, strict=False)
    if not added or not all(one[0] == two[0] and one[1] is two[1] for one, two in same):
        return None
    return data.rstrip()[:-1] + b"," + encode(dict(added))[1:]


def passed(reply: Mapping[str, object]) -> bool:
    """True for a reply with PASS."""
    return reply.get(RESPONSE) == PASS


def masked(message: Mapping[str, object]) -> JsonObject:
    """The message for a log or a terminal: tokens at its top level replaced, and private keys wherever they are."""
    return {
        name: MASK if _is_secret(name) else _without_keys(value) for name, value in message.items()
    }


def _without_keys(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: MASK if isinstance(item, str) and _folded(name) == KEY else _without_keys(item)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [_without_keys(item) for item in value]
    return MASK if isinstance(value, str) and SECRET_MARK in value else value


def masked_text(text: str, message: Mapping[str, object]) -> str:
    """A text about a message, for a log or a reply: the message's secrets in it replaced, and any private key."""
    for name, value in message.items():
        if _is_secret(name) and isinstance(value, str) and len(value.strip()) >= _SHORTEST_SECRET:
            text = text.replace(value.strip(), MASK)
    return _PRIVATE_KEY.sub(MASK, text) if SECRET_MARK in text else text


def _is_secret(name: object) -> bool:
    """Wider than what the protocol reads: a misspelt look-alike is a secret still."""
    return isinstance(name, str) and name.strip().casefold() in _SECRETS


def _echo(message: Mapping[str, object], added: Iterable[str]) -> JsonObject:
    """Without the fields that the answer brings, however they are spelt.

    A reply sent back in cannot look like another's answer so, and no reader that folds case finds a field twice.
    """
    answers = {RESPONSE, ERROR, *added}
    return {name: value for name, value in message.items() if _folded(name) not in answers}


def _folded(name: object) -> str | None:
    return fold(name) if isinstance(name, str) else None
