"""The message of `libra job send`: an action, and perhaps a file's fields."""

import sys
from pathlib import Path

from libra.errors import Invalid
from libra.messages.codec import MAX_MESSAGE_BYTES, JsonObject, decode
from libra.messages.fields import fold, quoted
from libra.messages.replies import PLAN
from libra.messages.requests import DRY_RUN, Action

ACTION = "hpcs_action"
STANDARD_INPUT = Path("-")
EXAMPLES = {
    Action.UPDATE: '{"loadbalancers": [{"protocol": "HTTP", "nodes": [{"address": "10.0.0.1", "port": 80}]}]}',
    Action.ARCHIVE: (
        '{"hpcs_object_store_type": "swift", "hpcs_object_store_basepath": "lbaaslogs", '
        '"hpcs_object_store_endpoint": "https://swift.example.com/v1/AUTH_1", '
        '"hpcs_object_store_token": "...", "loadbalancers": [{"protocol": "HTTP"}]}'
    ),
}


def parse_action_name(name: str) -> Action:
    """An action in any case; raises `Invalid`."""
    try:
        return Action(name.upper())
    except ValueError:
        words = ", ".join(action.value for action in Action)
        raise Invalid(f"cannot send {quoted(name)}: the action must be one of {words}") from None


def build_message(action: Action, data: bytes | None) -> JsonObject:
    """The file's fields plus `hpcs_action`; raises `Invalid`. `data` None means that no file was given."""
    if data is None:
        return {ACTION: action.value, **_no_fields(action)}
    fields = decode(data)
    given = [value for name, value in fields.items() if fold(name) == ACTION]
    for value in given:
        if not isinstance(value, str) or value.strip().upper() != action.value:
            raise Invalid(f"cannot send {action.value}: the file's {ACTION} is {quoted(value)}")
    return fields if given else {ACTION: action.value, **fields}


def with_dry_run(action: Action, fields: JsonObject) -> JsonObject:
    """The message as a dry run, whatever it says itself; raises `Invalid` where there is none.

    Without a `plan` of its own, whose echo by a worker that knows no dry run would look like one.
    """
    if not action.changes_proxy:
        words = ", ".join(item.value for item in Action if item.changes_proxy)
        raise Invalid(f"cannot send {action.value} as a dry run: only {words} have one")
    others = {name: value for name, value in fields.items() if fold(name) not in (DRY_RUN, PLAN)}
    return {**others, DRY_RUN: True}


def _no_fields(action: Action) -> JsonObject:
    if action in EXAMPLES:
        raise Invalid(
            f"cannot send {action.value} without its fields: give them with --message FILE "
            f"(or --message - to read standard input), for example\n{EXAMPLES[action]}"
        )
    return {}


def read_message(path: Path | None) -> bytes | None:
    """A file's bytes, or standard input's for "-"; None without a file. Raises `Invalid`."""
    if path is None:
        return None
    try:
        if path == STANDARD_INPUT:
            return sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 1)
        with path.open("rb") as file:
            return file.read(MAX_MESSAGE_BYTES + 1)
    except OSError as error:
        raise Invalid(f"cannot read the message from {path}: {error.strerror}") from None
