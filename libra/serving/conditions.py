"""Whether a client that has an answer already needs it again (RFC 9110, 13)."""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_TAG = re.compile(r'(?:W/)?("[^"]*")')
_RANGES = re.compile(r"bytes=\s*{0}(?:\s*,\s*{0})*\s*".format(r"(?:\d{1,18}-\d{0,18}|-\d{1,18})"))


def is_unchanged(asked: Mapping[str, str], has: Mapping[str, str]) -> bool:
    """`asked`: a GET's or a HEAD's headers; `has`: those of the whole answer, with ETag and Last-Modified."""
    tags = asked.get("if-none-match")
    if tags is not None:  # then the other one does not count
        return tags.strip() == "*" or has["etag"] in _TAG.findall(tags)
    since = asked.get("if-modified-since")
    if since is None:
        return False
    try:
        return parsedate_to_datetime(since) >= parsedate_to_datetime(has["last-modified"])
    except (ValueError, TypeError, OverflowError):
        return False


def asks_for_ranges(value: str) -> bool:
    """Whether a header Range is one to follow; others are to be ignored."""
    return _RANGES.fullmatch(value) is not None
