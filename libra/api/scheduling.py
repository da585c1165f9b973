"""The paths of the scheduler's API, which are routed by what was sent: a name in one may hold any character. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from libra.errors import Invalid
from libra.messages.fields import quoted

ROOTS = frozenset(
    (
        *("cloud", "clouds", "cloud-aliases", "cloud_aliases", "clusters", "jobs", "vms"),
        *("users", "user-limits", "user_limits", "job_pools", "job-pools", "job-pool", "job_pool"),
        *("developer_info", "developer-info", "ips", "diff-types", "diff_types", "failures"),
        *("shared-objs", "shared_objs", "thread-heart-beats", "thread_heart_beats"),
    )
)
"""First segments of which all paths are of this API, beside the root itself."""
SAFE = ("GET", "HEAD")
SUFFIX = b".json"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Spelling:
    """The path to be routed, each name in it percent-encoded whole; whether its end asks for JSON."""

    path: str
    json: bool = False


def read_path(raw: bytes, method: str) -> Spelling | None:
    """None for a path of another API. Raises `Invalid` for one that is not UTF-8.

    A slash at the end is none, and ".json", as it stands, is a suffix, where something is read. With its dot encoded it
    is part of the name, and so it is where something is changed. There the slash precedes a name that is empty, as of a
    script that found none: to forget that vm must not forget all of them.
    """
    segments = raw.split(b"/")[1:]
    if method in SAFE and len(segments) > 1 and not segments[-1]:
        segments.pop()
    if not segments:
        return None
    last = segments[-1]
    is_json = method in SAFE and last.endswith(SUFFIX) and last != SUFFIX
    if is_json:
        segments[-1] = last.removesuffix(SUFFIX)
    names = [unquote_to_bytes(segment) for segment in segments]
    if names != [b""] and names[0].decode("utf-8", "replace") not in ROOTS:
        return None
    return Spelling("/" + "/".join(map(_encode, names)), is_json)


def is_of_scheduler(path: str) -> bool:
    """Whether a route's path is of this API."""
    return path == "/" or path.split("/")[1] in ROOTS


def _encode(name: bytes) -> str:
    try:
        return quote(name.decode(), safe="")
    except UnicodeDecodeError:
        shown = quoted(name.decode("utf-8", "backslashreplace"))
        raise Invalid(f"cannot read the address: {shown} is not UTF-8") from None


def prefers_json(accept: str) -> bool:
    """Whether the header names JSON, and no plain text that it likes better."""
    likes = _parse_accept(accept)
    wish = likes.get(_JSON, 0.0)
    return wish > 0 and wish >= max(likes.get("text/plain", 0.0), likes.get("text/*", 0.0))


def _parse_accept(accept: str) -> Mapping[str, float]:
    likes: dict[str, float] = {}
    for item in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in item.split(";"))
        likes.setdefault(kind, _quality(parameters))
    return likes


def _quality(parameters: list[str]) -> float:
    """1 where none is given, 0 where it cannot be read."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
