"""Words of HAProxy's configuration: quoted where it would read more into them. Pure."""

import re

from libra.errors import Invalid
from libra.messages.fields import has_control_characters

_PLAIN = re.compile(r"[A-Za-z0-9_./:*\[\],+=@%?&~-]+")
IN_EXPRESSION = re.compile(r"[A-Za-z0-9_./+-]+")


def word(text: str) -> str:
    """One word of the file."""
    if has_control_characters(text):
        raise Invalid("cannot write a control character into the configuration")
    return text if _PLAIN.fullmatch(text) else _in_quotes(text)


def written_format(text: str) -> str:
    """As it stands, where HAProxy reads a format."""
    if has_control_characters(text):
        raise Invalid("cannot write a control character into the configuration")
    return _in_quotes(text.replace("%", "%%"))


def _in_quotes(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
