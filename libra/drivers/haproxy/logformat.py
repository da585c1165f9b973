"""Which lines of an access log are a frontend's. Pure.

HAProxy writes (`option httplog` and `option tcplog` begin alike)

    10.0.0.9:33320 [21/Nov/2026:05:26:00.130] fe-web~ be-web/s1 0/0/0/2/2 200 ...
    10.0.0.9:33321 [21/Nov/2026:05:26:00.131] fe-web/1: SSL handshake failure

where the client may be IPv6 or `unix:1`, and `~` stands for TLS. rsyslog puts its own time, the host and the
program in front. Everything behind the frontend is the client's to choose, so a line counts only where the field
itself, found from the line's beginning, is the frontend's name.
"""

import re
from collections.abc import Collection

_MONTH_DAY = "[A-Z][a-z][a-z] [ 0-9][0-9] [0-9:]{8}"
_WORD = r"[^ \n]+"
_RFC3339 = f"[0-9]{{4}}-[0-9][0-9]-[0-9][0-9]T{_WORD}"
_SYSLOG = f"(?:(?:{_MONTH_DAY}|{_RFC3339}) {_WORD} {_WORD}: )?"
_CLIENT_AND_DATE = rf"{_WORD} \[[^] \n]+] "
_BEHIND = "[~ /]"
_NAME = re.compile("[A-Za-z0-9_.:-]+")


def build_pattern(frontends: Collection[str]) -> str:
    """The beginning of every line of these frontends: an expression that PCRE and `re` read alike."""
    names = "|".join(escape(name) for name in sorted(frontends))
    if not names:
        raise ValueError("no frontend is named")
    return f"^{_SYSLOG}{_CLIENT_AND_DATE}(?:{names}){_BEHIND}"


def build_needles(frontends: Collection[str]) -> list[bytes]:
    """What one of is in every line of these frontends: quick to find, but other lines may hold it, too."""
    return [f"] {name}".encode() for name in sorted(frontends)]


def escape(name: str) -> str:
    """A name that stands for itself; raises `ValueError` for what no frontend can be called."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"no frontend can be called {name!r}")
    return name.replace(".", "[.]")
