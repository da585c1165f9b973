"""What of Octavia's suite does not pass, and why."""

import re

EXPECTED = (
    (re.compile("(?i)udp|sctp"), "HAProxy balances connections of TCP: UDP and SCTP are a 501"),
    (re.compile("(?i)flavor"), "there are no flavors: they are a 501"),
    (re.compile("(?i)availability_?zone"), "there are no availability zones: they are a 501"),
)


def explain(test: str) -> str | None:
    """Why a test of that name may fail; None where nothing says so."""
    return next((reason for pattern, reason in EXPECTED if pattern.search(test)), None)
