"""What of a request's path is below its service's."""

from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes

from libra.model.webservice import ROOT

Names = tuple[bytes, ...]
"""The decoded parts of a path; an empty one at the end stands for a slash there."""


def split_below(path: bytes, service_path: str) -> Names | None:
    """The names below a service, from the path as it came; None where there can be nothing of such a name.

    No name is "." or "..", none holds a slash or a zero, and only the last one may be empty: whoever puts them
    together stays below where they begin. For the service's own path there is none, with a slash an empty one.
    """
    if not path.startswith(b"/"):
        return None
    came = [unquote_to_bytes(part) for part in path[1:].split(b"/")]
    own = [unquote_to_bytes(part) for part in service_path.split("/") if part]
    if came[: len(own)] != own:
        return None
    below = came[len(own) :]
    return tuple(below) if all(map(_is_name, below[:-1])) and _may_end(below) else None


def is_exactly(path: bytes, service_path: str) -> bool:
    """Whether the path as it came is the service's own."""
    below = split_below(path, service_path)
    return below == () or (service_path == ROOT and below == (b"",))


def join_path(service_path: str, names: Sequence[bytes]) -> str:
    """The path of what is below a service, encoded: nothing in it can be taken for another host."""
    own = [unquote_to_bytes(part) for part in service_path.split("/") if part]
    return "/" + "/".join(quote(name, safe="") for name in (*own, *names))


def _is_name(name: bytes) -> bool:
    return name not in (b"", b".", b"..") and b"/" not in name and b"\0" not in name


def _may_end(names: Sequence[bytes]) -> bool:
    return not names or names[-1] == b"" or _is_name(names[-1])
