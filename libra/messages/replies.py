"""Replies: the original message, untouched, plus the fields of the answer."""

from collections.abc import Mapping

from libra.messages.codec import JsonObject

PASS = "PASS"  # noqa: S105
FAIL = "FAIL"
RESPONSE = "hpcs_response"
ERROR = "hpcs_error"
MASK = "***"
_SECRETS = ("hpcs_object_store_token",)


def build_pass(
    message: Mapping[str, object], fields: Mapping[str, object] | None = None
) -> JsonObject:
    """The reply to a message that was carried out."""
    return {**_echo(message), **(fields or {}), RESPONSE: PASS}


def build_fail(message: Mapping[str, object] | None, error: str) -> JsonObject:
    """The reply to a message that was not; None where it could not even be read."""
    return {**_echo(message or {}), RESPONSE: FAIL, ERROR: error}


def passed(reply: Mapping[str, object]) -> bool:
    """True for a reply with PASS."""
    return reply.get(RESPONSE) == PASS


def masked(message: Mapping[str, object]) -> JsonObject:
    """The message for a log: secrets at its top level replaced."""
    return {
        name: MASK if str(name).lower() in _SECRETS else value for name, value in message.items()
    }


def _echo(message: Mapping[str, object]) -> JsonObject:
    """Without the two answer fields, so that a reply sent back in cannot look like another's answer."""
    return {
        name: value for name, value in message.items() if str(name).lower() not in (RESPONSE, ERROR)
    }
