"""Who orders something, and why: the comment may stand in the query or the form, beside the header."""

from dataclasses import replace
from typing import Annotated

from fastapi import Depends

from libra.api.auth import Asking
from libra.api.routers.scheduler.parameters import Asked
from libra.model.access import Caller
from libra.usecases.admin.comments import parse_comment

COMMENT = "comment"
"""A parameter of every order."""


async def ordering(caller: Asking, asked: Asked) -> Caller:
    """Raises `Invalid` for a comment that has no place in an event."""
    text = asked.text(COMMENT)
    return caller if text is None else replace(caller, comment=parse_comment(text))


Ordering = Annotated[Caller, Depends(ordering)]
