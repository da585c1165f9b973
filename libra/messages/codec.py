"""Bytes of a job to a decoded message and back."""

import json

from libra.errors import Invalid

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
JsonObject = dict[str, object]


def decode(data: bytes) -> JsonObject:
    """The JSON object in a job's bytes; raises `Invalid` with a sentence for everything else."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise Invalid(
            f"cannot read the message: it has {len(data)} bytes, at most {MAX_MESSAGE_BYTES} are taken"
        )
    try:
        message = json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise Invalid(f"cannot read the message: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise Invalid("cannot read the message: it is nested too deep") from None
    except ValueError as error:
        raise Invalid(f"cannot read the message: not JSON ({error})") from None
    if not isinstance(message, dict):
        raise Invalid("cannot read the message: must be a JSON object")
    return message


def encode(message: JsonObject) -> bytes:
    """ASCII-only JSON, so that it is valid UTF-8 whatever came in; raises `Invalid` where it is nested too deep."""
    try:
        return json.dumps(message, separators=(",", ":")).encode("ascii")
    except (RecursionError, ValueError, TypeError) as error:
        raise Invalid("cannot write the message as JSON") from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON number")
