import hashlib
import json

from hypothesis import given
from hypothesis import strategies as st

from libra.objectstores.manifests import Entry, Manifest, ManifestTree


def build_entry(number: int) -> Entry:
    etag = hashlib.md5(str(number).encode()).hexdigest()
    return Entry(path=f"logs_segments/x/{number:08d}", etag=etag, size=number + 1)


def grow(count: int, width: int) -> tuple[Manifest, dict[str, Manifest]]:
    """The top, and the manifests below it by path, as an upload writes them."""
    tree, stored = ManifestTree(width), {}
    for number in range(count):
        level, due = 0, tree.add(build_entry(number))
        while due is not None:
            path = f"logs_segments/x/manifest-{len(stored)}"
            stored[path] = due
            level += 1
            due = tree.add(Entry(path=path, etag=due.etag, size=due.size), level)
    return tree.top(), stored


def flatten(manifest: Manifest, stored: dict[str, Manifest]) -> list[Entry]:
    found: list[Entry] = []
    for entry in manifest.entries:
        below = stored.get(entry.path)
        found += flatten(below, stored) if below else [entry]
    return found


@given(st.integers(1, 400), st.integers(2, 7))
def test_every_segment_is_in_the_tree_once_and_in_order(count: int, width: int) -> None:
    top, stored = grow(count, width)
    assert flatten(top, stored) == [build_entry(number) for number in range(count)]
    assert top.size == sum(number + 1 for number in range(count))


@given(st.integers(1, 400), st.integers(2, 7))
def test_no_manifest_is_longer_than_swift_takes(count: int, width: int) -> None:
    top, stored = grow(count, width)
    levels = 1 + next(level for level in range(20) if width**level >= count)
    assert all(len(manifest.entries) == width for manifest in stored.values())
    assert len(top.entries) < width * levels


def test_a_manifest_of_four_levels_stays_under_swifts_thousand() -> None:
    tree = ManifestTree()
    for level in range(4):
        for number in range(249):
            assert tree.add(build_entry(number), level) is None
    assert len(tree.top().entries) == 996


def test_what_swift_reads() -> None:
    one, two = build_entry(1), build_entry(2)
    manifest = Manifest((one, two))
    assert json.loads(manifest.render()) == [
        {"path": "/logs_segments/x/00000001", "etag": one.etag, "size_bytes": 2},
        {"path": "/logs_segments/x/00000002", "etag": two.etag, "size_bytes": 3},
    ]
    assert manifest.etag == hashlib.md5((one.etag + two.etag).encode()).hexdigest()
