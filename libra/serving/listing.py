"""A directory as a page."""

import html
import os
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from starlette.responses import HTMLResponse

from libra.serving.answers import HARMLESS

MOST_ENTRIES = 10_000
HEADERS = {
    **HARMLESS,
    "cache-control": "no-cache",
    "content-security-policy": "default-src 'none'",
}


def render_listing(handle: int, title: str, *, is_top: bool) -> HTMLResponse:
    """What is in an open directory, directories first; names that begin with a dot are left out."""
    links = [] if is_top else ["../"]
    links += sorted(_names(handle), key=lambda name: (not name.endswith("/"), name))
    items = "".join(
        f'<li><a href="{html.escape(_link(name))}">{html.escape(_shown(name))}</a></li>\n'
        for name in links[:MOST_ENTRIES]
    )
    heading = html.escape(title)
    return HTMLResponse(
        f"<!DOCTYPE html>\n<html><head><meta charset='utf-8'><title>{heading}</title></head>\n"
        f"<body><h1>{heading}</h1>\n<ul>\n{items}</ul>\n</body></html>\n",
        headers=HEADERS,
    )


def _names(handle: int) -> Iterator[str]:
    with os.scandir(handle) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                yield f"{entry.name}/" if _is_directory(entry) else entry.name


def _is_directory(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a loop of links
        return False


def _link(name: str) -> str:
    """Relative, and never taken for a scheme or a host."""
    return name if name == "../" else f"./{quote(os.fsencode(name))}"


def _shown(name: str) -> str:
    return os.fsencode(name).decode(errors="replace")


def shown_path(names: Sequence[bytes]) -> str:
    """For a title."""
    return "/" + "/".join(name.decode(errors="replace") for name in names)
