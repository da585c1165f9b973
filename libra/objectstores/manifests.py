"""How many segments become one object: manifests of Swift's static large objects, nested where one is too small. Pure.

A manifest lists at most 1000 segments, and a segment may be a manifest itself. The tree is written as the segments
come, so that only `WIDTH` entries a level are kept, however long the object becomes.
"""

import hashlib
import json
from dataclasses import dataclass

WIDTH = 250  # entries until a manifest is written; Swift looks at each one while the client waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A stored segment, or a stored manifest standing for many; `path` is container/object."""

    path: str
    etag: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest holds, oldest first."""

    entries: tuple[Entry, ...]

    @property
    def etag(self) -> str:
        """What Swift answers for the whole: the MD5 of its parts' MD5s."""
        parts = "".join(entry.etag for entry in self.entries)
        return hashlib.md5(parts.encode(), usedforsecurity=False).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of the whole."""
        return sum(entry.size for entry in self.entries)

    def render(self) -> bytes:
        """The body of the PUT with ?multipart-manifest=put; Swift compares all three fields."""
        rows = [
            {"path": f"/{entry.path}", "etag": entry.etag, "size_bytes": entry.size}
            for entry in self.entries
        ]
        return json.dumps(rows).encode()


class ManifestTree:
    """Collects entries, oldest first, and says when a manifest is due."""

    def __init__(self, width: int = WIDTH) -> None:
        self._width = width
        self._levels: list[list[Entry]] = [[]]

    def add(self, entry: Entry, level: int = 0) -> Manifest | None:
        """Take an entry; a manifest that comes back is to be stored and added one level higher."""
        if level == len(self._levels):
            self._levels.append([])
        entries = self._levels[level]
        entries.append(entry)
        if len(entries) < self._width:
            return None
        self._levels[level] = []
        return Manifest(tuple(entries))

    def top(self) -> Manifest:
        """The manifest of the whole: higher levels are older."""
        return Manifest(tuple(entry for level in reversed(self._levels) for entry in level))
