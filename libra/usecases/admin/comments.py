"""Why somebody orders something: for the events, and in some places required."""

from libra.errors import Invalid
from libra.messages.fields import has_control_characters
from libra.model.access import Caller
from libra.usecases.services import Services

MAX_COMMENT = 500
"""Characters."""


def parse_comment(text: str) -> str:
    """Without spaces around it, "" where it says nothing. Raises `Invalid` for what has no place in an event."""
    comment = text.strip(" ")
    if len(comment) > MAX_COMMENT:
        raise Invalid(
            f"cannot take the comment: it has {len(comment)} characters, at most {MAX_COMMENT} are taken"
        )
    if has_control_characters(comment):
        raise Invalid("cannot take the comment: it holds control characters")
    return comment


def ensure_comment(services: Services, caller: Caller) -> None:
    """Raises `Invalid` where the settings require a comment and there is none."""
    if services.admin.require_comment and not caller.comment:
        raise Invalid(
            "cannot do that without a comment: admin.require_comment is set; "
            "give one as the parameter 'comment' or the header X-Libra-Comment"
        )
