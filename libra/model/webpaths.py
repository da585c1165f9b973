"""Names of web clusters and paths of web services, in one spelling each. Pure."""

import re

from libra.errors import Invalid

LONGEST = 1000
_SEGMENT = re.compile(r"[A-Za-z0-9._~+@:,=-]+")
_NESTED = re.compile(r"[A-Za-z0-9_-]{1,255}")
_NAME = re.compile(r"[a-z][a-z0-9_]{2,63}")
ROOT = "/"


def is_name(text: str) -> bool:
    """True for what a web cluster may be called."""
    return _NAME.fullmatch(text) is not None


def normalise(text: str) -> str:
    """ "info", "/info" and "/info/" are "/info"; "" is "/". Raises `Invalid`.

    What a browser or a proxy might read in two ways is refused: escapes, empty segments, "." and "..".
    """
    if len(text) > LONGEST:
        raise Invalid(f"cannot use the path: it must be at most {LONGEST} characters long")
    inner = text.removeprefix("/").removesuffix("/")
    if not inner:
        if text in ("", ROOT):
            return ROOT
        raise _odd(text)
    segments = inner.split("/")
    if not all(map(_SEGMENT.fullmatch, segments)) or {".", ".."} & set(segments):
        raise _odd(text)
    return f"/{inner}"


def _odd(text: str) -> Invalid:
    return Invalid(
        f"cannot use the path {text[:60]!a}: it must be like /shop/images, of letters, digits and "
        "._~+@:,=- between single slashes, without . or .. alone"
    )


def join(base: str, segment: str) -> str:
    """The path of a service in a `path` service: "/" is that one's own. Raises `Invalid`."""
    if segment == ROOT:
        return base
    if not _NESTED.fullmatch(segment):
        raise Invalid(
            f"cannot use the path {segment[:60]!a} in {base}: it must be one segment of letters, digits, _ and -, "
            "or / for the path itself"
        )
    return normalise(f"{'' if base == ROOT else base}/{segment}")


def is_below(path: str, prefix: str) -> bool:
    """True for the prefix itself and whatever has it as its first segments."""
    return prefix == ROOT or path == prefix or path.startswith(f"{prefix}/")
