"""HAProxy's own words of why it refuses a configuration, short enough for a reply."""

import re

MOST = 3  # alerts in one sentence
LONGEST = 400  # characters of it
_ALERT = re.compile(r"\[ALERT\]\s+\(\d+\) : (.*)")
_PLACE = re.compile(r"(parsing|Binding) \[[^][\s]*:(\d+)\](?: :)?")
# what HAProxy adds after it has said what is wrong
_NOISE = re.compile(
    r"(config : )?Error\(s\) found|(config : )?Fatal errors found|exit-on-failure: |Current worker "
    r"|(\[[^]]*main\(\)\] )?Some protocols failed"
)
_PREFIX = re.compile(r"^(config : |\[[^]]*main\(\)\] )")
_SECRET = re.compile(
    r"\b(?:insecure-password|password|auth|authorization|token|secret)\s+(\S{3,})", re.IGNORECASE
)


def explain(log: str, configuration: str = "") -> str:
    """The alerts of a log as one line: no process ids, no paths, no secret that the configuration holds.

    Empty where the log holds none.
    """
    alerts = [match[1].strip() for match in map(_ALERT.match, log.splitlines()) if match]
    telling = [alert for alert in alerts if not _NOISE.match(alert)] or alerts
    once = list(dict.fromkeys(map(_plain, telling)))
    return _shortened(_masked("; ".join(once[:MOST]), configuration))


def _plain(alert: str) -> str:
    return _PLACE.sub(r"line \2:", _PREFIX.sub("", alert))


def _masked(text: str, configuration: str) -> str:
    for secret in sorted(set(_SECRET.findall(configuration)), key=len, reverse=True):
        text = text.replace(secret.strip("'\""), "***")
    return text


def _shortened(text: str) -> str:
    printable = "".join(c if c.isprintable() else "?" for c in text)
    return printable if len(printable) <= LONGEST else printable[: LONGEST - 3] + "..."
