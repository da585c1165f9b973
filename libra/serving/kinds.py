"""What a file is, by its name; the same on every device, whatever its own table says."""

import mimetypes
import os
from collections.abc import Iterable
from pathlib import Path

UNKNOWN = "application/octet-stream"
_MORE = {
    ".avif": "image/avif",
    ".gz": "application/gzip",
    ".jgz": "text/javascript",
    ".md": "text/markdown",
    ".mjs": "text/javascript",
    ".svg": "image/svg+xml",
    ".svgz": "image/svg+xml",
    ".wasm": "application/wasm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}
_COMPRESSED = (".jgz", ".svgz")  # by whoever wrote them, and meant to be unpacked by the browser


class Kinds:
    """`known` are pairs of a suffix and a type that come first; of several that fit, the longest suffix."""

    def __init__(self, known: Iterable[tuple[str, str]] = ()) -> None:
        self._own = {f".{suffix.lstrip('.')}".lower(): name for suffix, name in known}
        self._table = {**mimetypes.MimeTypes().types_map[True], **_MORE}

    def kind(self, name: bytes) -> str:
        """The media type."""
        text = os.fsdecode(name).lower()
        fitting = [suffix for suffix in self._own if text.endswith(suffix)]
        if fitting:
            return self._own[max(fitting, key=len)]
        return self._table.get(Path(text).suffix, UNKNOWN)

    def encoding(self, name: bytes) -> str | None:
        """What it is packed with on its way, as Content-Encoding says."""
        return "gzip" if os.fsdecode(name).lower().endswith(_COMPRESSED) else None
