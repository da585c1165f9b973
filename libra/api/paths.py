"""Other spellings of Octavia's paths, as its own server takes them. Pure."""

import re

_OCTAVIA = re.compile(
    r"(?P<base>(?:/load-balancer)?/v2(?:\.0)?)(?:/lbaas)?"
    r"(?P<rest>/(?:loadbalancers|listeners|pools|healthmonitors|l7policies|quotas|providers)(?:/.*)?)",
    re.DOTALL,
)
_AMPHORAE = re.compile(
    r"(?:/load-balancer)?/v2(?:\.0)?/octavia/amphorae(?:/.*)?",
    re.DOTALL,
)
_ENDINGS = re.compile(r"(?:\.json)?/?\Z")


def respell(path: str) -> str:
    """Without /lbaas, with .json or a slash at the end: the one path that is routed. Others stay."""
    bare = _ENDINGS.sub("", path, count=1)
    if _AMPHORAE.fullmatch(bare):
        return bare
    match = _OCTAVIA.fullmatch(bare)
    return f"{match['base']}/lbaas{match['rest']}" if match else path
